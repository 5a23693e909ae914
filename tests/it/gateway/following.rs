//! Changes that another process makes, on the same database, are in force here once they were followed.

use chrono::TimeDelta;
use claviger_app::bootstrap;
use claviger_domain::audit::Resource;
use claviger_domain::credential::Class;
use claviger_domain::ids::OrganizationId;
use claviger_domain::organization::OrganizationStatus;
use claviger_store::{StoreError, Tables, Tx};
use claviger_test_postgres::Database;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::stage;
use super::{code, verify};
use crate::support::{Partner, Settled, World};

/// The partner's key at another process.
async fn elsewhere(other: &World, partner: &Partner<'_>, method: &str, path: &str, body: &Value) -> Value {
    let caller = other.bearer(partner.key.as_ref().unwrap());
    let request = caller.request(method, path).header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    caller.send(request, body).await.data()
}

#[tokio::test]
async fn what_another_process_changes_is_in_force_once_followed() {
    let world = World::new().await;
    let other = world.beside().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let user = format!("/v1/admin/users/{}", user["id"].as_str().unwrap());
    let issued = partner.credential_of(&partner.get(&user).await.data(), "Production").await;
    let key = issued["api_key"].as_str().unwrap();
    let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
    for (method, path, before, after) in [
        ("POST", format!("{user}/suspend"), "VALID", "USER_SUSPENDED"),
        ("POST", format!("{user}/reactivate"), "USER_SUSPENDED", "VALID"),
        ("DELETE", path, "VALID", "REVOKED"),
    ] {
        elsewhere(&other, &partner, method, &path, &json!(null)).await;
        assert_eq!(code(&other, key, json!({})).await, after, "{method} {path}: where it was made, at once");
        assert_eq!(code(&world, key, json!({})).await, before, "{method} {path}");
        world.follow().await;
        assert_eq!(code(&world, key, json!({})).await, after, "{method} {path}");
        // To follow again changes nothing, however often it is done.
        world.follow().await;
        assert_eq!(code(&world, key, json!({})).await, after, "{method} {path}");
        world.advance(TimeDelta::seconds(3));
    }
}

#[tokio::test]
async fn changes_are_followed_whatever_the_other_clock_shows() {
    for time in ["2026-01-26T11:00:00Z", "2026-01-26T11:59:48Z", "2026-01-26T13:00:00Z"] {
        let world = World::new().await;
        let partner = world.partner().await;
        let issued = partner.credential("Production").await;
        world.follow().await;
        world.advance(TimeDelta::seconds(30));
        world.follow().await;
        let other = world.beside_at(time).await;
        let path = format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap());
        elsewhere(&other, &partner, "DELETE", &path, &json!(null)).await;
        world.follow().await;
        assert_eq!(code(&world, issued["api_key"].as_str().unwrap(), json!({})).await, "REVOKED", "{time}");
    }
}

/// On PostgreSQL several transactions write at once: one that began first may commit last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_commits_after_later_ones_is_followed() {
    let database = Database::migrated().await;
    let world = World::settled(Settled { postgres: Some(database.url()), ..Settled::default() }).await;
    let slow = stage::organization(&world, "Slow").await.id;
    let quick = stage::organization(&world, "Quick").await.id;
    let keys = [
        stage::credential(&world, slow, Class::Live, |_| {}).await.key,
        stage::credential(&world, quick, Class::Live, |_| {}).await.key,
    ];
    let codes = async || [code(&world, &keys[0], json!({})).await, code(&world, &keys[1], json!({})).await];
    assert_eq!(codes().await, ["VALID", "VALID"]);
    let (has_written, may_commit) = (Notify::new(), Notify::new());
    let commit_late = stage::write(&world, async |tx| {
        suspend(&world, tx, slow).await?;
        has_written.notify_one();
        may_commit.notified().await;
        Ok(())
    });
    let meanwhile = async {
        has_written.notified().await;
        stage::write(&world, async |tx| suspend(&world, tx, quick).await).await;
        for _ in 0..3 {
            world.follow().await;
            assert_eq!(codes().await, ["VALID", "ORGANIZATION_SUSPENDED"]);
        }
        may_commit.notify_one();
    };
    tokio::join!(commit_late, meanwhile);
    world.follow().await;
    assert_eq!(codes().await, ["ORGANIZATION_SUSPENDED", "ORGANIZATION_SUSPENDED"]);
    drop(world);
    database.remove().await;
}

async fn suspend(world: &World, tx: &Tx, id: OrganizationId) -> Result<(), StoreError> {
    let mut organization = world.app.store().organizations().find_unscoped(id).await?.unwrap();
    organization.status = OrganizationStatus::Suspended;
    organization.revision = organization.revision.next();
    tx.organizations().save(&organization).await?;
    stage::tell(world, tx, Resource::Organization, id.uuid()).await
}

#[tokio::test]
async fn a_suspended_organization_is_followed() {
    let world = World::new().await;
    let other = world.beside().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let key = stage::credential(&world, organization, Class::Live, |_| {}).await.key;
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
    for (status, before, after) in [
        (OrganizationStatus::Suspended, "VALID", "ORGANIZATION_SUSPENDED"),
        (OrganizationStatus::Active, "ORGANIZATION_SUSPENDED", "VALID"),
    ] {
        stage::change_organization(&other, organization, |it| it.status = status).await;
        assert_eq!(code(&world, &key, json!({})).await, before);
        world.follow().await;
        assert_eq!(code(&world, &key, json!({})).await, after);
    }
}

#[tokio::test]
async fn a_rotation_elsewhere_ends_the_old_key_here() {
    let world = World::new().await;
    let other = world.beside().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let old = issued["api_key"].as_str().unwrap();
    assert_eq!(code(&world, old, json!({})).await, "VALID");
    let path = format!("/v1/admin/credentials/{}/rotate", issued["credential"]["id"].as_str().unwrap());
    let rotated = elsewhere(&other, &partner, "POST", &path, &json!({"overlap_seconds": 0})).await;
    world.follow().await;
    assert_eq!(code(&world, old, json!({})).await, "EXPIRED");
    let new = rotated["api_key"].as_str().unwrap().to_owned();
    let told = verify(&world, &new, json!({})).await;
    assert_eq!((&told["code"], &told["ratelimits"][0]["remaining"]), (&json!("VALID"), &json!(58)));
    // A new key need not be followed: it is looked for when it is first shown, and then the old one is known to
    // have ended too.
    let rotated = elsewhere(&other, &partner, "POST", &path, &json!({"overlap_seconds": 0})).await;
    assert_eq!(code(&world, rotated["api_key"].as_str().unwrap(), json!({})).await, "VALID");
    assert_eq!(code(&world, &new, json!({})).await, "EXPIRED");
}

#[tokio::test]
async fn a_new_bootstrap_key_takes_the_place_of_the_old_one() {
    let world = World::new().await;
    let other = world.beside().await;
    let new = bootstrap::rotate(&other.app, "a test").await.unwrap().key;
    let ask =
        async |key: &str| world.bearer(key).post("/v1/keys/verify", &json!({"key": "rubbish"})).await.status;
    let old = world.bootstrap().key.clone().unwrap();
    assert_eq!([ask(&old).await, ask(new.expose()).await], [200, 401]);
    world.follow().await;
    assert_eq!([ask(&old).await, ask(new.expose()).await], [401, 200]);
}

/// A key that was asked about before it was made is found when it is made known.
#[tokio::test]
async fn a_key_made_elsewhere_is_found() {
    let world = World::new().await;
    let other = world.beside().await;
    let partner = world.partner().await;
    let body = json!({"name": "Elsewhere", "network_id": 0});
    let made = elsewhere(&other, &partner, "POST", "/v1/admin/credentials", &body).await;
    assert_eq!(
        code(&world, made["api_key"].as_str().unwrap(), json!({})).await,
        "VALID",
        "looked for at once"
    );
    world.follow().await;
    assert_eq!(code(&world, made["api_key"].as_str().unwrap(), json!({})).await, "VALID");
}

/// What a smaller limit leaves is less by what was spent already, here.
#[tokio::test]
async fn a_change_does_not_give_back_what_was_spent() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let limits = "requests:10/60".parse().unwrap();
    let subject = stage::credential(&world, organization, Class::Live, |it| it.limits = limits).await;
    assert_eq!(code(&world, &subject.key, json!({"cost": 6})).await, "VALID");
    subject.change(|it| it.limits = "requests:8/60".parse().unwrap()).await;
    let told = verify(&world, &subject.key, json!({"cost": 3})).await;
    assert_eq!((&told["code"], &told["ratelimits"][0]["remaining"]), (&json!("RATE_LIMITED"), &json!(2)));
    assert_eq!(code(&world, &subject.key, json!({"cost": 2})).await, "VALID");
}

#[tokio::test]
async fn how_long_others_changes_have_not_been_read_is_told() {
    let world = World::new().await;
    world.follow().await;
    world.advance(TimeDelta::milliseconds(700));
    assert_eq!(world.app.revocation_lag(), TimeDelta::milliseconds(700));
    world.follow().await;
    assert_eq!(world.app.revocation_lag(), TimeDelta::zero());
    world.app.store().clone().close().await;
    world.advance(TimeDelta::seconds(5));
    assert!(claviger_app::change_feed::follow(&world.app).await.is_err());
    assert_eq!(world.app.revocation_lag(), TimeDelta::seconds(5), "a read that failed is none");
}
