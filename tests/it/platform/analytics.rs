//! What was called, of one organization and of all.

use serde_json::{Value, json};

use super::{bad, code, data, key, organization, refused, text};
use crate::support::World;

const PATH: &str = "/admin/v1/analytics/usage";

#[tokio::test]
async fn usage_is_told_in_all_by_time_by_key_and_by_outcome() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let (acme, other) = (organization(&world, "Acme").await, organization(&world, "Other").await);
    let limited = json!({"rate_limits": [{"name": "r", "limit": 2, "window": 60}], "name": "Production"});
    let issued = key(&world, &acme, &[], limited).await;
    for _ in 0..3 {
        code(&world, &issued).await;
    }
    code(&world, &key(&world, &other, &[], json!({})).await).await;
    let told = data(&operator.get(&format!("{PATH}?org_id=acme&period=24h")).await, 200);
    let figures = |total: u64, failed: u64| {
        json!({
            "total_requests": total, "successful_requests": total - failed, "failed_requests": failed,
            "avg_response_time_ms": 0, "units": total - failed,
        })
    };
    assert_eq!(
        (&told["organization_id"], &told["start"], &told["end"], &told["resolution"]),
        (&acme["id"], &json!("2026-01-25T12:00:00Z"), &json!("2026-01-26T12:00:00Z"), &json!("hour"))
    );
    assert_eq!(told["totals"], figures(3, 1));
    let series = told["series"].as_array().unwrap();
    assert_eq!(series.len(), 25);
    let mut last = figures(3, 1);
    last["start"] = json!("2026-01-26T12:00:00Z");
    assert_eq!(series[24], last);
    let mut of_key = figures(3, 1);
    for (field, value) in [
        ("id", issued["id"].clone()),
        ("name", json!("Production")),
        ("prefix", issued["prefix"].clone()),
        ("organization_id", acme["id"].clone()),
    ] {
        of_key[field] = value;
    }
    assert_eq!(told["by_key"], json!([of_key]));
    let outcomes =
        json!([{"code": "VALID", "total_requests": 2}, {"code": "RATE_LIMITED", "total_requests": 1}]);
    assert_eq!(told["by_outcome"], outcomes);
    let all = data(&operator.get(PATH).await, 200);
    assert_eq!((&all["organization_id"], &all["totals"]), (&Value::Null, &figures(4, 1)));
    assert_eq!((&all["resolution"], all["series"].as_array().unwrap().len()), (&json!("day"), 31));
    let one = data(&operator.get(&format!("{PATH}?keys=1")).await, 200);
    assert_eq!(one["by_key"], json!([of_key]), "the busiest");
    let before = data(&operator.get(&format!("{PATH}?start=2026-01-01&end=2026-01-02")).await, 200);
    assert_eq!(before["totals"], figures(0, 0));
}

#[tokio::test]
async fn the_published_question_is_answered_by_days() {
    let world = World::new().await;
    let acme = organization(&world, "Acme Corporation").await;
    let issued = key(&world, &acme, &[], json!({})).await;
    for _ in 0..3 {
        assert_eq!(code(&world, &issued).await, "VALID");
    }
    world.drain().await;
    let organization = text(&acme["id"]);
    let path = format!("/admin/v1/analytics/usage?org_id={organization}&period=30d");
    let told = data(&world.bootstrap().get(&path).await, 200);
    assert_eq!((&told["resolution"], told["series"].as_array().unwrap().len()), (&json!("day"), 31));
    assert_eq!(told["totals"]["total_requests"], 3);
    let between = async |start: &str, end: &str| {
        let path = format!("/admin/v1/analytics/usage?org_id={organization}&start={start}&end={end}");
        data(&world.bootstrap().get(&path).await, 200)["totals"]["total_requests"].clone()
    };
    assert_eq!(between("2026-01-26T12:00:00Z", "2026-01-26T12:59:59Z").await, 3);
    assert_eq!(between("2026-01-25", "2026-01-25").await, 0);
    let long = world.bootstrap().get("/admin/v1/analytics/usage?start=2024-01-01&end=2026-01-01").await;
    refused(&long, 400, "invalid_request", "A period must not be longer than 366 days");
    // The example's own id is a placeholder: no id, and no slug.
    let placeholder = world.bootstrap().get("/admin/v1/analytics/usage?org_id=org_123&period=30d").await;
    refused(&placeholder, 404, "not_found", "There is no such thing among yours");
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let period = "period must be hours or days, like 24h or 30d, and at most 366d";
    for (query, field, message) in [
        ("period=1y", "period", period),
        ("period=367d", "period", period),
        ("period=0d", "period", period),
        ("period=1d&start=2026-01-01", "period", "period cannot be given together with start"),
        ("period=1d&end=2026-01-01", "period", "period cannot be given together with end"),
        ("start=soon", "start", "start must be an ISO 8601 timestamp"),
        ("keys=0", "keys", "keys must be an integer between 1 and 100"),
        ("keys=101", "keys", "keys must be an integer between 1 and 100"),
    ] {
        bad(&operator.get(&format!("{PATH}?{query}")).await, field, message);
    }
    let answer = operator.get(&format!("{PATH}?start=2026-01-02&end=2026-01-01")).await;
    refused(&answer, 400, "invalid_request", "A period must not end before it starts");
    let answer = operator.get(&format!("{PATH}?org_id=nobody")).await;
    refused(&answer, 404, "not_found", "There is no such thing among yours");
}
