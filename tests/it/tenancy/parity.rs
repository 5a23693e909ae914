//! One key's life, led through each surface that can: the same rows, the same decisions, the same audit facts.

use claviger_domain::ids::CredentialId;
use serde_json::{Value, json};

use super::estate::Estate;
use crate::hostile::rows;
use crate::openapi::operations::text;
use crate::support::{Answer, Caller, World};

/// A surface as the life of a key meets it.
struct Way<'w> {
    caller: Caller<'w>,
    create: (String, Value),
    /// Of one key, by its id on this surface.
    one: String,
    list: String,
    id_of: fn(&Value) -> String,
    key_of: fn(&Value) -> String,
}

fn ok(answer: &Answer, what: &str) {
    assert!((200..300).contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
}

/// What the gateway says of a key.
async fn code(world: &World, key: &str) -> String {
    // What follows is done later, and stands later in the log.
    world.advance(chrono::TimeDelta::seconds(1));
    let answer = world.bootstrap().post("/v1/keys/verify", &json!({"key": key})).await;
    text(&answer.json()["code"]).to_owned()
}

/// The rows of a key's life, without what is each one's own: ids, instants, digests.
async fn facts(world: &World, bare_id: &str) -> Vec<(String, Value)> {
    let path = format!("/admin/v1/audit-logs?target_id={bare_id}&limit=100");
    let answer = world.bootstrap().get(&path).await;
    ok(&answer, "the audit log");
    let entries = answer.json()["data"].as_array().unwrap().clone();
    let mut facts: Vec<_> = entries
        .iter()
        .map(|entry| {
            let mut details = entry["details"].clone();
            for own in ["api_key_prefix", "previous_expires_at"] {
                if let Some(member) = details.get_mut(own) {
                    *member = json!("its own");
                }
            }
            (text(&entry["action"]).to_owned(), details)
        })
        .collect();
    facts.reverse();
    facts
}

/// Leads a key through its life; answers what the gateway said on the way, and the key's id.
async fn live(world: &World, way: &Way<'_>) -> (Vec<String>, String) {
    let mut said = Vec::new();
    let created = way.caller.post(&way.create.0, &way.create.1).await;
    ok(&created, "create");
    let (id, key) = ((way.id_of)(&created.json()), (way.key_of)(&created.json()));
    said.push(code(world, &key).await);
    let listed = way.caller.get(&way.list).await;
    ok(&listed, "list");
    assert!(listed.text.contains(&id), "{}", listed.text);
    let one = way.one.replace("{id}", &id);
    let rotated = way.caller.post_empty(&format!("{one}/rotate")).await;
    ok(&rotated, "rotate");
    let new = (way.key_of)(&rotated.json());
    said.extend([code(world, &key).await, code(world, &new).await]);
    let disabled = way.caller.post_empty(&format!("{one}/disable")).await;
    if disabled.status != 404 {
        ok(&disabled, "disable");
        said.push(code(world, &new).await);
        ok(&way.caller.post_empty(&format!("{one}/enable")).await, "enable");
    }
    said.push(code(world, &new).await);
    ok(&way.caller.delete(&one).await, "revoke");
    said.extend([code(world, &key).await, code(world, &new).await]);
    (said, id)
}

#[tokio::test]
async fn a_key_lives_the_same_life_on_the_operators_and_on_the_tenants_surface() {
    let world = World::new().await;
    let estate = Estate::of(&world, "Acme Corporation").await;
    let tenant = estate.callers[1].1.clone();
    let base = format!("/v1/organizations/{}/api-keys", estate.slug);
    let platform = Way {
        caller: world.bootstrap(),
        create: (
            "/admin/v1/api-keys".to_owned(),
            json!({"organization_id": estate.organization, "name": "Twin", "scopes": ["workflows:read"]}),
        ),
        one: "/admin/v1/api-keys/{id}".to_owned(),
        list: format!("/admin/v1/api-keys?org_id={}", estate.organization),
        id_of: |body| text(&body["data"]["id"]).to_owned(),
        key_of: |body| text(&body["data"]["key"]).to_owned(),
    };
    let organization = Way {
        caller: tenant,
        create: (base.clone(), json!({"name": "Twin", "permissions": ["workflows:read"]})),
        one: format!("{base}/{{id}}"),
        list: base,
        id_of: |body| text(&body["id"]).to_owned(),
        key_of: |body| {
            let key = body.get("key").or_else(|| body.pointer("/data/key"));
            text(key.unwrap_or(&Value::Null)).to_owned()
        },
    };
    let (said, first) = live(&world, &platform).await;
    let (said_too, second) = live(&world, &organization).await;
    let valid = "VALID";
    assert_eq!(said, [valid, valid, valid, "DISABLED", valid, "REVOKED", "REVOKED"]);
    assert_eq!(said, said_too);
    let (one, other) = (facts(&world, &first).await, facts(&world, &second).await);
    let actions: Vec<_> = one.iter().map(|(action, _)| action.as_str()).collect();
    let life = ["created", "rotated", "disabled", "enabled", "revoked"].map(|verb| format!("api_key.{verb}"));
    assert_eq!(actions, life);
    assert_eq!(one, other);
    let (one, other) = (rows(&world, &first).await, rows(&world, &second).await);
    assert_eq!(one, other);
    // The credential, its two secrets, and its calls by minute, hour and day.
    assert!(one.len() >= 6, "{one:#?}");
}

/// The rows that a key's life has left.
async fn rows(world: &World, id: &str) -> Vec<String> {
    world.drain().await;
    rows::of_credential(world, CredentialId::parse_any(id).unwrap()).await
}

#[tokio::test]
async fn a_partners_key_is_the_same_key_for_its_tenant_and_for_the_operator() {
    let world = World::new().await;
    let estate = Estate::of(&world, "Acme Corporation").await;
    let (partner, tenant) = (&estate.callers[0].1, &estate.callers[1].1);
    let keys = format!("/v1/organizations/{}/api-keys", estate.organization);
    let mut left = Vec::new();
    for (place, (rotate, revoke)) in [
        ("/v1/admin/credentials/{id}".to_owned(), partner.clone()),
        (format!("{keys}/{{id}}"), tenant.clone()),
        ("/admin/v1/api-keys/{id}".to_owned(), world.bootstrap()),
    ]
    .into_iter()
    .enumerate()
    {
        let new = json!({"name": format!("Shared {place}"), "network_id": 0});
        let created = partner.post("/v1/admin/credentials", &new).await.data();
        let (id, key) = (text(&created["credential"]["id"]), text(&created["api_key"]));
        for list in [keys.clone(), "/v1/admin/credentials".to_owned()] {
            let caller = if list.starts_with("/v1/admin") { partner } else { tenant };
            assert!(caller.get(&list).await.text.contains(&format!("Shared {place}")), "{list}");
        }
        let one = rotate.replace("{id}", id);
        world.advance(chrono::TimeDelta::seconds(1));
        ok(&revoke.post_empty(&format!("{one}/rotate")).await, "rotate");
        assert_eq!(code(&world, key).await, "VALID");
        ok(&revoke.delete(&one).await, "revoke");
        assert_eq!(code(&world, key).await, "REVOKED");
        let actions: Vec<_> = facts(&world, id).await.into_iter().map(|(action, _)| action).collect();
        assert_eq!(actions, ["credential.created", "credential.rotated", "credential.revoked"]);
        // Whoever reads the log, reads the same of it; and the same figures.
        let path = |rest: &str| format!("/v1/organizations/{}/{rest}", estate.organization);
        let logs = [
            partner.get(&format!("/v1/admin/audit-logs?target_id={id}")).await,
            world.bootstrap().get(&format!("/admin/v1/audit-logs?target_id={id}")).await,
            tenant.get(&path(&format!("audit-logs?targetId={id}"))).await,
        ];
        for (surface, log) in logs.into_iter().enumerate() {
            // A partner is shown what it did itself.
            let shown = if surface == 0 && place > 0 { &actions[..1] } else { &actions[..] };
            let entries = log.json()["data"].as_array().unwrap().clone();
            let mut told: Vec<_> = entries.iter().map(|entry| text(&entry["action"]).to_owned()).collect();
            told.reverse();
            assert_eq!(told, shown, "{}", log.text);
        }
        world.drain().await;
        let used = partner.get(&format!("/v1/admin/usage/{id}")).await.data();
        let operators = world.bootstrap().get("/admin/v1/analytics/usage?keys=100").await.json();
        let tenants = tenant.get(&path("usage?keys=100")).await.json();
        let of = |list: &Value, total: &str| {
            let rows = list.as_array().unwrap().iter();
            let row = rows.clone().find(|row| row["name"] == new["name"]).unwrap_or(&Value::Null);
            row[total].clone()
        };
        assert_eq!(used["total_requests"], 2);
        assert_eq!(of(&operators["data"]["by_key"], "total_requests"), 2, "{operators}");
        assert_eq!(of(&tenants["data"]["byKey"], "totalRequests"), 2, "{tenants}");
        let own = format!("Shared {place}");
        left.push(rows(&world, id).await.iter().map(|row| row.replace(&own, "Shared")).collect::<Vec<_>>());
    }
    assert_eq!((&left[0], &left[0]), (&left[1], &left[2]), "whichever surface led it");
}
