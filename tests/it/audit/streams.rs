//! Exports under way: a tenant has one, whoever goes away or stops taking gives its place to others, and what was cut off
//! does not look whole.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use chrono::TimeDelta;
use claviger_app::audit;
use claviger_domain::audit::line::Line;
use claviger_domain::audit::{ChainId, End, Walk};
use claviger_domain::ids::OrganizationId;
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

/// Over HTTP too, and whoever asks, the bytes are those that verify.
#[tokio::test]
async fn what_is_streamed_is_what_verifies() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    for _ in 0..5 {
        acme.key(&["users:read"], json!({})).await;
        acme.owner.get(&acme.path("/users")).await;
        acme.owner.get(&acme.path("/users/nonsense")).await;
        world.flush().await;
    }
    let organization = acme.organization["id"].as_str().unwrap();
    let own = acme.owner.get(&acme.path("/audit-logs?format=ndjson&includeReads=true")).await.text;
    let path = format!("/admin/v1/audit-logs?format=ndjson&include_reads=true&org_id={organization}");
    let operators = world.bootstrap().get(&path).await.text;
    assert!(own.lines().count() >= 17, "{own}");
    // Reading it is a read too: the second one may have an entry more.
    assert!(operators.starts_with(&own), "the same bytes");
    let chain = ChainId::from(Some(OrganizationId::parse_any(organization).unwrap()));
    let mut walk = Walk::anywhere(world.app.audit_keys(), chain, &[]);
    for line in own.lines() {
        let line = Line::parse(line.as_bytes()).unwrap();
        walk.take(line.id, &line.link, line.into());
    }
    let walked = walk.end(End::Open);
    assert_eq!((walked.first, walked.broken, walked.held), (Some(1), None, walked.entries));
    // The whole is what is streamed when nothing is said.
    let usual = acme.owner.get(&acme.path("/audit-logs?format=ndjson")).await.text;
    assert!(usual.starts_with(&own), "{usual}");
    let csv = acme.owner.get(&acme.path("/audit-logs?format=csv")).await.text;
    let (header, rows) = csv.split_once("\r\n").unwrap();
    assert!(header.starts_with("sequence,id,organization_id,at,action,") && header.ends_with(",details,mac"));
    let first = Line::parse(own.lines().next().unwrap().as_bytes()).unwrap();
    let row = rows.lines().next().unwrap();
    assert!(row.starts_with(&format!("1,{},", first.id)) && row.contains(",organization.created,"), "{row}");
    assert_eq!(rows.lines().count(), usual.lines().count());
}

#[tokio::test]
async fn what_is_removed_under_an_export_breaks_it_off() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    filled(&acme).await;
    world.advance(TimeDelta::days(1));
    let chain =
        ChainId::from(Some(OrganizationId::parse_any(acme.organization["id"].as_str().unwrap()).unwrap()));
    let middle = world.app.now();
    let removed_at = async |before| {
        let mut export = begun(&acme).await;
        let mut taken = export.body_mut().frame().await.unwrap().unwrap().into_data().unwrap().len();
        assert!(audit::prune(&world.app, chain, before).await.unwrap() > 5_000);
        loop {
            match export.body_mut().frame().await {
                Some(Ok(frame)) => taken += frame.into_data().unwrap().len(),
                Some(Err(_)) => break taken,
                None => panic!("{taken} bytes looked whole"),
            }
        }
    };
    // Some is left behind the hole.
    acme.key(&[], json!({})).await;
    let taken = removed_at(middle).await;
    let rest = acme.owner.get(&acme.path("/audit-logs?format=ndjson")).await.text;
    assert!(taken > rest.len() && rest.lines().count() == 1, "{rest}");
    // Nothing is.
    filled(&acme).await;
    world.advance(TimeDelta::days(1));
    removed_at(world.app.now()).await;
}
