//! Exports under way: a tenant has one, whoever goes away or stops taking gives its place to others, and what was cut off
//! does not look whole.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::json;

use crate::organization::Tenant;
use crate::support::World;

/// Entries that fill more chunks than anybody holds.
async fn filled(tenant: &Tenant<'_>) {
    let new = json!({"organization_id": tenant.organization["id"], "name": "A key", "scopes": []});
    let batch = json!({"api_keys": vec![new; 100]});
    for _ in 0..60 {
        let answer = tenant.world.bootstrap().post("/admin/v1/api-keys/batch", &batch).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

fn request(tenant: &Tenant<'_>, format: &str) -> Request<Body> {
    let path = tenant.path(&format!("/audit-logs?format={format}"));
    tenant.owner.request("GET", &path).body(Body::empty()).unwrap()
}

async fn begun(tenant: &Tenant<'_>) -> Response {
    let response = tenant.world.front.clone().answer(request(tenant, "ndjson"), None).await;
    assert_eq!(response.status().as_u16(), 200);
    response
}

/// What is answered once so many seconds have passed.
async fn after(tenant: &Tenant<'_>, seconds: u64) -> u16 {
    let (front, request) = (tenant.world.front.clone(), request(tenant, "csv"));
    let asked = tokio::spawn(async move { front.answer(request, None).await.status().as_u16() });
    // By then it waits for its turn.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
    asked.await.unwrap()
}

#[tokio::test]
async fn a_tenant_has_one_export_at_a_time_and_others_have_theirs() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let other = Tenant::new(&world, "Other").await;
    filled(&acme).await;
    let mut first = begun(&acme).await;
    let chunk = first.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(chunk.starts_with(b"{"));
    // With another of its keys as well.
    let second = acme.holding(&["audit:read"]).await;
    let second = Tenant { world: &world, organization: acme.organization.clone(), owner: second };
    assert_eq!(after(&second, 11).await, 503);
    assert_eq!(other.owner.get(&other.path("/audit-logs?format=csv")).await.status, 200);
    // A page of it is no export.
    assert_eq!(acme.owner.get(&acme.path("/audit-logs")).await.status, 200);
    drop(first);
    let whole = acme.owner.get(&acme.path("/audit-logs?format=ndjson")).await;
    assert!(whole.text.lines().count() > 6_000 && whole.text.ends_with('\n'));
}

#[tokio::test]
async fn an_export_that_is_not_taken_is_cut_off_and_says_so() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    filled(&acme).await;
    let mut first = begun(&acme).await;
    assert!(first.body_mut().frame().await.unwrap().is_ok());
    // What is ready is ready; what comes after it waits for a receiver.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    let whole = acme.owner.get(&acme.path("/audit-logs?format=ndjson")).await;
    assert!(whole.text.lines().count() > 6_000, "its place is free: {}", whole.status);
    let mut taken = 0;
    let cut = loop {
        match first.body_mut().frame().await {
            Some(Ok(frame)) => taken += frame.into_data().unwrap().len(),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    assert!(cut.is_some() && taken < whole.text.len() / 2, "{taken} of {}", whole.text.len());
}
