//! What was done, as the tenant sees it.

use serde_json::json;

use super::{Tenant, data, ids, text};
use crate::support::World;

#[tokio::test]
async fn a_tenant_reads_its_own_log_by_pages() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let other = Tenant::new(&world, "Umbrella").await;
    other.key(&[], json!({})).await;
    let second = || world.advance(chrono::TimeDelta::seconds(1));
    second();
    let issued = acme.key(&["a:b"], json!({})).await;
    second();
    assert_eq!(acme.owner.delete(&acme.at("api-keys", &issued)).await.status, 204);
    let list = async |query: &str| acme.owner.get(&acme.path(&format!("/audit-logs{query}"))).await.json();
    let all = list("").await;
    let actions: Vec<_> = all["data"].as_array().unwrap().iter().map(|it| text(&it["action"])).collect();
    // The first two are of the same instant.
    assert_eq!(actions.len(), 4);
    assert_eq!(actions[..2], ["api_key.revoked", "api_key.created"]);
    assert_eq!(all["pagination"], json!({"limit": 20, "hasMore": false, "next": null}));
    let created = &all["data"][1];
    assert_eq!(created["target"], json!({"type": "api_key", "id": issued["id"]}));
    assert_eq!(
        (&created["actor"]["type"], &created["ipAddress"]),
        (&json!("credential"), &json!("192.0.2.1"))
    );
    let mut walked = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let page = list(&query).await;
        walked.extend(ids(&page["data"]));
        let Some(next) = page["pagination"]["next"].as_str() else { break };
        query = format!("?limit=1&after={next}");
    }
    assert_eq!(walked, ids(&all["data"]));
    let of_target = list(&format!("?targetId={}&action=api_key.revoked", text(&issued["id"]))).await;
    assert_eq!(ids(&of_target["data"]), walked[..1]);
    assert_eq!(list("?to=2026-01-25").await["data"], json!([]));
    assert_eq!(list("?from=2026-01-26").await["data"].as_array().unwrap().len(), 4);
    world.flush().await;
    let reads = list("?includeReads=true&action=audit_log.read").await;
    assert!(!reads["data"].as_array().unwrap().is_empty());
    for (query, field) in [
        ("?action=x", "action"),
        ("?actorId=x", "actorId"),
        ("?targetId=x", "targetId"),
        ("?from=x", "from"),
        ("?to=x", "to"),
        ("?format=xml", "format"),
        ("?after=x", "after"),
    ] {
        assert_eq!(list(query).await["field"], field, "{query}");
    }
}

#[tokio::test]
async fn the_log_is_handed_out_as_a_stream_without_anybody_elses() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let other = Tenant::new(&world, "Umbrella").await;
    let theirs = other.key(&[], json!({"name": "Their secret project"})).await;
    acme.key(&[], json!({"name": "Ours"})).await;
    let lines = acme.owner.get(&acme.path("/audit-logs?format=ndjson")).await;
    assert_eq!((lines.status, lines.header("content-type")), (200, "application/x-ndjson"));
    assert_eq!(lines.text.lines().count(), 3, "{}", lines.text);
    assert!(lines.text.contains("Ours") && !lines.text.contains("Their secret project"));
    let table = acme.owner.get(&acme.path("/audit-logs?format=csv")).await;
    assert_eq!((table.status, table.header("content-type")), (200, "text/csv;charset=utf-8"));
    assert_eq!(table.text.lines().count(), 4);
    assert!(!table.text.contains("Their secret project"));
    let paged = acme.owner.get(&acme.path("/audit-logs?format=csv&limit=1")).await;
    assert_eq!(paged.status, 400);
    let of_theirs = format!("/audit-logs?targetId={}", text(&theirs["id"]));
    assert_eq!(data(&acme.owner.get(&acme.path(&of_theirs)).await, 200), json!([]));
}
