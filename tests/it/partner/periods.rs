//! `start_date` and `end_date`, wherever figures are asked for.

use serde_json::{Value, json};

use super::text;
use super::usage::used;
use crate::support::{Partner, World};

/// The four calls that take a window, for one user and one credential.
async fn windowed(partner: &Partner<'_>) -> (Value, [String; 4]) {
    let user = partner.user("B").await;
    let credential = partner.credential_of(&user, "A").await["credential"].clone();
    let paths = [
        "/v1/admin/usage".to_owned(),
        format!("/v1/admin/usage/{}", text(&credential["id"])),
        format!("/v1/admin/users/{}/usage", text(&user["id"])),
        "/v1/admin/users/usage/summary".to_owned(),
    ];
    (credential, paths)
}

/// The figures in an answer to any of the four; a list without rows has none.
fn total(data: &Value) -> u64 {
    let row = if data.is_array() { &data[0] } else { data };
    row["total_requests"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn a_date_alone_means_its_first_second_at_the_start_and_its_last_at_the_end() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, paths) = windowed(&partner).await;
    for (at, count) in [
        ("2025-12-31T23:59:59Z", 1),
        ("2026-01-01T00:00:00Z", 10),
        ("2026-01-31T23:59:59Z", 100),
        ("2026-02-01T00:00:00Z", 1000),
    ] {
        used(&world, &credential, at, count, 0).await;
    }
    for path in &paths {
        for (query, expected) in [
            ("start_date=2026-01-01&end_date=2026-01-31", 110),
            ("start_date=2026-01-01T00:00:00Z&end_date=2026-01-31T23:59:59Z", 110),
            ("start_date=2025-12-31&end_date=2026-02-01", 1111),
            ("start_date=2026-01-01&end_date=2026-01-01", 10),
            ("start_date=2026-01-02&end_date=2026-01-30", 0),
            ("start_date=2026-01-31&end_date=2026-01-31", 100),
            ("start_date=2026-01-01T01:00:00%2B01:00&end_date=2026-01-01T00:00:59", 10),
        ] {
            let data = partner.get(&format!("{path}?{query}")).await.data();
            assert_eq!(total(&data), expected, "{path}?{query}");
        }
    }
    let daily = partner.get(&format!("{}?start_date=2026-01-01&end_date=2026-01-31", paths[1])).await.data();
    assert_eq!(
        (&daily["period_start"], &daily["period_end"]),
        (&json!("2026-01-01T00:00:00Z"), &json!("2026-01-31T23:59:59Z"))
    );
}

#[tokio::test]
async fn a_window_that_ends_before_it_starts_is_refused() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (_, paths) = windowed(&partner).await;
    for path in &paths {
        for query in [
            "start_date=2026-01-02&end_date=2026-01-01",
            "start_date=2026-01-01T00:00:01Z&end_date=2026-01-01T00:00:00Z",
            "start_date=2026-01-01T23:00:00-02:00&end_date=2026-01-02T00:00:00Z",
            "start_date=2026-01-26T12:00:01Z",
            "start_date=2030-01-01",
        ] {
            let answer = partner.get(&format!("{path}?{query}")).await;
            answer.refused(400, "end_date must not be before start_date");
        }
        let instant = "start_date=2026-01-26T12:00:00Z&end_date=2026-01-26T12:00:00Z";
        assert_eq!(partner.get(&format!("{path}?{instant}")).await.status, 200, "one instant is a window");
    }
}

#[tokio::test]
async fn what_is_no_date_is_refused() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (_, paths) = windowed(&partner).await;
    for path in &paths {
        for parameter in ["start_date", "end_date"] {
            for value in
                ["", "yesterday", "2026", "2026-1-1", "2026-02-30", "2026-01-01T25:00:00Z", "1767225600"]
            {
                let answer = partner.get(&format!("{path}?{parameter}={value}")).await;
                answer.refused(400, &format!("{parameter} must be an ISO 8601 timestamp"));
            }
        }
    }
}

#[tokio::test]
async fn a_users_figures_begin_thirty_days_ago_unless_said_otherwise() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (_, paths) = windowed(&partner).await;
    for path in &paths[2..] {
        for (query, start, end) in [
            ("", "2025-12-27T12:00:00Z", "2026-01-26T12:00:00Z"),
            ("?start_date=2026-01-01", "2026-01-01T00:00:00Z", "2026-01-26T12:00:00Z"),
            ("?end_date=2026-01-10", "2025-12-27T12:00:00Z", "2026-01-10T23:59:59Z"),
            ("?end_date=2026-03-01", "2025-12-27T12:00:00Z", "2026-03-01T23:59:59Z"),
        ] {
            let data = partner.get(&format!("{path}{query}")).await.data();
            let row = if data.is_array() { &data[0] } else { &data };
            assert_eq!(
                (&row["period_start"], &row["period_end"]),
                (&json!(start), &json!(end)),
                "{path}{query}"
            );
        }
    }
}

#[tokio::test]
async fn an_end_long_ago_still_has_a_window_before_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, paths) = windowed(&partner).await;
    used(&world, &credential, "2025-06-10T00:00:00Z", 3, 0).await;
    for path in [&paths[0], &paths[2], &paths[3]] {
        let data = partner.get(&format!("{path}?end_date=2025-06-15")).await.data();
        assert_eq!(total(&data), 3, "{path}");
    }
}

#[tokio::test]
async fn a_credentials_figures_have_no_default_start() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, paths) = windowed(&partner).await;
    used(&world, &credential, "2024-01-01T00:00:00Z", 5, 0).await;
    assert_eq!(total(&partner.get(&paths[0]).await.data()), 5, "two years ago counts");
    assert_eq!(total(&partner.get(&paths[2]).await.data()), 0, "but not among a user's last thirty days");
}

#[tokio::test]
async fn windows_may_be_as_wide_as_dates_go() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (credential, paths) = windowed(&partner).await;
    used(&world, &credential, "2026-01-20T10:00:00Z", 2, 0).await;
    for path in &paths {
        let data = partner.get(&format!("{path}?start_date=1970-01-01&end_date=9998-12-31")).await.data();
        assert_eq!(total(&data), 2, "{path}");
    }
}
