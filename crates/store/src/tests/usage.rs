//! Usage, compared with a list of calls that is counted by hand.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, TimeDelta};
use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::Owner;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::credential::Credential;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::period::{Kept, Period, Span};
use claviger_domain::text::Name;
use claviger_domain::usage::Tally;

use super::fixtures::{Dice, account, at, credential, owner, partner, window, write};
use crate::{Store, Tables, UsageOf};

on_each_database!(
    figures_agree_with_the_calls,
    counts_are_added_to_what_is_there,
    old_figures_are_complete_without_their_minutes_and_hours,
    the_oldest_buckets_are_deleted_first,
    nothing_is_counted_of_nothing
);

const DAYS: u64 = 12;

struct Ledger {
    keys: [AdminKey; 2],
    accounts: Vec<UserAccount>,
    credentials: Vec<Credential>,
    calls: Vec<(CredentialId, Timestamp, Tally)>,
}

impl Ledger {
    /// The calls of a period, to the minute.
    fn within(&self, period: Period) -> impl Iterator<Item = &(CredentialId, Timestamp, Tally)> {
        let minute = |at: Timestamp| at.timestamp().div_euclid(60);
        let (first, last) = (minute(period.start()), minute(period.end()));
        self.calls.iter().filter(move |(_, at, _)| (first..=last).contains(&minute(*at)))
    }

    fn holder(&self, id: CredentialId) -> &Credential {
        self.credentials.iter().find(|credential| credential.id == id).unwrap()
    }

    fn sum(&self, period: Period, counts: impl Fn(&Credential) -> bool) -> Tally {
        let mut sum = Tally::default();
        for (id, _, tally) in self.within(period) {
            if counts(self.holder(*id)) {
                sum += *tally;
            }
        }
        sum
    }
}

fn belongs(credential: &Credential, owner: Owner) -> bool {
    match owner {
        Owner::Installation => true,
        Owner::Organization(id) => credential.organization == id,
        Owner::AdminKey(id) => credential.admin_key == Some(id),
    }
}

/// A moment of the twelve days; often at the edge of a bucket.
fn moment(dice: &mut Dice) -> Timestamp {
    let span = *dice.one_of(&[1_u64, 60, 3_600, 86_400]);
    let second = (dice.below(DAYS * 86_400) / span * span).cast_signed() - dice.below(2).cast_signed();
    at(second) + TimeDelta::microseconds(dice.below(1_000_000).cast_signed())
}

async fn fill(store: &Store, dice: &mut Dice) -> Ledger {
    let keys = [partner(store, 1).await, partner(store, 2).await];
    let mut accounts = Vec::new();
    let mut credentials = Vec::new();
    for n in 1..=6 {
        let key = &keys[usize::from(n > 4)];
        // Accounts of one name, in an order that is not the ids'.
        let name = Name::new(["delta", "Alpha", "alpha", "alpha", "beta", "alpha"][n as usize - 1]).unwrap();
        accounts.push(UserAccount { name, ..account(n, key) });
        for second in 0..n % 3 {
            let holder = accounts.last().unwrap();
            let user_account = Some(holder.id);
            credentials.push(Credential { user_account, ..credential(n * 10 + second, key) });
        }
    }
    credentials.push(credential(100, &keys[0]));
    // The organization itself made one for a partner's account: the partner does not see it.
    let user_account = Some(accounts[1].id);
    credentials.push(Credential { user_account, admin_key: None, ..credential(101, &keys[0]) });
    write(store, async |tx| {
        for account in &accounts {
            tx.user_accounts().insert(account).await?;
        }
        for credential in &credentials {
            tx.credentials().insert(credential).await?;
        }
        Ok(())
    })
    .await
    .unwrap();
    let mut calls = Vec::new();
    for _ in 0..6 {
        let batch: Vec<_> = (0..dice.below(120))
            .map(|_| {
                let total = 1 + dice.below(4);
                let (failed, timed) = (dice.below(total + 1), dice.below(total + 1));
                let (duration_ms, units) = (timed * dice.below(90), dice.below(50));
                let tally = Tally { total, failed, duration_ms, timed, units };
                (dice.one_of(&credentials).id, moment(dice), tally)
            })
            .collect();
        write(store, async |tx| tx.usage().add(&batch).await).await.unwrap();
        calls.extend(batch);
    }
    Ledger { keys, accounts, credentials, calls }
}

async fn figures_agree_with_the_calls(store: Store) {
    let mut dice = Dice(7);
    let ledger = fill(&store, &mut dice).await;
    assert!(ledger.calls.len() > 200);
    let whole = Period::new(at(-86_400), at(DAYS.cast_signed() * 86_400)).unwrap();
    let mut periods = vec![whole];
    for _ in 0..25 {
        let (one, other) = (moment(&mut dice), moment(&mut dice));
        periods.push(Period::new(one.min(other), one.max(other)).unwrap());
    }
    for period in periods {
        for credential in &ledger.credentials {
            compare_credential(&store, &ledger, credential.id, period).await;
        }
        let owners =
            [owner(&ledger.keys[0]), Owner::Organization(ledger.keys[1].organization), Owner::Installation];
        for owner in owners {
            compare_by_credential(&store, &ledger, owner, None, period).await;
            compare_by_credential(&store, &ledger, owner, Some(ledger.accounts[1].id), period).await;
            compare_by_user(&store, &ledger, owner, period).await;
        }
    }
}

async fn compare_credential(store: &Store, ledger: &Ledger, id: CredentialId, period: Period) {
    let sum = store.usage().of_credential(id, period).await.unwrap();
    assert_eq!(sum, ledger.sum(period, |credential| credential.id == id), "{period:?}");
    let mut days = BTreeMap::<NaiveDate, Tally>::new();
    for (_, at, tally) in ledger.within(period).filter(|(caller, _, _)| *caller == id) {
        *days.entry(at.date_naive()).or_default() += *tally;
    }
    let daily = store.usage().daily_of(id, period).await.unwrap();
    assert_eq!(daily, days.into_iter().collect::<Vec<_>>(), "{period:?}");
}

async fn compare_by_credential(
    store: &Store,
    ledger: &Ledger,
    owner: Owner,
    user_account: Option<UserAccountId>,
    period: Period,
) {
    let called: BTreeSet<_> = ledger.within(period).map(|(id, _, _)| *id).collect();
    let mut expected: Vec<_> = called
        .into_iter()
        .filter(|id| belongs(ledger.holder(*id), owner))
        .filter(|id| user_account.is_none() || ledger.holder(*id).user_account == user_account)
        .map(|id| (id, ledger.sum(period, |credential| credential.id == id)))
        .collect();
    expected.sort_by_key(|(id, tally)| (std::cmp::Reverse(tally.total), *id));
    for (limit, offset) in [(100, 0), (2, 1)] {
        let of = UsageOf { user_account };
        let list = store.usage().by_credential(owner, of, period, window(limit, offset)).await.unwrap();
        let shown: Vec<_> = list.items.iter().map(|row| (row.credential, row.tally)).collect();
        assert_eq!(list.total, expected.len() as u64, "{period:?}");
        assert_eq!(shown, cut(&expected, limit, offset), "{period:?}");
    }
}

async fn compare_by_user(store: &Store, ledger: &Ledger, owner: Owner, period: Period) {
    let owned = |account: &&UserAccount| match owner {
        Owner::Installation => true,
        Owner::Organization(id) => account.organization == id,
        Owner::AdminKey(id) => account.admin_key == Some(id),
    };
    let mut expected: Vec<_> = ledger
        .accounts
        .iter()
        .filter(owned)
        .map(|account| {
            let holds = |credential: &Credential| {
                credential.user_account == Some(account.id) && belongs(credential, owner)
            };
            let credentials = ledger.credentials.iter().filter(|credential| holds(credential)).count() as u64;
            (account, ledger.sum(period, holds), credentials)
        })
        .collect();
    expected.sort_by_key(|(account, tally, _)| {
        (std::cmp::Reverse(tally.total), account.name.as_str().to_owned(), account.id)
    });
    for (account, tally, credentials) in &expected {
        let used = store.usage().of_user(owner, account.id, period).await.unwrap();
        assert_eq!((used.user_account, used.tally, used.credentials), (account.id, *tally, *credentials));
    }
    let expected: Vec<_> = expected.into_iter().map(|(account, tally, n)| (account.id, tally, n)).collect();
    for (limit, offset) in [(100, 0), (2, 1)] {
        let list = store.usage().by_user(owner, period, window(limit, offset)).await.unwrap();
        let shown: Vec<_> =
            list.items.iter().map(|row| (row.user_account, row.tally, row.credentials)).collect();
        assert_eq!(list.total, expected.len() as u64);
        assert_eq!(shown, cut(&expected, limit, offset), "{period:?}");
    }
}

fn cut<T: Clone>(rows: &[T], limit: u64, offset: u64) -> Vec<T> {
    let (limit, offset) = (usize::try_from(limit).unwrap(), usize::try_from(offset).unwrap());
    rows.iter().skip(offset).take(limit).cloned().collect()
}

async fn counts_are_added_to_what_is_there(store: Store) {
    let maker = partner(&store, 1).await;
    write(&store, async |tx| tx.credentials().insert(&credential(1, &maker)).await).await.unwrap();
    let id = credential(1, &maker).id;
    // More buckets than one statement takes, and each of them again.
    let calls: Vec<_> = (0..2_000)
        .map(|n| (id, at(n * 60), Tally { total: 2, failed: 1, duration_ms: 10, timed: 1, units: 3 }))
        .collect();
    for _ in 0..2 {
        write(&store, async |tx| tx.usage().add(&calls).await).await.unwrap();
    }
    let sum = store.usage().of_credential(id, Period::new(at(0), at(2_000 * 60 - 1)).unwrap()).await.unwrap();
    assert_eq!(sum, Tally { total: 8_000, failed: 4_000, duration_ms: 40_000, timed: 4_000, units: 12_000 });
    let minute = store.usage().of_credential(id, Period::new(at(119), at(119)).unwrap()).await.unwrap();
    assert_eq!(minute, Tally { total: 4, failed: 2, duration_ms: 20, timed: 2, units: 6 });
}

/// The same questions after the deletion: the answers are the calls of periods widened to what is left.
async fn old_figures_are_complete_without_their_minutes_and_hours(store: Store) {
    let mut dice = Dice(9);
    let ledger = fill(&store, &mut dice).await;
    let kept = Kept {
        minutes_from: at(8 * 86_400 + 5 * 3_600 + 120).timestamp(),
        hours_from: at(4 * 86_400 + 7_200).timestamp(),
    };
    for (span, before) in [(Span::Minute, kept.minutes_from), (Span::Hour, kept.hours_from)] {
        let deleted = write(&store, async |tx| {
            tx.usage().delete_older(Owner::Installation, span, before, 10_000).await
        });
        assert!(deleted.await.unwrap() > 50);
    }
    let mut coarser = 0;
    for _ in 0..40 {
        let (one, other) = (moment(&mut dice), moment(&mut dice));
        let asked = Period::new(one.min(other), one.max(other)).unwrap();
        let known = asked.known_since(kept);
        let (from, until) = known
            .cells()
            .into_iter()
            .fold((i64::MAX, i64::MIN), |(from, until), cell| (from.min(cell.from), until.max(cell.until)));
        let instant = |seconds| Timestamp::from_timestamp(seconds, 0).unwrap();
        let widened = Period::new(instant(from), instant(until - 1)).unwrap();
        assert!(widened.start() <= asked.start() && widened.end() + TimeDelta::seconds(1) > asked.end());
        coarser += usize::from(ledger.within(widened).count() > ledger.within(asked).count());
        for credential in &ledger.credentials {
            let sum = store.usage().of_credential(credential.id, known).await.unwrap();
            assert_eq!(sum, ledger.sum(widened, |held| held.id == credential.id), "{asked:?}");
        }
        let user = &ledger.accounts[1];
        let used = store.usage().of_user(Owner::Installation, user.id, known).await.unwrap();
        assert_eq!(used.tally, ledger.sum(widened, |held| held.user_account == Some(user.id)), "{asked:?}");
        let days = store.usage().daily_of(ledger.credentials[0].id, known).await.unwrap();
        let mut sum = Tally::default();
        for (_, tally) in days {
            sum += tally;
        }
        assert_eq!(sum, ledger.sum(widened, |held| held.id == ledger.credentials[0].id), "{asked:?}");
    }
    assert!(coarser > 5, "{coarser}");
}

async fn the_oldest_buckets_are_deleted_first(store: Store) {
    let maker = partner(&store, 1).await;
    let ids = [credential(2, &maker).id, credential(1, &maker).id];
    // Ten minutes of each of two hours, of two credentials.
    let minutes = (0..10).chain(60..70);
    let calls: Vec<_> =
        minutes.flat_map(|minute| ids.map(|id| (id, at(60 * minute), Tally::decided(true, 1)))).collect();
    write(&store, async |tx| {
        tx.credentials().insert(&credential(1, &maker)).await?;
        tx.credentials().insert(&credential(2, &maker)).await?;
        tx.usage().add(&calls).await
    })
    .await
    .unwrap();
    let delete = async |span, seconds, most| {
        let before = at(seconds).timestamp();
        write(&store, async |tx| tx.usage().delete_older(Owner::Installation, span, before, most).await)
            .await
            .unwrap()
    };
    // Within one hour, only minutes are asked.
    let known = async |from: i64, to: i64| {
        let period = Period::new(at(60 * from), at(60 * to)).unwrap();
        let mut sum = store.usage().of_credential(ids[0], period).await.unwrap();
        sum += store.usage().of_credential(ids[1], period).await.unwrap();
        sum.total
    };
    assert_eq!(delete(Span::Minute, 0, u64::MAX).await, 0, "before the first one begins");
    assert_eq!(delete(Span::Minute, 7_200, 0).await, 0);
    assert_eq!(delete(Span::Minute, 7_200, 6).await, 6);
    assert_eq!((known(0, 2).await, known(3, 58).await, known(60, 118).await), (0, 14, 20));
    assert_eq!(delete(Span::Minute, 3_660, u64::MAX).await, 16);
    assert_eq!((known(0, 58).await, known(61, 118).await), (0, 18));
    // Hours and days are as they were.
    assert_eq!((known(0, 119).await, known(0, 24 * 60 - 1).await), (40, 40));
    assert_eq!(delete(Span::Hour, 3_600, 10).await, 2);
    assert_eq!((known(0, 119).await, known(0, 24 * 60 - 1).await), (20, 40));
}

async fn nothing_is_counted_of_nothing(store: Store) {
    let maker = partner(&store, 1).await;
    let (id, period) = (credential(1, &maker).id, Period::new(at(0), at(0)).unwrap());
    write(&store, async |tx| tx.usage().add(&[]).await).await.unwrap();
    assert_eq!(store.usage().of_credential(id, period).await.unwrap(), Tally::default());
    assert_eq!(store.usage().daily_of(id, period).await.unwrap(), []);
    let list = store.usage().by_credential(owner(&maker), UsageOf::default(), period, window(1, 0)).await;
    assert_eq!(list.unwrap().total, 0);
    let used = store.usage().of_user(owner(&maker), account(1, &maker).id, period).await.unwrap();
    assert_eq!((used.tally, used.credentials), (Tally::default(), 0));
    assert_eq!(store.usage().by_user(owner(&maker), period, window(1, 0)).await.unwrap().items, []);
}
