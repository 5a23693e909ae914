//! What was called, as the tenant sees it.

use serde_json::json;

use super::{Tenant, bad, data};
use crate::support::World;

#[tokio::test]
async fn a_tenant_sees_its_own_calls_and_no_others() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let other = Tenant::new(&world, "Umbrella").await;
    let (mine, theirs) = (acme.key(&["a:b"], json!({})).await, other.key(&["a:b"], json!({})).await);
    for (key, scopes) in [(&mine, "a:b"), (&mine, "c:d"), (&theirs, "a:b")] {
        world.bootstrap().post("/v1/keys/verify", &json!({"key": key["key"], "scopes": scopes})).await;
    }
    world.drain().await;
    let told = data(&acme.owner.get(&acme.path("/usage?period=24h")).await, 200);
    let figures = json!({
        "totalRequests": 2, "successfulRequests": 1, "failedRequests": 1, "avgResponseTimeMs": 0,
        "units": 1
    });
    assert_eq!(told["totals"], figures);
    assert_eq!(told["resolution"], "hour");
    assert_eq!(told["byKey"].as_array().unwrap().len(), 1);
    assert_eq!((&told["byKey"][0]["id"], &told["byKey"][0]["totalRequests"]), (&mine["id"], &json!(2)));
    assert_eq!(
        told["byOutcome"],
        json!([{"code": "VALID", "totalRequests": 1}, {"code": "INSUFFICIENT_SCOPE", "totalRequests": 1}])
    );
    // The same between two instants, and nothing before.
    let between = async |start: &str, end: &str| {
        let told = data(&acme.owner.get(&acme.path(&format!("/usage?start={start}&end={end}"))).await, 200);
        told["totals"]["totalRequests"].clone()
    };
    assert_eq!(between("2026-01-26T12:00:00Z", "2026-01-26T12:59:59Z").await, 2);
    assert_eq!(between("2026-01-26T10:00:00Z", "2026-01-26T11:59:59Z").await, 0);
    let long = acme.owner.get(&acme.path("/usage?start=2024-01-01&end=2026-01-01")).await;
    super::refused(&long, 400, "invalid_request", "A period must not be longer than 366 days");
    let days = data(&acme.owner.get(&acme.path("/usage?start=2026-01-01&end=2026-01-31&keys=1")).await, 200);
    assert_eq!((&days["resolution"], days["series"].as_array().unwrap().len()), (&json!("day"), 31));
    for (query, field) in [("period=1y", "period"), ("start=x", "start"), ("keys=0", "keys")] {
        let answer = acme.owner.get(&acme.path(&format!("/usage?{query}"))).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}");
    }
    let both = acme.owner.get(&acme.path("/usage?period=1d&start=2026-01-01")).await;
    bad(&both, "period", "period cannot be given together with start");
}
