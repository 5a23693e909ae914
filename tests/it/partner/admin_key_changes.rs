//! Admin keys: changed, expired, revoked; in force for the key's next call.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{code_of, exactly, text};
use crate::support::{Partner, World};

const GONE: &str = "Admin key not found or already revoked";
const CLOSED: &str = "Invalid admin API key";

fn path(partner: &Partner<'_>) -> String {
    format!("/v1/admin/admin-keys/{}", partner.id)
}

#[tokio::test]
async fn name_permissions_and_expiry_change_alone_or_together() {
    for patch in [
        json!({"name": "Billing system"}),
        json!({"permissions": ["view_usage"]}),
        json!({"expires_at": "2027-01-26T12:00:00Z"}),
        json!({"name": "B", "permissions": ["manage_users", "view_usage"], "expires_at": "2026-02-01T00:00:00Z"}),
    ] {
        let world = World::new().await;
        let partner = world.partner().await;
        let path = path(&partner);
        let mut key = world.bootstrap().get(&path).await.data();
        world.advance(TimeDelta::days(1));
        let answer = world.bootstrap().patch(&path, &patch).await;
        for (field, value) in patch.as_object().unwrap() {
            key[field] = value.clone();
        }
        let message = "Admin key updated successfully";
        exactly(&answer, 200, &json!({"success": true, "data": key, "message": message}));
        assert_eq!(world.bootstrap().get(&path).await.data(), key);
    }
}

#[tokio::test]
async fn null_clears_name_and_expiry() {
    let world = World::new().await;
    let new = json!({
        "entity_name": "YourCompany", "permissions": ["view_usage"], "name": "A",
        "expires_at": "2027-01-26T12:00:00Z",
    });
    let key = world.bootstrap().post("/v1/admin/admin-keys", &new).await.data()["admin_key"].clone();
    let path = format!("/v1/admin/admin-keys/{}", text(&key["id"]));
    let cleared = world.bootstrap().patch(&path, &json!({"name": null, "expires_at": null})).await.data();
    assert_eq!((&cleared["name"], &cleared["expires_at"]), (&json!(null), &json!(null)));
    assert_eq!(cleared["permissions"], json!(["view_usage"]));
}

#[tokio::test]
async fn wrong_changes_change_nothing() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = path(&partner);
    let before = world.bootstrap().get(&path).await.data();
    let words = "permissions must be one of: manage_credentials, manage_users, view_audit_logs, view_usage";
    for (patch, sentence) in [
        (json!({}), "At least one field must be provided"),
        (json!({"name": ""}), "Name is required and must be a non-empty string"),
        (json!({"name": 1}), "name must be a string"),
        (json!({"permissions": []}), "permissions must not be empty"),
        (json!({"permissions": null}), "permissions must be an array"),
        (json!({"permissions": "view_usage"}), "permissions must be an array"),
        (json!({"permissions": ["root"]}), words),
        (json!({"expires_at": "2026-01-26T12:00:00Z"}), "expires_at must be in the future"),
        (json!({"expires_at": "never"}), "expires_at must be an ISO 8601 timestamp"),
        (json!({"entity_name": "Stranger"}), "Unknown field: entity_name"),
        (json!({"name": "B", "revoked": false}), "Unknown field: revoked"),
    ] {
        world.bootstrap().patch(&path, &patch).await.refused(400, sentence);
    }
    assert_eq!(world.bootstrap().get(&path).await.data(), before);
}

#[tokio::test]
async fn new_permissions_hold_for_the_next_call() {
    let world = World::new().await;
    let partner = world.partner_of("YourCompany", &["manage_users"]).await;
    let calls = [
        ("manage_users", "/v1/admin/users"),
        ("manage_credentials", "/v1/admin/credentials"),
        ("view_usage", "/v1/admin/usage"),
        ("view_audit_logs", "/v1/admin/audit-logs"),
    ];
    for (granted, _) in calls {
        let patch = json!({"permissions": [granted]});
        world.bootstrap().patch(&path(&partner), &patch).await.data();
        assert_eq!(partner.get("/v1/admin/me").await.data()["permissions"], json!([granted]));
        for (needed, path) in calls {
            let answer = partner.get(path).await;
            if needed == granted {
                assert_eq!(answer.status, 200, "{path}");
            } else {
                answer.refused(403, &format!("Permission denied: {needed} required"));
            }
        }
    }
}

#[tokio::test]
async fn an_admin_key_works_until_the_second_of_its_expiry() {
    let world = World::new().await;
    let new = json!({
        "entity_name": "YourCompany", "permissions": ["manage_users"], "expires_at": "2026-01-26T13:00:00Z",
    });
    let issued = world.bootstrap().post("/v1/admin/admin-keys", &new).await.data();
    let holder = world.bearer(text(&issued["api_key"]));
    world.advance(TimeDelta::seconds(3599));
    assert_eq!(holder.get("/v1/admin/users").await.status, 200);
    world.advance(TimeDelta::seconds(1));
    holder.get("/v1/admin/users").await.refused(403, CLOSED);
    let path = format!("/v1/admin/admin-keys/{}", text(&issued["admin_key"]["id"]));
    world.bootstrap().patch(&path, &json!({"expires_at": "2026-01-26T14:00:00Z"})).await.data();
    assert_eq!(
        holder.get("/v1/admin/users").await.status,
        200,
        "an expiry can be put off, a revocation cannot"
    );
    world.bootstrap().patch(&path, &json!({"expires_at": "2026-01-26T13:00:01Z"})).await.data();
    world.advance(TimeDelta::seconds(1));
    holder.get("/v1/admin/users").await.refused(403, CLOSED);
}

#[tokio::test]
async fn a_revoked_admin_key_is_shown_as_it_ended() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = path(&partner);
    let bootstrap = world.bootstrap();
    let mut key = bootstrap.get(&path).await.data();
    world.advance(TimeDelta::days(1));
    let answer = bootstrap.delete(&path).await;
    key["revoked"] = json!(true);
    key["revoked_at"] = json!("2026-01-27T12:00:00Z");
    let message = "Admin key revoked successfully";
    exactly(&answer, 200, &json!({"success": true, "data": key, "message": message}));
    world.advance(TimeDelta::days(1));
    bootstrap.delete(&path).await.refused(404, GONE);
    bootstrap.patch(&path, &json!({"name": "B"})).await.refused(404, GONE);
    exactly(&bootstrap.get(&path).await, 200, &json!({"success": true, "data": key}));
}

#[tokio::test]
async fn a_revoked_admin_key_opens_nothing_any_more() {
    let world = World::new().await;
    let (partner, sibling) = (world.partner().await, world.partner().await);
    assert_eq!(partner.get("/v1/admin/users").await.status, 200);
    world.bootstrap().delete(&path(&partner)).await.data();
    for path in [
        "/v1/admin/users",
        "/v1/admin/credentials",
        "/v1/admin/usage",
        "/v1/admin/audit-logs",
        "/v1/admin/me",
    ] {
        partner.get(path).await.refused(403, CLOSED);
        assert_eq!(sibling.get(path).await.status, 200, "its sibling goes on: {path}");
    }
}

#[tokio::test]
async fn what_a_revoked_or_expired_admin_key_made_goes_on_working() {
    let world = World::new().await;
    let mut keys: Vec<Value> = Vec::new();
    for ending in ["revoked", "expired"] {
        let partner = world.partner().await;
        let user = partner.user("B").await;
        keys.push(partner.credential_of(&user, "A").await["api_key"].clone());
        match ending {
            "revoked" => world.bootstrap().delete(&path(&partner)).await.data(),
            _ => {
                let soon = json!({"expires_at": "2026-01-26T12:00:02Z"});
                world.bootstrap().patch(&path(&partner), &soon).await.data()
            }
        };
        world.advance(TimeDelta::seconds(1));
        partner.get("/v1/admin/users").await.refused(403, CLOSED);
    }
    for key in &keys {
        assert_eq!(code_of(&world, key).await, "VALID");
    }
}
