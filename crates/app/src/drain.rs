//! From the journal of decided calls into the database: counts, last uses, and what was spent. The position in
//! the journal is written in the same transaction, so that every call gets there exactly once.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::credential::{Credential, Credits};
use claviger_domain::ids::CredentialId;
use claviger_domain::limit::Limit;
use claviger_domain::period::Span;
use claviger_domain::usage::{Outcome, Tally};
use claviger_domain::verification::Code;
use claviger_engine::journal::{Batch, Journal, JournalError, Positions, Record};
use claviger_store::{Left, Spent, Tables, Tx};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{App, Error};

/// Credentials in one transaction, more or less: other writers wait for it.
const WORTH_A_TRANSACTION: usize = 2_000;
/// Any number that nothing else on the database is likely to use.
const DRAINING: i64 = 4_807_234_166_571_264;
const FEWEST: usize = 2_000;
const MOST: usize = 400_000;
/// How long a question for figures waits for the calls that are not in them yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far the journal has been drained, and how much to take at once.
#[derive(Debug)]
pub(crate) struct Drain {
    progress: Mutex<Progress>,
    /// When the journal was last found empty or drained to its end, in microseconds since the epoch.
    done_at: AtomicI64,
}

#[derive(Debug)]
struct Progress {
    drained: Positions,
    most: usize,
}

impl Drain {
    pub(crate) fn from(drained: Positions) -> Self {
        Self { progress: Mutex::new(Progress { drained, most: FEWEST }), done_at: AtomicI64::default() }
    }
}

/// How far `journal` has been drained into this database.
pub(crate) async fn positions(tables: &impl Tables, journal: Uuid) -> Result<Positions, Error> {
    Ok(tables.journal_positions().of(journal).await?.into_iter().collect())
}

/// Moves every call that has been decided so far into the database.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take them: they stay in the journal.
pub async fn drain(app: &App) -> Result<(), Error> {
    let Some(journal) = app.engine().journal() else { return Ok(()) };
    let mut progress = app.draining().progress.lock().await;
    loop {
        let most = progress.most;
        let read = {
            let app = app.clone();
            // Hundreds of thousands of calls take a while to add up: not on a thread that answers.
            let read = move || app.engine().journal().map(|journal| Sorted::read(journal, most)).transpose();
            tokio::task::spawn_blocking(read).await.map_err(|error| Error::Internal(error.into()))?
        };
        let Some(Sorted { batch, uses }) = read.map_err(Error::NotCounted)? else { return Ok(()) };
        let taken = batch.records.len();
        if batch.upto.is_empty() {
            app.draining().done_at.store(app.now().timestamp_micros(), Ordering::Relaxed);
            return Ok(());
        }
        let reached = match settle(app, journal.id(), &progress.drained, &batch, &uses).await? {
            Settled::Written => batch.upto,
            Settled::Ahead(known) => {
                tracing::warn!(
                    ?known,
                    "calls of the usage journal are in the database already: an answer was lost"
                );
                known
            }
        };
        progress.drained = beyond(&progress.drained, &reached);
        journal.drained(&reached).map_err(Error::NotCounted)?;
        progress.most = (most * WORTH_A_TRANSACTION / uses.len().max(1)).clamp(FEWEST, MOST);
        if taken < most {
            app.draining().done_at.store(app.now().timestamp_micros(), Ordering::Relaxed);
            return Ok(());
        }
    }
}

impl App {
    /// How long ago the journal was last drained to its end.
    #[must_use]
    pub fn drain_lag(&self) -> TimeDelta {
        match self.draining().done_at.load(Ordering::Relaxed) {
            0 => TimeDelta::zero(),
            at => TimeDelta::microseconds(self.now().timestamp_micros() - at),
        }
    }
}

/// Before figures are told: they should not lag behind what the caller has seen decided. A database that
/// is busy is not waited for, the figures are then a little old.
pub(crate) async fn catch_up(app: &App) {
    if app.engine().journal().is_none_or(Journal::is_drained) {
        return;
    }
    // In a task of its own: it goes on when nobody waits for it any more.
    let draining = {
        let app = app.clone();
        tokio::spawn(async move { drain(&app).await })
    };
    match tokio::time::timeout(PATIENCE, draining).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "usage figures are told without the last calls"),
        Ok(Err(_)) | Err(_) => tracing::warn!("usage figures are told without the last calls"),
    }
}

/// The positions after a batch.
fn beyond(drained: &Positions, upto: &Positions) -> Positions {
    drained.iter().chain(upto.iter()).collect()
}

/// A batch in the order of time, and what it amounts to.
struct Sorted {
    batch: Batch,
    uses: BTreeMap<CredentialId, Use>,
}

impl Sorted {
    fn read(journal: &Journal, most: usize) -> Result<Self, JournalError> {
        let mut batch = journal.read(most)?;
        batch.records.sort_by_key(|record| record.at);
        let uses = uses(&batch.records);
        Ok(Self { batch, uses })
    }
}

/// What became of a batch.
enum Settled {
    Written,
    /// An earlier one was written although its answer did not arrive: the journal is to be read again from
    /// there.
    Ahead(Positions),
}

/// Writes one batch.
async fn settle(
    app: &App,
    journal: Uuid,
    drained: &Positions,
    batch: &Batch,
    uses: &BTreeMap<CredentialId, Use>,
) -> Result<Settled, Error> {
    let Batch { records, upto, damaged } = batch;
    if *damaged > 0 {
        tracing::error!(damaged, "entries of the journal are damaged; these calls are not counted");
    }
    app.write_bulk("usage flush", async |tx: &Tx| {
            // An earlier attempt whose answer was lost may still be on its way to its commit, and what an
            // organization's credentials share is spent from by the drains of all servers.
            tx.alone(DRAINING).await?;
            let known = positions(tx, journal).await?;
            if known != *drained {
                let is_behind = |(lane, offset)| known.get(lane).is_none_or(|known| known < offset);
                if drained.iter().any(is_behind) {
                    let behind = "the database knows less of the usage journal than this process has written: was it \
                                  restored from a backup? Restart this server";
                    return Err(Error::Internal(behind.into()));
                }
                let moved = |(lane, offset): &(u32, u64)| drained.get(*lane) != Some(*offset);
                return Ok(Settled::Ahead(known.iter().filter(moved).collect()));
            }
            let ids: Vec<_> = uses.keys().copied().collect();
            let credentials = tx.credentials().find_many_for_update(Owner::Installation, &ids).await?;
            let lost = ids.len() - credentials.len();
            if lost > 0 {
                tracing::error!(lost, "the journal names credentials that this database does not know");
            }
            count(tx, &credentials, uses).await?;
            spend(app, tx, &credentials, uses, records).await?;
            tx.journal_positions().put(journal, &upto.iter().collect::<Vec<_>>()).await?;
            Ok::<_, Error>(Settled::Written)
        })
        .await
}

/// What one credential's calls amount to.
#[derive(Default)]
struct Use {
    minutes: BTreeMap<i64, (Timestamp, Tally)>,
    /// By the hour and how they were decided.
    hours: BTreeMap<(i64, Code), (Timestamp, Tally)>,
    allowed_at: Option<Timestamp>,
}

fn uses(records: &[Record]) -> BTreeMap<CredentialId, Use> {
    let mut uses = HashMap::<CredentialId, Use>::new();
    for Record { credential, at, code, cost, grant: _ } in records {
        let of = uses.entry(*credential).or_default();
        let is_allowed = *code == Code::Valid;
        let minute = of.minutes.entry(Span::Minute.floor(at.timestamp())).or_insert((*at, Tally::default()));
        let tally = Tally::decided(is_allowed, *cost);
        minute.1 += tally;
        let hour = (Span::Hour.floor(at.timestamp()), *code);
        of.hours.entry(hour).or_insert((*at, Tally::default())).1 += tally;
        if is_allowed {
            of.allowed_at = Some(*at);
        }
    }
    // In one order, so that no two transactions wait for each other.
    uses.into_iter().collect()
}

async fn count(tx: &Tx, credentials: &[Credential], uses: &BTreeMap<CredentialId, Use>) -> Result<(), Error> {
    let used = || credentials.iter().filter_map(|credential| Some((credential, uses.get(&credential.id)?)));
    let calls: Vec<_> = used()
        .flat_map(|(credential, of)| of.minutes.values().map(|(at, tally)| (credential.id, *at, *tally)))
        .collect();
    tx.usage().add(&calls).await?;
    let outcomes: Vec<_> = used()
        .flat_map(|(credential, of)| {
            let outcome = |((_, code), (at, tally)): (&(i64, Code), &(Timestamp, Tally))| {
                (credential.organization, *at, Outcome::Decided(*code), *tally)
            };
            of.hours.iter().map(outcome)
        })
        .collect();
    Ok(tx.usage_outcomes().add(&outcomes).await?)
}

/// Spends again, from the database's balances and counters, what the calls have spent from the engine's. Counters of
/// the same owners that no credential names any more are deleted.
async fn spend(
    app: &App,
    tx: &Tx,
    credentials: &[Credential],
    uses: &BTreeMap<CredentialId, Use>,
    records: &[Record],
) -> Result<(), Error> {
    let mut purses = HashMap::<CredentialId, Purse>::with_capacity(credentials.len());
    let mut places = HashMap::<(Uuid, &str, u32), usize>::new();
    let mut counters = Vec::new();
    for credential in credentials {
        let limits = credential.limits.iter().map(|limit| {
            let owner = limit.pool.owner(credential.id, credential.user_account, credential.organization);
            let key = (owner, limit.name.as_str(), limit.window_seconds);
            let place = *places.entry(key).or_insert_with(|| {
                let (name, window_seconds) = (limit.name.clone(), limit.window_seconds);
                counters.push(Spent { owner, name, window_seconds, counter: Default::default() });
                counters.len() - 1
            });
            (limit, place)
        });
        purses.insert(credential.id, Purse { limits: limits.collect(), credits: credential.credits });
    }
    let mut owners: Vec<_> = counters.iter().map(|spent| spent.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut unnamed = Vec::new();
    for Spent { owner, name, window_seconds, counter } in tx.counters().of_owners(&owners).await? {
        match places.get(&(owner, name.as_str(), window_seconds)) {
            Some(place) => counters[*place].counter = counter,
            // Before all credentials are loaded, nobody knows what they name.
            None if app.is_loaded() && app.engine().counts(owner, &name, window_seconds) == Some(false) => {
                unnamed.push((owner, name, window_seconds));
            }
            None => {}
        }
    }
    tx.counters().delete(&unnamed).await?;
    let is_spent = |record: &&Record| record.code == Code::Valid && record.cost > 0;
    for record in records.iter().filter(is_spent) {
        let Some(purse) = purses.get_mut(&record.credential) else { continue };
        let cost = u64::from(record.cost);
        for (limit, place) in &purse.limits {
            counters[*place].counter = limit.spend(counters[*place].counter, cost, record.at);
        }
        if let Some(credits) = purse.credits.filter(|credits| credits.grant == record.grant) {
            purse.credits = Some(credits.spend(cost, record.at));
        }
    }
    counters.sort_by(|one, other| {
        (one.owner, &one.name, one.window_seconds).cmp(&(other.owner, &other.name, other.window_seconds))
    });
    tx.counters().put(&counters).await?;
    let left: Vec<_> = credentials
        .iter()
        .map(|credential| Left {
            credential: credential.id,
            used_at: uses.get(&credential.id).and_then(|of| of.allowed_at),
            credits: purses.get(&credential.id).and_then(|purse| purse.credits),
        })
        .filter(|left| left.used_at.is_some() || left.credits.is_some())
        .collect();
    Ok(tx.credentials().leave_unscoped(&left).await?)
}

/// One credential's part in the counters.
struct Purse<'a> {
    /// Each limit, and where its counter stands.
    limits: Vec<(&'a Limit, usize)>,
    credits: Option<Credits>,
}
