//! The engine against the database: the same random history of changes and calls happens in two worlds. In
//! one the calls go through the gateway, in the other each is decided by itself, in a transaction, from what
//! the tables say. Nobody may be able to tell the two apart.

mod decide;
mod history;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use claviger_app::drain;
use claviger_domain::actor::Owner;
use claviger_domain::credential::Credential;
use claviger_domain::ids::{CredentialId, OrganizationId, UserAccountId};
use claviger_domain::limit::Counter;
use claviger_domain::organization::OrganizationStatus;
use claviger_store::{Spent, Tables};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use serde_json::{Value, json};

use super::{stage, verify};
use crate::support::{Partner, World};
use decide::Outcome;
use history::{Ask, Draw, Key, Step};

/// One of the two worlds, and who was made in it. What has the same place is the same in both.
struct Side<'w> {
    world: &'w World,
    partner: Partner<'w>,
    organization: OrganizationId,
    users: Vec<String>,
    credentials: Vec<Made>,
}

/// A credential, and every key it ever had.
struct Made {
    id: String,
    keys: Vec<String>,
}

impl<'w> Side<'w> {
    async fn new(world: &'w World) -> Self {
        let partner = world.partner().await;
        let organization = stage::organization_of(world, &partner).await;
        Self { world, partner, organization, users: Vec::new(), credentials: Vec::new() }
    }

    /// Makes a step that is not a call; answers the status, where there is one.
    async fn step(&mut self, step: &Step) -> u16 {
        let path = |made: &Made| format!("/v1/admin/credentials/{}", made.id);
        match step {
            Step::User => {
                let user = self.partner.post("/v1/admin/users", &json!({"name": "Customer"})).await;
                if user.status == 201 {
                    self.users.push(text(&user.data()["id"]));
                }
                user.status
            }
            Step::Issue { user, limit, network } => {
                let user = user.map(|user| &self.users[user]);
                let body = json!({
                    "name": "Key", "network_id": network, "user_account_id": user,
                    "rate_limit_per_minute": limit
                });
                let issued = self.partner.post("/v1/admin/credentials", &body).await;
                if issued.status == 201 {
                    let (id, key) = (&issued.data()["credential"]["id"], &issued.data()["api_key"]);
                    self.credentials.push(Made { id: text(id), keys: vec![text(key)] });
                }
                issued.status
            }
            Step::Stage { class, user } => {
                let user = user.map(|user| self.users[user].parse::<UserAccountId>().unwrap());
                let with = |it: &mut Credential| it.user_account = user;
                let staged = stage::credential(self.world, self.organization, *class, with).await;
                self.credentials.push(Made { id: staged.id.to_string(), keys: vec![staged.key.clone()] });
                0
            }
            Step::Rotate { credential, overlap } => {
                let made = &mut self.credentials[*credential];
                let rotated = self
                    .partner
                    .post(&format!("{}/rotate", path(made)), &json!({"overlap_seconds": overlap}))
                    .await;
                if rotated.status == 200 {
                    made.keys.push(text(&rotated.data()["api_key"]));
                }
                rotated.status
            }
            Step::Rename { credential } => {
                let made = &self.credentials[*credential];
                self.partner.patch(&path(made), &json!({"name": "Renamed"})).await.status
            }
            Step::Revoke { credential } => {
                self.partner.delete(&path(&self.credentials[*credential])).await.status
            }
            Step::Status { user, word } => {
                let path = format!("/v1/admin/users/{}/{word}", self.users[*user]);
                self.partner.post_empty(&path).await.status
            }
            Step::Set { credential, setting } => {
                let made = &self.credentials[*credential];
                let now = self.world.app.now();
                stage::subject(self.world, &made.id, &made.keys[0]).change(|it| setting.apply(it, now)).await;
                0
            }
            Step::Organization { is_suspended, allowlist } => {
                stage::change_organization(self.world, self.organization, |it| {
                    it.status = match is_suspended {
                        true => OrganizationStatus::Suspended,
                        false => OrganizationStatus::Active,
                    };
                    it.settings.ip_allowlist = allowlist.parse().unwrap();
                })
                .await;
                0
            }
            Step::Wait { ms } => {
                // Calls are moved in the order of their times: those before a clock goes back, first.
                if *ms < 0 {
                    self.world.drain().await;
                }
                self.world.advance(TimeDelta::milliseconds(*ms));
                0
            }
            Step::Drain => {
                drain::drain(&self.world.app).await.unwrap();
                0
            }
        }
    }

    fn key(&self, key: &Key) -> String {
        match key {
            Key::Of { credential, number } => {
                let keys = &self.credentials[*credential].keys;
                keys[number % keys.len()].clone()
            }
            Key::Wrong(text) => text.clone(),
        }
    }

    /// What is stored of every credential and every shared counter, without what is each world's own.
    async fn stored(&self) -> Vec<String> {
        self.world.drain().await;
        let store = self.world.app.store();
        let mut told = Vec::new();
        for made in &self.credentials {
            let id: CredentialId = made.id.parse().unwrap();
            let credential = store.credentials().find(Owner::Installation, id).await.unwrap().unwrap();
            let Credential { credits, last_used_at, revoked, limits, revision, .. } = credential;
            told.push(format!("{credits:?} {last_used_at:?} {revoked:?} {limits} {revision:?}"));
            let sql = format!(
                "SELECT span_seconds, starts_at, total, failed, units, duration_ms, timed FROM usage \
                 WHERE credential_id = X'{}' ORDER BY span_seconds, starts_at",
                id.uuid().simple()
            );
            let statement = Statement::from_string(DatabaseBackend::Sqlite, sql);
            for row in store.connection().query_all_raw(statement).await.unwrap() {
                told.push(format!("{:?}", [0, 1, 2, 3, 4, 5, 6].map(|n| row.try_get_by_index::<i64>(n))));
            }
            told.extend(self.counters(id.uuid()).await);
        }
        for user in &self.users {
            told.extend(self.counters(user.parse::<UserAccountId>().unwrap().uuid()).await);
        }
        told.extend(self.counters(self.organization.uuid()).await);
        told
    }

    async fn counters(&self, owner: uuid::Uuid) -> Vec<String> {
        let spent = self.world.app.store().counters().of_owners(&[owner]).await.unwrap();
        // One that nothing was spent from says as much as none.
        let is_spent = |spent: &Spent| spent.counter != Counter::default();
        let spent = spent.into_iter().filter(is_spent);
        let mut told: Vec<_> = spent
            .map(|Spent { owner: _, name, window_seconds, counter }| {
                format!("{name} {window_seconds} {counter:?}")
            })
            .collect();
        told.sort();
        told
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn told_by_the_gateway(side: &Side<'_>, ask: &Ask) -> Outcome {
    Outcome::told(&verify(side.world, &side.key(&ask.key), ask.body()).await)
}

/// Lives through so many steps of one history; answers how often each code was told.
async fn live(seed: u64, steps: usize) -> BTreeMap<String, usize> {
    let worlds = [World::new().await, World::new().await];
    let mut engine = Side::new(&worlds[0]).await;
    let mut tables = Side::new(&worlds[1]).await;
    let mut draw = Draw::new(seed);
    let mut codes = BTreeMap::<String, usize>::new();
    let mut calls = 0;
    for n in 0..steps {
        let step = draw.step(engine.users.len(), engine.credentials.len());
        let statuses = [engine.step(&step).await, tables.step(&step).await];
        assert_eq!(statuses[0], statuses[1], "seed {seed}, step {n}: {step:?}");
        for _ in 0..draw.below(4) {
            let Some(ask) = draw.ask(engine.credentials.len()) else { break };
            let told = told_by_the_gateway(&engine, &ask).await;
            let expected = decide::decide(tables.world, &tables.key(&ask.key), &ask.demand()).await;
            assert_eq!(told, expected, "seed {seed}, step {n}, after {step:?}: {ask:?}");
            *codes.entry(told.code).or_default() += 1;
            calls += 1;
        }
    }
    assert!(calls > steps / 2);
    assert_eq!(engine.stored().await, tables.stored().await, "seed {seed}");
    codes
}

#[tokio::test]
async fn the_engine_decides_as_the_tables_would() {
    let mut codes = BTreeMap::<String, usize>::new();
    for seed in 1..=8 {
        for (code, times) in live(seed, 250).await {
            *codes.entry(code).or_default() += times;
        }
    }
    // A history in which something never happens would say nothing about it.
    for code in claviger_domain::verification::Code::ALL {
        assert!(codes.get(code.word()).is_some_and(|times| *times > 5), "{}: {codes:?}", code.word());
    }
}
