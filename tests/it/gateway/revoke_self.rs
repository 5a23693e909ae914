//! Whoever holds a key may end it.

use claviger_app::bootstrap;
use claviger_domain::credential::{Class, Revocation};
use claviger_domain::secret::KeyFormat;
use serde_json::{Value, json};

use super::code;
use super::stage::{self, never_issued};
use crate::openapi::operations::{Operation, of};
use crate::support::{Answer, World};

const PATH: &str = "/v1/keys/revoke-self";

fn revoke_own_key() -> Operation {
    of("gateway").into_iter().find(|operation| operation.id() == "revoke_own_key").unwrap()
}

async fn send(world: &World, key: &str) -> Answer {
    let answer = world.nobody().post(PATH, &json!({"key": key})).await;
    revoke_own_key().admits(&answer);
    answer
}

async fn end(world: &World, key: &str) {
    let answer = send(world, key).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
}

#[tokio::test]
async fn a_credential_is_ended_for_good_and_at_once() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let now = world.app.now();
    for class in [Class::Live, Class::Test, Class::Scim, Class::Partner] {
        let subject = stage::credential(&world, organization, class, |_| {}).await;
        let disabled = stage::credential(&world, organization, class, |it| it.disabled_at = Some(now)).await;
        let expired = stage::credential(&world, organization, class, |it| it.expires_at = Some(now)).await;
        assert_eq!(code(&world, &subject.key, json!({})).await, "VALID");
        for subject in [subject, disabled, expired] {
            end(&world, &subject.key).await;
            assert_eq!(code(&world, &subject.key, json!({})).await, "REVOKED", "{class:?}");
            assert_eq!(world.bearer(&subject.key).get("/v1/forward-auth").await.status, 401);
            let revoked = subject.stored().await.revoked.unwrap();
            let reason = revoked.reason.unwrap().to_string();
            assert_eq!((revoked.at, reason.as_str()), (now, "revoked by its holder"));
        }
    }
}

/// Whether there was such a key, and in which state it was, is nobody's business.
#[tokio::test]
async fn every_key_is_answered_alike() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let suspended = partner.credential_of(&user, "Production").await;
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", user["id"].as_str().unwrap())).await.data();
    let now = world.app.now();
    let organization = stage::organization_of(&world, &partner).await;
    let ended = stage::credential(&world, organization, Class::Live, |it| {
        it.revoked = Some(Revocation { at: now, reason: None });
    });
    let ended = ended.await;
    let good = partner.credential("Good").await["api_key"].as_str().unwrap().to_owned();
    let mut keys = vec![good, ended.key.clone(), suspended["api_key"].as_str().unwrap().to_owned()];
    keys.extend(KeyFormat::ALL.map(never_issued));
    keys.extend(["", " ", "rubbish", "iiak_", "\0"].map(str::to_owned));
    keys.push("x".repeat(60_000));
    let told = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id");
        (answer.status, answer.text.clone(), headers)
    };
    let first = send(&world, &keys[0]).await;
    assert_eq!((first.status, first.json()), (200, json!({})));
    for key in &keys {
        assert_eq!(told(&send(&world, key).await), told(&first), "{key}");
    }
    assert_eq!(code(&world, &keys[2], json!({})).await, "REVOKED", "of a suspended account too");
    assert_eq!(ended.stored().await.revoked, Some(Revocation { at: now, reason: None }), "as it was");
}

#[tokio::test]
async fn with_one_key_in_force_all_keys_of_its_credential_end() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    let rotated = partner.post(&format!("{path}/rotate"), &json!({})).await.data();
    let [old, new] = [&issued, &rotated].map(|data| data["api_key"].as_str().unwrap());
    end(&world, old).await;
    assert_eq!(code(&world, new, json!({})).await, "REVOKED");
    assert_eq!(partner.get(&path).await.data()["revoked"], true);
    // Whoever has a key that a rotation has ended, as its thief may, has nothing to end any more.
    let issued = partner.credential("Production").await;
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    let rotated = partner.post(&format!("{path}/rotate"), &json!({"overlap_seconds": 0})).await.data();
    let [old, new] = [&issued, &rotated].map(|data| data["api_key"].as_str().unwrap());
    assert_eq!(code(&world, old, json!({})).await, "EXPIRED");
    end(&world, old).await;
    assert_eq!(code(&world, new, json!({})).await, "VALID");
}

#[tokio::test]
async fn an_admin_key_ends_and_what_it_made_goes_on() {
    let world = World::new().await;
    let [partner, other] = [world.partner().await, world.partner().await];
    let key = partner.credential("Production").await["api_key"].as_str().unwrap().to_owned();
    let expiring = json!({
        "entity_name": "YourCompany", "permissions": ["view_usage"], "expires_at": "2026-01-26T12:00:01Z"
    });
    let expired = world.bootstrap().post("/v1/admin/admin-keys", &expiring).await.data();
    world.advance(chrono::TimeDelta::seconds(2));
    for admin in [partner.key.as_ref().unwrap(), expired["api_key"].as_str().unwrap()] {
        end(&world, admin).await;
        world.bearer(admin).get("/v1/admin/me").await.refused(403, "Invalid admin API key");
    }
    assert_eq!(other.get("/v1/admin/me").await.status, 200);
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
    for id in [partner.id.as_str(), expired["admin_key"]["id"].as_str().unwrap()] {
        let seen = world.bootstrap().get(&format!("/v1/admin/admin-keys/{id}")).await.data();
        assert_eq!(seen["revoked"], true);
    }
}

/// It is replaced, not ended: otherwise nobody could get in any more.
#[tokio::test]
async fn the_bootstrap_key_stays() {
    let world = World::new().await;
    end(&world, world.bootstrap().key.as_ref().unwrap()).await;
    assert_eq!(world.bootstrap().get("/v1/admin/me").await.status, 200);
    assert_eq!(code(&world, "rubbish", json!({})).await, "MALFORMED");
    let new = bootstrap::rotate(&world.app, "a test").await.unwrap().key;
    assert_eq!(world.bearer(new.expose()).get("/v1/admin/me").await.status, 200);
}

#[tokio::test]
async fn the_end_is_told_once_in_the_audit_log() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    for _ in 0..3 {
        end(&world, issued["api_key"].as_str().unwrap()).await;
    }
    world.flush().await;
    // An admin key sees what it did itself, and this it did not.
    let told = partner.get("/v1/admin/audit-logs?action=credential.revoked").await;
    assert_eq!(told.json()["pagination"]["total"], 0);
    let told = world.bootstrap().get("/v1/admin/audit-logs?action=credential.revoked").await;
    assert_eq!(told.json()["pagination"]["total"], 1);
    let entry: Value = told.data()[0].clone();
    assert_eq!(entry["target_id"], issued["credential"]["id"], "{entry}");
    let last = partner.key.clone().unwrap();
    for _ in 0..3 {
        end(&world, &last).await;
    }
    let told = world.bootstrap().get("/v1/admin/audit-logs?action=admin_key.revoked").await;
    assert_eq!(told.json()["pagination"]["total"], 1);
    assert_eq!(told.data()[0]["target_id"], json!(partner.id));
}

#[tokio::test]
async fn what_could_not_be_ended_is_not_said_to_be() {
    let world = World::new().await;
    let key = world.partner().await.credential("Production").await["api_key"].as_str().unwrap().to_owned();
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
    world.app.store().clone().close().await;
    assert_eq!(send(&world, &key).await.status, 503);
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
}
