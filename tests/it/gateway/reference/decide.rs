//! The reference: one call decided from the tables, and everything it leaves written at once.

use chrono::{DateTime, Utc};
use claviger_domain::actor::Owner;
use claviger_domain::limit::{Counter, Limit};
use claviger_domain::scope::Scopes;
use claviger_domain::secret::{Peppers, PresentedKey};
use claviger_domain::usage::Tally;
use claviger_domain::verification::{Code, Demand, Subject, refuse, settle};
use claviger_store::{Left, Spent, StoreError, Tables, Tx};
use serde_json::Value;

use crate::support::World;

/// What is told of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: String,
    /// Each limit's name, figure, remainder, reset in seconds since the epoch, and whether it was exceeded.
    limits: Vec<(String, u64, u64, i64, bool)>,
    credits: Option<u64>,
}

impl Outcome {
    /// As the gateway has worded it.
    pub(super) fn told(told: &Value) -> Self {
        let limit = |limit: &Value| {
            let reset: DateTime<Utc> = limit["reset_at"].as_str().unwrap().parse().unwrap();
            let number = |field: &str| limit[field].as_u64().unwrap();
            let name = limit["name"].as_str().unwrap().to_owned();
            let exceeded = limit["exceeded"].as_bool().unwrap();
            (name, number("limit"), number("remaining"), reset.timestamp(), exceeded)
        };
        Self {
            code: told["code"].as_str().unwrap().to_owned(),
            limits: told["ratelimits"].as_array().unwrap().iter().map(limit).collect(),
            credits: told.get("credits").map(|credits| credits.as_u64().unwrap()),
        }
    }

    fn denied(code: Code) -> Self {
        Self { code: code.word().to_owned(), limits: Vec::new(), credits: None }
    }
}

/// Decides about a key from what the world's database says.
pub(super) async fn decide(world: &World, key: &str, demand: &Demand) -> Outcome {
    let Ok(key) = PresentedKey::recognise(key) else { return Outcome::denied(Code::Malformed) };
    let digests: Vec<_> = Peppers::new(vec![(1, [7; 32])]).unwrap().digests(key).collect();
    let now = world.app.now();
    let decided = async |tx: &Tx| -> Result<Outcome, StoreError> {
        let Some((id, secret)) = tx.secrets().find_unscoped(&digests).await? else {
            return Ok(Outcome::denied(Code::NotFound));
        };
        let credential = tx.credentials().find(Owner::Installation, id).await?.unwrap();
        let organization = tx.organizations().find_unscoped(credential.organization).await?.unwrap();
        let user_account = match credential.user_account {
            Some(user) => tx.user_accounts().find(Owner::Installation, user).await?,
            None => None,
        };
        let permissions = match &user_account {
            Some(user) => {
                let roles: Vec<_> = user.roles.iter().collect();
                user.roles.permissions(&tx.roles().find_many_unscoped(&roles).await?)
            }
            None => Scopes::default(),
        };
        let subject = Subject { credential, secret, user_account, permissions, organization };
        let refused = refuse(&subject.facts(), demand, now);

        let credential = &subject.credential;
        let owner = |limit: &Limit| limit.pool.owner(id, credential.user_account, credential.organization);
        let owners: Vec<_> = credential.limits.iter().map(owner).collect();
        let held = tx.counters().of_owners(&owners).await?;
        let counter = |limit: &Limit| {
            let is_its = |spent: &&Spent| {
                (spent.owner, &*spent.name, spent.window_seconds)
                    == (owner(limit), &*limit.name, limit.window_seconds)
            };
            held.iter().find(is_its).map_or_else(Counter::default, |spent| spent.counter)
        };
        let mut counters: Vec<_> = credential.limits.iter().map(counter).collect();
        let mut credits = credential.credits;
        let settled = settle(refused, &credential.limits, &mut counters, &mut credits, demand.cost, now);

        let is_valid = settled.code == Code::Valid;
        if settled.is_spent {
            let spent = credential.limits.iter().zip(&counters).map(|(limit, counter)| Spent {
                owner: owner(limit),
                name: limit.name.clone(),
                window_seconds: limit.window_seconds,
                counter: *counter,
            });
            tx.counters().put(&spent.collect::<Vec<_>>()).await?;
        }
        let left = Left {
            credential: id,
            used_at: is_valid.then_some(now),
            credits: credits.filter(|_| settled.is_spent),
        };
        tx.credentials().leave_unscoped(&[left]).await?;
        tx.usage().add(&[(id, now, Tally::decided(is_valid, demand.cost))]).await?;

        let limits = credential.limits.iter().zip(&settled.standings).map(|(limit, standing)| {
            let (figure, remaining) = (limit.limit.into(), standing.remaining.into());
            (limit.name.clone(), figure, remaining, standing.reset_at_seconds(), standing.exceeded)
        });
        Ok(Outcome {
            code: settled.code.word().to_owned(),
            limits: limits.collect(),
            credits: credits.map(|credits| credits.remaining),
        })
    };
    world.app.store().transaction(decided).await.unwrap()
}
