//! Rotation: a credential gets a new key, and the old ones an end.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{code_of, exactly, text};
use crate::support::{Answer, Partner, World};

const MESSAGE: &str = "API key rotated. Store the api_key securely - it will not be shown again.";

fn rotate_path(issued: &Value) -> String {
    format!("/v1/admin/credentials/{}/rotate", text(&issued["credential"]["id"]))
}

async fn rotate(partner: &Partner<'_>, issued: &Value, overlap: i64) -> Answer {
    partner.post(&rotate_path(issued), &json!({"overlap_seconds": overlap})).await
}

#[tokio::test]
async fn a_rotation_answers_the_credential_its_new_key_and_when_the_old_one_ends() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let issued = partner.credential_of(&user, "Production").await;
    world.advance(TimeDelta::days(1));
    let answer = rotate(&partner, &issued, 3600).await;
    let key = answer.json()["data"]["api_key"].clone();
    let mut credential = issued["credential"].clone();
    credential["api_key_prefix"] = json!(text(&key)[..13]);
    let data =
        json!({"credential": credential, "api_key": key, "previous_expires_at": "2026-01-27T13:00:00Z"});
    exactly(&answer, 200, &json!({"success": true, "data": data, "message": MESSAGE}));
    assert_ne!(key, issued["api_key"]);
    assert_eq!(answer.header("cache-control"), "no-store");
    let path = format!("/v1/admin/credentials/{}", text(&credential["id"]));
    assert_eq!(partner.get(&path).await.data(), credential);
}

#[tokio::test]
async fn both_keys_work_until_the_end_of_the_overlap_and_then_only_the_new_one() {
    let world = World::new().await;
    let partner = world.partner().await;
    let old = partner.credential("A").await;
    let new = rotate(&partner, &old, 3600).await.data();
    for (later, code) in [(0, "VALID"), (3599, "VALID"), (3600, "EXPIRED"), (86_400, "EXPIRED")] {
        let world_time = TimeDelta::seconds(later);
        world.advance(world_time);
        assert_eq!(code_of(&world, &old["api_key"]).await, code, "old, {later} s later");
        assert_eq!(code_of(&world, &new["api_key"]).await, "VALID", "new, {later} s later");
        world.advance(-world_time);
    }
}

#[tokio::test]
async fn without_a_body_or_a_figure_the_old_key_has_a_day() {
    let world = World::new().await;
    let partner = world.partner().await;
    for body in [None, Some("{}"), Some("{\"overlap_seconds\":null}")] {
        let issued = partner.credential("A").await;
        let path = rotate_path(&issued);
        let answer = match body {
            None => partner.post_empty(&path).await,
            Some(body) => {
                let request = partner.request("POST", &path).header("content-type", "application/json");
                partner.send(request, body).await
            }
        };
        assert_eq!(answer.data()["previous_expires_at"], "2026-01-27T12:00:00Z", "{body:?}");
    }
}

#[tokio::test]
async fn without_overlap_the_old_key_stops_at_once() {
    let world = World::new().await;
    let partner = world.partner().await;
    let old = partner.credential("A").await;
    let rotated = rotate(&partner, &old, 0).await.data();
    assert_eq!(rotated["previous_expires_at"], "2026-01-26T12:00:00Z");
    assert_eq!(code_of(&world, &old["api_key"]).await, "EXPIRED");
    assert_eq!(code_of(&world, &rotated["api_key"]).await, "VALID");
}

#[tokio::test]
async fn the_longest_overlap_is_thirty_days() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("A").await;
    let rotated = rotate(&partner, &issued, 2_592_000).await.data();
    assert_eq!(rotated["previous_expires_at"], "2026-02-25T12:00:00Z");
    for overlap in [json!(-1), json!(2_592_001), json!(i64::MIN), json!(u64::MAX), json!(1e30)] {
        let answer = partner.post(&rotate_path(&issued), &json!({"overlap_seconds": overlap})).await;
        answer.refused(400, "overlap_seconds must be between 0 and 2592000");
    }
    for overlap in [json!("60"), json!(1.5), json!(true), json!([])] {
        let answer = partner.post(&rotate_path(&issued), &json!({"overlap_seconds": overlap})).await;
        answer.refused(400, "overlap_seconds must be an integer");
    }
    for key in [&issued["api_key"], &rotated["api_key"]] {
        assert_eq!(code_of(&world, key).await, "VALID", "a refused rotation ends nothing");
    }
}

#[tokio::test]
async fn a_second_rotation_never_lets_an_older_key_live_longer() {
    let world = World::new().await;
    let partner = world.partner().await;
    let first = partner.credential("A").await;
    let second = rotate(&partner, &first, 60).await.data();
    let third = rotate(&partner, &first, 3600).await.data();
    world.advance(TimeDelta::seconds(60));
    for (issued, code) in [(&first, "EXPIRED"), (&second, "VALID"), (&third, "VALID")] {
        assert_eq!(code_of(&world, &issued["api_key"]).await, code);
    }
    let fourth = rotate(&partner, &first, 0).await.data();
    for (issued, code) in [(&first, "EXPIRED"), (&second, "EXPIRED"), (&third, "EXPIRED"), (&fourth, "VALID")]
    {
        assert_eq!(code_of(&world, &issued["api_key"]).await, code, "no overlap for any of them");
    }
}

#[tokio::test]
async fn the_limit_belongs_to_the_credential_and_not_to_its_keys() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "A", "network_id": 0, "rate_limit_per_minute": 2});
    let old = partner.post("/v1/admin/credentials", &new).await.data();
    assert_eq!(code_of(&world, &old["api_key"]).await, "VALID");
    let new = rotate(&partner, &old, 60).await.data();
    assert_eq!(code_of(&world, &new["api_key"]).await, "VALID");
    assert_eq!(code_of(&world, &new["api_key"]).await, "RATE_LIMITED");
    assert_eq!(code_of(&world, &old["api_key"]).await, "RATE_LIMITED");
}

#[tokio::test]
async fn usage_goes_on_counting_under_the_same_id() {
    let world = World::new().await;
    let partner = world.partner().await;
    let old = partner.credential("A").await;
    code_of(&world, &old["api_key"]).await;
    let new = rotate(&partner, &old, 60).await.data();
    code_of(&world, &new["api_key"]).await;
    code_of(&world, &old["api_key"]).await;
    let usage = partner.get("/v1/admin/usage").await.data();
    let expected = json!([{
        "credential_id": old["credential"]["id"], "credential_name": "A",
        "api_key_prefix": new["credential"]["api_key_prefix"], "user_account_id": null,
        "user_account_name": null, "total_requests": 3, "successful_requests": 3, "failed_requests": 0,
        "last_used_at": "2026-01-26T12:00:00Z",
    }]);
    assert_eq!(usage, expected);
}

#[tokio::test]
async fn revoking_ends_every_key_the_credential_has() {
    let world = World::new().await;
    let partner = world.partner().await;
    let old = partner.credential("A").await;
    let new = rotate(&partner, &old, 3600).await.data();
    partner.delete(&format!("/v1/admin/credentials/{}", text(&old["credential"]["id"]))).await.data();
    for key in [&old["api_key"], &new["api_key"]] {
        assert_eq!(code_of(&world, key).await, "REVOKED");
    }
}

#[tokio::test]
async fn rotating_does_not_put_off_the_credentials_own_expiry() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "A", "network_id": 0, "expires_at": "2026-01-26T13:00:00Z"});
    let old = partner.post("/v1/admin/credentials", &new).await.data();
    let new = rotate(&partner, &old, 86_400).await.data();
    assert_eq!(new["credential"]["expires_at"], "2026-01-26T13:00:00Z");
    world.advance(TimeDelta::hours(1));
    for key in [&old["api_key"], &new["api_key"]] {
        assert_eq!(code_of(&world, key).await, "EXPIRED");
    }
}
