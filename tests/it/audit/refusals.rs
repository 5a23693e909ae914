//! What the audit log says of refused calls of callers it knows.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{all, entries};
use crate::partner::{NOTHING, exactly, text};
use crate::support::World;

/// What an entry says of a refused call.
fn refusal(action: &str, method: &str, route: &str, status: u16) -> Value {
    json!([action, {"method": method, "route": format!("/v1/admin/{route}"), "status": status}])
}

#[tokio::test]
async fn a_refused_call_is_a_denial_and_no_change() {
    let world = World::new().await;
    let partner = world.partner_lacking("view_usage").await;
    let taken = json!({"name": "B", "external_id": "taken"});
    partner.post("/v1/admin/users", &taken).await.data();
    let users = "/v1/admin/users";
    let nothing = format!("{users}/{NOTHING}");
    for (method, path, body, expected) in [
        ("POST", users, taken, refusal("user_account.denied", "POST", "users", 409)),
        ("POST", users, json!({}), refusal("user_account.denied", "POST", "users", 400)),
        ("PATCH", &nothing, json!({"name": "B"}), refusal("user_account.denied", "PATCH", "users/{id}", 404)),
        ("GET", "/v1/admin/usage", json!({}), refusal("usage.denied", "GET", "usage", 403)),
        (
            "GET",
            &format!("{nothing}/usage"),
            json!({}),
            refusal("usage.denied", "GET", "users/{id}/usage", 403),
        ),
        (
            "GET",
            "/v1/admin/credentials/x",
            json!({}),
            refusal("credential.denied", "GET", "credentials/{id}", 400),
        ),
        ("GET", "/v1/admin/admin-keys", json!({}), refusal("admin_key.denied", "GET", "admin-keys", 403)),
        ("GET", "/v1/admin/me?x=1", json!({}), refusal("admin_key.denied", "GET", "me", 400)),
        (
            "GET",
            "/v1/admin/audit-logs?limit=0",
            json!({}),
            refusal("audit_log.denied", "GET", "audit-logs", 400),
        ),
    ] {
        world.advance(TimeDelta::seconds(1));
        let request = partner.request(method, path).header("content-type", "application/json");
        partner.send(request.header("x-request-id", "refused"), body.to_string()).await;
        let entry = all(&world, &partner, "").await.remove(0);
        assert_eq!(json!([entry["action"], entry["details"]]), expected);
        assert_eq!((&entry["request_id"], &entry["ip_address"]), (&json!("refused"), &json!("192.0.2.1")));
        assert_eq!(entry["admin_key_id"], partner.id);
        assert_eq!(entry["admin_entity_name"], "YourCompany");
    }
    assert_eq!(entries(&partner, "").await.len(), 1, "only what was done is a change");
}

#[tokio::test]
async fn the_route_is_told_and_never_the_path_or_the_query() {
    let world = World::new().await;
    let partner = world.partner().await;
    partner.get("/v1/admin/users/by-external-id/who-is-this").await;
    partner.get("/v1/admin/users/what-is-this?limit=how-is-this").await;
    partner.get("/v1/admin/users?limit=how-is-this").await;
    for entry in all(&world, &partner, "action=user_account.denied").await {
        assert!(!entry.to_string().contains("-is-this"), "{entry}");
    }
}

#[tokio::test]
async fn the_bootstrap_keys_misuse_is_on_record_as_nobodys_key() {
    let world = World::new().await;
    world.bootstrap().get("/v1/admin/users").await;
    let denied = all(&world, &world.bootstrap(), "action=user_account.denied").await;
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0]["details"], json!({"method": "GET", "route": "/v1/admin/users", "status": 400}));
    assert_eq!((&denied[0]["admin_key_id"], &denied[0]["admin_entity_name"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn what_a_refused_call_was_aimed_at_is_told_but_not_whether_it_exists() {
    let world = World::new().await;
    let (partner, other) = (world.partner().await, world.partner().await);
    let user = partner.user("B").await;
    for id in [text(&user["id"]), NOTHING] {
        let path = format!("/v1/admin/users/{id}");
        other.get(&path).await.refused(404, "User account not found");
        let entry = all(&world, &other, "").await.remove(0);
        assert_eq!((&entry["target_id"], &entry["target_type"]), (&json!(id), &json!("user_account")));
        let trail = all(&world, &other, &format!("target_id={id}")).await;
        assert_eq!(trail, [entry]);
        world.advance(TimeDelta::seconds(1));
    }
    let trail = all(&world, &partner, &format!("target_id={}", text(&user["id"]))).await;
    assert_eq!(trail.len(), 1, "the owner sees its own entry and not the other's attempt");
}

#[tokio::test]
async fn a_change_that_is_not_made_leaves_nothing_behind() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let path = format!("/v1/admin/users/{}", text(&user["id"]));
    partner.post_empty(&format!("{path}/suspend")).await.data();
    for _ in 0..3 {
        partner.post_empty(&format!("{path}/suspend")).await;
        let new = json!({"name": "A", "network_id": 0, "user_account_id": user["id"]});
        partner.post("/v1/admin/credentials", &new).await;
    }
    let changes: Vec<_> = entries(&partner, "").await;
    assert_eq!(changes.len(), 2);
    let empty = partner.get("/v1/admin/credentials?includeRevoked=true").await;
    let pagination = json!({"limit": 20, "offset": 0, "total": 0, "hasMore": false});
    exactly(&empty, 200, &json!({"success": true, "data": [], "pagination": pagination}));
}
