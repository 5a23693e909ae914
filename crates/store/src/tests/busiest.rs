//! The busiest credentials and the outcomes of calls, compared with a list of calls that is counted by hand.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::credential::Credential;
use claviger_domain::ids::{CredentialId, OrganizationId};
use claviger_domain::period::{Cells, Span};
use claviger_domain::usage::{Outcome, Tally};
use claviger_domain::verification::Code;
use proptest::prelude::*;

use super::fixtures::{Dice, at, credential, organization, owner, partner, write};
use crate::{CredentialUsage, Store, Tables};

on_each_database!(
    differences_agree_with_the_calls,
    what_is_left_agrees_when_old_buckets_are_gone,
    outcomes_agree_with_the_calls
);

/// From before the turn of a year to after a leap day: 2027-12-25 to 2028-03-04.
const FROM: i64 = 62_640_000 - 7 * 86_400;
const DAYS: u64 = 71;

struct Ledger {
    keys: [AdminKey; 2],
    credentials: Vec<Credential>,
    calls: Vec<(CredentialId, Timestamp, Tally)>,
}

impl Ledger {
    async fn open(store: &Store) -> Self {
        let keys = [partner(store, 1).await, partner(store, 2).await];
        let credentials: Vec<_> = (1..=7).map(|n| credential(n, &keys[usize::from(n > 5)])).collect();
        write(store, async |tx| {
            for credential in &credentials {
                tx.credentials().insert(credential).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
        Self { keys, credentials, calls: Vec::new() }
    }

    /// Calls and reports in any order of time, in batches.
    async fn fill(&mut self, store: &Store, dice: &mut Dice) {
        for _ in 0..8 {
            let batch: Vec<_> = (0..dice.below(60))
                .map(|_| {
                    let tally = match dice.below(3) {
                        0 => Tally::reported(500, dice.below(90), dice.below(9)),
                        _ => {
                            let total = 1 + dice.below(20);
                            Tally { total, failed: dice.below(total), ..Tally::decided(true, 3) }
                        }
                    };
                    (dice.one_of(&self.credentials).id, moment(dice), tally)
                })
                .collect();
            write(store, async |tx| tx.usage().add(&batch).await).await.unwrap();
            self.calls.extend(batch);
        }
    }

    fn busiest(&self, owner: Owner, cells: Cells, most: usize) -> Vec<CredentialUsage> {
        let mut sums = BTreeMap::<CredentialId, Tally>::new();
        for (id, _, tally) in self.calls.iter().filter(|(_, at, _)| is_within(*at, cells)) {
            let credential = self.credentials.iter().find(|credential| credential.id == *id).unwrap();
            if belongs(credential, owner) {
                *sums.entry(*id).or_default() += *tally;
            }
        }
        let mut busiest: Vec<_> = sums
            .into_iter()
            .filter(|(_, tally)| tally.total > 0)
            .map(|(credential, tally)| CredentialUsage { credential, tally })
            .collect();
        busiest.sort_by_key(|used| (std::cmp::Reverse(used.tally.total), used.credential));
        busiest.truncate(most);
        busiest
    }

    async fn compare(&self, store: &Store, cells: Cells) {
        let tenant = Owner::Organization(self.keys[1].organization);
        for whose in [Owner::Installation, tenant, owner(&self.keys[0])] {
            for most in [2, 100] {
                let told = store.usage().busiest(whose, cells, most as u64).await.unwrap();
                assert_eq!(told, self.busiest(whose, cells, most), "{whose:?} {cells:?}");
            }
        }
    }
}

fn belongs(credential: &Credential, owner: Owner) -> bool {
    match owner {
        Owner::Installation => true,
        Owner::Organization(id) => credential.organization == id,
        Owner::AdminKey(id) => credential.admin_key == Some(id),
    }
}

fn is_within(moment: Timestamp, cells: Cells) -> bool {
    (cells.from..cells.until).contains(&moment.timestamp())
}

/// A moment of those days; often at the edge of a bucket.
fn moment(dice: &mut Dice) -> Timestamp {
    let span = *dice.one_of(&[1_u64, 60, 3_600, 86_400]);
    let second = (dice.below(DAYS * 86_400) / span * span).cast_signed() - dice.below(2).cast_signed();
    at(FROM + second) + TimeDelta::microseconds(dice.below(1_000_000).cast_signed())
}

/// Some hours or days of those, and a few around them.
fn some_cells(dice: &mut Dice) -> Cells {
    let span = *dice.one_of(&[Span::Hour, Span::Day]);
    let edge = |dice: &mut Dice| {
        let second = dice.below((DAYS + 4) * 86_400).cast_signed() - 2 * 86_400;
        span.floor(at(FROM + second).timestamp())
    };
    let (one, other) = (edge(dice), edge(dice));
    Cells { span, from: one.min(other), until: one.max(other) + span.seconds() }
}

async fn differences_agree_with_the_calls(store: Store) {
    let mut dice = Dice(11);
    let mut ledger = Ledger::open(&store).await;
    for _ in 0..3 {
        ledger.fill(&store, &mut dice).await;
        for _ in 0..15 {
            ledger.compare(&store, some_cells(&mut dice)).await;
        }
    }
    assert!(ledger.calls.len() > 300, "{}", ledger.calls.len());
    let none = store.usage().busiest(Owner::Installation, some_cells(&mut dice), 0).await.unwrap();
    assert_eq!(none, []);
}

async fn what_is_left_agrees_when_old_buckets_are_gone(store: Store) {
    let mut dice = Dice(12);
    let mut ledger = Ledger::open(&store).await;
    ledger.fill(&store, &mut dice).await;
    let kept = at(FROM + 30 * 86_400).timestamp();
    for span in [Span::Hour, Span::Day] {
        let delete = async || {
            write(&store, async |tx| tx.usage().delete_older(Owner::Installation, span, kept, 20).await)
                .await
                .unwrap()
        };
        assert_eq!(delete().await, 20, "in parts");
        while delete().await > 0 {}
    }
    ledger.calls.retain(|(_, at, _)| at.timestamp() >= kept);
    for round in 0..40 {
        if round == 20 {
            // More calls, later than what was deleted and in any order.
            let calls: Vec<_> = (0..60)
                .map(|_| (dice.one_of(&ledger.credentials).id, moment(&mut dice), Tally::decided(true, 2)))
                .filter(|(_, at, _)| at.timestamp() >= kept)
                .collect();
            write(&store, async |tx| tx.usage().add(&calls).await).await.unwrap();
            ledger.calls.extend(calls);
        }
        ledger.compare(&store, some_cells(&mut dice)).await;
    }
}

async fn outcomes_agree_with_the_calls(store: Store) {
    let mut dice = Dice(13);
    let tenants: Vec<OrganizationId> = (1..=3).map(|n| organization(n).id).collect();
    let mut calls = Vec::new();
    for _ in 0..5 {
        let batch: Vec<_> = (0..dice.below(150))
            .map(|_| {
                let outcome = match dice.below(4) {
                    0 => Outcome::Reported,
                    _ => Outcome::Decided(*dice.one_of(&Code::ALL)),
                };
                let tally = match outcome {
                    Outcome::Decided(code) => Tally::decided(code == Code::Valid, 2),
                    Outcome::Reported => Tally::reported(404, dice.below(50), 1),
                };
                (*dice.one_of(&tenants), moment(&mut dice), outcome, tally)
            })
            .collect();
        write(&store, async |tx| tx.usage_outcomes().add(&batch).await).await.unwrap();
        calls.extend(batch);
    }
    let compare = async |calls: &[(OrganizationId, Timestamp, Outcome, Tally)], cells: Cells| {
        let whose = tenants.iter().map(|id| Owner::Organization(*id)).chain([Owner::Installation]);
        for whose in whose {
            let (mut series, mut outcomes) = (BTreeMap::<_, Tally>::new(), BTreeMap::<_, Tally>::new());
            for (tenant, at, outcome, tally) in calls {
                let is_theirs = whose == Owner::Installation || whose == Owner::Organization(*tenant);
                if is_theirs && is_within(*at, cells) {
                    *series.entry(cells.span.floor(at.timestamp())).or_default() += *tally;
                    *outcomes.entry(*outcome).or_default() += *tally;
                }
            }
            let told = store.usage_outcomes().series(whose, cells).await.unwrap();
            assert_eq!(told, series.into_iter().collect::<Vec<_>>(), "{whose:?} {cells:?}");
            let told = store.usage_outcomes().by_outcome(whose, cells).await.unwrap();
            assert_eq!(told, outcomes.into_iter().collect::<Vec<_>>(), "{whose:?} {cells:?}");
        }
    };
    for _ in 0..20 {
        compare(&calls, some_cells(&mut dice)).await;
    }
    let key = partner(&store, 9).await;
    assert_eq!(store.usage_outcomes().series(owner(&key), some_cells(&mut dice)).await.unwrap(), []);
    let kept = at(FROM + 30 * 86_400).timestamp();
    for span in [Span::Hour, Span::Day] {
        let deleted = write(&store, async |tx| {
            tx.usage_outcomes().delete_older(Owner::Installation, span, kept, u64::MAX).await
        });
        assert!(deleted.await.unwrap() > 0);
    }
    calls.retain(|(_, at, _, _)| at.timestamp() >= kept);
    for _ in 0..20 {
        compare(&calls, some_cells(&mut dice)).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever comes when: few credentials and few hours, so that buckets are met again and late.
    #[test]
    fn no_order_of_calls_changes_the_differences(
        batches in proptest::collection::vec(
            proptest::collection::vec((1_u64..=3, 0_i64..60, 0_u64..4), 0..12),
            1..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = super::databases::memory().await;
            let mut ledger = Ledger::open(&store).await;
            for batch in batches {
                let calls: Vec<_> = batch
                    .into_iter()
                    .map(|(n, hour, total)| {
                        let tally = Tally { total, ..Tally::default() };
                        (ledger.credentials[n as usize].id, at(FROM + hour * 3_600), tally)
                    })
                    .collect();
                write(&store, async |tx| tx.usage().add(&calls).await).await.unwrap();
                ledger.calls.extend(calls);
                for (span, from, until) in [(Span::Hour, 7, 31), (Span::Hour, 0, 60), (Span::Day, 24, 72)] {
                    let edge = |hour: i64| span.floor(at(FROM + hour * 3_600).timestamp());
                    ledger.compare(&store, Cells { span, from: edge(from), until: edge(until) }).await;
                }
            }
            store.close().await;
        });
    }
}
