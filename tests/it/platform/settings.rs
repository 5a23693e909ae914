//! What holds for the whole installation.

use serde_json::json;

use super::{actions, bad, data, key, organization, refused, text};
use crate::support::World;

const PATH: &str = "/admin/v1/settings";

#[tokio::test]
async fn settings_are_read_changed_and_taken_back() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let answer = operator.get(PATH).await;
    let first = json!({
        "key_lifetime": {"default_seconds": null, "max_seconds": null, "required": false},
        "default_rate_limits": [], "retention": {"audit_days": null, "usage_days": null},
        "resource_limits": {"api_keys": null, "users": null, "roles": null, "admin_keys": null},
        "forward_auth_dialect": "plain", "cors_origins": [], "updated_at": null,
    });
    assert_eq!(data(&answer, 200).to_string(), first.to_string());
    assert_eq!(answer.header("etag"), "\"1\"");
    let patch = json!({
        "resource_limits": {"api_keys": 5000, "roles": 0},
        "key_lifetime": {"max_seconds": 86400}, "retention": {"audit_days": 30}, "forward_auth_dialect": "nginx",
        "default_rate_limits": [{"name": "r", "limit": 1, "window": 1, "pool": "user_account"}],
        "cors_origins": ["https://Console.example.com:443", "https://console.example.com"],
    });
    let answer = operator.patch(PATH, &patch).await;
    let now = data(&answer, 200);
    let expected = json!({
        "key_lifetime": {"default_seconds": null, "max_seconds": 86400, "required": false},
        "default_rate_limits": [{"name": "r", "limit": 1, "window": 1, "pool": "user_account"}],
        "retention": {"audit_days": 30, "usage_days": null},
        "resource_limits": {"api_keys": 5000, "users": null, "roles": 0, "admin_keys": null},
        "forward_auth_dialect": "nginx",
        "cors_origins": ["https://console.example.com"], "updated_at": "2026-01-26T12:00:00Z",
    });
    assert_eq!((&now, answer.header("etag")), (&expected, "\"2\""));
    assert_eq!(data(&operator.get(PATH).await, 200), now);
    let back = json!({
        "key_lifetime": null, "retention": null, "forward_auth_dialect": null, "default_rate_limits": null,
        "cors_origins": null, "resource_limits": null,
    });
    let mut expected = first;
    expected["updated_at"] = json!("2026-01-26T12:00:00Z");
    assert_eq!(data(&operator.patch(PATH, &back).await, 200), expected);
    let told: Vec<_> = actions(&world, "").await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(told, ["settings.updated", "settings.updated"]);
}

#[tokio::test]
async fn what_is_no_setting_is_refused() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let origins = "cors_origins[0] must be at most 100 origins like https://console.example.com";
    for (body, field, message) in [
        (json!({"colour": "red"}), "colour", "Unknown field: colour"),
        (
            json!({"forward_auth_dialect": "apache"}),
            "forward_auth_dialect",
            "forward_auth_dialect must be one of: plain, nginx",
        ),
        (json!({"cors_origins": ["*"]}), "cors_origins[0]", origins),
        (json!({"cors_origins": ["https://a.example/path"]}), "cors_origins[0]", origins),
        (
            json!({"key_lifetime": {"default_seconds": -1}}),
            "key_lifetime.default_seconds",
            "key_lifetime.default_seconds must be an integer between 1 and 3155760000",
        ),
        (
            json!({"retention": {"usage_days": 0}}),
            "retention.usage_days",
            "retention.usage_days must be an integer between 1 and 36525",
        ),
    ] {
        bad(&operator.patch(PATH, &body).await, field, message);
    }
    refused(&operator.patch(PATH, &json!({})).await, 400, "invalid_request", "Nothing is to be changed");
    let request = operator.request("PATCH", PATH).header("content-type", "application/json");
    let stale =
        operator.send(request.header("if-match", "\"2\""), json!({"retention": null}).to_string()).await;
    refused(&stale, 412, "precondition_failed", "If-Match does not hold");
    assert_eq!(operator.get(PATH).await.header("etag"), "\"1\"");
}

#[tokio::test]
async fn a_proxy_that_does_not_say_is_answered_as_the_settings_say() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let limited = json!({"rate_limits": [{"name": "r", "limit": 1, "window": 3600}]});
    let issued = key(&world, &acme, &[], limited).await;
    let client = world.bearer(text(&issued["key"]));
    assert_eq!(client.get("/v1/forward-auth").await.status, 200);
    assert_eq!(client.get("/v1/forward-auth").await.status, 429);
    let nginx = json!({"forward_auth_dialect": "nginx"});
    data(&world.bootstrap().patch(PATH, &nginx).await, 200);
    let answer = client.get("/v1/forward-auth").await;
    assert_eq!((answer.status, answer.header("x-claviger-deny-status")), (403, "429"));
    assert_eq!(client.get("/v1/forward-auth?dialect=plain").await.status, 429, "who says so is believed");
    assert_eq!(client.get("/v1/forward-auth?dialect=nginx").await.status, 403);
    assert_eq!(client.get("/v1/forward-auth?dialect=apache").await.status, 400);
}
