//! Many callers at once, on a database as in production: exactly as many succeed as may, and nobody
//! meets an error of the server's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use claviger_domain::credential::Credits;
use serde_json::{Value, json};

use crate::gateway::stage;
use crate::hostile::rows;
use crate::support::{Answer, Caller, World};

mod locks;
mod owners;
mod writers;

fn request(caller: &Caller<'_>, method: &str, path: &str, body: &Value) -> Request<Body> {
    let request = caller.request(method, path).header("content-type", "application/json");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    request.body(body).unwrap()
}

/// Sends all of them at the same time.
async fn at_once(world: &Arc<World>, requests: Vec<Request<Body>>) -> Vec<Answer> {
    let barrier = Arc::new(tokio::sync::Barrier::new(requests.len()));
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let (world, barrier) = (world.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                world.send(request).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// How often each status was answered.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.status).or_default() += 1;
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_a_hundred_creates_gets_the_external_id() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let body = json!({"name": "Acme Corp", "external_id": "customer-123"});
    let requests = (0..100).map(|_| request(&partner, "POST", "/v1/admin/users", &body)).collect();
    let answers = at_once(&world, requests).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(201, 1), (409, 99)]));
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        answer.refused(409, "External ID already in use");
    }
    assert_eq!(rows::count(&world, "user_accounts").await, 1);
    let entries = partner.get("/v1/admin/audit-logs").await;
    assert_eq!(entries.json()["pagination"]["total"], 1, "what was refused left no trace of a change");
    assert_eq!(partner.get("/v1/admin/users").await.json()["pagination"]["total"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_admits_exactly_as_many_as_it_says() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let body = json!({"name": "Busy", "network_id": 0, "rate_limit_per_minute": 17});
    let issued = partner.post("/v1/admin/credentials", &body).await.data();
    let (key, id) = (issued["api_key"].clone(), issued["credential"]["id"].as_str().unwrap());
    let ask = || request(&world.bootstrap(), "POST", "/v1/keys/verify", &json!({"key": key}));
    let answers = at_once(&world, (0..80).map(|_| ask()).collect()).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, 80)]));
    let told: Vec<_> = answers.iter().map(Answer::json).collect();
    let of = |code: &str| told.iter().filter(|told| told["code"] == code).collect::<Vec<_>>();
    assert_eq!((of("VALID").len(), of("RATE_LIMITED").len()), (17, 63));
    let remaining: BTreeSet<_> =
        of("VALID").iter().map(|told| told["ratelimits"][0]["remaining"].as_u64().unwrap()).collect();
    assert_eq!(remaining, (0..17).collect(), "each was told another figure");
    let figures = partner.get(&format!("/v1/admin/usage/{id}")).await.data();
    assert_eq!([&figures["total_requests"], &figures["failed_requests"]], [&json!(80), &json!(63)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_balance_is_never_overdrawn() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let body = json!({"name": "Paid", "network_id": 0, "rate_limit_per_minute": 10000});
    let issued = partner.post("/v1/admin/credentials", &body).await.data();
    let id = issued["credential"]["id"].as_str().unwrap().to_owned();
    let subject = stage::subject(&world, &id, issued["api_key"].as_str().unwrap());
    subject.change(|it| it.credits = Some(Credits::granted(20, None))).await;
    let body = json!({"key": subject.key, "cost": 3});
    let requests = (0..40).map(|_| request(&world.bootstrap(), "POST", "/v1/keys/verify", &body)).collect();
    let answers = at_once(&world, requests).await;
    let valid = answers.iter().filter(|answer| answer.json()["code"] == "VALID").count();
    assert_eq!(valid, 6, "six times three of twenty");
    assert_eq!(subject.stored().await.credits.unwrap().remaining, 2);
    assert_eq!(subject.usage().await, (40, 34));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_revocations_revokes() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    let requests = (0..40).map(|_| request(&partner, "DELETE", &path, &json!(null))).collect();
    let answers = at_once(&world, requests).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (404, 39)]));
    for answer in answers.iter().filter(|answer| answer.status == 404) {
        answer.refused(404, "Credential not found or already revoked");
    }
    let entries = partner.get("/v1/admin/audit-logs?action=credential.revoked").await;
    assert_eq!(entries.json()["pagination"]["total"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_at_once_each_give_a_key_of_their_own() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    let rotate = format!("{path}/rotate");
    let requests = (0..20).map(|_| request(&partner, "POST", &rotate, &json!({}))).collect();
    let answers = at_once(&world, requests).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, 20)]));
    let keys: BTreeSet<_> =
        answers.iter().map(|it| it.data()["api_key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 20);
    let tags: BTreeSet<_> = answers.iter().map(|answer| answer.header("etag").to_owned()).collect();
    assert_eq!(tags, (2..22).map(|number| format!("\"{number}\"")).collect(), "one after the other");
    assert_eq!(rows::count(&world, "secrets").await, 21);
    for key in keys {
        let told = world.bootstrap().post("/v1/keys/verify", &json!({"key": key, "cost": 0})).await.json();
        assert_eq!(told["code"], "VALID", "all of them overlap");
    }
    let seen = partner.get(&path).await;
    let last = answers.iter().find(|answer| answer.header("etag") == "\"21\"").unwrap();
    assert_eq!(seen.data()["api_key_prefix"], last.data()["credential"]["api_key_prefix"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_changes_finds_its_tag_still_true() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let issued = partner.credential("Production").await;
    let other = world.partner().await.id;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (caller, path) in [
        ((*partner).clone(), format!("/v1/admin/users/{}", text(&user["id"]))),
        ((*partner).clone(), format!("/v1/admin/credentials/{}", text(&issued["credential"]["id"]))),
        (world.bootstrap(), format!("/v1/admin/admin-keys/{other}")),
    ] {
        let change = |turn: usize| {
            let request = caller.request("PATCH", &path).header("content-type", "application/json");
            let body = json!({"name": format!("Name {turn}")}).to_string();
            request.header("if-match", "\"1\"").body(Body::from(body)).unwrap()
        };
        let answers = at_once(&world, (0..40).map(change).collect()).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (412, 39)]), "{path}");
        let done = answers.iter().find(|answer| answer.status == 200).unwrap();
        let seen = caller.get(&path).await;
        assert_eq!((seen.header("etag"), &seen.data()["name"]), ("\"2\"", &done.data()["name"]));
    }
}

/// Without a condition nobody's change is lost in the middle of another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_without_a_condition_come_one_after_the_other() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let path = format!("/v1/admin/users/{}", user["id"].as_str().unwrap());
    let fields = ["external_id", "email", "billing_plan", "name"];
    let value = |field: &str| if field == "email" { "a@b".to_owned() } else { format!("new {field}") };
    let change = |turn: usize| {
        let field = fields[turn % fields.len()];
        request(&partner, "PATCH", &path, &json!({field: value(field)}))
    };
    let answers = at_once(&world, (0..40).map(change).collect()).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, 40)]));
    let seen = partner.get(&path).await;
    assert_eq!(seen.header("etag"), "\"41\"");
    for field in fields {
        assert_eq!(seen.data()[field], value(field), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_suspensions_suspends() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    for verb in ["suspend", "reactivate"] {
        let path = format!("/v1/admin/users/{}/{verb}", user["id"].as_str().unwrap());
        let requests = (0..30).map(|_| request(&partner, "POST", &path, &json!(null))).collect();
        assert_eq!(
            statuses(&at_once(&world, requests).await),
            BTreeMap::from([(200, 1), (404, 29)]),
            "{verb}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn admin_keys_of_one_new_entity_join_one_organization() {
    let world = Arc::new(World::on_disk().await);
    let body = json!({"entity_name": "Newcomer", "permissions": ["view_usage"]});
    let requests =
        (0..30).map(|_| request(&world.bootstrap(), "POST", "/v1/admin/admin-keys", &body)).collect();
    let answers = at_once(&world, requests).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(201, 30)]));
    let organizations: BTreeSet<_> =
        answers.iter().map(|answer| answer.data()["admin_key"]["organization_id"].to_string()).collect();
    assert_eq!(organizations.len(), 1);
    assert_eq!(rows::count(&world, "organizations").await, 1);
}
