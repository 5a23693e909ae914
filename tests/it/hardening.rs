//! What reviewers broke once, kept from breaking again.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use chrono::TimeDelta;
use claviger_app::bootstrap::{self, Ensured};
use claviger_domain::secret::{KeyFormat, Plaintext};
use http_body_util::StreamBody;
use serde_json::{Value, json};

use crate::organization::Tenant;
use crate::support::World;

/// A request whose body ends when the sender says so.
fn slow(key: &str, path: &str) -> (tokio::sync::mpsc::Sender<Bytes>, Request<Body>) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let stream = futures_util::stream::poll_fn(move |context| {
        receiver
            .poll_recv(context)
            .map(|part| part.map(|bytes| Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes))))
    });
    let request = Request::post(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Body::new(StreamBody::new(stream)))
        .unwrap();
    (sender, request)
}

/// Waits until the first part is taken: by then the caller has been authenticated.
async fn begun(body: &tokio::sync::mpsc::Sender<Bytes>) {
    drop(body.reserve().await.unwrap());
}

async fn audit(world: &World, query: &str) -> Vec<Value> {
    world.flush().await;
    let path = format!("/v1/admin/audit-logs?limit=100&include_reads=true{query}");
    world.bootstrap().get(&path).await.data().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_revoked_while_its_request_comes_in_changes_nothing() {
    let world = World::on_disk().await;
    let partner = world.partner().await;
    let (body, request) = slow(partner.key.as_deref().unwrap(), "/v1/admin/credentials");
    let front = world.front.clone();
    let pending = tokio::spawn(async move { front.answer(request, None).await.status() });
    body.send(Bytes::from_static(b"{\"name\":\"late\",")).await.unwrap();
    begun(&body).await;
    let revoked = world.bootstrap().delete(&format!("/v1/admin/admin-keys/{}", partner.id)).await;
    assert_eq!(revoked.status, 200);
    body.send(Bytes::from_static(b"\"network_id\":0}")).await.unwrap();
    drop(body);
    assert_eq!(pending.await.unwrap().as_u16(), 403);
    let made = audit(&world, "&action=credential.created").await;
    assert!(made.is_empty(), "{made:?}");
}

#[tokio::test]
async fn a_key_rotated_away_while_its_request_comes_in_changes_nothing() {
    let world = World::on_disk().await;
    let acme = Tenant::new(&world, "Acme").await;
    let issued = acme.key(&["api-keys:*"], json!({})).await;
    let (body, request) = slow(issued["key"].as_str().unwrap(), &acme.path("/api-keys"));
    let front = world.front.clone();
    let pending = tokio::spawn(async move { front.answer(request, None).await.status() });
    body.send(Bytes::from_static(b"{\"name\":\"late\",")).await.unwrap();
    begun(&body).await;
    let path = format!("{}/rotate", acme.at("api-keys", &issued));
    assert_eq!(acme.owner.post(&path, &json!({"overlapSeconds": 0})).await.status, 200);
    body.send(Bytes::from_static(b"\"permissions\":[]}")).await.unwrap();
    drop(body);
    assert_eq!(pending.await.unwrap().as_u16(), 401);
    let keys = acme.owner.get(&acme.path("/api-keys")).await.json();
    assert!(!keys.to_string().contains("late"), "{keys}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::new().await;
    let caller = world.bootstrap();
    for path in ["/v1/keys/revoke-self", "/v1/keys/verify"] {
        let (body, request) = slow(caller.key.as_deref().unwrap(), path);
        let front = world.front.clone();
        let pending = tokio::spawn(async move { front.answer(request, None).await });
        body.send(Bytes::from_static(b"{\"key\":")).await.unwrap();
        begun(&body).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(19)).await;
        assert!(!pending.is_finished(), "{path}");
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::time::resume();
        let answer = pending.await.unwrap();
        assert_eq!(answer.status().as_u16(), 400, "{path}");
        drop(body);
    }
}

#[tokio::test]
async fn a_permission_taken_while_a_request_comes_in_is_missed() {
    let world = World::on_disk().await;
    let partner = world.partner().await;
    let (body, request) = slow(partner.key.as_deref().unwrap(), "/v1/admin/users");
    let front = world.front.clone();
    let pending = tokio::spawn(async move { front.answer(request, None).await.status() });
    body.send(Bytes::from_static(b"{\"name\":")).await.unwrap();
    begun(&body).await;
    let path = format!("/v1/admin/admin-keys/{}", partner.id);
    assert_eq!(world.bootstrap().patch(&path, &json!({"permissions": ["view_usage"]})).await.status, 200);
    body.send(Bytes::from_static(b"\"late\"}")).await.unwrap();
    drop(body);
    assert_eq!(pending.await.unwrap().as_u16(), 403);
}

#[tokio::test]
async fn a_method_as_long_as_its_sender_likes_leaves_a_short_line() {
    let world = World::new().await;
    let method = "A".repeat(5000);
    let answer = world.nobody().send(world.nobody().request(&method, "/v1/admin/users"), Body::empty()).await;
    assert_eq!(answer.status, 405);
    let lines = audit(&world, "&action=user_account.denied").await;
    assert_eq!(lines[0]["details"]["method"], "other");
}

#[tokio::test]
async fn what_looks_like_a_key_is_no_request_id() {
    let world = World::new().await;
    let partner = world.partner().await;
    let key = partner.key.clone().unwrap();
    let request = partner.request("GET", "/v1/admin/me").header("x-request-id", &key);
    let answer = partner.send(request, Body::empty()).await;
    assert!(answer.header("x-request-id").starts_with("req_"));
    assert!(audit(&world, "").await.iter().all(|line| !line.to_string().contains(&key)));
}

#[tokio::test]
async fn a_query_of_many_parameters_is_refused_before_it_is_compared() {
    let world = World::new().await;
    let partner = world.partner().await;
    let query: Vec<_> = (0..7000).map(|n| format!("p{n}")).collect();
    let answer = partner.get(&format!("/v1/admin/me?{}", query.join("&"))).await;
    answer.refused(400, "query must have 32 items or less");
}

#[tokio::test]
async fn refusals_of_one_caller_are_counted_not_copied() {
    let world = World::limited(3).await;
    let partner = world.partner_of("Noisy", &["view_usage"]).await;
    for _ in 0..100 {
        partner.get("/v1/admin/usage").await;
    }
    world.advance(TimeDelta::minutes(3));
    let lines = audit(&world, "&action=usage.denied").await;
    assert_eq!(lines.len(), 6, "five lines and their sum");
    assert_eq!(lines.iter().filter_map(|line| line["details"]["suppressed"].as_i64()).sum::<i64>(), 92);
    assert!(lines.iter().all(|line| line["admin_key_id"] == partner.id.as_str()));
}

#[tokio::test]
async fn noise_from_one_address_does_not_hide_another() {
    let world = World::new().await;
    let knock = async |address: &str| {
        let request = Request::get("/v1/admin/users").body(Body::empty()).unwrap();
        let peer = format!("{address}:4000").parse().unwrap();
        world.front.clone().answer(request, Some(peer)).await.status().as_u16()
    };
    for _ in 0..500 {
        assert_eq!(knock("198.51.100.1").await, 401);
    }
    assert_eq!(knock("203.0.113.7").await, 401);
    let lines = audit(&world, "&action=user_account.denied").await;
    assert!(lines.iter().any(|line| line["ip_address"] == "203.0.113.7"), "{lines:?}");
    let noise = lines.iter().find(|line| line["details"]["suppressed"] == 495).unwrap();
    assert_eq!(noise["ip_address"], "198.51.100.1");
}

#[tokio::test]
async fn a_given_bootstrap_key_may_come_back() {
    let world = World::new().await;
    let mut random = world.random();
    let [one, two] = [0, 1].map(|_| Plaintext::generate(KeyFormat::Bootstrap, &mut random));
    for key in [&one, &two, &one] {
        let ensure = async || bootstrap::ensure(&world.app, Some(key.clone()), "a test").await;
        assert!(matches!(ensure().await, Ok(Ensured::Replaced(before)) if before.made_by == "a test"));
        assert!(matches!(ensure().await, Ok(Ensured::Present(key)) if key.made_by == "a test"));
        assert_eq!(world.bearer(key.expose()).get("/v1/admin/me").await.status, 200);
    }
    assert_eq!(world.bearer(two.expose()).get("/v1/admin/me").await.status, 403);
}

#[tokio::test]
async fn a_repetition_is_told_as_one_and_recorded_even_after_its_expiry() {
    let world = World::new().await;
    let partner = world.partner().await;
    let body = json!({"name": "short", "network_id": 0, "expires_at": "2026-01-26T12:00:30Z"}).to_string();
    let send = async || {
        let request = partner
            .request("POST", "/v1/admin/credentials")
            .header("content-type", "application/json")
            .header("idempotency-key", "once");
        partner.send(request, body.clone()).await
    };
    let first = send().await;
    assert_eq!((first.status, first.headers.get("idempotency-replayed")), (201, None));
    world.advance(TimeDelta::minutes(5));
    let again = send().await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(audit(&world, "&action=credential.created").await.len(), 1);
    let reads = audit(&world, "&action=credential.read").await;
    assert_eq!(reads.len(), 1, "that a key was shown again is on record");
    assert_eq!(reads[0]["details"]["method"], "POST");
}

#[tokio::test]
async fn a_read_says_what_was_read() {
    let world = World::new().await;
    let partner = world.partner().await;
    let id = partner.credential("read").await["credential"]["id"].as_str().unwrap().to_owned();
    partner.get(&format!("/v1/admin/credentials/{id}")).await;
    let lines = audit(&world, &format!("&target_id={id}&action=credential.read")).await;
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["target_type"], &lines[0]["target_id"]), (&json!("credential"), &json!(id)));
}

#[tokio::test]
async fn a_call_that_leads_nowhere_is_recorded_too() {
    let world = World::new().await;
    world.partner().await.get("/v1/admin/nothing/here").await.refused(404, "Not found");
    let lines = audit(&world, "&action=request.denied").await;
    assert_eq!(lines[0]["details"], json!({"method": "GET", "route": null, "status": 404}));
}

/// A caller that is remembered must be forgotten with its authority, or the body would be looked at first.
#[tokio::test]
async fn a_revoked_key_is_refused_before_its_body_is_looked_at() {
    let world = World::new().await;
    let partner = world.partner().await;
    partner
        .post("/v1/admin/users", &json!({}))
        .await
        .refused(400, "Name is required and must be a non-empty string");
    world.bootstrap().delete(&format!("/v1/admin/admin-keys/{}", partner.id)).await;
    partner.post("/v1/admin/users", &json!({})).await.refused(403, "Invalid admin API key");
}

/// One caller's heavy sums wait for each other; none is lost, and the rest of the API goes on beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn heavy_questions_of_one_caller_are_all_answered() {
    let world = World::on_disk().await;
    let partner = world.partner().await;
    let asked = (0..40).map(|_| partner.get("/v1/admin/usage"));
    let (answers, me) =
        futures_util::future::join(futures_util::future::join_all(asked), partner.get("/v1/admin/me")).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(me.status, 200);
}
