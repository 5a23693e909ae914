//! What the audit log says of reads: every call is on record, and only who asks sees them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{all, entries};
use crate::partner::text;
use crate::support::World;

#[tokio::test]
async fn every_read_is_on_record() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "B", "external_id": "c-1"});
    let user = partner.post("/v1/admin/users", &new).await.data();
    let credential = partner.credential("A").await["credential"].clone();
    let (user, credential) = (text(&user["id"]), text(&credential["id"]));
    for (path, route, resource, target) in [
        ("users".to_owned(), "users", "user_account", None),
        (format!("users/{user}"), "users/{id}", "user_account", Some((user, "user_account"))),
        ("users/by-external-id/c-1".to_owned(), "users/by-external-id/{externalId}", "user_account", None),
        (format!("users/{user}/usage"), "users/{id}/usage", "usage", Some((user, "user_account"))),
        ("users/usage/summary".to_owned(), "users/usage/summary", "usage", None),
        ("credentials".to_owned(), "credentials", "credential", None),
        (
            format!("credentials/{credential}"),
            "credentials/{id}",
            "credential",
            Some((credential, "credential")),
        ),
        ("usage".to_owned(), "usage", "usage", None),
        (format!("usage/{credential}"), "usage/{id}", "usage", Some((credential, "credential"))),
        ("audit-logs".to_owned(), "audit-logs", "audit_log", None),
        ("me".to_owned(), "me", "admin_key", None),
    ] {
        world.advance(TimeDelta::seconds(1));
        let request = partner.request("GET", &format!("/v1/admin/{path}")).header("x-request-id", "a-read");
        assert_eq!(partner.send(request, "").await.status, 200);
        let entry = all(&world, &partner, "").await.remove(0);
        let expected = json!({
            "id": entry["id"],
            "action": format!("{resource}.read"),
            "admin_key_id": partner.id,
            "admin_entity_name": "YourCompany",
            "target_id": target.map(|(id, _)| id),
            "target_type": target.map(|(_, kind)| kind),
            "ip_address": "192.0.2.1",
            "details": {"method": "GET", "route": format!("/v1/admin/{route}"), "status": 200},
            "created_at": entry["created_at"],
            "request_id": "a-read",
        });
        assert_eq!(entry.to_string(), expected.to_string());
    }
}

#[tokio::test]
async fn reads_are_shown_only_when_they_are_asked_for() {
    let world = World::new().await;
    let partner = world.partner().await;
    partner.user("B").await;
    partner.get("/v1/admin/users").await;
    partner.get("/v1/admin/users?limit=0").await;
    world.flush().await;
    for (query, count) in [
        ("", 1),
        ("include_reads=false", 1),
        ("action=user_account.read", 0),
        ("action=user_account.read&include_reads=true", 1),
        ("action=user_account.denied&include_reads=true", 1),
        ("action=user_account.created&include_reads=true", 1),
    ] {
        assert_eq!(entries(&partner, query).await.len(), count, "{query}");
    }
}

#[tokio::test]
async fn reads_and_changes_stand_in_one_order_with_one_total() {
    let world = World::new().await;
    let partner = world.partner().await;
    for name in ["a", "b"] {
        world.advance(TimeDelta::seconds(1));
        partner.user(name).await;
        world.advance(TimeDelta::seconds(1));
        partner.get("/v1/admin/users").await;
    }
    world.flush().await;
    world.advance(TimeDelta::seconds(1));
    let answer = partner.get("/v1/admin/audit-logs?include_reads=true").await.json();
    let (read, made) = ("user_account.read", "user_account.created");
    let actions: Vec<_> =
        answer["data"].as_array().unwrap().iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(actions, [read, made, read, made]);
    assert_eq!(answer["pagination"], json!({"limit": 50, "offset": 0, "total": 4, "hasMore": false}));
    let changes = partner.get("/v1/admin/audit-logs").await.json();
    assert_eq!(changes["pagination"]["total"], 2);
}

#[tokio::test]
async fn an_admin_keys_reads_are_its_own_to_see() {
    let world = World::new().await;
    let (partner, sibling, stranger) = (world.partner().await, world.partner().await, world.stranger().await);
    partner.get("/v1/admin/users").await;
    for other in [&sibling, &stranger] {
        assert_eq!(all(&world, other, "action=user_account.read").await, Vec::<Value>::new());
    }
    let seen = all(&world, &world.bootstrap(), "action=user_account.read").await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["admin_key_id"], partner.id);
    assert_eq!(all(&world, &partner, "action=user_account.read").await, seen);
}

#[tokio::test]
async fn who_looks_at_the_log_is_in_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    entries(&partner, "").await;
    world.advance(TimeDelta::seconds(1));
    entries(&world.bootstrap(), "").await;
    let readers: Vec<_> = all(&world, &world.bootstrap(), "action=audit_log.read").await;
    let readers: Vec<_> = readers.iter().map(|entry| entry["admin_key_id"].clone()).collect();
    assert_eq!(readers, [json!(null), json!(partner.id)]);
}
