//! Peppers rotate: new secrets use the newest, old ones keep verifying.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use claviger_app::{
    App, Call, Clock, Durability, Entropy, Facts, Ports, Retention, Settings, audit, background, bootstrap,
    peppers,
};
use claviger_domain::actor::Actor;
use claviger_domain::secret::Peppers;
use serde_json::json;

use super::code;
use crate::support::World;

/// The instant at which everything here happens.
#[derive(Debug)]
struct Still(DateTime<Utc>);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// Randomness of a restarted process.
#[derive(Debug)]
struct Reseeded(std::sync::atomic::AtomicU64);

impl Entropy for Reseeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            chunk.copy_from_slice(&blake3::hash(&count.to_le_bytes()).as_bytes()[..chunk.len()]);
        }
    }
}

/// The same database under other peppers, as after a restart.
async fn restart(world: &mut World, peppers: Vec<(u32, [u8; 32])>) {
    let clock = Arc::new(Still(world.app.now()));
    let seed = peppers.iter().map(|(version, _)| u64::from(*version) << 32).sum::<u64>();
    let ports = Ports { clock, entropy: Arc::new(Reseeded(seed.into())) };
    world.reopen(ports, Peppers::new(peppers).unwrap()).await;
}

#[tokio::test]
async fn keys_of_an_older_pepper_keep_verifying_while_it_is_there() {
    let (first, second) = ((1, [7; 32]), (2, [9; 32]));
    let mut world = World::new().await;
    let admin = world.partner().await.key.clone().unwrap();
    let make = async |world: &World, name: &str| {
        let body = json!({"name": name, "network_id": 0});
        let issued = world.bearer(&admin).post("/v1/admin/credentials", &body).await.data();
        issued["api_key"].as_str().unwrap().to_owned()
    };
    let old = make(&world, "Old").await;

    restart(&mut world, vec![first, second]).await;
    assert_eq!(code(&world, &old, json!({})).await, "VALID", "asked by the old bootstrap key too");
    let new = make(&world, "New").await;
    assert_eq!(code(&world, &new, json!({})).await, "VALID");

    // The order they are given in does not matter, nor do further ones.
    restart(&mut world, vec![(3, [11; 32]), second, first]).await;
    for key in [&old, &new] {
        assert_eq!(code(&world, key, json!({})).await, "VALID");
    }

    // Which pepper a secret is under: each is unknown without its own.
    restart(&mut world, vec![first]).await;
    assert_eq!(code(&world, &old, json!({})).await, "VALID");
    assert_eq!(code(&world, &new, json!({})).await, "NOT_FOUND", "the newest pepper signed it");
    restart(&mut world, vec![(1, [8; 32])]).await;
    let answer = world.bootstrap().post("/v1/keys/verify", &json!({"key": old})).await;
    assert_eq!(answer.status, 401, "a database without its pepper opens nothing");
    world.bearer(&admin).get("/v1/admin/me").await.refused(403, "Invalid admin API key");
}

/// A process with these peppers on the same database, so many days later.
fn later(world: &World, days: i64, versions: &[u32]) -> App {
    let keys = |version: &u32| (*version, if *version == 1 { [7; 32] } else { [9; 32] });
    let clock = Arc::new(Still(world.app.now() + TimeDelta::days(days)));
    let seed = days.unsigned_abs() << 32;
    let settings = Settings {
        peppers: Peppers::new(versions.iter().map(keys).collect()).unwrap(),
        admin_limit_per_minute: 0,
        admin_limit_of_organization: 0,
        reports_per_minute: 0,
        durability: Durability::default(),
        retention: Retention { audit: Some(30), ..Retention::default() },
    };
    let ports = Ports { clock, entropy: Arc::new(Reseeded(seed.into())) };
    App::new(world.app.store().clone(), ports, settings)
}

#[tokio::test]
async fn a_pepper_may_go_when_retention_has_removed_the_entries_made_under_it() {
    let world = World::new().await;
    peppers::check(&later(&world, 0, &[1])).await.unwrap();
    let both = later(&world, 1, &[1, 2]);
    peppers::check(&both).await.unwrap();
    bootstrap::rotate(&both, "a test").await.unwrap();
    let of_one = async |app: &App| {
        let all = peppers::status(app).await.unwrap();
        assert_eq!(
            all.iter().map(|status| (status.version, status.signs)).collect::<Vec<_>>(),
            [(2, true), (1, false)]
        );
        all.into_iter().find(|status| status.version == 1).unwrap()
    };
    let before = of_one(&both).await;
    let counts = (before.bootstrap_key, before.audit_entries, before.audit_chains, before.may_go());
    assert_eq!(counts, (false, 1, 0, false));
    assert_eq!(before.free_from(), Some(world.app.now() + TimeDelta::days(30)));
    let refused = peppers::check(&later(&world, 2, &[2])).await;
    assert!(
        matches!(&refused, Err(peppers::Unfit::Missing(1, needed)) if needed[..] == [peppers::Dependent::AuditEntries]),
        "{refused:?}"
    );

    background::forget(&later(&world, 31, &[1, 2])).await.unwrap();
    let after = of_one(&later(&world, 31, &[1, 2])).await;
    assert_eq!((after.audit_entries, after.may_go(), after.free_from()), (0, true, None));
    let alone = later(&world, 32, &[2]);
    peppers::check(&alone).await.unwrap();
    let operator = Call::new(alone, Actor::Operator, Facts::default());
    let mut walked = Vec::new();
    audit::verify(&operator, None, &[], |of_one| walked.push(*of_one)).await.unwrap();
    assert!(walked.iter().all(|walked| walked.broken.is_none()), "{walked:?}");
    assert_eq!(walked.iter().map(|walked| walked.entries).sum::<u64>(), 1);
}
