//! Credentials: issued, shown, listed.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{code_of, credentials_in_turn, exactly, is_id, names, text};
use crate::support::{Partner, World};

const MESSAGE: &str = "API key created. Store the api_key securely - it will not be shown again.";

/// A credential of one of the partner's users, with every field given; answers it and its user.
async fn production(partner: &Partner<'_>) -> (Value, Value) {
    let user = json!({"name": "Acme Corp", "external_id": "customer-123"});
    let user = partner.post("/v1/admin/users", &user).await.data();
    let new = json!({
        "name": "Production", "user_account_id": user["id"], "network_id": 1, "description": "Main integration",
        "expires_at": "2027-01-26T12:00:00Z", "rate_limit_per_minute": 120, "metadata": {"team": "payments"},
    });
    let issued = partner.post("/v1/admin/credentials", &new).await.data();
    (issued["credential"].clone(), user)
}

#[tokio::test]
async fn a_new_credential_is_answered_with_its_seventeen_fields_its_key_and_a_message() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = json!({"name": "Acme Corp", "external_id": "customer-123"});
    let user = partner.post("/v1/admin/users", &user).await.data();
    let new = json!({
        "name": "Production", "user_account_id": user["id"], "network_id": 2, "description": "Main\nintegration",
        "expires_at": "2027-01-26T12:00:00Z", "rate_limit_per_minute": 120, "metadata": {"team": "payments"},
    });
    let answer = partner.post("/v1/admin/credentials", &new).await;
    let data = answer.json()["data"].clone();
    is_id(&data["credential"]["id"]);
    let expected = json!({
        "success": true,
        "data": {
            "credential": {
                "id": data["credential"]["id"],
                "name": "Production",
                "description": "Main\nintegration",
                "api_key_prefix": text(&data["api_key"])[..13],
                "created_at": "2026-01-26T12:00:00Z",
                "user_account_id": user["id"],
                "user_account_name": "Acme Corp",
                "user_external_id": "customer-123",
                "admin_key_id": partner.id,
                "admin_entity_name": "YourCompany",
                "network_id": 2,
                "last_used_at": null,
                "expires_at": "2027-01-26T12:00:00Z",
                "revoked": false,
                "revoked_at": null,
                "rate_limit_per_minute": 120,
                "metadata": {"team": "payments"},
            },
            "api_key": data["api_key"],
        },
        "message": MESSAGE,
    });
    exactly(&answer, 201, &expected);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_credential_needs_only_a_name_and_a_network() {
    let world = World::new().await;
    let partner = world.partner().await;
    let nulls = json!({
        "name": "A", "network_id": 0, "user_account_id": null, "description": null, "expires_at": null,
        "rate_limit_per_minute": null, "metadata": null,
    });
    for new in [json!({"name": "A", "network_id": 0}), nulls] {
        let answer = partner.post("/v1/admin/credentials", &new).await;
        let data = answer.json()["data"].clone();
        let expected = json!({
            "success": true,
            "data": {
                "credential": {
                    "id": data["credential"]["id"], "name": "A", "description": null,
                    "api_key_prefix": text(&data["api_key"])[..13], "created_at": "2026-01-26T12:00:00Z",
                    "user_account_id": null, "user_account_name": null, "user_external_id": null,
                    "admin_key_id": partner.id, "admin_entity_name": "YourCompany", "network_id": 0,
                    "last_used_at": null, "expires_at": null, "revoked": false, "revoked_at": null,
                    "rate_limit_per_minute": 60, "metadata": {},
                },
                "api_key": data["api_key"],
            },
            "message": MESSAGE,
        });
        exactly(&answer, 201, &expected);
    }
}

#[tokio::test]
async fn networks_and_limits_are_taken_up_to_their_bounds() {
    let world = World::new().await;
    let partner = world.partner().await;
    for (network, limit) in [(0, 1), (1, 9999), (2, 10_000)] {
        let new = json!({"name": "A", "network_id": network, "rate_limit_per_minute": limit});
        let credential = partner.post("/v1/admin/credentials", &new).await.data()["credential"].clone();
        assert_eq!(
            (&credential["network_id"], &credential["rate_limit_per_minute"]),
            (&json!(network), &json!(limit))
        );
    }
}

#[tokio::test]
async fn expiries_are_read_in_every_iso_8601_spelling_and_told_in_utc() {
    let world = World::new().await;
    let partner = world.partner().await;
    for (given, told) in [
        ("2026-01-26T12:00:01Z", "2026-01-26T12:00:01Z"),
        ("2026-01-26T14:30:00+02:00", "2026-01-26T12:30:00Z"),
        ("2026-06-01T00:00:00.123Z", "2026-06-01T00:00:00Z"),
        ("2026-06-01T00:00:00", "2026-06-01T00:00:00Z"),
        ("2026-06-01", "2026-06-01T00:00:00Z"),
    ] {
        let new = json!({"name": "A", "network_id": 0, "expires_at": given});
        let credential = partner.post("/v1/admin/credentials", &new).await.data()["credential"].clone();
        assert_eq!(credential["expires_at"], told, "{given}");
    }
}

#[tokio::test]
async fn a_credential_is_read_by_its_id_without_its_key() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, _) = production(&partner).await;
    let answer = partner.get(&format!("/v1/admin/credentials/{}", text(&credential["id"]))).await;
    exactly(&answer, 200, &json!({"success": true, "data": credential}));
}

#[tokio::test]
async fn credentials_are_listed_newest_first_as_they_are_read_one_by_one() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (first, _) = production(&partner).await;
    let rest = credentials_in_turn(&world, &partner, &["second", "third"]).await;
    let answer = partner.get("/v1/admin/credentials").await;
    let pagination = json!({"limit": 20, "offset": 0, "total": 3, "hasMore": false});
    let expected = json!({"success": true, "data": [rest[1], rest[0], first], "pagination": pagination});
    exactly(&answer, 200, &expected);
}

#[tokio::test]
async fn revoked_credentials_are_listed_and_counted_only_when_asked_for() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credentials = credentials_in_turn(&world, &partner, &["a", "b", "c"]).await;
    let revoked = format!("/v1/admin/credentials/{}", text(&credentials[1]["id"]));
    world.advance(TimeDelta::seconds(1));
    partner.delete(&revoked).await.data();
    for (query, expected) in [
        ("", vec!["c", "a"]),
        ("?includeRevoked=false", vec!["c", "a"]),
        ("?includeRevoked=true", vec!["c", "b", "a"]),
    ] {
        let answer = partner.get(&format!("/v1/admin/credentials{query}")).await;
        assert_eq!(names(&answer), expected, "{query}");
        assert_eq!(answer.json()["pagination"]["total"], expected.len(), "{query}");
    }
    let page = partner.get("/v1/admin/credentials?includeRevoked=true&limit=1&offset=1").await;
    let mut expected = credentials[1].clone();
    expected["revoked"] = json!(true);
    expected["revoked_at"] = json!("2026-01-26T12:00:04Z");
    let pagination = json!({"limit": 1, "offset": 1, "total": 3, "hasMore": true});
    exactly(&page, 200, &json!({"success": true, "data": [expected], "pagination": pagination}));
    let read = partner.get(&revoked).await;
    exactly(&read, 200, &json!({"success": true, "data": expected}));
}

#[tokio::test]
async fn an_expired_credential_is_listed_until_it_is_revoked() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "A", "network_id": 0, "expires_at": "2026-01-26T13:00:00Z"});
    let issued = partner.post("/v1/admin/credentials", &new).await.data();
    assert_eq!(code_of(&world, &issued["api_key"]).await, "VALID");
    world.advance(TimeDelta::hours(1));
    assert_eq!(code_of(&world, &issued["api_key"]).await, "EXPIRED", "at the very second");
    let list = partner.get("/v1/admin/credentials").await;
    assert_eq!(names(&list), ["A"]);
    assert_eq!(list.json()["data"][0]["revoked"], false, "to expire is not to be revoked");
    let path = format!("/v1/admin/credentials/{}", text(&issued["credential"]["id"]));
    assert_eq!(partner.patch(&path, &json!({"name": "B"})).await.data()["name"], "B");
    partner.delete(&path).await.data();
    assert_eq!(names(&partner.get("/v1/admin/credentials").await), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_shown_of_the_user_follows_the_user() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (mut credential, user) = production(&partner).await;
    let patch = json!({"name": "Acme Corporation", "external_id": null});
    partner.patch(&format!("/v1/admin/users/{}", text(&user["id"])), &patch).await.data();
    credential["user_account_name"] = json!("Acme Corporation");
    credential["user_external_id"] = json!(null);
    let path = format!("/v1/admin/credentials/{}", text(&credential["id"]));
    assert_eq!(partner.get(&path).await.data(), credential);
    assert_eq!(partner.get("/v1/admin/credentials").await.data(), json!([credential]));
}

#[tokio::test]
async fn the_last_use_is_told_once_there_is_one() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("A").await;
    let path = format!("/v1/admin/credentials/{}", text(&issued["credential"]["id"]));
    assert_eq!(partner.get(&path).await.data()["last_used_at"], json!(null));
    for used in ["2026-01-26T12:05:00Z", "2026-01-26T12:10:00Z"] {
        world.advance(TimeDelta::minutes(5));
        assert_eq!(code_of(&world, &issued["api_key"]).await, "VALID");
        world.drain().await;
        assert_eq!(partner.get(&path).await.data()["last_used_at"], used);
    }
}

#[tokio::test]
async fn one_user_may_have_any_number_of_credentials_of_one_name() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let one = partner.credential_of(&user, "same").await;
    let two = partner.credential_of(&user, "same").await;
    assert_ne!(one["credential"]["id"], two["credential"]["id"]);
    assert_ne!(one["api_key"], two["api_key"]);
    assert_eq!(code_of(&world, &one["api_key"]).await, "VALID");
    assert_eq!(code_of(&world, &two["api_key"]).await, "VALID");
}
