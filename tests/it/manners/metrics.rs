//! `/metrics`: figures by route, never by what somebody put into a path.

use std::collections::BTreeMap;

use axum::body::Body;
use serde_json::json;

use crate::authority::scene::Scene;
use crate::hostile::rows::{self, stands_in};
use crate::openapi::operations::all;
use crate::support::World;

async fn text(world: &World) -> String {
    let answer = world.nobody().get("/metrics").await;
    assert_eq!(answer.status, 200);
    let media_type = answer.header("content-type");
    assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.text.ends_with("# EOF\n"));
    answer.text
}

/// Every sample by its name and labels.
async fn samples(world: &World) -> BTreeMap<String, f64> {
    let text = text(world).await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, n)| (name.to_owned(), n.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let path = format!("/v1/admin/users/{}", user["id"].as_str().unwrap());
    for _ in 0..3 {
        partner.get(&path).await;
    }
    partner.get("/v1/admin/users/nonsense").await;
    world.nobody().get(&path).await;
    world.nobody().get("/one").await;
    world.nobody().get("/two").await;
    let caller = world.nobody();
    caller.send(caller.request("BREW", "/v1/admin/users"), Body::empty()).await;
    let samples = samples(&world).await;
    let name = |surface: &str, method: &str, route: &str, status: u16| {
        format!(
            "claviger_http_requests_total{{surface=\"{surface}\",method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
        )
    };
    for (expected, sample) in [
        (3.0, name("partner", "GET", "/v1/admin/users/{id}", 200)),
        (1.0, name("partner", "GET", "/v1/admin/users/{id}", 400)),
        (1.0, name("partner", "GET", "/v1/admin/users/{id}", 401)),
        (1.0, name("partner", "POST", "/v1/admin/users", 201)),
        (1.0, name("partner", "POST", "/v1/admin/admin-keys", 201)),
        (1.0, name("partner", "other", "/v1/admin/users", 405)),
        (2.0, name("other", "GET", "-", 404)),
    ] {
        assert_eq!(samples.get(&sample), Some(&expected), "{sample} in {samples:#?}");
    }
    let partners = "claviger_http_request_duration_seconds_count{surface=\"partner\"}";
    assert_eq!(samples[partners], 8.0);
}

#[tokio::test]
async fn what_waits_for_the_audit_log_is_shown() {
    let world = World::new().await;
    let partner = world.partner().await;
    let held = "claviger_audit_entries_held";
    assert_eq!(samples(&world).await[held], 0.0);
    for _ in 0..4 {
        partner.get("/v1/admin/me").await;
    }
    assert_eq!(samples(&world).await[held], 4.0);
    world.flush().await;
    assert_eq!(samples(&world).await[held], 0.0);
    assert_eq!(samples(&world).await["claviger_audit_entries_lost"], 0.0);
}

#[tokio::test]
async fn no_label_holds_an_id_or_a_name() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for operation in all() {
        scene.call(&scene.owner, &operation).await;
        scene.call(&world.bootstrap(), &operation).await;
    }
    let text = text(&world).await;
    let ids = &scene.ids;
    for told in [&ids.user, &ids.credential, &ids.admin_key, &ids.external_id, &scene.owner.id, &scene.key] {
        assert!(!text.contains(told.as_str()), "{told}");
    }
    for told in ["Acme", "YourCompany", "iiak_", "192.0.2."] {
        assert!(!text.contains(told), "{told}");
    }
}

/// People paste keys where ids belong; neither figures nor the audit log may keep them.
#[tokio::test]
async fn a_key_pasted_into_a_path_is_kept_nowhere() {
    let world = World::on_disk().await;
    let scene = Scene::new(&world).await;
    let caller = &scene.owner;
    let key = &scene.key;
    let mut sent = 0;
    for method in ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "BREW"] {
        for path in [
            format!("/{key}"),
            format!("/v1/admin/{key}"),
            format!("/v1/admin/users/{key}"),
            format!("/v1/admin/users/{key}/usage"),
            format!("/v1/admin/users/by-external-id/{key}"),
            format!("/v1/admin/credentials/{key}"),
            format!("/v1/admin/credentials/{key}/rotate"),
            format!("/v1/admin/usage/{key}"),
            format!("/v1/admin/audit-logs?target_id={key}"),
            format!("/v1/admin/audit-logs?{key}"),
            format!("/v1/admin/users?limit={key}&offset=0"),
            format!("/v1/keys/{key}"),
            format!("/v1/keys/verify?key={key}"),
        ] {
            let request = caller.request(method, &path).header("content-type", "application/json");
            let answer =
                caller.send(request.header("idempotency-key", key), json!({"name": "A"}).to_string()).await;
            assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.text);
            sent += 1;
            // Of one batch only the first few refused calls get a line.
            world.flush().await;
        }
    }
    let told = caller.get("/v1/admin/audit-logs?include_reads=true&limit=100").await.json();
    assert!(told["pagination"]["total"].as_u64().unwrap() > sent / 4, "refused calls are logged: {told}");
    assert!(!stands_in(key, &rows::everything(&world).await), "a key in a column");
    let files = rows::files(&world).await;
    assert!(!files.windows(key.len()).any(|bytes| bytes == key.as_bytes()), "a key in a file");
    assert!(!text(&world).await.contains(key.as_str()), "a key among the figures");
}
