//! What verification counts, and where it is read.

use chrono::TimeDelta;
use serde_json::json;

use super::stage;
use super::{code, verify};
use crate::support::World;
use claviger_domain::secret::KeyFormat;

#[tokio::test]
async fn calls_of_known_credentials_are_counted_and_denials_are_failures() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let issued = partner.credential_of(&user, "Production").await;
    let key = issued["api_key"].as_str().unwrap();
    let id = issued["credential"]["id"].as_str().unwrap();
    assert_eq!(code(&world, key, json!({})).await, "VALID");
    assert_eq!(code(&world, key, json!({"cost": 0})).await, "VALID");
    assert_eq!(code(&world, key, json!({"cost": 3})).await, "VALID");
    assert_eq!(code(&world, key, json!({"network_id": 2})).await, "WRONG_NETWORK");
    for unknown in ["rubbish", &stage::never_issued(KeyFormat::Partner)] {
        code(&world, unknown, json!({})).await;
    }
    world.advance(TimeDelta::days(1));
    assert_eq!(code(&world, key, json!({"environment": "test"})).await, "WRONG_ENVIRONMENT");

    let figures = partner.get(&format!("/v1/admin/usage/{id}")).await.data();
    assert_eq!(figures["total_requests"], 5);
    assert_eq!((&figures["successful_requests"], &figures["failed_requests"]), (&json!(3), &json!(2)));
    assert_eq!(figures["last_used_at"], "2026-01-26T12:00:00Z", "the last call that passed");
    let days: Vec<_> =
        figures["daily"].as_array().unwrap().iter().map(|day| &day["total_requests"]).collect();
    assert_eq!(days, [4, 1]);
    let listed = partner.get("/v1/admin/usage").await.data();
    assert_eq!(listed.as_array().unwrap().len(), 1, "what is unknown is counted nowhere");
    assert_eq!((&listed[0]["credential_id"], &listed[0]["total_requests"]), (&json!(id), &json!(5)));
    let of_user = format!("/v1/admin/users/{}/usage", user["id"].as_str().unwrap());
    assert_eq!(partner.get(&of_user).await.data()["total_requests"], 5);
}

/// Usage hangs on the credential: rotating it changes nothing, and revoked ones are still asked about.
#[tokio::test]
async fn every_secret_counts_for_its_credential() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    let rotated = partner.post(&format!("{path}/rotate"), &json!({})).await.data();
    let keys = [&issued["api_key"], &rotated["api_key"]].map(|key| key.as_str().unwrap());
    for key in keys {
        assert_eq!(code(&world, key, json!({})).await, "VALID");
    }
    partner.delete(&path).await.data();
    for key in keys {
        assert_eq!(code(&world, key, json!({})).await, "REVOKED");
    }
    let listed = partner.get("/v1/admin/usage").await.data();
    let figures = [&listed[0]["total_requests"], &listed[0]["failed_requests"]];
    assert_eq!((listed.as_array().unwrap().len(), figures), (1, [&json!(4), &json!(2)]));
}

#[tokio::test]
async fn a_use_is_shown_on_the_credential() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    let key = issued["api_key"].as_str().unwrap();
    world.advance(TimeDelta::seconds(90));
    assert_eq!(code(&world, key, json!({"network_id": 1})).await, "WRONG_NETWORK");
    assert_eq!(partner.get(&path).await.data()["last_used_at"], json!(null));
    verify(&world, key, json!({})).await;
    world.drain().await;
    let seen = partner.get(&path).await;
    assert_eq!(seen.data()["last_used_at"], "2026-01-26T12:01:30Z");
    assert_eq!(seen.header("etag"), "\"1\"", "being used is no change of the credential");
}
