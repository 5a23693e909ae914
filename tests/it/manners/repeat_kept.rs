//! What is kept of an answer, who may have it again, and for how long it stays the same.

use std::sync::Arc;

use axum::body::Body;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::hostile::rows::{self, stands_in};
use crate::support::{ALL, Answer, Caller, World};

async fn keyed(caller: &Caller<'_>, path: &str, key: &str, body: &Value) -> Answer {
    let request = caller.request("POST", path).header("content-type", "application/json");
    caller.send(request.header("idempotency-key", key), body.to_string()).await
}

/// Every key this world has given away, made by each operation that gives one away.
async fn keys(world: &World) -> Vec<String> {
    let bootstrap = world.bootstrap();
    let body = json!({"entity_name": "YourCompany", "permissions": ALL});
    let admin = keyed(&bootstrap, "/v1/admin/admin-keys", "first", &body).await.data();
    let admin = admin["api_key"].as_str().unwrap().to_owned();
    let partner = world.bearer(&admin);
    let body = json!({"name": "Remarkable name", "network_id": 0});
    let issued = keyed(&partner, "/v1/admin/credentials", "second", &body).await.data();
    let path = format!("/v1/admin/credentials/{}/rotate", issued["credential"]["id"].as_str().unwrap());
    let rotated = keyed(&partner, &path, "third", &json!({})).await.data();
    let [issued, rotated] = [issued, rotated].map(|data| data["api_key"].as_str().unwrap().to_owned());
    let code = bootstrap.post("/v1/keys/verify", &json!({"key": rotated})).await.json()["code"].clone();
    assert_eq!(code, "VALID");
    vec![bootstrap.key.clone().unwrap(), admin, issued, rotated]
}

#[tokio::test]
async fn no_column_and_no_byte_of_the_files_holds_a_key() {
    let world = World::on_disk().await;
    let keys = keys(&world).await;
    world.flush().await;
    let (dump, files) = (rows::everything(&world).await, rows::files(&world).await);
    let holds = |part: &str| files.windows(part.len()).any(|bytes| bytes == part.as_bytes());
    assert!(dump.contains("Remarkable name") && holds("Remarkable name"), "we look in the right place");
    assert_eq!(rows::count(&world, "kept_answers").await, 3);
    assert!(stands_in(&keys[3][..13], &dump), "the prefix may be told");
    for key in &keys {
        let start = key.rfind('_').unwrap() + 1;
        // The prefix that is shown ends eight characters later.
        let hidden = &key[start + 8..];
        for part in [key.as_str(), hidden, &hidden[..12], &hidden[hidden.len() - 12..]] {
            assert!(!stands_in(part, &dump), "{part} is in a column");
            assert!(!holds(part), "{part} is in a file");
        }
    }
    for told in ["Remarkable name", "YourCompany", "api_key", "order", "second", "success"] {
        let kept = rows::all_of(&world, "kept_answers").await;
        assert!(!stands_in(told, &kept), "{told} can be read in a kept answer");
    }
}

/// Whoever may do it no more does not get the secret again either.
#[tokio::test]
async fn a_repetition_needs_the_permission_still() {
    let world = World::new().await;
    let partner = world.partner().await;
    let body = json!({"name": "Production", "network_id": 0});
    assert_eq!(keyed(&partner, "/v1/admin/credentials", "k", &body).await.status, 201);
    let path = format!("/v1/admin/admin-keys/{}", partner.id);
    world.bootstrap().patch(&path, &json!({"permissions": ["manage_users"]})).await.data();
    let again = keyed(&partner, "/v1/admin/credentials", "k", &body).await;
    again.refused(403, "Permission denied: manage_credentials required");
    world.bootstrap().delete(&path).await.data();
    keyed(&partner, "/v1/admin/credentials", "k", &body).await.refused(403, "Invalid admin API key");
}

/// The first answer stands, whatever has happened to the things it tells of.
#[tokio::test]
async fn a_repetition_does_not_look_at_the_present() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let soon = (world.app.now() + TimeDelta::hours(1)).to_rfc3339();
    let credential =
        json!({"name": "Short", "network_id": 0, "user_account_id": user["id"], "expires_at": soon});
    let admin_key = json!({"entity_name": "YourCompany", "permissions": ["view_usage"], "expires_at": soon});
    let first = [
        keyed(&partner, "/v1/admin/credentials", "k", &credential).await,
        keyed(&world.bootstrap(), "/v1/admin/admin-keys", "k", &admin_key).await,
    ];
    assert_eq!([first[0].status, first[1].status], [201, 201]);
    let path = format!("/v1/admin/users/{}/suspend", user["id"].as_str().unwrap());
    partner.post_empty(&path).await.data();
    world.advance(TimeDelta::hours(2));
    let again = [
        keyed(&partner, "/v1/admin/credentials", "k", &credential).await,
        keyed(&world.bootstrap(), "/v1/admin/admin-keys", "k", &admin_key).await,
    ];
    for (again, first) in again.iter().zip(&first) {
        assert_eq!((again.status, &again.text), (201, &first.text), "its expiry has passed meanwhile");
    }
    let fresh = keyed(&partner, "/v1/admin/credentials", "another", &credential).await;
    fresh.refused(400, "expires_at must be in the future");
    let fresh = keyed(&world.bootstrap(), "/v1/admin/admin-keys", "another", &admin_key).await;
    fresh.refused(400, "expires_at must be in the future");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repetitions_at_once_are_done_once() {
    let world = Arc::new(World::on_disk().await);
    let key = world.partner().await.key.clone().unwrap();
    for round in 0..5 {
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let request = world.bearer(&key).request("POST", "/v1/admin/credentials");
            let request = request.header("content-type", "application/json");
            let request = request.header("idempotency-key", format!("round-{round}"));
            let body = json!({"name": format!("Round {round}"), "network_id": 0}).to_string();
            let (world, request) = (world.clone(), request.body(Body::from(body)).unwrap());
            tasks.push(tokio::spawn(async move { world.send(request).await }));
        }
        let mut made = Vec::new();
        for task in tasks {
            let answer = task.await.unwrap();
            match answer.status {
                201 => made.push(answer.text),
                _ => answer.refused(409, "A request with this Idempotency-Key is still being processed"),
            }
        }
        assert!(!made.is_empty(), "one of them was first");
        assert!(made.iter().all(|text| *text == made[0]), "and the others that got an answer got its");
        assert_eq!(rows::count(&world, "credentials").await, round + 1);
        assert_eq!(rows::count(&world, "secrets").await, round + 1);
        assert_eq!(rows::count(&world, "kept_answers").await, round + 1);
    }
    let entries = world.bearer(&key).get("/v1/admin/audit-logs?action=credential.created").await;
    assert_eq!(entries.json()["pagination"]["total"], 5);
}

#[tokio::test]
async fn old_answers_are_deleted() {
    let world = World::new().await;
    let partner = world.partner().await;
    let make = async |key: &str| {
        assert_eq!(keyed(&partner, "/v1/admin/users", key, &json!({"name": "A"})).await.status, 201);
    };
    make("first").await;
    world.advance(TimeDelta::hours(1));
    make("second").await;
    world.advance(TimeDelta::hours(23) + TimeDelta::seconds(1));
    assert_eq!(claviger_app::background::forget_old_answers(&world.app).await.unwrap(), 1);
    assert_eq!(rows::count(&world, "kept_answers").await, 1);
    make("second").await;
    assert_eq!(rows::count(&world, "user_accounts").await, 2, "the younger one is still repeated");
}
