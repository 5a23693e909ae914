//! Credentials: renamed, described, revoked.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{code_of, exactly, text};
use crate::support::{Partner, World};

const GONE: &str = "Credential not found or already revoked";

async fn production(partner: &Partner<'_>) -> (Value, Value, String) {
    let user = json!({"name": "Acme Corp", "external_id": "customer-123"});
    let user = partner.post("/v1/admin/users", &user).await.data();
    let new = json!({
        "name": "Production", "user_account_id": user["id"], "network_id": 1, "description": "Main integration",
        "expires_at": "2027-01-26T12:00:00Z", "rate_limit_per_minute": 120, "metadata": {"team": "payments"},
    });
    let issued = partner.post("/v1/admin/credentials", &new).await.data();
    let path = format!("/v1/admin/credentials/{}", text(&issued["credential"]["id"]));
    (issued["credential"].clone(), issued["api_key"].clone(), path)
}

#[tokio::test]
async fn name_and_description_change_alone_or_together() {
    for patch in [
        json!({"name": "Production EU"}),
        json!({"description": "Second integration"}),
        json!({"description": null}),
        json!({"name": "Production EU", "description": "Both"}),
    ] {
        let world = World::new().await;
        let partner = world.partner().await;
        let (mut credential, key, path) = production(&partner).await;
        world.advance(TimeDelta::days(1));
        let answer = partner.patch(&path, &patch).await;
        for (field, value) in patch.as_object().unwrap() {
            credential[field] = value.clone();
        }
        let message = "Credential updated successfully";
        exactly(&answer, 200, &json!({"success": true, "data": credential, "message": message}));
        assert_eq!(partner.get(&path).await.data(), credential);
        assert_eq!(code_of(&world, &key).await, "VALID");
    }
}

#[tokio::test]
async fn a_change_needs_a_name_or_a_description() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, _, path) = production(&partner).await;
    let answer = partner.patch(&path, &json!({})).await;
    answer.refused(400, "At least one field (name or description) must be provided");
    assert_eq!(partner.get(&path).await.data(), credential);
}

#[tokio::test]
async fn nothing_else_of_a_credential_can_change() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, _, path) = production(&partner).await;
    for (field, value) in credential.as_object().unwrap() {
        if field != "name" && field != "description" {
            let answer = partner.patch(&path, &json!({"name": "B", field: value})).await;
            answer.refused(400, &format!("Unknown field: {field}"));
        }
    }
    assert_eq!(partner.get(&path).await.data(), credential);
}

#[tokio::test]
async fn wrong_names_and_descriptions_change_nothing() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, _, path) = production(&partner).await;
    let required = "Name is required and must be a non-empty string";
    for (patch, sentence) in [
        (json!({"name": "x".repeat(256)}), "Name must be 255 characters or less"),
        (json!({"name": ""}), required),
        (json!({"name": "  ", "description": "fine"}), required),
        (json!({"name": null}), "name must be a string"),
        (json!({"name": 1}), "name must be a string"),
        (json!({"name": "fine", "description": 1}), "description must be a string"),
        (json!({"description": "x".repeat(1025)}), "description must be 1024 characters or less"),
    ] {
        partner.patch(&path, &patch).await.refused(400, sentence);
    }
    assert_eq!(partner.get(&path).await.data(), credential);
}

#[tokio::test]
async fn revoking_answers_ten_fields_and_stops_the_key_at_once() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, key, path) = production(&partner).await;
    assert_eq!(code_of(&world, &key).await, "VALID");
    world.advance(TimeDelta::days(1));
    let answer = partner.delete(&path).await;
    let expected = json!({
        "success": true,
        "data": {
            "id": credential["id"],
            "name": "Production",
            "api_key_prefix": credential["api_key_prefix"],
            "user_account_id": credential["user_account_id"],
            "user_account_name": "Acme Corp",
            "admin_key_id": partner.id,
            "admin_entity_name": "YourCompany",
            "network_id": 1,
            "revoked": true,
            "revoked_at": "2026-01-27T12:00:00Z",
        },
        "message": "Credential revoked successfully",
    });
    exactly(&answer, 200, &expected);
    assert_eq!(code_of(&world, &key).await, "REVOKED");
}

#[tokio::test]
async fn a_revoked_credential_stays_as_it_ended() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (mut credential, _, path) = production(&partner).await;
    world.advance(TimeDelta::days(1));
    partner.delete(&path).await.data();
    world.advance(TimeDelta::days(1));
    partner.delete(&path).await.refused(404, GONE);
    partner.patch(&path, &json!({"name": "B"})).await.refused(404, GONE);
    partner.patch(&path, &json!({"description": null})).await.refused(404, GONE);
    partner.post_empty(&format!("{path}/rotate")).await.refused(404, GONE);
    credential["revoked"] = json!(true);
    credential["revoked_at"] = json!("2026-01-27T12:00:00Z");
    exactly(&partner.get(&path).await, 200, &json!({"success": true, "data": credential}));
}

#[tokio::test]
async fn a_credential_without_a_user_is_revoked_with_nulls() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    let revoked = partner.delete(&format!("/v1/admin/credentials/{}", text(&credential["id"]))).await.data();
    assert_eq!((&revoked["user_account_id"], &revoked["user_account_name"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn revoking_one_credential_leaves_the_users_others_alone() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let (one, two) = (partner.credential_of(&user, "one").await, partner.credential_of(&user, "two").await);
    partner.delete(&format!("/v1/admin/credentials/{}", text(&one["credential"]["id"]))).await.data();
    assert_eq!(code_of(&world, &one["api_key"]).await, "REVOKED");
    assert_eq!(code_of(&world, &two["api_key"]).await, "VALID");
}
