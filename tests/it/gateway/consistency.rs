//! Memory is compared with the database. What differs is put right and counted.

use claviger_app::memory::consistency;
use claviger_domain::credential::Class;
use claviger_domain::organization::OrganizationStatus;
use claviger_engine::Change;
use claviger_store::Tables;
use serde_json::json;

use super::{code, stage};
use crate::support::World;

async fn differences(world: &World, kind: &str) -> u64 {
    consistency::check(&world.app).await.unwrap();
    let state = world.app.consistency();
    assert!(state.since_completed.is_some());
    let found = state.differences.get(kind).copied().unwrap_or_default();
    let metrics = world.nobody().get("/metrics").await.text;
    assert!(
        metrics.contains(&format!("claviger_cache_differences_total{{kind=\"{kind}\"}} {found}")),
        "{metrics}"
    );
    assert_eq!(state.differences.values().sum::<u64>(), found, "no other kind: {state:?}");
    found
}

#[tokio::test]
async fn memory_that_agrees_has_no_differences() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    assert_eq!(code(&world, issued["api_key"].as_str().unwrap(), json!({})).await, "VALID");
    let path = format!("/v1/admin/credentials/{}/rotate", issued["credential"]["id"].as_str().unwrap());
    partner.post(&path, &json!({"overlap_seconds": 60})).await;
    consistency::check(&world.app).await.unwrap();
    let state = world.app.consistency();
    assert!(state.checked > 0 && state.differences.is_empty(), "{state:?}");
}

/// As after a change that memory took in although the database lost it: memory is ahead.
#[tokio::test]
async fn a_change_that_only_memory_has_is_undone() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let key = stage::credential(&world, organization, Class::Live, |_| {}).await;
    assert_eq!(code(&world, &key.key, json!({})).await, "VALID");
    let now = world.app.now();
    let mut disabled = key.stored().await.touched(now);
    disabled.disabled_at = Some(now);
    world.app.engine().apply(Change::Credential(disabled.into(), None));
    assert_eq!(code(&world, &key.key, json!({})).await, "DISABLED");
    assert_eq!(differences(&world, "credential").await, 1);
    assert_eq!(code(&world, &key.key, json!({})).await, "VALID");
    assert_eq!(differences(&world, "credential").await, 1, "it is found once");
}

#[tokio::test]
async fn a_suspension_that_memory_missed_is_put_in_force() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let key = stage::credential(&world, organization, Class::Live, |_| {}).await.key;
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
    // No audit entry records it, so that the change feed cannot bring it.
    let mut suspended = world.app.store().organizations().find_unscoped(organization).await.unwrap().unwrap();
    suspended.status = OrganizationStatus::Suspended;
    suspended.revision = suspended.revision.next();
    stage::write(&world, async |tx| tx.organizations().save(&suspended).await).await;
    world.follow().await;
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
    assert_eq!(differences(&world, "organization").await, 1);
    assert_eq!(code(&world, &key, json!({})).await, "ORGANIZATION_SUSPENDED");
}

#[tokio::test]
async fn a_credential_that_the_database_lost_is_dropped() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let key = stage::credential(&world, organization, Class::Live, |_| {}).await;
    let other = World::new().await;
    assert_eq!(code(&other, &key.key, json!({})).await, "NOT_FOUND");
    let ghost = key.stored().await;
    let holder = world.app.store().organizations().find_unscoped(organization).await.unwrap().unwrap();
    let secrets = world.app.store().secrets().of_many(&[ghost.id]).await.unwrap();
    let loaded = claviger_engine::Loaded {
        credential: ghost,
        secrets: secrets.into_iter().map(|(_, secret)| secret).collect(),
        user_account: None,
        roles: Vec::new(),
        organization: holder,
        spent: Vec::new(),
    };
    assert!(other.app.engine().insert(other.app.engine().mark(), loaded));
    assert_eq!(code(&other, &key.key, json!({})).await, "VALID", "memory alone has it");
    assert_eq!(differences(&other, "not_stored").await, 1);
    other.advance(chrono::TimeDelta::seconds(30));
    assert_eq!(code(&other, &key.key, json!({})).await, "NOT_FOUND");
}

/// There is no credential yet: settings are compared all the same.
#[tokio::test]
async fn settings_that_memory_missed_are_taken_in() {
    let world = World::new().await;
    let mut settings = world.app.store().settings().read_unscoped().await.unwrap();
    settings.cors_origins = vec!["https://console.example".to_owned()];
    settings.revision = settings.revision.next();
    stage::write(&world, async |tx| tx.settings().save(&settings).await).await;
    world.follow().await;
    assert!(world.app.installation().cors_origins.is_empty());
    assert_eq!(differences(&world, "settings").await, 1);
    assert_eq!(world.app.installation().cors_origins, settings.cors_origins);
}
