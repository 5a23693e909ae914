//! Whose web pages may call the admin surfaces.

use axum::body::Body;
use serde_json::json;

use super::data;
use crate::support::{Answer, Caller, World};

const CONSOLE: &str = "https://console.example.com";

async fn preflight(caller: &Caller<'_>, path: &str, origin: &str) -> Answer {
    let request = caller.request("OPTIONS", path).header("origin", origin);
    caller.send(request.header("access-control-request-method", "PATCH"), Body::empty()).await
}

async fn from(caller: &Caller<'_>, path: &str, origin: &str) -> Answer {
    caller.send(caller.request("GET", path).header("origin", origin), Body::empty()).await
}

const PATHS: [&str; 3] = ["/admin/v1/organizations", "/v1/admin/users", "/v1/organizations/acme/api-keys"];

#[tokio::test]
async fn without_origins_no_page_may_call() {
    let world = World::new().await;
    for path in PATHS {
        for answer in
            [preflight(&world.nobody(), path, CONSOLE).await, from(&world.bootstrap(), path, CONSOLE).await]
        {
            assert!(answer.headers.get("access-control-allow-origin").is_none(), "{path}");
            assert!(answer.headers.get("vary").is_none(), "{path}");
            assert_ne!(answer.status, 204, "{path}");
        }
    }
}

#[tokio::test]
async fn a_listed_page_may_call_the_admin_surfaces_and_no_other_page() {
    let world = World::new().await;
    let operator = world.bootstrap();
    data(&operator.patch("/admin/v1/settings", &json!({"cors_origins": [CONSOLE]})).await, 200);
    for path in PATHS {
        let answer = preflight(&world.nobody(), path, CONSOLE).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), CONSOLE);
        assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, POST, PATCH, DELETE");
        assert!(answer.header("access-control-allow-headers").contains("authorization"));
        assert_eq!((answer.header("vary"), answer.header("access-control-max-age")), ("origin", "600"));
        assert!(answer.headers.get("access-control-allow-credentials").is_none());
        for other in ["https://console.example.com.evil.example", "http://console.example.com", "null"] {
            let answer = preflight(&world.nobody(), path, other).await;
            assert_ne!(answer.status, 204, "{other}");
            assert!(answer.headers.get("access-control-allow-origin").is_none(), "{other}");
            assert_eq!(answer.header("vary"), "origin");
        }
    }
    // A page may read what it is answered, be it a refusal; the key is still asked for.
    let answer = from(&operator, "/admin/v1/organizations", CONSOLE).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, CONSOLE));
    assert!(answer.header("access-control-expose-headers").contains("etag"));
    let answer = from(&world.nobody(), "/admin/v1/organizations", CONSOLE).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, CONSOLE));
    // Gateways are no pages.
    for path in ["/v1/keys/verify", "/v1/usage/reports", "/health/live", "/openapi/platform.json"] {
        let answer = preflight(&world.nobody(), path, CONSOLE).await;
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{path}");
    }
    let bare = operator.request("OPTIONS", "/admin/v1/organizations").header("origin", CONSOLE);
    assert_eq!(operator.send(bare, Body::empty()).await.status, 405, "no browser asks like this");
}
