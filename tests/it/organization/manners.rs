//! How the surface refuses what is no request of its own.

use serde_json::json;

use super::{Tenant, refused};
use crate::support::{Settled, World};

#[tokio::test]
async fn bodies_and_repetitions_are_refused_in_its_own_words() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let caller = &acme.owner;
    let path = acme.path("/users");
    let send = async |kind: &str, body: String| {
        caller.send(caller.request("POST", &path).header("content-type", kind), body).await
    };
    let answer = send("text/plain", "{}".to_owned()).await;
    refused(&answer, 415, "unsupported_media_type", "Content-Type must be application/json");
    let answer = send("application/json", "{".to_owned()).await;
    refused(&answer, 400, "invalid_request", "The body is not valid JSON");
    let answer = send("application/json", " ".repeat(70_000)).await;
    refused(&answer, 413, "payload_too_large", "The body is larger than 65536 bytes");
    let repeated = async |name: &str| {
        let request = caller.request("POST", &path).header("idempotency-key", "one");
        let body = json!({"name": name}).to_string();
        caller.send(request.header("content-type", "application/json"), body).await
    };
    let first = repeated("Ada").await;
    assert_eq!((first.status, repeated("Ada").await.text), (201, first.text.clone()));
    let other = repeated("Bob").await;
    refused(&other, 422, "idempotency_key_reused", "The idempotency key was used for another request");
    let answer = caller.send(caller.request("PUT", &path), "").await;
    refused(&answer, 405, "method_not_allowed", "`Allow` names the methods of this path");
    refused(&caller.get(&acme.path("/teams")).await, 404, "not_found", "There is nothing at this path");
}

#[tokio::test]
async fn a_key_that_calls_too_often_is_told_to_wait() {
    let settled = Settled { admin_limit_per_minute: 2, ..Settled::default() };
    let world = World::settled(settled).await;
    let acme = Tenant::new(&world, "Acme").await;
    for _ in 0..2 {
        let answer = acme.owner.get(&acme.path("")).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, "2"));
    }
    let answer = acme.owner.get(&acme.path("")).await;
    refused(&answer, 429, "rate_limit_exceeded", "Too many requests");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    // The other keys of the organization go on.
}
