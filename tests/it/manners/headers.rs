//! Headers that every answer has, and those that only some may have.

use axum::body::Body;
use claviger_domain::secret::Plaintext;
use serde_json::json;

use crate::authority::scene::Scene;
use crate::openapi::operations::{all, of};
use crate::support::{Answer, World};

#[track_caller]
fn is_guarded(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") || policy.starts_with("default-src 'self'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    for name in ["access-control-allow-origin", "server", "x-powered-by"] {
        assert!(answer.headers.get(name).is_none(), "{name}: other origins are not let in by default");
    }
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for operation in all() {
        let caller = scene.caller(&operation);
        for caller in [world.nobody(), caller] {
            is_guarded(&scene.call(&caller, &operation).await);
        }
    }
    for path in
        ["/", "/health/live", "/health/ready", "/metrics", "/openapi/partner.json", "/docs/", "/nothing"]
    {
        let caller = world.nobody();
        let request = caller.request("GET", path).header("origin", "https://elsewhere.example");
        is_guarded(&caller.send(request, Body::empty()).await);
    }
    let caller = world.nobody();
    for path in ["/v1/admin/users", "/v1/keys/verify", "/v1/keys/verify-batch", "/v1/keys/revoke-self"] {
        let request = caller.request("OPTIONS", path).header("origin", "https://elsewhere.example");
        let request = request.header("access-control-request-method", "POST");
        let answer = caller.send(request, Body::empty()).await;
        is_guarded(&answer);
        assert_eq!(answer.status, 405, "{path}");
    }
}

/// Whether a whole key stands anywhere in a text.
fn has_a_key(text: &str) -> bool {
    let is_part = |character: char| !(character.is_ascii_alphanumeric() || character == '_');
    text.split(is_part).any(|word| word.parse::<Plaintext>().is_ok())
}

#[tokio::test]
async fn what_holds_a_key_is_stored_nowhere_on_its_way() {
    let mut with_a_key = Vec::new();
    for operation in all() {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        scene.ready_for(&operation).await;
        let answer = scene.call(&scene.caller(&operation), &operation).await;
        assert!(answer.status < 300, "{}: {}", operation.id(), answer.text);
        if has_a_key(&answer.text) {
            assert_eq!(answer.header("cache-control"), "no-store", "{}", operation.id());
            with_a_key.push(operation.id().to_owned());
        }
        assert!(answer.headers.values().all(|value| !has_a_key(value.to_str().unwrap())));
    }
    with_a_key.sort_unstable();
    assert_eq!(
        with_a_key,
        [
            "create_admin_key",
            "create_api_key",
            "create_api_keys",
            "create_credential",
            "create_organization_api_key",
            "rotate_api_key",
            "rotate_credential",
            "rotate_organization_api_key",
        ],
        "and nothing else does"
    );
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let reads = of("partner").into_iter().filter(|operation| operation.method == "GET");
    for operation in reads {
        let path = scene.path(&operation);
        for caller in [world.nobody(), world.bearer("rubbish"), scene.caller(&operation)] {
            let got = caller.get(&path).await;
            let head = caller.send(caller.request("HEAD", &path), Body::empty()).await;
            assert_eq!((head.status, head.text.as_str()), (got.status, ""), "{path}");
            for name in ["content-type", "etag"] {
                assert_eq!(head.headers.get(name), got.headers.get(name), "{path}");
            }
            assert_eq!(head.header("content-length"), got.text.len().to_string(), "{path}");
        }
    }
}

#[tokio::test]
async fn health_tells_life_from_readiness() {
    let world = World::new().await;
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = world.nobody().get(path).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"status": status})));
    }
    world.app.store().clone().close().await;
    // A result is good for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let live = world.nobody().get("/health/live").await;
    assert_eq!(live.status, 200, "a process without its database is not to be killed");
    let ready = world.nobody().get("/health/ready").await;
    let problem = json!({"code": "database", "detail": "The database cannot be written"});
    assert_eq!((ready.status, ready.json()), (503, json!({"status": "not_ready", "problems": [problem]})));
    let refused = world.bootstrap().get("/v1/admin/me").await;
    assert_eq!(refused.header("retry-after"), "5");
    refused.refused(503, "Service temporarily unavailable");
}
