//! Calls are counted exactly once, whatever becomes of the process and its database.

use chrono::{DateTime, TimeDelta, Utc};
use claviger_app::{Retention, background, memory};
use claviger_domain::credential::{Class, Credits};
use claviger_domain::ids::CredentialId;
use claviger_domain::period::Period;
use claviger_domain::secret::KeyFormat;
use claviger_store::Tables;
use serde_json::{Value, json};

use super::stage::{self, never_issued};
use super::{code, verify};
use crate::hostile::rows;
use crate::partner::usage::used;
use crate::support::{Settled, World};

/// What one record takes in the journal.
const RECORD: u64 = 40;

/// A credential with these limits: its id and its key.
async fn staged(world: &World, limits: &str) -> (CredentialId, String) {
    let organization = stage::organization(world, "Tenant").await.id;
    let limits = limits.parse().unwrap();
    let subject = stage::credential(world, organization, Class::Live, |it| it.limits = limits).await;
    (subject.id, subject.key)
}

/// Calls in the database, and how many of them failed: what was not drained is not among them.
async fn counted(world: &World, id: CredentialId) -> (u64, u64) {
    let ever = Period::new(DateTime::<Utc>::UNIX_EPOCH, world.app.now()).unwrap();
    let tally = world.app.store().usage().of_credential(id, ever).await.unwrap();
    (tally.total, tally.failed)
}

#[tokio::test]
async fn a_process_that_dies_loses_no_call_and_counts_none_twice() {
    let mut world = World::settled(Settled { file: Some("claviger.db"), ..Settled::default() }).await;
    let (id, key) = staged(&world, "requests:6/60").await;
    for _ in 0..2 {
        assert_eq!(code(&world, &key, json!({})).await, "VALID");
    }
    assert_eq!(counted(&world, id).await, (0, 0), "they are in the journal only");
    world.restart().await;
    assert_eq!(counted(&world, id).await, (2, 0), "before the next process answers anything");
    assert_eq!(code(&world, &key, json!({"environment": "test"})).await, "WRONG_ENVIRONMENT");
    world.drain().await;
    assert_eq!(counted(&world, id).await, (3, 1));
    assert_eq!(code(&world, &key, json!({"cost": 3})).await, "VALID");
    for _ in 0..3 {
        world.restart().await;
        assert_eq!(counted(&world, id).await, (4, 1));
    }
    let told = verify(&world, &key, json!({"cost": 0})).await;
    assert_eq!(told["ratelimits"][0]["remaining"], 1, "what was spent stays spent");
    world.drain().await;
    world.drain().await;
    assert_eq!(counted(&world, id).await, (5, 1));
    let positions = rows::count(&world, "journal_positions").await;
    assert!((1..=2).contains(&positions), "one for each lane that was written: {positions}");
}

#[tokio::test]
async fn a_balance_outlives_the_process() {
    let mut world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let credits = Some(Credits::granted(10, None));
    let key = stage::credential(&world, organization, Class::Live, |it| it.credits = credits).await.key;
    for (cost, expected, left) in [
        (4, "VALID", 6),
        (7, "CREDITS_EXHAUSTED", 6),
        (1, "VALID", 5),
        (5, "VALID", 0),
        (1, "CREDITS_EXHAUSTED", 0),
    ] {
        let told = verify(&world, &key, json!({"cost": cost})).await;
        assert_eq!((&told["code"], &told["credits"]), (&json!(expected), &json!(left)));
        world.restart().await;
    }
}

#[tokio::test]
async fn calls_that_cannot_be_counted_are_not_decided() {
    let settled = Settled { journal_bytes: 5 * RECORD, ..Settled::default() };
    let world = World::settled(settled).await;
    let (id, key) = staged(&world, "requests:100/60").await;
    for _ in 0..5 {
        assert_eq!(code(&world, &key, json!({})).await, "VALID");
    }
    let operator = world.bootstrap();
    let answers = [
        operator.post("/v1/keys/verify", &json!({"key": key})).await,
        operator.post("/v1/keys/verify", &json!({"key": key, "environment": "test"})).await,
        operator.post("/v1/keys/verify-batch", &json!({"requests": [{"key": key}]})).await,
        world.bearer(&key).get("/v1/forward-auth").await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert_eq!(answer.json()["code"], "usage_journal_full");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert_eq!(
        code(&world, &never_issued(KeyFormat::Live), json!({})).await,
        "NOT_FOUND",
        "nothing to count"
    );
    world.drain().await;
    assert_eq!(counted(&world, id).await, (5, 0));
    let told = verify(&world, &key, json!({"cost": 0})).await;
    assert_eq!((&told["code"], &told["ratelimits"][0]["remaining"]), (&json!("VALID"), &json!(95)));
}

#[tokio::test]
async fn without_its_database_a_process_goes_on_deciding() {
    let mut world = World::on_disk().await;
    let (id, key) = staged(&world, "requests:4/60").await;
    let (unseen_id, unseen) = staged(&world, "requests:1/60").await;
    memory::load(&world.app).await.unwrap();
    world.app.store().clone().close().await;
    for expected in ["VALID", "VALID", "VALID", "VALID", "RATE_LIMITED"] {
        assert_eq!(code(&world, &key, json!({})).await, expected);
    }
    assert_eq!(code(&world, &unseen, json!({})).await, "VALID", "every key was loaded, also one never shown");
    // Of a key that is not known nothing is said: another process may have made it meanwhile.
    let unknown = json!({"key": never_issued(KeyFormat::Live)});
    let answer = world.bootstrap().post("/v1/keys/verify", &unknown).await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("service_unavailable")));
    assert_eq!(world.bearer(&key).get("/v1/forward-auth").await.status, 429);
    world.bootstrap().get("/v1/admin/me").await.refused(503, "Service temporarily unavailable");
    world.restart().await;
    assert_eq!((counted(&world, id).await, counted(&world, unseen_id).await), ((6, 2), (1, 0)));
    assert_eq!(code(&world, &key, json!({})).await, "RATE_LIMITED");
}

/// Minutes and hours are let go; the days they were in still add up to the same figures.
#[tokio::test]
async fn figures_stay_whole_when_their_minutes_are_forgotten() {
    let retention = Retention { minutes: Some(2), hours: Some(10), ..Retention::default() };
    let world = World::settled(Settled { retention, ..Settled::default() }).await;
    let partner = world.partner().await;
    let credential = partner.credential("Production").await["credential"].clone();
    for (at, total, failed) in [
        ("2025-11-03T07:08:09Z", 1, 0),
        ("2026-01-10T10:00:00Z", 10, 1),
        ("2026-01-10T23:59:59Z", 20, 2),
        ("2026-01-20T00:00:00Z", 100, 3),
        ("2026-01-23T15:04:05Z", 200, 4),
        ("2026-01-24T00:00:00Z", 1_000, 5),
        ("2026-01-26T11:59:00Z", 2_000, 6),
    ] {
        used(&world, &credential, at, total, failed).await;
    }
    let asked = async |start: &str, end: &str| -> Value {
        let path = format!("/v1/admin/usage/{}", credential["id"].as_str().unwrap());
        let told = partner.get(&format!("{path}?start_date={start}&end_date={end}")).await.data();
        json!([told["total_requests"], told["failed_requests"], told["daily"]])
    };
    let periods = [
        ("2025-01-26", "2026-01-26"),
        ("2025-11-03", "2025-11-03"),
        ("2026-01-10", "2026-01-10"),
        ("2026-01-20", "2026-01-23"),
        ("2026-01-20T00:00:00Z", "2026-01-23T15:59:59Z"),
        ("2026-01-24T00:00:00Z", "2026-01-24T00:00:59Z"),
        ("2026-01-26T11:59:00Z", "2026-01-26T11:59:30Z"),
    ];
    let mut before = Vec::new();
    for (start, end) in periods {
        before.push(asked(start, end).await);
    }
    let spans = "SELECT count(*) FILTER (WHERE span_seconds = 60), count(*) FILTER (WHERE span_seconds = 3600), \
                 count(*) FILTER (WHERE span_seconds = 86400) FROM usage";
    assert_eq!(rows::numbers(&world, spans).await, [7, 7, 6]);
    background::forget(&world.app).await.unwrap();
    assert_eq!(rows::numbers(&world, spans).await, [2, 4, 6], "minutes since the 24th, hours since the 16th");
    for ((start, end), before) in periods.into_iter().zip(before) {
        assert_eq!(asked(start, end).await, before, "{start} to {end}");
    }
    // An edge in what is known by the day only is the whole day's.
    assert_eq!(asked("2026-01-10T12:00:00Z", "2026-01-10T13:00:00Z").await[0], 30);
    background::forget(&world.app).await.unwrap();
    assert_eq!(rows::numbers(&world, spans).await, [2, 4, 6]);
    world.advance(TimeDelta::days(1));
    background::forget(&world.app).await.unwrap();
    assert_eq!(rows::numbers(&world, spans).await, [1, 4, 6]);
}
