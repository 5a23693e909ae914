//! What entries call things: every kind of actor, roles, and metadata before and after a change.

use chrono::TimeDelta;
use claviger_app::{Call, Direct, Facts, organizations};
use claviger_domain::actor::Actor;
use serde_json::{Value, json};

use crate::organization::{Tenant, data};
use crate::support::World;

/// The newest entry of the operator's log with this action; what comes after it is a second later.
async fn newest(world: &World, action: &str) -> Value {
    world.flush().await;
    world.advance(TimeDelta::seconds(1));
    let path = format!("/admin/v1/audit-logs?limit=1&include_reads=true&action={action}");
    let answer = world.bootstrap().get(&path).await;
    data(&answer, 200)[0].clone()
}

#[tokio::test]
async fn every_kind_of_actor_has_a_name() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let name = |entry: &Value| (entry["actor"]["type"].clone(), entry["actor"]["name"].clone());

    let entry = newest(&world, "organization.created").await;
    assert_eq!(name(&entry), (json!("bootstrap_key"), json!("bootstrap key")));
    world.bootstrap().get("/admin/v1/organizations").await;
    let entry = newest(&world, "organization.read").await;
    assert_eq!(name(&entry), (json!("bootstrap_key"), json!("bootstrap key")));

    let partner = world.partner().await;
    partner.user("Customer").await;
    let entry = newest(&world, "user_account.created").await;
    assert_eq!(name(&entry), (json!("admin_key"), json!("YourCompany")));

    let console = acme.key(&["*"], json!({"name": "Console"})).await;
    let console = world.bearer(console["key"].as_str().unwrap());
    assert_eq!(console.post(&acme.path("/users"), &json!({"name": "Ada"})).await.status, 201);
    let entry = newest(&world, "user_account.created").await;
    assert_eq!(name(&entry), (json!("credential"), json!("Console")));
    assert_eq!(entry["actor"]["user"], Value::Null);
    console.get(&acme.path("/roles")).await;
    assert_eq!(newest(&world, "role.read").await["actor"]["name"], "Console");

    let user = acme.user("Ada Lovelace", &["Owner"]).await;
    let (_, ada) = acme.bound(&user, &["*"]).await;
    assert_eq!(ada.post(&acme.path("/roles"), &json!({"name": "R", "permissions": []})).await.status, 201);
    let behind = json!({"id": user["id"], "name": "Ada Lovelace"});
    let entry = newest(&world, "role.created").await;
    assert_eq!((&entry["actor"]["name"], &entry["actor"]["user"]), (&json!("A key"), &behind));
    let own = acme.owner.get(&acme.path("/audit-logs?limit=1&action=role.created")).await.json();
    assert_eq!(own["data"][0]["actor"]["user"], behind);
    ada.get(&acme.path("/roles")).await;
    assert_eq!(newest(&world, "role.read").await["actor"]["user"], behind);

    // A key that ends itself over the gateways' surface.
    let leaked = acme.key(&[], json!({"name": "Leaked"})).await;
    let ended = world.nobody().post("/v1/keys/revoke-self", &json!({"key": leaked["key"]})).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    let entry = newest(&world, "api_key.revoked").await;
    assert_eq!(name(&entry), (json!("credential"), json!("Leaked")));

    let operator = Call::new(world.app.clone(), Actor::Operator, Facts::default());
    let id =
        claviger_domain::ids::OrganizationId::parse_any(acme.organization["id"].as_str().unwrap()).unwrap();
    organizations::suspend(&operator, id, Direct).await.unwrap();
    let entry = newest(&world, "organization.suspended").await;
    assert_eq!(name(&entry), (json!("operator"), json!("command line")));

    world.nobody().get("/admin/v1/organizations").await;
    let entry = newest(&world, "organization.denied").await;
    assert_eq!(name(&entry), (json!("unknown"), Value::Null), "nobody knows who that was");
}

#[tokio::test]
async fn roles_are_told_with_their_names() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let role = acme.role("Accountant", &["invoices:read"]).await;
    let user = acme.user("Ada", &["Accountant"]).await;
    let named = |entry: &Value| -> Vec<String> {
        let roles = entry.as_array().unwrap().iter();
        roles.map(|role| format!("{} {}", role["id"].as_str().unwrap().len(), role["name"])).collect()
    };
    let entry = newest(&world, "user_account.created").await;
    assert_eq!(named(&entry["details"]["roles"]), ["36 \"Accountant\""]);
    let patch = json!({"roles": ["Viewer", role["id"]]});
    data(&acme.owner.patch(&acme.at("users", &user), &patch).await, 200);
    let change = newest(&world, "user_account.updated").await["details"]["changes"]["roles"].clone();
    assert_eq!(named(&change["from"]), ["36 \"Accountant\""]);
    assert_eq!(named(&change["to"]), ["36 \"Viewer\"", "36 \"Accountant\""]);
    let path = format!(
        "/admin/v1/organizations/{}/members/{}",
        acme.organization["id"].as_str().unwrap(),
        user["id"].as_str().unwrap()
    );
    assert_eq!(world.bootstrap().patch(&path, &json!({"role": "Member"})).await.status, 200);
    let change = newest(&world, "user_account.updated").await["details"]["changes"]["roles"].clone();
    assert_eq!(named(&change["from"]), ["36 \"Viewer\"", "36 \"Accountant\""]);
    assert_eq!(named(&change["to"]), ["36 \"Member\""]);
}

#[tokio::test]
async fn metadata_is_told_before_and_after_and_only_so_much_of_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Customer").await;
    let path = format!("/v1/admin/users/{}", user["id"].as_str().unwrap());
    let change = async |metadata: Value| {
        assert_eq!(partner.patch(&path, &json!({"metadata": metadata})).await.status, 200);
        newest(&world, "user_account.updated").await["details"]["changes"]["metadata"].clone()
    };
    let small = json!({"plan": "pro"});
    assert_eq!(change(small.clone()).await, json!({"from": "{}", "to": small.to_string()}));
    let large = json!({"note": "ä".repeat(4_000)});
    let told = change(large.clone()).await;
    assert_eq!(told["from"], small.to_string());
    let text = large.to_string();
    assert_eq!(told["to"]["bytes"], text.len());
    assert_eq!(told["to"]["blake3"], blake3::hash(text.as_bytes()).to_hex().to_string());
    let beginning = told["to"]["beginning"].as_str().unwrap();
    assert!(text.starts_with(beginning) && (1_000..=1_024).contains(&beginning.len()), "{beginning}");
    // A key that somebody keeps there stays out of the log, and so does one in a name.
    let key = partner.credential("Production").await["api_key"].as_str().unwrap().to_uppercase();
    let told = change(json!({"key": key})).await;
    assert_eq!(told["to"]["beginning"], "[redacted: contains a key]");
    assert_eq!(partner.patch(&path, &json!({"name": format!("x {key}")})).await.status, 200);
    let entry = newest(&world, "user_account.updated").await;
    assert!(!entry.to_string().contains(&key), "{entry}");

    let id = partner.credential("Second").await["credential"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/v1/api-keys/{id}");
    let answer = world.bootstrap().patch(&path, &json!({"metadata": {"a": 1}})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = newest(&world, "credential.updated").await["details"]["changes"]["metadata"].clone();
    assert_eq!(told, json!({"from": "{}", "to": "{\"a\":1}"}));
    let acme = Tenant::new(&world, "Acme").await;
    let path = format!("/admin/v1/organizations/{}", acme.organization["id"].as_str().unwrap());
    assert_eq!(world.bootstrap().patch(&path, &json!({"metadata": {"b": 2}})).await.status, 200);
    let told = newest(&world, "organization.updated").await["details"]["changes"]["metadata"].clone();
    assert_eq!(told, json!({"from": "{}", "to": "{\"b\":2}"}));
}
