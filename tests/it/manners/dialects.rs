//! What is not there, not that way, too large or of the wrong kind, in the words of each surface.

use std::time::Duration;

use axum::body::{Body, Bytes};
use claviger_domain::secret::KeyFormat;
use claviger_http::HttpSettings;
use http_body_util::{Full, Limited};
use serde_json::{Value, json};

use crate::authority::scene::Scene;
use crate::gateway::stage::never_issued;
use crate::openapi::operations::all;
use crate::openapi::{OF_THE_PRESENTED_KEY, WITHOUT_CALLER};
use crate::support::{Answer, World};

#[track_caller]
fn problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body: Value = answer.json();
    assert_eq!((&body["status"], &body["code"]), (&json!(status), &json!(code)));
    assert_eq!(body["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn unknown_paths_are_not_found_in_the_surfaces_words() {
    let world = World::new().await;
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for caller in [world.nobody(), world.bootstrap(), (*world.partner().await).clone()] {
            for path in [
                "/v1/admin",
                "/v1/admin/",
                "/v1/admin/nothing",
                "/v1/admin/users/",
                "/v1/admin/users/a/b/c",
                "/v1/admin//users",
                "/v1/admin/users/../users",
                "/v1/admin/credentials/01932a3e-5f00-7000-8000-0000000000a2/nothing",
            ] {
                let answer = caller.send(caller.request(method, path), Body::empty()).await;
                answer.refused(404, "Not found");
            }
            for path in ["/v1/keys", "/v1/keys/", "/v1/keys/nothing", "/v1/usage/x", "/v1/forward-auth/x"] {
                let answer = caller.send(caller.request(method, path), Body::empty()).await;
                problem(&answer, 404, "not_found");
            }
            // What belongs to no surface, even if its name begins like one.
            for path in
                ["/nothing", "/v1", "/v1/", "/v1/adminx", "/v1/admin-keys", "/v1/keyser", "//v1/admin"]
            {
                let answer = caller.send(caller.request(method, path), Body::empty()).await;
                problem(&answer, 404, "not_found");
            }
        }
    }
}

#[tokio::test]
async fn wrong_methods_say_which_are_right() {
    let world = World::new().await;
    let caller = world.partner().await;
    for (method, path, allow) in [
        ("PUT", "/v1/admin/users", "GET,HEAD,POST"),
        ("DELETE", "/v1/admin/credentials", "GET,HEAD,POST"),
        ("POST", "/v1/admin/me", "GET,HEAD"),
        ("GET", "/v1/admin/users/nonsense/suspend", "POST"),
        ("OPTIONS", "/v1/admin/users", "GET,HEAD,POST"),
    ] {
        let answer = caller.send(caller.request(method, path), Body::empty()).await;
        answer.refused(405, "Method not allowed");
        let mut methods: Vec<_> = answer.header("allow").split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allow, "{method} {path}");
    }
    for (path, allow) in [
        ("/v1/keys/verify", "POST"),
        ("/v1/keys/verify-batch", "POST"),
        ("/v1/keys/revoke-self", "POST"),
        ("/v1/usage/reports", "POST"),
        ("/health/live", "GET,HEAD"),
        ("/metrics", "GET,HEAD"),
    ] {
        let answer = caller.send(caller.request("PUT", path), Body::empty()).await;
        problem(&answer, 405, "method_not_allowed");
        let mut methods: Vec<_> = answer.header("allow").split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allow, "{path}");
    }
}

/// Unavailable is no fault of the caller's and none of ours: 503, never 500.
#[tokio::test]
async fn a_database_that_is_away_is_said_to_be() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    world.app.store().clone().close().await;
    for operation in all() {
        let unknown = [KeyFormat::Admin, KeyFormat::Live, KeyFormat::Bootstrap].map(never_issued);
        let known = [&scene.owner.key, &world.bootstrap().key].map(|key| key.clone().unwrap());
        for key in unknown.iter().chain(&known) {
            let answer = scene.call(&world.bearer(key), &operation).await;
            if answer.status == 503 {
                assert_eq!(answer.header("retry-after"), "5", "{}", operation.id());
            }
            let is_live = key.starts_with("ak_live_");
            let is_known = known.contains(key) && !key.starts_with("iiak_admin_");
            // What memory knows of keys it goes on telling: only what it does not know is looked up.
            match (operation.surface, operation.id()) {
                ("partner", _) if is_live => assert_eq!(answer.status, 403, "{}", operation.id()),
                ("partner", _) => answer.refused(503, "Service temporarily unavailable"),
                ("platform", _) if is_live || is_known => {
                    assert_eq!(answer.status, 503, "{}: {}", operation.id(), answer.text);
                    assert_eq!(answer.json()["error"]["code"], "SERVICE_UNAVAILABLE");
                }
                ("platform", _) => assert_eq!(answer.json()["error"]["code"], "UNAUTHORIZED"),
                // Its example is no key.
                (_, WITHOUT_CALLER) => assert_eq!(answer.status, 200, "{}", answer.text),
                _ if is_live => problem(&answer, 503, "service_unavailable"),
                (_, "report_usage") if is_known => problem(&answer, 503, "service_unavailable"),
                (_, "verify_key" | "verify_keys") if is_known => assert_eq!(answer.status, 200),
                (_, OF_THE_PRESENTED_KEY) => problem(&answer, 401, "not_found"),
                _ => problem(&answer, 401, "unauthorized"),
            }
            operation.admits(&answer);
        }
        // A key that was never issued by anybody is refused by its form alone.
        let mut mistyped = scene.owner.key.clone().unwrap();
        mistyped.replace_range(20..21, if &mistyped[20..21] == "0" { "1" } else { "0" });
        let answer = scene.call(&world.bearer(&mistyped), &operation).await;
        let expected = match (operation.surface, operation.id()) {
            ("partner", _) => 403,
            (_, WITHOUT_CALLER) => 200,
            _ => 401,
        };
        assert_eq!(answer.status, expected, "{}", operation.id());
    }
}

/// A body that is announced and never comes.
#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let http = HttpSettings { request_timeout: Duration::from_millis(20), ..HttpSettings::default() };
    let world = World::with_http(http).await;
    let operator = world.bootstrap();
    let send = async |path: &str| {
        let never = futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>();
        let request = operator.request("POST", path).header("content-type", "application/json");
        operator.send(request, Body::from_stream(never)).await
    };
    send("/v1/admin/admin-keys").await.refused(503, "Request timed out");
    problem(&send("/v1/keys/verify").await, 503, "timeout");
}

#[tokio::test]
async fn a_body_may_be_so_large_and_no_larger() {
    let world = World::new().await;
    let partner = world.partner().await;
    let padded = |size: usize| {
        let body = json!({"name": "A"}).to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    let send = async |body: Body| {
        let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
        partner.send(request, body).await
    };
    assert_eq!(send(padded(64 * 1024).into()).await.status, 201);
    send(padded(64 * 1024 + 1).into()).await.refused(413, "Request body too large");
    // Nor does it matter whether the length is announced: a stream is cut off.
    let stream = Body::from_stream(Body::from(padded(64 * 1024 + 1)).into_data_stream());
    send(stream).await.refused(413, "Request body too large");
    // Operations that take no body take no large one either.
    let path = format!("/v1/admin/users/{}/suspend", partner.user("B").await["id"].as_str().unwrap());
    let answer = partner.send(partner.request("POST", &path), padded(64 * 1024 + 1)).await;
    answer.refused(413, "Request body too large");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let world = World::new().await;
    let partner = world.partner().await;
    let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
    // Its sender fails after three bytes.
    let broken = Body::new(Limited::new(Full::new(Bytes::from("{\"name\"")), 3));
    partner.send(request, broken).await.refused(400, "Request body could not be read");
}

#[tokio::test]
async fn a_body_says_that_it_is_json() {
    let world = World::new().await;
    let partner = world.partner().await;
    let send = async |media_type: Option<&[u8]>| {
        let request = partner.request("POST", "/v1/admin/users");
        let request = match media_type {
            Some(media_type) => request.header("content-type", media_type),
            None => request,
        };
        partner.send(request, json!({"name": "A"}).to_string()).await
    };
    for fit in
        ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json ;x"]
    {
        assert_eq!(send(Some(fit.as_bytes())).await.status, 201, "{fit}");
    }
    let unfit: [Option<&[u8]>; 9] = [
        None,
        Some(b""),
        Some(b"json"),
        Some(b"text/plain"),
        Some(b"text/json"),
        Some(b"application/jsonp"),
        Some(b"application/problem+json"),
        Some(b"application/x-www-form-urlencoded"),
        Some(b"\xff"),
    ];
    for media_type in unfit {
        send(media_type).await.refused(415, "Content-Type must be application/json");
    }
    let path = "/v1/admin/credentials/01932a3e-5f00-7000-8000-0000000000a2/rotate";
    let answer = partner.send(partner.request("POST", path), "{}").await;
    answer.refused(415, "Content-Type must be application/json");
}
