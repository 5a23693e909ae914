//! `GET /v1/admin/usage/{id}`: what one credential used, day by day.

use chrono::{NaiveDate, TimeDelta};
use claviger_domain::usage::Tally;
use serde_json::{Value, json};

use super::usage::{tallied, used};
use super::{code_of, exactly, text};
use crate::support::{Partner, World};

fn path(credential: &Value) -> String {
    format!("/v1/admin/usage/{}", text(&credential["id"]))
}

fn day(date: &str, total: u64, failed: u64, average: u64) -> Value {
    json!({
        "date": date, "total_requests": total, "successful_requests": total - failed,
        "failed_requests": failed, "avg_response_time_ms": average,
    })
}

async fn days(partner: &Partner<'_>, credential: &Value, query: &str) -> Vec<Value> {
    let data = partner.get(&format!("{}{query}", path(credential))).await.data();
    data["daily"].as_array().unwrap().clone()
}

#[tokio::test]
async fn figures_and_days_of_one_credential_have_their_fields_in_order() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let issued = partner.credential_of(&user, "Production").await;
    let credential = &issued["credential"];
    code_of(&world, &issued["api_key"]).await;
    let tally = |total, failed, duration_ms, timed| Tally { total, failed, duration_ms, timed, units: 0 };
    tallied(&world, credential, "2026-01-24T00:00:00Z", tally(10, 2, 400, 8)).await;
    tallied(&world, credential, "2026-01-24T23:59:59Z", tally(4, 0, 0, 0)).await;
    tallied(&world, credential, "2026-01-26T09:00:00Z", tally(3, 1, 110, 2)).await;
    let answer =
        partner.get(&format!("{}?start_date=2026-01-23&end_date=2026-01-26", path(credential))).await;
    let expected = json!({
        "success": true,
        "data": {
            "credential_id": credential["id"],
            "credential_name": "Production",
            "api_key_prefix": credential["api_key_prefix"],
            "user_account_id": user["id"],
            "user_account_name": "Acme Corp",
            "total_requests": 18,
            "successful_requests": 15,
            "failed_requests": 3,
            "avg_response_time_ms": 51,
            "last_used_at": "2026-01-26T12:00:00Z",
            "period_start": "2026-01-23T00:00:00Z",
            "period_end": "2026-01-26T23:59:59Z",
            "daily": [
                day("2026-01-23", 0, 0, 0),
                day("2026-01-24", 14, 2, 50),
                day("2026-01-25", 0, 0, 0),
                day("2026-01-26", 4, 1, 55),
            ],
        },
    });
    exactly(&answer, 200, &expected);
}

#[tokio::test]
async fn without_dates_the_figures_begin_with_the_credential() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    world.advance(TimeDelta::days(2) + TimeDelta::hours(1));
    used(&world, &credential, "2026-01-27T08:00:00Z", 6, 6).await;
    let data = partner.get(&path(&credential)).await.data();
    assert_eq!(data["period_start"], "2026-01-26T12:00:00Z");
    assert_eq!(data["period_end"], "2026-01-28T13:00:00Z");
    assert_eq!((&data["total_requests"], &data["failed_requests"]), (&json!(6), &json!(6)));
    assert_eq!((&data["avg_response_time_ms"], &data["last_used_at"]), (&json!(0), &json!(null)));
    let expected = [day("2026-01-26", 0, 0, 0), day("2026-01-27", 6, 6, 0), day("2026-01-28", 0, 0, 0)];
    assert_eq!(data["daily"], json!(expected));
}

#[tokio::test]
async fn days_are_utc_days_whatever_offset_the_window_is_given_in() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    used(&world, &credential, "2026-01-24T23:30:00Z", 1, 0).await;
    used(&world, &credential, "2026-01-25T00:30:00Z", 2, 0).await;
    let query = "?start_date=2026-01-25T01:00:00%2B02:00&end_date=2026-01-25T02:59:59%2B02:00";
    let expected = [day("2026-01-24", 1, 0, 0), day("2026-01-25", 2, 0, 0)];
    assert_eq!(days(&partner, &credential, query).await, expected);
}

#[tokio::test]
async fn a_day_that_the_window_cuts_counts_only_what_lies_in_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    for (at, total) in [
        ("2026-01-24T11:59:00Z", 1),
        ("2026-01-24T12:00:00Z", 2),
        ("2026-01-24T18:00:00Z", 4),
        ("2026-01-25T06:00:00Z", 8),
        ("2026-01-25T06:01:00Z", 16),
    ] {
        used(&world, &credential, at, total, 0).await;
    }
    let query = "?start_date=2026-01-24T12:00:00Z&end_date=2026-01-25T06:00:30Z";
    let expected = [day("2026-01-24", 6, 0, 0), day("2026-01-25", 8, 0, 0)];
    assert_eq!(days(&partner, &credential, query).await, expected);
    let total = partner.get(&format!("{}{query}", path(&credential))).await.data()["total_requests"].clone();
    assert_eq!(total, 14, "the days add up to the whole");
}

#[tokio::test]
async fn every_day_is_present_and_there_are_at_most_366_of_them() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    used(&world, &credential, "2023-05-05T05:05:05Z", 7, 0).await;
    used(&world, &credential, "2025-01-26T00:00:00Z", 1, 0).await;
    for (start, first, count) in [
        ("2026-01-26", "2026-01-26", 1),
        ("2025-01-27", "2025-01-27", 365),
        ("2025-01-26", "2025-01-26", 366),
        ("2025-01-25", "2025-01-26", 366),
        ("2020-01-01", "2025-01-26", 366),
    ] {
        let daily = days(&partner, &credential, &format!("?start_date={start}&end_date=2026-01-26")).await;
        let dates: Vec<NaiveDate> = daily.iter().map(|day| text(&day["date"]).parse().unwrap()).collect();
        assert_eq!((dates.len(), dates[0].to_string().as_str()), (count, first), "{start}");
        assert!(dates.windows(2).all(|pair| pair[0].succ_opt() == Some(pair[1])), "{start}");
        assert_eq!(dates[count - 1].to_string(), "2026-01-26", "{start}");
    }
    let long = partner.get(&format!("{}?start_date=2020-01-01", path(&credential))).await.data();
    assert_eq!(long["total_requests"], 8, "the sums are of the whole window");
    assert_eq!(long["daily"][0], day("2025-01-26", 1, 0, 0));
}

#[tokio::test]
async fn a_leap_day_is_a_day() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    used(&world, &credential, "2024-02-29T12:00:00Z", 2, 1).await;
    let daily = days(&partner, &credential, "?start_date=2024-02-28&end_date=2024-03-01").await;
    let expected = [day("2024-02-28", 0, 0, 0), day("2024-02-29", 2, 1, 0), day("2024-03-01", 0, 0, 0)];
    assert_eq!(daily, expected);
}

#[tokio::test]
async fn averages_are_of_the_calls_whose_duration_is_known() {
    let world = World::new().await;
    let partner = world.partner().await;
    for (duration_ms, timed, average) in [(0, 0, 0), (90, 2, 45), (91, 2, 46), (100, 3, 33), (1, 3, 0)] {
        let credential = partner.credential("A").await["credential"].clone();
        let tally = Tally { total: 50, failed: 0, duration_ms, timed, units: 0 };
        tallied(&world, &credential, "2026-01-26T09:00:00Z", tally).await;
        let data = partner.get(&format!("{}?start_date=2026-01-26", path(&credential))).await.data();
        assert_eq!(data["avg_response_time_ms"], average, "{duration_ms} ms of {timed}");
        assert_eq!(data["daily"][0]["avg_response_time_ms"], average);
    }
}

#[tokio::test]
async fn a_revoked_credential_keeps_its_figures() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    used(&world, &credential, "2026-01-26T12:00:00Z", 3, 0).await;
    partner.delete(&format!("/v1/admin/credentials/{}", text(&credential["id"]))).await.data();
    assert_eq!(partner.get(&path(&credential)).await.data()["total_requests"], 3);
}
