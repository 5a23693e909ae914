//! What gateways report of calls that have passed.

use chrono::{DateTime, TimeDelta, Utc};
use claviger_domain::credential::Class;
use claviger_domain::ids::CredentialId;
use claviger_domain::period::Period;
use claviger_domain::usage::Tally;
use claviger_store::Tables;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::code;
use super::stage;
use crate::hostile::rows;
use crate::openapi::operations::{Operation, of};
use crate::support::{Answer, Caller, Partner, World};

const PATH: &str = "/v1/usage/reports";

fn report_usage() -> Operation {
    of("gateway").into_iter().find(|operation| operation.id() == "report_usage").unwrap()
}

async fn send(caller: &Caller<'_>, reports: &[Value]) -> Answer {
    let answer = caller.post(PATH, &json!({"reports": reports})).await;
    report_usage().admits(&answer);
    answer
}

/// The outcomes, in the order of the reports.
async fn outcomes(caller: &Caller<'_>, reports: &[Value]) -> Vec<String> {
    let answer = send(caller, reports).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let results = answer.json()["results"].as_array().unwrap().clone();
    let ids: Vec<_> = results.iter().map(|result| result["id"].clone()).collect();
    assert_eq!(ids, reports.iter().map(|report| report["id"].clone()).collect::<Vec<_>>());
    results.iter().map(|result| result["outcome"].as_str().unwrap().to_owned()).collect()
}

fn report(id: &str, credential: &Value, status: u16, duration_ms: u64) -> Value {
    json!({"id": id, "credential_id": credential, "status": status, "duration_ms": duration_ms})
}

fn with(mut report: Value, member: &str, value: impl Into<Value>) -> Value {
    report[member] = value.into();
    report
}

/// All that is counted of a credential, also what has not happened yet.
async fn tally(world: &World, credential: &Value) -> Tally {
    let id: CredentialId = credential.as_str().unwrap().parse().unwrap();
    let ever = Period::new(DateTime::<Utc>::UNIX_EPOCH, world.app.now() + TimeDelta::days(1)).unwrap();
    world.drain().await;
    world.app.store().usage().of_credential(id, ever).await.unwrap()
}

async fn issued(partner: &Partner<'_>) -> (Value, String) {
    let issued = partner.credential("Production").await;
    (issued["credential"]["id"].clone(), issued["api_key"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_report_is_taken_once() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, _) = issued(&partner).await;
    let other = issued(&partner).await.0;
    let operator = world.bootstrap();
    let first = report("call-1", &credential, 200, 40);
    assert_eq!(outcomes(&operator, std::slice::from_ref(&first)).await, ["recorded"]);
    let now = world.app.now().to_rfc3339();
    for (again, outcome) in [
        (first.clone(), "duplicate"),
        (with(first.clone(), "units", 0), "duplicate"),
        (with(first.clone(), "status", 201), "conflict"),
        (with(first.clone(), "duration_ms", 41), "conflict"),
        (with(first.clone(), "units", 1), "conflict"),
        (with(first.clone(), "credential_id", other.clone()), "conflict"),
        (with(first.clone(), "occurred_at", now), "conflict"),
        (with(first.clone(), "id", "CALL-1"), "recorded"),
        (with(first.clone(), "id", "call-1 "), "recorded"),
    ] {
        assert_eq!(outcomes(&operator, std::slice::from_ref(&again)).await, [outcome], "{again}");
    }
    // Within one request it is the same, and what is not the caller's does no harm to the others.
    let nobodys = json!("01932a3e-5f00-7000-8000-0000000000a2");
    let batch = [
        report("call-2", &credential, 500, 10),
        report("call-2", &credential, 500, 10),
        report("call-2", &credential, 200, 10),
        report("call-3", &nobodys, 200, 10),
        first,
        report("call-3", &credential, 200, 10),
    ];
    let expected = ["recorded", "duplicate", "conflict", "unknown_credential", "duplicate", "recorded"];
    assert_eq!(outcomes(&operator, &batch).await, expected);
    assert_eq!(outcomes(&operator, &[]).await, [""; 0]);
    let expected = Tally { total: 0, failed: 1, duration_ms: 140, timed: 5, units: 0 };
    assert_eq!(tally(&world, &credential).await, expected);
    assert_eq!(tally(&world, &other).await, Tally::default());
}

#[tokio::test]
async fn a_report_is_known_again_for_a_month() {
    let world = World::new().await;
    let (credential, _) = issued(&world.partner().await).await;
    let first = [report("call-1", &credential, 200, 40)];
    assert_eq!(outcomes(&world.bootstrap(), &first).await, ["recorded"]);
    world.advance(TimeDelta::days(32) - TimeDelta::seconds(1));
    claviger_app::background::forget(&world.app).await.unwrap();
    assert_eq!(outcomes(&world.bootstrap(), &first).await, ["duplicate"]);
    // A report of the next five minutes is in reach for five minutes more.
    world.advance(TimeDelta::minutes(5));
    claviger_app::background::forget(&world.app).await.unwrap();
    assert_eq!(rows::count(&world, "usage_reports").await, 1);
    world.advance(TimeDelta::seconds(2));
    claviger_app::background::forget(&world.app).await.unwrap();
    assert_eq!(rows::count(&world, "usage_reports").await, 0, "and not kept for longer");
}

#[tokio::test]
async fn a_gateway_reports_of_its_own_organizations_credentials() {
    let world = World::new().await;
    let [partner, stranger] = [world.partner().await, world.stranger().await];
    let [own, foreign] = [issued(&partner).await.0, issued(&stranger).await.0];
    let mut gateways = Vec::new();
    for partner in [&partner, &stranger] {
        let organization = stage::organization_of(&world, partner).await;
        let scopes = "keys:verify".parse().unwrap();
        let key = stage::credential(&world, organization, Class::Live, |it| it.scopes = scopes).await.key;
        gateways.push(world.bearer(&key));
    }
    let both = [report("call-1", &own, 200, 1), report("call-1", &foreign, 500, 2)];
    assert_eq!(outcomes(&gateways[0], &both).await, ["recorded", "unknown_credential"]);
    // The ids are each organization's own.
    assert_eq!(outcomes(&gateways[1], &both).await, ["unknown_credential", "recorded"]);
    assert_eq!(outcomes(&world.bootstrap(), &both).await, ["duplicate", "duplicate"]);
    assert_eq!(tally(&world, &own).await, Tally { duration_ms: 1, timed: 1, ..Tally::default() });
    assert_eq!(
        tally(&world, &foreign).await,
        Tally { failed: 1, duration_ms: 2, timed: 1, ..Tally::default() }
    );
}

#[tokio::test]
async fn reports_tell_how_verified_calls_went() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let made = partner.credential_of(&user, "Production").await;
    let (credential, key) = (made["credential"]["id"].clone(), made["api_key"].as_str().unwrap());
    for _ in 0..5 {
        assert_eq!(code(&world, key, json!({"cost": 2})).await, "VALID");
    }
    assert_eq!(code(&world, key, json!({"network_id": 2})).await, "WRONG_NETWORK");
    let reports = [
        report("1", &credential, 200, 10),
        with(report("2", &credential, 399, 20), "units", 7),
        report("3", &credential, 400, 31),
        with(report("4", &credential, 503, 0), "units", 1_000_000_000),
    ];
    assert_eq!(outcomes(&world.bootstrap(), &reports).await, ["recorded"; 4]);
    let expected = Tally { total: 6, failed: 3, duration_ms: 61, timed: 4, units: 1_000_000_017 };
    assert_eq!(tally(&world, &credential).await, expected);
    let figures = partner.get(&format!("/v1/admin/usage/{}", credential.as_str().unwrap())).await.data();
    for told in [&figures, &figures["daily"].as_array().unwrap().last().unwrap().clone()] {
        let members = ["total_requests", "successful_requests", "failed_requests", "avg_response_time_ms"];
        assert_eq!(members.map(|member| told[member].as_u64().unwrap()), [6, 3, 3, 15], "{told}");
    }
    let listed = partner.get("/v1/admin/usage").await.data()[0].clone();
    assert_eq!((&listed["total_requests"], &listed["failed_requests"]), (&json!(6), &json!(3)));
    let path = format!("/v1/admin/users/{}/usage", user["id"].as_str().unwrap());
    assert_eq!(partner.get(&path).await.data()["failed_requests"], 3);
}

#[tokio::test]
async fn a_report_counts_for_when_the_call_was() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, _) = issued(&partner).await;
    // It is 2026-01-26T12:00:00Z.
    for (place, (at, is_in_reach)) in [
        ("2026-01-26T12:00:00Z", true),
        ("2026-01-25T23:59:59.999Z", true),
        ("2026-01-26T13:30:00+02:00", true),
        ("2025-12-25T12:00:00.001Z", true),
        ("2025-12-25T12:00:00Z", false),
        ("2026-01-26T12:05:00Z", true),
        ("2026-01-26T12:05:00.001Z", false),
        ("1970-01-01T00:00:00Z", false),
        ("9998-12-31T23:59:59Z", false),
    ]
    .into_iter()
    .enumerate()
    {
        let reports = [
            report(&format!("beside-{place}"), &credential, 200, 0),
            with(report(&format!("call-{place}"), &credential, 200, 1 << place), "occurred_at", at),
        ];
        let answer = send(&world.bootstrap(), &reports).await;
        if is_in_reach {
            assert_eq!(answer.status, 200, "{at}: {}", answer.text);
        } else {
            let detail =
                "reports[1].occurred_at must lie within the last 32 days, and at most 5 minutes ahead";
            assert_eq!((answer.status, &answer.json()["detail"]), (400, &json!(detail)), "{at}");
        }
    }
    assert_eq!(rows::count(&world, "usage_reports").await, 10, "of a refused request nothing is taken");
    let spans = "SELECT sum(duration_ms) FILTER (WHERE starts_at = unixepoch('2026-01-26T12:00:00Z')), \
                 sum(duration_ms) FILTER (WHERE starts_at = unixepoch('2026-01-25T23:59:00Z')), \
                 sum(duration_ms) FILTER (WHERE starts_at = unixepoch('2026-01-26T11:30:00Z')), \
                 sum(duration_ms) FILTER (WHERE starts_at = unixepoch('2025-12-25T12:00:00Z')), \
                 sum(duration_ms) FILTER (WHERE starts_at = unixepoch('2026-01-26T12:05:00Z')) \
                 FROM usage WHERE span_seconds = 60";
    assert_eq!(rows::numbers(&world, spans).await, [1, 2, 4, 8, 32]);
    let days = "SELECT sum(duration_ms) FILTER (WHERE starts_at = unixepoch('2026-01-26')), \
                sum(duration_ms) FILTER (WHERE starts_at = unixepoch('2026-01-25')) \
                FROM usage WHERE span_seconds = 86400";
    assert_eq!(rows::numbers(&world, days).await, [1 + 4 + 32, 2]);
}

#[tokio::test]
async fn a_thousand_are_taken_and_no_more() {
    let world = World::new().await;
    let (credential, _) = issued(&world.partner().await).await;
    let many = |count: usize| -> Vec<_> {
        (0..count).map(|place| report(&format!("call-{place}"), &credential, 200, 1)).collect()
    };
    let refused = send(&world.bootstrap(), &many(1_001)).await;
    let told = (refused.status, refused.json()["field"].clone(), refused.json()["detail"].clone());
    assert_eq!(told, (400, json!("reports"), json!("reports must have 1000 items or less")));
    assert_eq!(tally(&world, &credential).await, Tally::default());
    assert_eq!(outcomes(&world.bootstrap(), &many(1_000)).await, vec!["recorded"; 1_000]);
    assert_eq!(outcomes(&world.bootstrap(), &many(1_000)).await, vec!["duplicate"; 1_000]);
    assert_eq!(tally(&world, &credential).await.timed, 1_000);
}

#[tokio::test]
async fn one_wrong_report_refuses_all_of_them() {
    let world = World::new().await;
    let (credential, _) = issued(&world.partner().await).await;
    let good = report("good", &credential, 200, 1);
    let statuses = "must be an integer between 100 and 599";
    let durations = "must be an integer between 0 and 86400000";
    let units = "must be an integer between 0 and 1000000000";
    let instant = "must be an ISO 8601 timestamp";
    for (member, value, detail) in [
        ("id", json!(""), "must not be empty"),
        ("id", json!("x".repeat(129)), "is too long"),
        ("id", json!(7), "must be a string"),
        ("credential_id", json!("nonsense"), "must be an id"),
        ("credential_id", json!(null), "must be a string"),
        ("status", json!(99), statuses),
        ("status", json!(600), statuses),
        ("status", json!("200"), "must be an integer"),
        ("duration_ms", json!(-1), durations),
        ("duration_ms", json!(86_400_001), durations),
        ("duration_ms", json!(1.5), "must be an integer"),
        ("units", json!(-1), units),
        ("units", json!(1_000_000_001), units),
        ("occurred_at", json!("yesterday"), instant),
        ("occurred_at", json!(1_767_225_600), "must be a string"),
    ] {
        let reports = [good.clone(), with(report("wrong", &credential, 200, 1), member, value.clone())];
        let refused = send(&world.bootstrap(), &reports).await;
        let body = refused.json();
        let field = format!("reports[1].{member}");
        assert_eq!((refused.status, &body["field"]), (400, &json!(field)), "{value}: {body}");
        let told = body["detail"].as_str().unwrap();
        let is_said =
            told == format!("{field} {detail}") || (detail == "is too long" && told.contains("128"));
        assert!(is_said, "{value}: {told}");
    }
    let unknown = [good.clone(), with(good.clone(), "surprise", 1)];
    let refused = send(&world.bootstrap(), &unknown).await;
    assert_eq!(refused.json()["detail"], "Unknown field: reports[1].surprise");
    let refused = send(&world.bootstrap(), &[good.clone(), json!([])]).await;
    assert_eq!(refused.json()["detail"], "reports[1] must be an object");
    assert_eq!(rows::count(&world, "usage_reports").await, 0);
    let longest = with(good, "id", "ä".repeat(128));
    assert_eq!(outcomes(&world.bootstrap(), &[longest]).await, ["recorded"]);
}

#[tokio::test]
async fn the_same_reports_at_once_are_counted_once() {
    let world = World::on_disk().await;
    let (credential, _) = issued(&world.partner().await).await;
    let reports: Vec<_> =
        (0..20).map(|place| report(&format!("call-{place}"), &credential, 500, 3)).collect();
    let operator = world.bootstrap();
    let told = join_all((0..20).map(|_| outcomes(&operator, &reports))).await;
    let recorded = told.iter().flatten().filter(|outcome| *outcome == "recorded").count();
    let duplicates = told.iter().flatten().filter(|outcome| *outcome == "duplicate").count();
    assert_eq!((recorded, duplicates), (20, 380));
    assert_eq!(
        tally(&world, &credential).await,
        Tally { failed: 20, duration_ms: 60, timed: 20, ..Tally::default() }
    );
}
