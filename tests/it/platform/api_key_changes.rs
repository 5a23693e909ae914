//! API keys: changed, replaced, switched off and on, ended. The gateway sees each change at once.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{NO_KEY, actions, at, bad, code, data, key, organization, refused, text};
use crate::support::World;

const NOTHING: &str = "There is no such thing among yours";

#[tokio::test]
async fn a_changed_key_is_in_force_at_once() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let issued = key(&world, &acme, &["workflows:read"], json!({})).await;
    let path = at("api-keys", &issued);
    let verify = async |scopes: &str| {
        let body = json!({"key": issued["key"], "scopes": scopes});
        text(&operator.post("/v1/keys/verify", &body).await.json()["code"]).to_owned()
    };
    assert_eq!(verify("workflows:write").await, "INSUFFICIENT_SCOPE");
    world.advance(TimeDelta::seconds(1));
    let patch = json!({
        "name": "Renamed", "description": "Why", "scopes": ["workflows:*"], "expires_in": "1h",
        "rate_limits": [{"name": "requests", "limit": 2, "window": 60}], "ip_allowlist": [],
        "credits": {"remaining": 9}, "metadata": {"a": 1},
    });
    let answer = operator.patch(&path, &patch).await;
    let now = data(&answer, 200);
    assert_eq!(answer.header("etag"), "\"2\"");
    for (field, value) in [
        ("name", json!("Renamed")),
        ("description", json!("Why")),
        ("scopes", json!(["workflows:*"])),
        ("expires_at", json!("2026-01-26T13:00:01Z")),
        ("credits", json!({"remaining": 9, "refill": null})),
        ("metadata", json!({"a": 1})),
        ("updated_at", json!("2026-01-26T12:00:01Z")),
    ] {
        assert_eq!(now[field], value, "{field}");
    }
    assert!(now.get("key").is_none());
    assert_eq!(verify("workflows:write").await, "VALID");
    let cleared = json!({
        "description": null, "expires_at": null, "rate_limits": null, "credits": null, "ip_allowlist": null,
    });
    let now = data(&operator.patch(&path, &cleared).await, 200);
    let told = ["description", "expires_at", "credits"].map(|field| now[field].clone());
    assert_eq!(told, [Value::Null, Value::Null, Value::Null]);
    assert_eq!((&now["rate_limits"], &now["ip_allowlist"]), (&json!([]), &json!([])));
    refused(&operator.patch(&path, &json!({})).await, 400, "invalid_request", "Nothing is to be changed");
    bad(&operator.patch(&path, &json!({"scopes": null})).await, "scopes", "scopes must be an array");
    let both = json!({"expires_at": null, "expires_in": "1d"});
    bad(
        &operator.patch(&path, &both).await,
        "expires_in",
        "expires_in cannot be given together with expires_at",
    );
    let fixed = json!({"environment": "test"});
    bad(&operator.patch(&path, &fixed).await, "environment", "Unknown field: environment");
}

#[tokio::test]
async fn a_rotated_key_overlaps_the_one_before() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let old = key(&world, &acme, &[], json!({})).await;
    let path = format!("{}/rotate", at("api-keys", &old));
    let answer = operator.post(&path, &json!({"overlap_seconds": 60})).await;
    let new = data(&answer, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((&new["id"], &new["previous_expires_at"]), (&old["id"], &json!("2026-01-26T12:01:00Z")));
    assert_ne!(new["key"], old["key"]);
    assert_eq!(new["prefix"], text(&new["key"])[..16]);
    assert_eq!((code(&world, &old).await, code(&world, &new).await), ("VALID".into(), "VALID".into()));
    world.advance(TimeDelta::seconds(60));
    assert_eq!(code(&world, &new).await, "VALID");
    assert_eq!(code(&world, &old).await, "EXPIRED");
    let newest = data(&operator.post_empty(&path).await, 200);
    assert_eq!(newest["previous_expires_at"], "2026-01-27T12:01:00Z", "a day when nothing is said");
    let answer = operator.post(&path, &json!({"overlap_seconds": 2_592_001})).await;
    bad(&answer, "overlap_seconds", "overlap_seconds must be an integer between 0 and 2592000");
}

#[tokio::test]
async fn a_disabled_key_is_refused_until_it_is_enabled() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let issued = key(&world, &acme, &[], json!({})).await;
    let (disable, enable) =
        (format!("{}/disable", at("api-keys", &issued)), format!("{}/enable", at("api-keys", &issued)));
    let state = "It is not in the state that this needs";
    refused(&operator.post_empty(&enable).await, 409, "wrong_state", state);
    let now = data(&operator.post_empty(&disable).await, 200);
    assert_eq!((&now["disabled"], &now["disabled_at"]), (&json!(true), &json!("2026-01-26T12:00:00Z")));
    assert_eq!(code(&world, &issued).await, "DISABLED");
    refused(&operator.post_empty(&disable).await, 409, "wrong_state", state);
    let now = data(&operator.post_empty(&enable).await, 200);
    assert_eq!((&now["disabled"], &now["disabled_at"]), (&json!(false), &Value::Null));
    assert_eq!(code(&world, &issued).await, "VALID");
}

#[tokio::test]
async fn a_revoked_key_is_gone_for_good_and_stays_readable() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let issued = key(&world, &acme, &[], json!({})).await;
    let path = at("api-keys", &issued);
    let request = operator.request("DELETE", &path).header("if-match", "\"7\"");
    refused(&operator.send(request, "").await, 412, "precondition_failed", "If-Match does not hold");
    let request = operator.request("DELETE", &path).header("content-type", "application/json");
    let answer = operator.send(request, json!({"reason": "Leaked in a log"}).to_string()).await;
    let now = data(&answer, 200);
    assert_eq!(now["revoked"], true);
    assert_eq!(
        (&now["revoked_at"], &now["revocation_reason"]),
        (&json!("2026-01-26T12:00:00Z"), &json!("Leaked in a log"))
    );
    assert_eq!(code(&world, &issued).await, "REVOKED");
    assert_eq!(data(&operator.get(&path).await, 200), now);
    refused(&operator.delete(&path).await, 404, "not_found", NOTHING);
    refused(&operator.patch(&path, &json!({"name": "A"})).await, 404, "not_found", NOTHING);
    for verb in ["rotate", "enable", "disable"] {
        refused(&operator.post_empty(&format!("{path}/{verb}")).await, 404, "not_found", NOTHING);
    }
}

#[tokio::test]
async fn every_change_of_a_key_is_one_line_of_the_log() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let issued = key(&world, &acme, &["a:b"], json!({})).await;
    let path = at("api-keys", &issued);
    let second = TimeDelta::seconds(1);
    world.advance(second);
    data(&operator.patch(&path, &json!({"name": "B"})).await, 200);
    for verb in ["rotate", "disable", "enable"] {
        world.advance(second);
        data(&operator.post_empty(&format!("{path}/{verb}")).await, 200);
    }
    world.advance(second);
    data(&operator.delete(&path).await, 200);
    let query = format!("?target_id={}", text(&issued["id"]));
    let told: Vec<_> = actions(&world, &query).await.into_iter().map(|(action, _)| action).collect();
    let verbs = ["revoked", "enabled", "disabled", "rotated", "updated", "created"];
    assert_eq!(told, verbs.map(|verb| format!("api_key.{verb}")));
}

#[tokio::test]
async fn unknown_keys_are_not_found() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let path = format!("/admin/v1/api-keys/{NO_KEY}");
    refused(&operator.get(&path).await, 404, "not_found", NOTHING);
    refused(&operator.delete(&path).await, 404, "not_found", NOTHING);
    refused(&operator.patch(&path, &json!({"name": "A"})).await, 404, "not_found", NOTHING);
    for id in ["1", "user_01h455vb4pex5vsknk084sn02q", "key_"] {
        let answer = operator.get(&format!("/admin/v1/api-keys/{id}")).await;
        refused(&answer, 400, "invalid_request", "An id in the path is malformed");
    }
}
