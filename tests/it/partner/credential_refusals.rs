//! Credentials that are not issued, and ids that lead to none.

use serde_json::{Value, json};

use super::{NO_IDS, NOTHING, text};
use crate::support::World;

fn with(field: &str, value: Value) -> Value {
    let mut new = json!({"name": "A", "network_id": 0});
    new[field] = value;
    new
}

#[tokio::test]
async fn each_field_of_a_new_credential_is_held_to_its_bounds() {
    let world = World::new().await;
    let partner = world.partner().await;
    let network = "network_id must be 0, 1 or 2";
    let limit = "rate_limit_per_minute must be between 1 and 10000";
    let instant = "expires_at must be an ISO 8601 timestamp";
    let future = "expires_at must be in the future";
    for (field, value, sentence) in [
        ("name", json!("x".repeat(256)), "Name must be 255 characters or less"),
        ("name", json!(" "), "Name is required and must be a non-empty string"),
        ("network_id", json!(3), network),
        ("network_id", json!(-1), network),
        ("network_id", json!(i64::MAX), network),
        ("network_id", json!(1e30), network),
        ("rate_limit_per_minute", json!(0), limit),
        ("rate_limit_per_minute", json!(-1e30), limit),
        ("rate_limit_per_minute", json!(u64::MAX), limit),
        ("rate_limit_per_minute", json!(-1), limit),
        ("rate_limit_per_minute", json!(10_001), limit),
        ("rate_limit_per_minute", json!(i64::MAX), limit),
        ("rate_limit_per_minute", json!(i64::MIN), limit),
        ("expires_at", json!("soon"), instant),
        ("expires_at", json!(""), instant),
        ("expires_at", json!("2026-02-30T00:00:00Z"), instant),
        ("expires_at", json!("2026-13-01"), instant),
        ("expires_at", json!("1800000000"), instant),
        ("expires_at", json!("365d"), instant),
        ("expires_at", json!("2026-01-26T12:00:00Z"), future),
        ("expires_at", json!("2026-01-26T13:59:59+02:00"), future),
        ("expires_at", json!("2026-01-26"), future),
        ("expires_at", json!("2020-01-01T00:00:00Z"), future),
        ("description", json!("x".repeat(1025)), "description must be 1024 characters or less"),
        ("description", json!("a\0b"), "description must not contain control characters"),
    ] {
        partner.post("/v1/admin/credentials", &with(field, value)).await.refused(400, sentence);
    }
    assert_eq!(partner.get("/v1/admin/credentials?includeRevoked=true").await.data(), json!([]));
}

#[tokio::test]
async fn the_network_must_be_given() {
    let world = World::new().await;
    let answer = world.partner().await.post("/v1/admin/credentials", &json!({"name": "A"})).await;
    answer.refused(400, "network_id must be 0, 1 or 2");
}

#[tokio::test]
async fn what_the_server_decides_is_not_the_callers_to_give() {
    let world = World::new().await;
    let partner = world.partner().await;
    for field in ["api_key", "api_key_prefix", "id", "admin_key_id", "revoked", "created_at", "scopes"] {
        let answer = partner.post("/v1/admin/credentials", &with(field, json!("x"))).await;
        answer.refused(400, &format!("Unknown field: {field}"));
    }
}

#[tokio::test]
async fn a_user_that_does_not_exist_gets_no_credential() {
    let world = World::new().await;
    let answer =
        world.partner().await.post("/v1/admin/credentials", &with("user_account_id", json!(NOTHING))).await;
    answer.refused(404, "User account not found");
}

#[tokio::test]
async fn a_credential_is_not_a_user_and_a_user_is_not_a_credential() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let credential = partner.credential("A").await["credential"].clone();
    partner
        .get(&format!("/v1/admin/credentials/{}", text(&user["id"])))
        .await
        .refused(404, "Credential not found");
    partner
        .get(&format!("/v1/admin/users/{}", text(&credential["id"])))
        .await
        .refused(404, "User account not found");
    let new = with("user_account_id", credential["id"].clone());
    partner.post("/v1/admin/credentials", &new).await.refused(404, "User account not found");
}

#[tokio::test]
async fn an_unknown_credential_is_not_found() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = format!("/v1/admin/credentials/{NOTHING}");
    partner.get(&path).await.refused(404, "Credential not found");
    partner.get(&format!("/v1/admin/usage/{NOTHING}")).await.refused(404, "Credential not found");
    let missing = "Credential not found or already revoked";
    partner.patch(&path, &json!({"name": "A"})).await.refused(404, missing);
    partner.delete(&path).await.refused(404, missing);
    partner.post_empty(&format!("{path}/rotate")).await.refused(404, missing);
}

#[tokio::test]
async fn malformed_credential_ids_are_refused_wherever_one_stands() {
    let world = World::new().await;
    let partner = world.partner().await;
    let sentence = "Invalid credential ID format";
    for id in NO_IDS {
        let path = format!("/v1/admin/credentials/{id}");
        partner.get(&path).await.refused(400, sentence);
        partner.patch(&path, &json!({"name": "A"})).await.refused(400, sentence);
        partner.delete(&path).await.refused(400, sentence);
        partner.post_empty(&format!("{path}/rotate")).await.refused(400, sentence);
        partner.get(&format!("/v1/admin/usage/{id}")).await.refused(400, sentence);
    }
}

#[tokio::test]
async fn the_bootstrap_key_manages_no_users_and_no_credentials() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    let users = "Bootstrap key cannot manage users. Create an admin key first.";
    let credentials = "Bootstrap key cannot manage credentials. Create an admin key first.";
    for (path, sentence) in [("/v1/admin/users", users), ("/v1/admin/credentials", credentials)] {
        let one = format!("{path}/{NOTHING}");
        bootstrap.get(path).await.refused(400, sentence);
        bootstrap.post(path, &json!({"name": "A", "network_id": 0})).await.refused(400, sentence);
        bootstrap.get(&one).await.refused(400, sentence);
        bootstrap.patch(&one, &json!({"name": "A"})).await.refused(400, sentence);
    }
    let user = format!("/v1/admin/users/{NOTHING}");
    bootstrap.post_empty(&format!("{user}/suspend")).await.refused(400, users);
    bootstrap.post_empty(&format!("{user}/reactivate")).await.refused(400, users);
    bootstrap.get(&format!("{user}/usage")).await.refused(400, users);
    bootstrap.get("/v1/admin/users/usage/summary").await.refused(400, users);
    bootstrap.get("/v1/admin/users/by-external-id/customer-123").await.refused(400, users);
    let credential = format!("/v1/admin/credentials/{NOTHING}");
    bootstrap.delete(&credential).await.refused(400, credentials);
    bootstrap.post_empty(&format!("{credential}/rotate")).await.refused(400, credentials);
}
