//! Usage of user accounts: of one, and of all.

use claviger_domain::usage::Tally;
use serde_json::{Value, json};

use super::usage::{tallied, used};
use super::{exactly, text};
use crate::support::{Partner, World};

fn path(user: &Value) -> String {
    format!("/v1/admin/users/{}/usage", text(&user["id"]))
}

async fn credential_of(partner: &Partner<'_>, user: &Value) -> Value {
    partner.credential_of(user, "A").await["credential"].clone()
}

/// A user's figures over the last 30 days, with so many requests and credentials.
fn usual(user: &Value, total: u64, failed: u64, credentials: u64) -> Value {
    json!({
        "user_account_id": user["id"], "user_name": user["name"], "external_id": user["external_id"],
        "total_requests": total, "successful_requests": total - failed, "failed_requests": failed,
        "avg_response_time_ms": 0, "credential_count": credentials,
        "period_start": "2025-12-27T12:00:00Z", "period_end": "2026-01-26T12:00:00Z",
    })
}

#[tokio::test]
async fn one_users_usage_is_the_published_example() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "Acme Corp", "external_id": "customer-123"});
    let user = partner.post("/v1/admin/users", &new).await.data();
    let tally = |total, failed, duration_ms, timed| Tally { total, failed, duration_ms, timed, units: 0 };
    for (at, tally) in [
        ("2026-01-01T00:00:00Z", tally(100_000, 1_000, 4_000_000, 100_000)),
        ("2026-01-15T12:00:00Z", tally(52_399, 1_199, 0, 0)),
        ("2026-01-31T23:59:59Z", tally(1, 1, 500_045, 1)),
        ("2025-12-31T23:59:59Z", tally(7, 7, 7, 7)),
        ("2026-02-01T00:00:00Z", tally(7, 7, 7, 7)),
    ] {
        tallied(&world, &credential_of(&partner, &user).await, at, tally).await;
    }
    let answer = partner.get(&format!("{}?start_date=2026-01-01&end_date=2026-01-31", path(&user))).await;
    let expected = json!({
        "success": true,
        "data": {
            "user_account_id": user["id"],
            "user_name": "Acme Corp",
            "external_id": "customer-123",
            "total_requests": 152_400,
            "successful_requests": 150_200,
            "failed_requests": 2_200,
            "avg_response_time_ms": 45,
            "credential_count": 5,
            "period_start": "2026-01-01T00:00:00Z",
            "period_end": "2026-01-31T23:59:59Z",
        },
    });
    exactly(&answer, 200, &expected);
}

#[tokio::test]
async fn without_dates_it_is_the_last_thirty_days() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let credential = credential_of(&partner, &user).await;
    used(&world, &credential, "2025-12-27T11:59:59Z", 100, 0).await;
    used(&world, &credential, "2025-12-27T12:00:00Z", 20, 5).await;
    used(&world, &credential, "2026-01-26T12:00:00Z", 3, 0).await;
    let answer = partner.get(&path(&user)).await;
    exactly(&answer, 200, &json!({"success": true, "data": usual(&user, 23, 5, 1)}));
}

#[tokio::test]
async fn the_average_of_nothing_is_zero() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let answer = partner.get(&path(&user)).await;
    exactly(&answer, 200, &json!({"success": true, "data": usual(&user, 0, 0, 0)}));
}

#[tokio::test]
async fn the_figures_are_of_all_the_users_credentials_revoked_ones_included() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (user, other) = (partner.user("B").await, partner.user("Other").await);
    let (one, two) = (credential_of(&partner, &user).await, credential_of(&partner, &user).await);
    used(&world, &one, "2026-01-20T10:00:00Z", 3, 1).await;
    used(&world, &two, "2026-01-20T10:00:00Z", 4, 0).await;
    used(&world, &credential_of(&partner, &other).await, "2026-01-20T10:00:00Z", 50, 0).await;
    let nobodys = partner.credential("nobody's").await["credential"].clone();
    used(&world, &nobodys, "2026-01-20T10:00:00Z", 60, 0).await;
    partner.delete(&format!("/v1/admin/credentials/{}", text(&one["id"]))).await.data();
    assert_eq!(partner.get(&path(&user)).await.data(), usual(&user, 7, 1, 2));
}

#[tokio::test]
async fn a_suspended_users_figures_stay() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    used(&world, &credential_of(&partner, &user).await, "2026-01-20T10:00:00Z", 3, 0).await;
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", text(&user["id"]))).await.data();
    assert_eq!(partner.get(&path(&user)).await.data(), usual(&user, 3, 0, 1));
    let summary = partner.get("/v1/admin/users/usage/summary").await.data();
    assert_eq!(summary, json!([usual(&user, 3, 0, 1)]));
}

#[tokio::test]
async fn the_summary_lists_every_user_busiest_first_and_then_by_name() {
    let world = World::new().await;
    let partner = world.partner().await;
    let mut users = Vec::new();
    for (name, total) in [("Delta", 0), ("Bravo", 5), ("Echo", 9), ("Alpha", 5), ("Charlie", 0)] {
        let user = partner.user(name).await;
        let credential = credential_of(&partner, &user).await;
        if total > 0 {
            used(&world, &credential, "2026-01-20T10:00:00Z", total, 1).await;
        }
        users.push(user);
    }
    let answer = partner.get("/v1/admin/users/usage/summary").await;
    let expected = json!({
        "success": true,
        "data": [
            usual(&users[2], 9, 1, 1), usual(&users[3], 5, 1, 1), usual(&users[1], 5, 1, 1),
            usual(&users[4], 0, 0, 1), usual(&users[0], 0, 0, 1),
        ],
        "pagination": {"limit": 20, "offset": 0, "total": 5, "hasMore": false},
    });
    exactly(&answer, 200, &expected);
    let page = partner.get("/v1/admin/users/usage/summary?limit=2&offset=1").await;
    let expected = json!({
        "success": true,
        "data": [usual(&users[3], 5, 1, 1), usual(&users[1], 5, 1, 1)],
        "pagination": {"limit": 2, "offset": 1, "total": 5, "hasMore": true},
    });
    exactly(&page, 200, &expected);
}

#[tokio::test]
async fn the_summary_counts_only_what_lies_in_its_window_but_lists_everybody() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (early, late) = (partner.user("Early").await, partner.user("Late").await);
    used(&world, &credential_of(&partner, &early).await, "2026-01-01T00:00:00Z", 9, 0).await;
    used(&world, &credential_of(&partner, &late).await, "2026-01-10T23:59:59Z", 2, 0).await;
    let path = "/v1/admin/users/usage/summary?start_date=2026-01-02&end_date=2026-01-10";
    let data = partner.get(path).await.data();
    let figures: Vec<_> = data
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(&row["user_name"]), row["total_requests"].as_u64().unwrap()))
        .collect();
    assert_eq!(figures, [("Late", 2), ("Early", 0)]);
    assert_eq!(data[0]["period_start"], "2026-01-02T00:00:00Z");
    assert_eq!(data[0]["period_end"], "2026-01-10T23:59:59Z");
}

#[tokio::test]
async fn user_usage_needs_view_usage_and_nothing_else() {
    let world = World::new().await;
    let full = world.partner().await;
    let user = full.user("B").await;
    let only_users = world.partner_of("YourCompany", &["manage_users"]).await;
    let lacking = "Permission denied: view_usage required";
    only_users.get(&path(&user)).await.refused(403, lacking);
    only_users.get("/v1/admin/users/usage/summary").await.refused(403, lacking);
    only_users.get("/v1/admin/usage").await.refused(403, lacking);
    let only_usage = world.partner_of("YourCompany", &["view_usage"]).await;
    only_usage.get(&path(&user)).await.refused(404, "User account not found");
    assert_eq!(only_usage.get("/v1/admin/users/usage/summary").await.data(), json!([]));
    // What a key made stays its own when it may do less from now on.
    let patch = json!({"permissions": ["view_usage"]});
    world.bootstrap().patch(&format!("/v1/admin/admin-keys/{}", full.id), &patch).await.data();
    assert_eq!(full.get(&path(&user)).await.data(), usual(&user, 0, 0, 0));
}
