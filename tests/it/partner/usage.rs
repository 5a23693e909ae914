//! `GET /v1/admin/usage`: what each credential used.

use chrono::TimeDelta;
use claviger_domain::usage::Tally;
use claviger_store::{StoreError, Tables, Tx};
use serde_json::{Value, json};

use super::{NOTHING, code_of, credentials_in_turn, exactly, text};
use crate::support::World;

/// So many calls of a credential, so many of them failed, at one instant.
pub(crate) async fn used(world: &World, credential: &Value, at: &str, total: u64, failed: u64) {
    tallied(world, credential, at, Tally { total, failed, duration_ms: 0, timed: 0, units: 0 }).await;
}

pub(super) async fn tallied(world: &World, credential: &Value, at: &str, tally: Tally) {
    let call = (text(&credential["id"]).parse().unwrap(), at.parse().unwrap(), tally);
    let counted = world.app.store().transaction(async |tx: &Tx| {
        tx.usage().add(&[call]).await?;
        Ok::<_, StoreError>(())
    });
    counted.await.unwrap();
}

/// The names of the credentials in a list of usage, and their totals.
fn rows(list: &Value) -> Vec<(&str, u64)> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| (text(&row["credential_name"]), row["total_requests"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn usage_is_told_by_credential_without_has_more() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let busy = partner.credential_of(&user, "Production").await;
    let quiet = partner.credential("Staging").await["credential"].clone();
    used(&world, &busy["credential"], "2026-01-20T10:00:00Z", 15_419, 220).await;
    used(&world, &quiet, "2026-01-21T10:00:00Z", 3, 0).await;
    assert_eq!(code_of(&world, &busy["api_key"]).await, "VALID");
    let answer = partner.get("/v1/admin/usage").await;
    let expected = json!({
        "success": true,
        "data": [
            {
                "credential_id": busy["credential"]["id"],
                "credential_name": "Production",
                "api_key_prefix": busy["credential"]["api_key_prefix"],
                "user_account_id": user["id"],
                "user_account_name": "Acme Corp",
                "total_requests": 15_420,
                "successful_requests": 15_200,
                "failed_requests": 220,
                "last_used_at": "2026-01-26T12:00:00Z",
            },
            {
                "credential_id": quiet["id"],
                "credential_name": "Staging",
                "api_key_prefix": quiet["api_key_prefix"],
                "user_account_id": null,
                "user_account_name": null,
                "total_requests": 3,
                "successful_requests": 3,
                "failed_requests": 0,
                "last_used_at": null,
            },
        ],
        "pagination": {"limit": 20, "offset": 0, "total": 2},
    });
    exactly(&answer, 200, &expected);
}

#[tokio::test]
async fn only_credentials_with_requests_in_the_window_have_a_row() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credentials = credentials_in_turn(&world, &partner, &["old", "new", "never"]).await;
    used(&world, &credentials[0], "2021-06-01T00:00:00Z", 9, 0).await;
    used(&world, &credentials[1], "2026-01-10T00:00:00Z", 5, 1).await;
    for (query, expected) in [
        ("", vec![("old", 9), ("new", 5)]),
        ("?end_date=2025-12-31", vec![("old", 9)]),
        ("?start_date=2025-12-31", vec![("new", 5)]),
        ("?start_date=2022-01-01&end_date=2025-12-31", vec![]),
    ] {
        let answer = partner.get(&format!("/v1/admin/usage{query}")).await.json();
        assert_eq!(rows(&answer["data"]), expected, "{query}");
        assert_eq!(answer["pagination"]["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn the_busiest_comes_first_and_equals_are_ordered_by_id() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credentials = credentials_in_turn(&world, &partner, &["a", "b", "c", "d"]).await;
    for (credential, total) in credentials.iter().zip([2, 5, 2, 9]) {
        used(&world, credential, "2026-01-20T10:00:00Z", total, 0).await;
    }
    // The ids of version 7 grow with time: a is before c.
    let all = partner.get("/v1/admin/usage").await.data();
    assert_eq!(rows(&all), [("d", 9), ("b", 5), ("a", 2), ("c", 2)]);
    let mut pages = Vec::new();
    for offset in 0..4 {
        let page = partner.get(&format!("/v1/admin/usage?limit=1&offset={offset}")).await;
        let pagination = json!({"limit": 1, "offset": offset, "total": 4});
        assert_eq!(page.json()["pagination"], pagination);
        pages.push(page.data()[0].clone());
    }
    assert_eq!(json!(pages), all);
}

#[tokio::test]
async fn revoked_credentials_are_included() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = partner.credential("A").await["credential"].clone();
    used(&world, &credential, "2026-01-20T10:00:00Z", 2, 0).await;
    partner.delete(&format!("/v1/admin/credentials/{}", text(&credential["id"]))).await.data();
    assert_eq!(rows(&partner.get("/v1/admin/usage").await.data()), [("A", 2)]);
}

#[tokio::test]
async fn usage_can_be_asked_of_one_user() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (one, two) = (partner.user("One").await, partner.user("Two").await);
    for (user, name, total) in [(&one, "one's first", 3), (&one, "one's second", 2), (&two, "two's", 7)] {
        let issued = partner.credential_of(user, name).await;
        used(&world, &issued["credential"], "2026-01-20T10:00:00Z", total, 0).await;
    }
    let unlinked = partner.credential("nobody's").await;
    used(&world, &unlinked["credential"], "2026-01-20T10:00:00Z", 9, 0).await;
    for (user, expected) in
        [(&one, vec![("one's first", 3), ("one's second", 2)]), (&two, vec![("two's", 7)])]
    {
        let answer =
            partner.get(&format!("/v1/admin/usage?user_account_id={}", text(&user["id"]))).await.json();
        assert_eq!(rows(&answer["data"]), expected);
        assert_eq!(answer["pagination"]["total"], expected.len());
    }
    let unknown = partner.get(&format!("/v1/admin/usage?user_account_id={NOTHING}")).await;
    unknown.refused(404, "User account not found");
}

#[tokio::test]
async fn every_verification_of_a_known_credential_is_one_request() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "A", "network_id": 0, "rate_limit_per_minute": 2});
    let issued = partner.post("/v1/admin/credentials", &new).await.data();
    let verify = async |body: Value| {
        text(&world.bootstrap().post("/v1/keys/verify", &body).await.json()["code"]).to_owned()
    };
    let key = &issued["api_key"];
    assert_eq!(verify(json!({"key": key})).await, "VALID");
    assert_eq!(verify(json!({"key": key, "cost": 0})).await, "VALID");
    assert_eq!(verify(json!({"key": key})).await, "VALID");
    assert_eq!(verify(json!({"key": key, "network_id": 1})).await, "WRONG_NETWORK");
    assert_eq!(verify(json!({"key": key})).await, "RATE_LIMITED");
    assert_eq!(verify(json!({"key": "rubbish"})).await, "MALFORMED");
    assert_eq!(verify(json!({"key": super::keys::invented("iiak_")})).await, "NOT_FOUND");
    partner.delete(&format!("/v1/admin/credentials/{}", text(&issued["credential"]["id"]))).await.data();
    assert_eq!(verify(json!({"key": key})).await, "REVOKED");
    let row = partner.get("/v1/admin/usage").await.data()[0].clone();
    assert_eq!(
        (&row["total_requests"], &row["successful_requests"], &row["failed_requests"]),
        (&json!(6), &json!(3), &json!(3)),
        "three passed, three were denied, two were nobody's"
    );
}

#[tokio::test]
async fn requests_count_in_the_minute_they_are_made() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("A").await;
    code_of(&world, &issued["api_key"]).await;
    world.advance(TimeDelta::minutes(10));
    code_of(&world, &issued["api_key"]).await;
    for (query, total) in [
        ("start_date=2026-01-26T12:00:00Z&end_date=2026-01-26T12:00:59Z", 1),
        ("start_date=2026-01-26T12:10:00Z", 1),
        ("start_date=2026-01-26T12:00:00Z&end_date=2026-01-26T12:10:00Z", 2),
    ] {
        let list = partner.get(&format!("/v1/admin/usage?{query}")).await.data();
        assert_eq!(rows(&list), [("A", total)], "{query}");
    }
    let between = "/v1/admin/usage?start_date=2026-01-26T12:01:00Z&end_date=2026-01-26T12:09:59Z";
    assert_eq!(partner.get(between).await.data(), json!([]));
}

#[tokio::test]
async fn the_bootstrap_key_sees_everybodys_usage() {
    let world = World::new().await;
    let (partner, stranger) = (world.partner().await, world.stranger().await);
    for (key, name, total) in [(&partner, "partner's", 3), (&stranger, "stranger's", 5)] {
        let credential = key.credential(name).await["credential"].clone();
        used(&world, &credential, "2026-01-20T10:00:00Z", total, 0).await;
        let path = format!("/v1/admin/usage/{}", text(&credential["id"]));
        assert_eq!(world.bootstrap().get(&path).await.data(), key.get(&path).await.data());
    }
    let all = world.bootstrap().get("/v1/admin/usage").await.data();
    assert_eq!(rows(&all), [("stranger's", 5), ("partner's", 3)]);
}
