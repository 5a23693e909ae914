//! No tenant takes more than its share: of things, of calls, of reports, of bodies under way.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use claviger_test_postgres::Database;
use futures_util::stream;
use serde_json::{Value, json};

use crate::organization::{Tenant, data, key_body, refused};
use crate::platform::at;
use crate::support::{Answer, Settled, World};

async fn limit(tenant: &Tenant<'_>, limits: Value) {
    let path = at("organizations", &tenant.organization);
    let body = json!({"settings": {"resource_limits": limits}});
    let answer = tenant.world.bootstrap().patch(&path, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

fn reached(answer: &Answer, code: &str, what: &str, limit: u32) {
    let detail = format!(
        "The organization has {limit} {what}, and {limit} at most: remove some, or ask the operator for more"
    );
    refused(answer, 409, code, &detail);
}

#[tokio::test]
async fn an_organization_has_as_many_things_as_the_operator_says() {
    let world = World::new().await;
    let [acme, other] = [Tenant::new(&world, "Acme").await, Tenant::new(&world, "Other").await];
    // The tenant's own key is one of them.
    limit(&acme, json!({"api_keys": 2, "users": 1, "roles": 0})).await;
    let key = acme.key(&[], json!({})).await;
    let create = async || acme.owner.post(&acme.path("/api-keys"), &key_body(&[], json!({}))).await;
    reached(&create().await, "too_many_api_keys", "API keys that are not revoked", 2);
    assert_eq!(acme.owner.delete(&acme.at("api-keys", &key)).await.status, 204);
    assert_eq!(create().await.status, 201, "a revoked key makes room");

    acme.user("Ada", &[]).await;
    let answer = acme.owner.post(&acme.path("/users"), &json!({"name": "Bob"})).await;
    reached(&answer, "too_many_users", "users", 1);
    let role = json!({"name": "Reader", "permissions": ["users:read"]});
    reached(&acme.owner.post(&acme.path("/roles"), &role).await, "too_many_roles", "roles of its own", 0);

    for _ in 0..2 {
        other.key(&[], json!({})).await;
    }
    let metrics = world.nobody().get("/metrics").await.text;
    for line in ["api_keys\"} 1", "users\"} 1", "roles\"} 1", "admin_keys\"} 0"] {
        assert!(
            metrics.contains(&format!("claviger_resource_limits_reached{{resource=\"{line}")),
            "{metrics}"
        );
    }
}

#[tokio::test]
async fn the_installations_limit_holds_where_an_organization_has_none() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let none = json!({"api_keys": null, "users": null, "roles": null, "admin_keys": null});
    let limits = json!({"api_keys": 1, "users": null, "roles": null, "admin_keys": 1});
    let operator = world.bootstrap();
    let path = "/admin/v1/settings";
    assert_eq!(data(&operator.get(path).await, 200)["resource_limits"], none);
    let answer = operator.patch(path, &json!({"resource_limits": limits})).await;
    assert_eq!(data(&answer, 200)["resource_limits"], limits);
    let answer = acme.owner.post(&acme.path("/api-keys"), &key_body(&[], json!({}))).await;
    reached(&answer, "too_many_api_keys", "API keys that are not revoked", 1);
    let partner = world.partner().await;
    let again = json!({"entity_name": "YourCompany", "permissions": ["view_usage"]});
    let answer = operator.post("/v1/admin/admin-keys", &again).await;
    answer.refused(409, "The organization has 1 admin keys that are not revoked, and 1 at most");
    partner.credential("First").await;
    let answer = partner.post("/v1/admin/credentials", &json!({"name": "Second", "network_id": 0})).await;
    answer.refused(409, "The organization has 1 credentials that are not revoked, and 1 at most");

    limit(&acme, json!({"api_keys": 3})).await;
    let keys = json!({"api_keys": [
        {"organization_id": acme.organization["id"], "name": "A", "scopes": []},
        {"organization_id": acme.organization["id"], "name": "B", "scopes": []},
        {"organization_id": acme.organization["id"], "name": "C", "scopes": []},
    ]});
    let results = data(&operator.post("/admin/v1/api-keys/batch", &keys).await, 200)["results"].clone();
    let statuses: Vec<_> = results.as_array().unwrap().iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, [201, 201, 409], "{results}");
    let answer = operator.patch(path, &json!({"resource_limits": {"users": -1}})).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

/// Creates at once, in an organization that may have ten keys and has one.
async fn race(world: &World) {
    let acme = Tenant::new(world, "Acme").await;
    limit(&acme, json!({"api_keys": 10, "roles": 10})).await;
    let body = key_body(&[], json!({}));
    let keys = (0..30).map(|_| async { acme.owner.post(&acme.path("/api-keys"), &body).await });
    let keys = futures_util::future::join_all(keys).await;
    let made = keys.iter().filter(|answer| answer.status == 201).count();
    let acme = &acme;
    let roles = (0..30).map(|turn| {
        let role = json!({"name": format!("Role {turn}"), "permissions": ["users:read"]});
        async move { acme.owner.post(&acme.path("/roles"), &role).await }
    });
    let roles = futures_util::future::join_all(roles).await;
    let made_roles = roles.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((made, made_roles), (9, 10), "{:?}", keys.iter().map(|it| it.status).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_is_not_overshot_by_creates_at_once() {
    race(&World::on_disk().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_is_not_overshot_by_creates_at_once_on_postgres() {
    let database = Database::migrated().await;
    let world = World::settled(Settled { postgres: Some(database.url()), ..Settled::default() }).await;
    race(&world).await;
    world.app.store().clone().close().await;
    database.remove().await;
}

#[tokio::test]
async fn all_keys_of_an_organization_share_a_quota() {
    let settled = Settled { admin_limit_per_minute: 5, admin_limit_of_organization: 6, ..Settled::default() };
    let world = World::settled(settled).await;
    let [acme, other] = [Tenant::new(&world, "Acme").await, Tenant::new(&world, "Other").await];
    let second = acme.holding(&["*"]).await;
    let callers = [&acme.owner, &second, &acme.owner, &second, &acme.owner, &second];
    for caller in callers {
        assert_eq!(caller.get(&acme.path("/roles")).await.status, 200);
    }
    let answer = second.get(&acme.path("/roles")).await;
    refused(&answer, 429, "rate_limit_exceeded", "Too many requests");
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("6", "0"));
    assert_eq!(answer.header("ratelimit-policy"), "\"organization\";q=6;w=60, \"admin\";q=5;w=60");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(other.owner.get(&other.path("/roles")).await.status, 200);
}

#[tokio::test]
async fn an_organization_reports_so_much_a_minute() {
    let world = World::settled(Settled { reports_per_minute: 3, ..Settled::default() }).await;
    let [acme, other] = [Tenant::new(&world, "Acme").await, Tenant::new(&world, "Other").await];
    let report = async |tenant: &Tenant<'_>, id: &str| {
        let key = tenant.key(&[], json!({})).await;
        let report =
            |id: String| json!({"id": id, "credential_id": key["id"], "status": 200, "duration_ms": 1});
        let reports = [report(format!("{id}-1")), report(format!("{id}-2"))];
        tenant.owner.post("/v1/usage/reports", &json!({"reports": reports})).await
    };
    assert_eq!(report(&acme, "a").await.status, 200);
    let answer = report(&acme, "b").await;
    assert_eq!((answer.status, &answer.json()["code"]), (429, &json!("rate_limit_exceeded")));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(report(&other, "a").await.status, 200);
}

/// A body that has begun and never ends.
fn endless() -> Body {
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending()))
}

#[tokio::test]
async fn bodies_that_do_not_arrive_are_cut_and_hold_no_place_of_others() {
    let world = World::on_disk().await;
    let [acme, other] = [Tenant::new(&world, "Acme").await, Tenant::new(&world, "Other").await];
    let begun = Instant::now();
    let slow = (0..200).map(|_| {
        let path = acme.path("/users");
        let request = acme.owner.request("POST", &path).header("content-type", "application/json");
        acme.owner.send(request, endless())
    });
    let slow = futures_util::future::join_all(slow);
    let prompt = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        other.key(&[], json!({})).await;
        // Also the same tenant's writes that have their bodies go on.
        acme.key(&[], json!({})).await;
        begun.elapsed()
    };
    let (slow, prompt) = tokio::join!(slow, prompt);
    assert!(prompt < Duration::from_secs(3), "{prompt:?}");
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    let of = |status| slow.iter().filter(|answer| answer.status == status).collect::<Vec<_>>();
    let (cut, too_many) = (of(408), of(503));
    assert_eq!((cut.len(), too_many.len()), (128, 72));
    assert_eq!(cut[0].json()["code"], "body_too_slow");
    assert_eq!(too_many[0].header("retry-after"), "5");
}
