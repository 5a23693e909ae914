//! Changing, rotating and switching keys: in force at the gateway at once.

use chrono::TimeDelta;
use serde_json::json;

use super::{Tenant, bad, code, data, missing, refused, text};
use crate::platform::actions;
use crate::support::World;

#[tokio::test]
async fn a_key_is_changed_under_its_tag() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let issued = acme.key(&["users:read"], json!({"expiresIn": "1d"})).await;
    let path = acme.at("api-keys", &issued);
    let patch = json!({
        "name": "Renamed", "description": "Why", "permissions": ["users:*"], "expiresIn": "30d",
        "ipAllowlist": ["198.51.100.7"], "credits": {"remaining": 9, "refill": null}, "metadata": {"a": 1},
        "rateLimits": [{"name": "r", "limit": 1, "window": 60, "pool": "credential"}]
    });
    let answer = acme.owner.patch(&path, &patch).await;
    let changed = data(&answer, 200);
    assert_eq!(answer.header("etag"), "\"2\"");
    for (field, value) in patch.as_object().unwrap() {
        let expected = if field == "ipAllowlist" { &json!(["198.51.100.7/32"]) } else { value };
        if field != "expiresIn" {
            assert_eq!(&changed[field], expected, "{field}");
        }
    }
    assert_eq!(changed["expiresAt"], "2026-02-25T12:00:00Z");
    let verified = world.bootstrap().post("/v1/keys/verify", &json!({"key": issued["key"]})).await;
    assert_eq!(verified.json()["code"], "IP_NOT_ALLOWED");
    let stale = acme.owner.request("PATCH", &path).header("if-match", "\"1\"");
    let stale = acme.owner.send(stale.header("content-type", "application/json"), "{\"name\":\"X\"}").await;
    refused(&stale, 412, "precondition_failed", "If-Match does not hold");
    let stale = acme.owner.send(acme.owner.request("DELETE", &path).header("if-match", "\"1\""), "").await;
    refused(&stale, 412, "precondition_failed", "If-Match does not hold");
    let empty = acme.owner.patch(&path, &json!({})).await;
    refused(&empty, 400, "invalid_request", "Nothing is to be changed");
    let null = acme.owner.patch(&path, &json!({"name": "X", "expiresIn": null})).await;
    bad(&null, "expiresIn", "expiresIn must be a string");
    bad(&acme.owner.patch(&path, &json!({"metadata": null})).await, "metadata", "metadata must be an object");
    bad(&acme.owner.patch(&path, &json!({"userId": null})).await, "userId", "Unknown field: userId");
}

#[tokio::test]
async fn a_rotated_key_overlaps_and_then_ends() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let issued = acme.key(&["users:read"], json!({})).await;
    let path = format!("{}/rotate", acme.at("api-keys", &issued));
    let answer = acme.owner.post(&path, &json!({"overlapSeconds": 60})).await;
    let rotated = data(&answer, 200);
    assert_eq!((answer.header("cache-control"), answer.header("etag")), ("no-store", "\"2\""));
    assert_eq!(rotated["previousExpiresAt"], "2026-01-26T12:01:00Z");
    assert_eq!(rotated["id"], issued["id"]);
    assert_ne!(rotated["key"], issued["key"]);
    assert_eq!((code(&world, &issued).await, code(&world, &rotated).await), ("VALID".into(), "VALID".into()));
    world.advance(TimeDelta::seconds(60));
    assert_eq!(code(&world, &issued).await, "EXPIRED");
    assert_eq!(code(&world, &rotated).await, "VALID");
    let rotated = data(&acme.owner.post_empty(&path).await, 200);
    assert_eq!(rotated["previousExpiresAt"], "2026-01-27T12:01:00Z");
    let bad_overlap = acme.owner.post(&path, &json!({"overlapSeconds": -1})).await;
    bad(&bad_overlap, "overlapSeconds", "overlapSeconds must be an integer between 0 and 2592000");
}

#[tokio::test]
async fn a_key_that_was_rotated_away_does_not_take_its_credential_over() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let leaked = acme.key(&["api-keys:write", "api-keys:read"], json!({})).await;
    let (path, thief) = (acme.at("api-keys", &leaked), world.bearer(text(&leaked["key"])));
    let rotate = format!("{path}/rotate");
    let newest = data(&acme.owner.post_empty(&rotate).await, 200);
    data(&thief.get(&path).await, 200);
    let answer = thief.post(&rotate, &json!({"overlapSeconds": 0})).await;
    let detail = "This key was rotated: only the newest one of its credential rotates it";
    refused(&answer, 403, "superseded_key", detail);
    let own = world.bearer(text(&newest["key"]));
    data(&own.post(&rotate, &json!({"overlapSeconds": 0})).await, 200);
    assert_eq!(thief.get(&path).await.status, 401);
}

#[tokio::test]
async fn so_many_keys_of_one_credential_are_in_force_and_no_more() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let first = acme.key(&["users:read"], json!({})).await;
    let path = format!("{}/rotate", acme.at("api-keys", &first));
    let mut newest = first.clone();
    for _ in 1..100 {
        newest = data(&acme.owner.post_empty(&path).await, 200);
    }
    let full = acme.owner.post_empty(&path).await;
    let detail = "100 keys of this credential are in force: rotate with a shorter overlap";
    refused(&full, 409, "too_many_secrets", detail);
    assert_eq!((code(&world, &first).await, code(&world, &newest).await), ("VALID".into(), "VALID".into()));
    let ended = data(&acme.owner.post(&path, &json!({"overlapSeconds": 0})).await, 200);
    assert_eq!(code(&world, &ended).await, "VALID");
    // The oldest is not remembered any more, and the others have ended: neither opens anything.
    for old in [&first, &newest] {
        assert_eq!(code(&world, old).await, "EXPIRED");
    }
    let restarted = world.beside().await;
    let told =
        [code(&restarted, &first).await, code(&restarted, &newest).await, code(&restarted, &ended).await];
    assert_eq!(told, ["NOT_FOUND", "EXPIRED", "VALID"]);
}

#[tokio::test]
async fn a_key_is_switched_off_and_on() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let issued = acme.key(&["users:read"], json!({})).await;
    let path = acme.at("api-keys", &issued);
    world.advance(TimeDelta::seconds(1));
    let off = data(&acme.owner.post_empty(&format!("{path}/disable")).await, 200);
    assert_eq!((&off["status"], &off["disabledAt"]), (&json!("disabled"), &json!("2026-01-26T12:00:01Z")));
    world.advance(TimeDelta::seconds(1));
    assert_eq!(code(&world, &issued).await, "DISABLED");
    let again = acme.owner.post_empty(&format!("{path}/disable")).await;
    refused(&again, 409, "wrong_state", "It is not in the state that this needs");
    assert_eq!(data(&acme.owner.post_empty(&format!("{path}/enable")).await, 200)["status"], "active");
    assert_eq!(code(&world, &issued).await, "VALID");
    let again = acme.owner.post_empty(&format!("{path}/enable")).await;
    refused(&again, 409, "wrong_state", "It is not in the state that this needs");
    world.advance(TimeDelta::seconds(1));
    assert_eq!(acme.owner.delete(&path).await.status, 204);
    for end in ["rotate", "disable", "enable"] {
        missing(&acme.owner.post_empty(&format!("{path}/{end}")).await);
    }
    missing(&acme.owner.patch(&path, &json!({"name": "X"})).await);
    let told = actions(&world, &format!("?target_id={}", text(&issued["id"]))).await;
    let verbs: Vec<_> = told.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(verbs, ["api_key.revoked", "api_key.enabled", "api_key.disabled", "api_key.created"]);
}

#[tokio::test]
async fn the_organizations_own_rule_of_lifetimes_holds() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let rule = json!({"settings": {"keyLifetime": {"maxSeconds": 86400, "required": true}}});
    data(&acme.owner.patch(&acme.path(""), &rule).await, 200);
    let make = async |more| acme.owner.post(&acme.path("/api-keys"), &super::key_body(&[], more)).await;
    refused(&make(json!({})).await, 400, "expiry_required", "The organization demands an expiry");
    let late = "The organization's keys live for at most 86400 seconds from their creation";
    refused(&make(json!({"expiresIn": "2d"})).await, 400, "expiry_too_late", late);
    assert_eq!(make(json!({"expiresIn": "1d"})).await.status, 201);
}
