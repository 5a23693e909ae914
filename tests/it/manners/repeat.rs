//! `Idempotency-Key` on every POST of the admin surfaces that the documents tell of.

use axum::http::request::Builder;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::authority::scene::Scene;
use crate::hostile::rows;
use crate::openapi::operations::{Operation, all};
use crate::support::{Answer, Caller, World};

fn posts() -> Vec<Operation> {
    // A check changes nothing: it is answered anew each time.
    let is_kept = |it: &Operation| it.has_parameter("Idempotency-Key") && it.id() != "check_permission";
    let posts: Vec<_> = all().into_iter().filter(is_kept).collect();
    assert!(posts.len() >= 25, "the documents tell of {} POSTs", posts.len());
    posts
}

/// One operation about to be called, by whoever may.
struct Case<'s> {
    operation: Operation,
    caller: Caller<'s>,
    path: String,
    body: Option<Value>,
}

async fn case<'s>(scene: &'s Scene<'s>, operation: Operation) -> Case<'s> {
    scene.ready_for(&operation).await;
    Case {
        caller: scene.caller(&operation),
        path: scene.path(&operation),
        body: scene.body(&operation),
        operation,
    }
}

impl Case<'_> {
    async fn send(&self, path: &str, body: Option<&Value>, dress: impl FnOnce(Builder) -> Builder) -> Answer {
        let request = self.caller.request("POST", path).header("content-type", "application/json");
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.caller.send(dress(request), body).await;
        self.operation.admits(&answer);
        answer
    }

    async fn under(&self, key: &str) -> Answer {
        self.send(&self.path, self.body.as_ref(), |request| request.header("idempotency-key", key)).await
    }
}

/// What a repetition has in common with the first answer.
fn told(answer: &Answer) -> (u16, &str, Vec<Option<&axum::http::HeaderValue>>) {
    let names = ["content-type", "etag", "cache-control"];
    (answer.status, &answer.text, names.map(|name| answer.headers.get(name)).to_vec())
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer_and_changes_nothing() {
    for operation in posts() {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        let case = case(&scene, operation).await;
        let first = case.under("order-1042").await;
        assert!(first.status < 300, "{}: {}", case.operation.id(), first.text);
        assert!(first.headers.get("idempotency-replayed").is_none());
        let before = rows::everything(&world).await;
        for _ in 0..3 {
            world.advance(TimeDelta::hours(7));
            let again = case.under("order-1042").await;
            assert_eq!(told(&again), told(&first), "{}", case.operation.id());
            assert_eq!(again.header("idempotency-replayed"), "true");
            assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
        }
        assert_eq!(rows::everything(&world).await, before, "{}", case.operation.id());
        assert_eq!(rows::count(&world, "kept_answers").await, 1);
    }
}

/// Without the header, and under another one, the same request is another request.
#[tokio::test]
async fn only_the_same_key_makes_a_repetition() {
    for operation in posts() {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        let case = case(&scene, operation).await;
        let first = case.under("order-1042").await;
        let others =
            [case.under("order-1043").await, case.send(&case.path, case.body.as_ref(), |it| it).await];
        for other in others {
            assert_ne!(told(&other), told(&first), "{}", case.operation.id());
        }
        assert_eq!(told(&case.under("order-1042").await), told(&first));
    }
}

/// A body with one member changed to what is as good.
fn otherwise(body: Option<Value>) -> Value {
    let Some(mut body) = body else { return json!({"x": 1}) };
    let changes = [
        ("/overlap_seconds", json!(7)),
        ("/overlapSeconds", json!(7)),
        ("/role", json!("Viewer")),
        ("/reason", json!("another")),
        ("/api_keys/0/name", json!("Another name")),
        ("/ids/0", json!(crate::platform::NO_KEY)),
        ("/name", json!("Another name")),
        ("/firstName", json!("Another name")),
    ];
    for (pointer, value) in changes {
        if let Some(member) = body.pointer_mut(pointer) {
            *member = value;
            return body;
        }
    }
    panic!("what of {body} can be said otherwise?")
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused() {
    for operation in posts() {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        let case = case(&scene, operation).await;
        let first = case.under("order-1042").await;
        let before = rows::everything(&world).await;
        let keyed = |request: Builder| request.header("idempotency-key", "order-1042");

        let other = case.send(&case.path, Some(&otherwise(case.body.clone())), keyed).await;
        assert_eq!(other.status, 422, "{}: {}", case.operation.id(), other.text);
        if case.operation.surface == "partner" && case.operation.has_variable() {
            let verb = if case.path.ends_with("/suspend") { "reactivate" } else { "suspend" };
            let other_path = format!("/v1/admin/users/{}/{verb}", scene.ids.user);
            let answer = case.send(&other_path, case.body.as_ref(), keyed).await;
            answer.refused(422, "Idempotency-Key was used for a different request");
        }
        assert_eq!(rows::everything(&world).await, before, "{}", case.operation.id());
        assert_eq!(told(&case.under("order-1042").await), told(&first), "the first answer is still there");
    }
}

#[tokio::test]
async fn callers_do_not_share_keys() {
    let world = World::new().await;
    let [one, other] = [world.partner().await, world.partner().await];
    let mut ids = Vec::new();
    for partner in [&one, &other] {
        let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
        let request = request.header("idempotency-key", "order-1042");
        let answer = partner.send(request, json!({"name": "Acme Corp"}).to_string()).await;
        ids.push((answer.data()["id"].clone(), answer.data()["admin_key_id"].clone()));
    }
    assert_ne!(ids[0].0, ids[1].0);
    assert_eq!([&ids[0].1, &ids[1].1], [&json!(one.id), &json!(other.id)]);
    assert_eq!(rows::count(&world, "kept_answers").await, 2);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    for operation in posts() {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        let case = case(&scene, operation).await;
        let first = case.under("order-1042").await;
        world.advance(TimeDelta::hours(24) - TimeDelta::microseconds(1));
        assert_eq!(told(&case.under("order-1042").await), told(&first), "{}", case.operation.id());
        world.advance(TimeDelta::microseconds(1));
        let later = case.under("order-1042").await;
        assert_ne!(told(&later), told(&first), "{} was done again", case.operation.id());
        if later.status < 300 {
            assert_eq!(told(&case.under("order-1042").await), told(&later), "and is the one to repeat now");
        }
        assert!(rows::count(&world, "kept_answers").await <= 1);
    }
}

#[tokio::test]
async fn refusals_are_not_kept() {
    let world = World::new().await;
    let partner = world.partner().await;
    let taken = partner.post("/v1/admin/users", &json!({"name": "A", "external_id": "x"})).await.data();
    let send = async |body: &str| {
        let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
        partner.send(request.header("idempotency-key", "order-1042"), body.to_owned()).await
    };
    send("{").await.refused(400, "Request body must be valid JSON");
    send("{}").await.refused(400, "Name is required and must be a non-empty string");
    let body = json!({"name": "B", "external_id": "x"}).to_string();
    send(&body).await.refused(409, "External ID already in use");
    assert_eq!(rows::count(&world, "kept_answers").await, 0);
    let path = format!("/v1/admin/users/{}", taken["id"].as_str().unwrap());
    partner.patch(&path, &json!({"external_id": "y"})).await.data();
    let made = send(&body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(told(&send(&body).await), told(&made));
}

#[tokio::test]
async fn a_malformed_key_is_refused_on_every_post() {
    const MALFORMED: &str = "Idempotency-Key must be 1 to 255 visible ASCII characters";
    for operation in posts() {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        let case = case(&scene, operation).await;
        let before = rows::everything(&world).await;
        let long = "k".repeat(256);
        for key in [b"".as_slice(), b" ", "schlüssel".as_bytes(), b"\xff", b"a\tb", b"a b", long.as_bytes()]
        {
            let answer =
                case.send(&case.path, case.body.as_ref(), |it| it.header("idempotency-key", key)).await;
            assert!(answer.status == 400 && answer.text.contains(MALFORMED), "{}", answer.text);
        }
        let twice = |it: Builder| it.header("idempotency-key", "a").header("idempotency-key", "a");
        let answer = case.send(&case.path, case.body.as_ref(), twice).await;
        assert!(answer.status == 400 && answer.text.contains(MALFORMED), "{}", answer.text);
        assert_eq!(rows::everything(&world).await, before, "{}", case.operation.id());
        let longest = "k".repeat(255);
        assert!(case.under(&longest).await.status < 300, "{}", case.operation.id());
    }
}

/// Other methods are repeatable by nature; the header means nothing there.
#[tokio::test]
async fn the_header_is_for_posts_only() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    for revision in ["\"2\"", "\"3\""] {
        let request = partner.request("PATCH", &path).header("content-type", "application/json");
        let answer =
            partner.send(request.header("idempotency-key", "k"), json!({"name": "N"}).to_string()).await;
        assert_eq!((answer.status, answer.header("etag")), (200, revision));
    }
    for expected in [200, 404] {
        let request = partner.request("DELETE", &path).header("idempotency-key", "k");
        assert_eq!(partner.send(request, "").await.status, expected);
    }
    assert_eq!(rows::count(&world, "kept_answers").await, 0);
}
