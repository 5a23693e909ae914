//! User accounts: changed field by field.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{NOTHING, exactly, text};
use crate::support::{Partner, World};

async fn acme(partner: &Partner<'_>) -> (Value, String) {
    let new = json!({
        "name": "Acme Corp", "external_id": "customer-123", "email": "ops@acme.example",
        "metadata": {"tier": "gold", "seats": 12}, "billing_plan": "pro",
    });
    let user = partner.post("/v1/admin/users", &new).await.data();
    let path = format!("/v1/admin/users/{}", text(&user["id"]));
    (user, path)
}

#[tokio::test]
async fn each_field_changes_alone_and_the_rest_stays() {
    for (field, value) in [
        ("name", json!("Acme Corporation")),
        ("external_id", json!("customer-124")),
        ("email", json!("billing@acme.example")),
        ("metadata", json!({"seats": 13})),
        ("billing_plan", json!("enterprise")),
    ] {
        let world = World::new().await;
        let partner = world.partner().await;
        let (mut user, path) = acme(&partner).await;
        world.advance(TimeDelta::days(1));
        let answer = partner.patch(&path, &json!({field: value})).await;
        user[field] = value;
        user["updated_at"] = json!("2026-01-27T12:00:00Z");
        let message = "User account updated successfully";
        exactly(&answer, 200, &json!({"success": true, "data": user, "message": message}));
        assert_eq!(partner.get(&path).await.data(), user);
    }
}

#[tokio::test]
async fn all_fields_change_at_once() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (user, path) = acme(&partner).await;
    let patch =
        json!({"name": "B", "external_id": "b", "email": "b@b", "metadata": {"b": 1}, "billing_plan": "b"});
    let changed = partner.patch(&path, &patch).await.data();
    for (field, value) in patch.as_object().unwrap() {
        assert_eq!(changed[field], *value);
    }
    assert_eq!((&changed["id"], &changed["created_at"]), (&user["id"], &user["created_at"]));
}

#[tokio::test]
async fn metadata_is_replaced_and_not_merged() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (_, path) = acme(&partner).await;
    let changed = partner.patch(&path, &json!({"metadata": {"region": {"eu": true}}})).await.data();
    assert_eq!(changed["metadata"], json!({"region": {"eu": true}}));
    assert_eq!(partner.patch(&path, &json!({"metadata": {}})).await.data()["metadata"], json!({}));
}

#[tokio::test]
async fn null_clears_what_may_be_empty() {
    for (field, cleared) in
        [("external_id", json!(null)), ("email", json!(null)), ("billing_plan", json!(null))]
    {
        let world = World::new().await;
        let partner = world.partner().await;
        let (mut user, path) = acme(&partner).await;
        let changed = partner.patch(&path, &json!({field: null})).await.data();
        user[field] = cleared;
        user["updated_at"] = json!("2026-01-26T12:00:00Z");
        assert_eq!(changed, user);
    }
}

#[tokio::test]
async fn a_name_can_be_changed_but_not_cleared() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (user, path) = acme(&partner).await;
    let required = "Name is required and must be a non-empty string";
    for (name, sentence) in [
        (json!(null), "name must be a string"),
        (json!(7), "name must be a string"),
        (json!(""), required),
        (json!(" \t"), required),
        (json!("x".repeat(256)), "Name must be 255 characters or less"),
    ] {
        partner.patch(&path, &json!({"name": name})).await.refused(400, sentence);
    }
    assert_eq!(partner.get(&path).await.data(), user);
}

#[tokio::test]
async fn a_change_without_fields_is_refused() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (user, path) = acme(&partner).await;
    partner.patch(&path, &json!({})).await.refused(400, "At least one field must be provided");
    assert_eq!(partner.get(&path).await.data(), user);
}

#[tokio::test]
async fn what_is_not_the_callers_to_set_is_an_unknown_field() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (user, path) = acme(&partner).await;
    for field in ["status", "id", "admin_key_id", "admin_entity_name", "created_at", "updated_at"] {
        let answer = partner.patch(&path, &json!({"name": "B", field: "suspended"})).await;
        answer.refused(400, &format!("Unknown field: {field}"));
    }
    assert_eq!(partner.get(&path).await.data(), user);
}

#[tokio::test]
async fn wrong_fields_are_refused_in_changes_as_in_new_users() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (user, path) = acme(&partner).await;
    for (field, value, sentence) in [
        ("external_id", json!(1), "external_id must be a string"),
        ("external_id", json!(""), "external_id must be a non-empty string"),
        ("email", json!(true), "email must be a string"),
        ("email", json!("nobody"), "email must be a valid email address"),
        ("metadata", json!([1]), "metadata must be an object"),
        ("metadata", json!(null), "metadata must be an object"),
        ("billing_plan", json!({}), "billing_plan must be a string"),
        ("billing_plan", json!("x".repeat(256)), "billing_plan must be 255 characters or less"),
    ] {
        let answer = partner.patch(&path, &json!({"name": "B", field: value})).await;
        answer.refused(400, sentence);
    }
    assert_eq!(partner.get(&path).await.data(), user, "nothing of a refused change is kept");
}

#[tokio::test]
async fn a_suspended_user_can_still_be_corrected() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (_, path) = acme(&partner).await;
    partner.post_empty(&format!("{path}/suspend")).await.data();
    let changed = partner.patch(&path, &json!({"name": "B"})).await.data();
    assert_eq!((&changed["name"], &changed["status"]), (&json!("B"), &json!("suspended")));
}

#[tokio::test]
async fn an_unknown_user_cannot_be_changed() {
    let world = World::new().await;
    let answer =
        world.partner().await.patch(&format!("/v1/admin/users/{NOTHING}"), &json!({"name": "B"})).await;
    answer.refused(404, "User account not found");
}
