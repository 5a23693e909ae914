//! The audit log of the installation: by pages, filtered, and as streams.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{actions, at, bad, data, key, operator, organization, refused, text};
use crate::support::World;

const PATH: &str = "/admin/v1/audit-logs";

#[tokio::test]
async fn an_entry_tells_who_did_what_to_what_from_where() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let caller = operator(&world, &["admin:keys", "admin:audit"]).await;
    let body = json!({"organization_id": acme["id"], "name": "Production", "scopes": ["admin:audit"]});
    let made = caller.post("/admin/v1/api-keys", &body).await;
    let issued = data(&made, 201);
    let answer = caller.get(&format!("{PATH}?org_id=acme&limit=1")).await;
    let entry = data(&answer, 200)[0].clone();
    let expected = json!({
        "id": entry["id"], "organization_id": acme["id"], "at": "2026-01-26T12:00:00Z", "action": "api_key.created",
        "actor": {
            "type": "credential", "id": entry["actor"]["id"], "name": "A key", "user": null,
            "organization_id": entry["actor"]["organization_id"],
        },
        "target": {"type": "api_key", "id": issued["id"]}, "ip_address": "192.0.2.1",
        "request_id": made.header("x-request-id"), "details": {"name": "Production", "scopes": "admin:audit"},
    });
    assert_eq!(entry.to_string(), expected.to_string());
    assert!(text(&entry["id"]).starts_with("audit_") && text(&entry["actor"]["id"]).starts_with("key_"));
    assert_eq!(answer.json()["pagination"], json!({"limit": 1, "hasMore": true, "next": entry["id"]}));
}

#[tokio::test]
async fn pages_follow_each_other_and_filters_narrow() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let mut keys = Vec::new();
    for _ in 0..4 {
        world.advance(TimeDelta::minutes(1));
        keys.push(key(&world, &acme, &[], json!({})).await);
    }
    world.advance(TimeDelta::minutes(1));
    data(&operator.delete(&at("api-keys", &keys[0])).await, 200);
    let (mut seen, mut after) = (Vec::<Value>::new(), String::new());
    loop {
        let answer = operator.get(&format!("{PATH}?limit=2{after}")).await;
        seen.extend(data(&answer, 200).as_array().unwrap().clone());
        match answer.json()["pagination"]["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let told: Vec<_> = seen.iter().map(|entry| text(&entry["action"])).collect();
    let made = "api_key.created";
    assert_eq!(
        told,
        ["api_key.revoked", made, made, made, made, "organization.created", "bootstrap_key.created"]
    );
    for (query, expected) in [
        (format!("?target_id={}", text(&keys[0]["id"])), 2),
        ("?action=api_key.created".to_owned(), 4),
        ("?from=2026-01-26T12:03:00Z".to_owned(), 3),
        ("?to=2026-01-26T12:01:00Z".to_owned(), 2),
        ("?from=2026-01-26&to=2026-01-26".to_owned(), 6),
        ("?org_id=acme&action=organization.created".to_owned(), 1),
        (format!("?actor_id={}", text(&keys[0]["id"])), 0),
    ] {
        assert_eq!(actions(&world, &query).await.len(), expected, "{query}");
    }
    operator.get("/admin/v1/settings").await;
    operator.get("/admin/v1/api-keys/nonsense").await;
    world.flush().await;
    let told: Vec<_> =
        actions(&world, "?include_reads=true").await.into_iter().map(|(action, _)| action).collect();
    assert!(
        told.contains(&"settings.read".to_owned()) && told.contains(&"api_key.denied".to_owned()),
        "{told:?}"
    );
    assert_eq!(actions(&world, "").await.len(), 6, "changes only, when nothing is said");
}

#[tokio::test]
async fn the_whole_log_is_streamed_as_lines_or_as_a_table() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    organization(&world, "Other").await;
    key(&world, &acme, &[], json!({})).await;
    let lines = operator.get(&format!("{PATH}?format=ndjson&org_id=acme")).await;
    assert_eq!((lines.status, lines.header("content-type")), (200, "application/x-ndjson"));
    let told: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = told.iter().map(|line| text(&line["action"])).collect();
    assert_eq!(told, ["organization.created", "api_key.created"], "oldest first, and the one organization's");
    let table = operator.get(&format!("{PATH}?format=csv")).await;
    assert_eq!((table.status, table.header("content-type")), (200, "text/csv;charset=utf-8"));
    assert_eq!(table.header("content-disposition"), "attachment; filename=\"audit-logs.csv\"");
    assert_eq!(table.text.lines().count(), 1 + 4, "a header, the bootstrap key, two organizations and a key");
    let none = operator.get(&format!("{PATH}?format=ndjson&action=role.created")).await;
    assert_eq!(
        (none.status, none.text.lines().count()),
        (200, 2),
        "the first line and the last: {}",
        none.text
    );
    for (query, message) in [
        ("format=ndjson&limit=5", "Unknown query parameter: limit"),
        ("format=csv&after=audit_01h455vb4pex5vsknk084sn02q", "Unknown query parameter: after"),
        ("offset=5", "Unknown query parameter: offset"),
    ] {
        refused(&operator.get(&format!("{PATH}?{query}")).await, 400, "invalid_request", message);
    }
    for (query, field, message) in [
        ("format=xml", "format", "format must be one of: json, ndjson, csv"),
        ("action=made", "action", "action must be an audit action"),
        ("actor_id=ada", "actor_id", "actor_id names nothing that can be"),
        ("target_id=ada", "target_id", "target_id names nothing that can be"),
        ("after=ada", "after", "after names nothing that can be"),
        ("from=soon", "from", "from must be an ISO 8601 timestamp"),
        ("limit=0", "limit", "limit must be an integer between 1 and 100"),
    ] {
        bad(&operator.get(&format!("{PATH}?{query}")).await, field, message);
    }
    let unknown = operator.get(&format!("{PATH}?org_id=nobody")).await;
    refused(&unknown, 404, "not_found", "There is no such thing among yours");
}
