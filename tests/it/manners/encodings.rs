//! Bodies with a content coding: none is supported, and none is read as if it had none.

use axum::body::Body;
use serde_json::{Value, json};

use crate::authority::scene::Scene;
use crate::openapi::operations::all;
use crate::support::{Caller, World};

#[tokio::test]
async fn an_encoded_body_is_refused_in_the_words_of_its_surface() {
    let world = World::new().await;
    let partner = world.partner().await;
    let send = async |caller: &Caller<'_>, path: &str, coding: &str| {
        let request = caller.request("POST", path).header("content-type", "application/json");
        caller.send(request.header("content-encoding", coding), "{}").await
    };
    for coding in ["gzip", "br", "identity, gzip", "GZIP", "nonsense", ""] {
        let answer = send(&partner, "/v1/admin/users", coding).await;
        answer.refused(415, "Content-Encoding is not supported");

        let answer = send(&world.bootstrap(), "/admin/v1/organizations", coding).await;
        let body: Value = answer.json();
        assert_eq!((answer.status, &body["success"]), (415, &json!(false)), "{}", answer.text);
        assert_eq!(body["error"]["code"], "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(body["error"]["details"]["reason"], "unsupported_content_encoding");

        for path in ["/v1/keys/verify", "/v1/keys/verify-batch", "/v1/usage/reports"] {
            let answer = send(&world.bootstrap(), path, coding).await;
            let body: Value = answer.json();
            assert_eq!(
                (answer.status, &body["code"]),
                (415, &json!("unsupported_content_encoding")),
                "{path}"
            );
        }
    }
    let answer = send(&partner, "/v1/admin/users", "identity").await;
    answer.refused(400, "Name is required and must be a non-empty string");
}

#[tokio::test]
async fn every_operation_with_a_body_refuses_an_encoded_one() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for operation in all() {
        if operation.body_example().is_none() {
            continue;
        }
        let caller = scene.caller(&operation);
        let request = caller.request(&operation.method, &scene.path(&operation));
        let request = request.header("content-type", "application/json").header("content-encoding", "gzip");
        let answer = caller.send(request, Body::from("{}")).await;
        assert_eq!(answer.status, 415, "{}: {}", operation.id(), answer.text);
    }
}

/// Proxies pass on the headers of the request they ask about, and that one may well be encoded.
#[tokio::test]
async fn forward_auth_does_not_mind_the_coding_of_the_proxied_request() {
    let world = World::new().await;
    let partner = world.partner().await;
    let key = partner.credential("Production").await["api_key"].as_str().unwrap().to_owned();
    let caller = world.bearer(&key);
    let answer =
        caller.send(caller.request("GET", "/v1/forward-auth").header("content-encoding", "gzip"), "");
    assert_eq!(answer.await.status, 200);
}
