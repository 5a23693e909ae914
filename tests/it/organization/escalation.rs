//! The ways around the ceiling that are left: roles by their ids, keys of another kind, answers that are told again, and
//! callers that have ended.

use serde_json::{Value, json};

use super::{Tenant, bad, code, data, key_body, missing, refused, text};
use crate::gateway::stage::never_issued;
use crate::openapi::operations::of;
use crate::support::{Caller, World};
use crate::tenancy::estate::Estate;

#[tokio::test]
async fn a_role_named_by_its_id_is_the_same_role() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let strong = acme.role("Strong", &["audit:read"]).await;
    let caller = acme.holding(&["users:write", "users:read"]).await;
    let roles = data(&acme.owner.get(&acme.path("/roles")).await, 200);
    let owner = &roles[0]["id"];
    for (role, lacking) in [(owner, "*"), (&strong["id"], "audit:read")] {
        let answer = caller.post(&acme.path("/users"), &json!({"name": "A", "roles": [role]})).await;
        refused(
            &answer,
            403,
            "scope_not_held",
            &format!("You cannot grant scopes you do not hold: {lacking}"),
        );
    }
    let other = Estate::of(&world, "Umbrella").await;
    for role in [other.role.as_str(), super::NO_ROLE] {
        let body = json!({"name": "A", "roles": [role]});
        missing(&acme.owner.post(&acme.path("/users"), &body).await);
    }
}

#[tokio::test]
async fn a_key_stays_in_its_world() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let test = acme.key(&["api-keys:*"], json!({"environment": "test"})).await;
    let path = acme.at("api-keys", &test);
    for (field, value) in [("environment", "live"), ("type", "scim"), ("userId", "user_x")] {
        let patch = Value::Object([(field.to_owned(), json!(value))].into_iter().collect());
        bad(&acme.owner.patch(&path, &patch).await, field, &format!("Unknown field: {field}"));
    }
    let rotated = data(&acme.owner.post_empty(&format!("{path}/rotate")).await, 200);
    assert!(text(&rotated["key"]).starts_with("ak_test_"));
    for issued in [&test, &rotated] {
        let caller = world.bearer(text(&issued["key"]));
        let answer = caller.get(&acme.path("/api-keys")).await;
        refused(&answer, 401, "unauthorized", "The presented key opens nothing here");
    }
    let wanted = json!({"key": rotated["key"], "environment": "live"});
    let verified = world.bootstrap().post("/v1/keys/verify", &wanted).await.json();
    assert_eq!(verified["code"], "WRONG_ENVIRONMENT");
}

#[tokio::test]
async fn a_kept_answer_is_nobodys_who_may_not_ask_any_more() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    acme.user("Somebody", &["Owner"]).await;
    let user = acme.user("Ada", &["Owner"]).await;
    let (issued, bound) = acme.bound(&user, &["api-keys:write", "users:read"]).await;
    let body = key_body(&["users:read"], json!({})).to_string();
    let post = async |caller: &Caller<'_>| {
        let request =
            caller.request("POST", &acme.path("/api-keys")).header("content-type", "application/json");
        caller.send(request.header("idempotency-key", "one"), body.clone()).await
    };
    let first = post(&bound).await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(post(&bound).await.text, first.text);
    data(&acme.owner.patch(&acme.at("users", &user), &json!({"roles": ["Viewer"]})).await, 200);
    refused(&post(&bound).await, 403, "forbidden", "The scope api-keys:write is required");
    data(&acme.owner.patch(&acme.at("users", &user), &json!({"roles": ["Owner"]})).await, 200);
    let rotate = format!("{}/rotate", acme.at("api-keys", &issued));
    let next = data(&acme.owner.post_empty(&rotate).await, 200);
    let fresh = post(&world.bearer(text(&next["key"]))).await;
    assert!(fresh.status == 201 && fresh.json()["key"] != first.json()["key"], "{}", fresh.text);
    data(&acme.owner.patch(&acme.at("users", &user), &json!({"status": "suspended"})).await, 200);
    refused(&post(&bound).await, 401, "unauthorized", "The presented key opens nothing here");
}

#[tokio::test]
async fn keys_that_have_ended_open_no_operation() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let closed = Tenant::new(&world, "Closed").await;
    let of_closed = closed.key(&["*"], json!({})).await;
    acme.user("Somebody", &["Owner"]).await;
    let user = acme.user("Ada", &["Owner"]).await;
    let (of_suspended, _) = acme.bound(&user, &["*"]).await;
    let disabled = acme.key(&["*"], json!({})).await;
    data(&acme.owner.post_empty(&format!("{}/disable", acme.at("api-keys", &disabled))).await, 200);
    let expired = acme.key(&["*"], json!({"expiresIn": "1m"})).await;
    let old = acme.key(&["*"], json!({})).await;
    let rotate = format!("{}/rotate", acme.at("api-keys", &old));
    data(&acme.owner.post(&rotate, &json!({"overlapSeconds": 0})).await, 200);
    data(&acme.owner.patch(&acme.at("users", &user), &json!({"status": "suspended"})).await, 200);
    assert_eq!(world.bootstrap().post_empty("/admin/v1/organizations/closed/suspend").await.status, 200);
    let partner = world.partner().await;
    let customers = partner.credential("A customer's").await;
    world.advance(chrono::TimeDelta::minutes(1));
    let keys = [
        ("disabled", text(&disabled["key"]).to_owned()),
        ("expired", text(&expired["key"]).to_owned()),
        ("rotated away", text(&old["key"]).to_owned()),
        ("of a suspended user", text(&of_suspended["key"]).to_owned()),
        ("of a suspended organization", text(&of_closed["key"]).to_owned()),
        ("a customer's", text(&customers["api_key"]).to_owned()),
        ("a partner's", partner.key.clone().unwrap()),
        ("never issued", never_issued(claviger_domain::secret::KeyFormat::Live)),
    ];
    for operation in of("organization") {
        let organization = text(&acme.organization["id"]);
        let path = operation.at(|name| match name {
            "org" => organization.to_owned(),
            _ => "key_01h455vb4pex5vsknk084sn02q".to_owned(),
        });
        for (what, key) in &keys {
            let caller = world.bearer(key);
            let answer = caller.send(caller.request(&operation.method, &path), "").await;
            assert_eq!(answer.status, 401, "{what} on {}: {}", operation.id(), answer.text);
            refused(&answer, 401, "unauthorized", "The presented key opens nothing here");
        }
    }
    assert_eq!(code(&world, &old).await, "EXPIRED");
}
