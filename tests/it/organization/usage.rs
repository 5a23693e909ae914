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
        "units": told["totals"]["units"]
    });
    assert_eq!(told["totals"], figures);
    assert_eq!(told["resolution"], "hour");
    assert_eq!(told["byKey"].as_array().unwrap().len(), 1);
    assert_eq!((&told["byKey"][0]["id"], &told["byKey"][0]["totalRequests"]), (&mine["id"], &json!(2)));
    assert_eq!(
        told["byOutcome"],
        json!([{"code": "VALID", "totalRequests": 1}, {"code": "INSUFFICIENT_SCOPE", "totalRequests": 1}])
    );
    let days = data(&acme.owner.get(&acme.path("/usage?start=2026-01-01&end=2026-01-31&keys=1")).await, 200);
    assert_eq!((&days["resolution"], days["series"].as_array().unwrap().len()), (&json!("day"), 31));
    for (query, field) in [("period=1y", "period"), ("start=x", "start"), ("keys=0", "keys")] {
        let answer = acme.owner.get(&acme.path(&format!("/usage?{query}"))).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}");
    }
    let both = acme.owner.get(&acme.path("/usage?period=1d&start=2026-01-01")).await;
    bad(&both, "period", "period cannot be given together with start");
}
