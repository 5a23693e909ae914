//! What runs beside the calls: decided calls are moved into the database, changes of other processes are
//! followed, batches are written, and what has outlived its use is forgotten.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::audit::ChainId;
use claviger_domain::period::{Kept, Span};
use claviger_domain::settings::KeptDays;
use claviger_store::{Tables, Tx};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::repeat::KEPT_FOR;
use crate::{App, Error, audit, change_feed, drain, memory, reports};

const BATCH_EVERY: Duration = Duration::from_secs(1);
/// Draining rests for so many times as long as it took: it costs something for each credential in use, however few or
/// many the calls. Within these bounds, for figures are to be seconds old and no more.
const DRAIN_RESTS: u32 = 50;
const DRAIN_SOONEST: Duration = Duration::from_secs(1);
const DRAIN_LATEST: Duration = Duration::from_secs(5);
pub(crate) const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// Between two comparisons of all of memory with the database; each is spread over time by itself.
const CHECK_EVERY: Duration = Duration::from_secs(10);
const SYNC_EVERY: Duration = Duration::from_secs(1);
const FORGET_EVERY: Duration = Duration::from_secs(600);
/// Rows deleted at once: other writers wait for it.
const AT_ONCE: u64 = 500;
/// The name of deletions in the write queue.
pub(crate) const RETENTION: &str = "retention";

/// Runs until `until` completes, then writes what is left.
pub async fn run(app: App, until: impl Future<Output = ()>) {
    let mut work = JoinSet::new();
    let loading = tokio::spawn(load(app.clone()));
    work.spawn(every(FOLLOW_EVERY, app.clone(), "changes were not followed", |app| async move {
        change_feed::follow(&app).await
    }));
    work.spawn(every(
        CHECK_EVERY,
        app.clone(),
        "memory was not compared with the database",
        |app| async move { memory::consistency::check_slowly(&app).await },
    ));
    work.spawn(drain_again(app.clone()));
    work.spawn(every(SYNC_EVERY, app.clone(), "the journal was not handed to the disk", |app| async move {
        app.sync_journal().await
    }));
    work.spawn(every(FORGET_EVERY, app.clone(), "old rows were not deleted", |app| async move {
        forget(&app).await
    }));
    // It is not cut short: entries that are being written would be lost.
    let stopping = Arc::new(Notify::new());
    let batching = tokio::spawn(batches(app.clone(), stopping.clone()));
    let mut until = pin!(until);
    loop {
        tokio::select! {
            () = &mut until => break,
            // None of them ends by itself: one that does has met what nobody foresaw.
            Some(ended) = work.join_next() => {
                tracing::error!(?ended, "background work has ended; restart this server");
            }
        }
    }
    loading.abort();
    stopping.notify_one();
    if let Err(error) = batching.await {
        tracing::error!(%error, "batches of the audit log ended early");
    }
    work.shutdown().await;
    if let Err(error) = drain::drain(&app).await {
        tracing::warn!(%error, "decided calls stay in the journal until the next start");
    }
    flush(&app).await;
}

/// Does some work again and again. What goes wrong is told, and tried again.
async fn every<F>(pause: Duration, app: App, failed: &'static str, work: impl Fn(App) -> F)
where
    F: Future<Output = Result<(), Error>>,
{
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = work(app.clone()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "{failed}; trying again");
        }
    }
}

async fn drain_again(app: App) {
    loop {
        let began = Instant::now();
        if let Err(error) = drain::drain(&app).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "decided calls stay in the journal; trying again");
        }
        tokio::time::sleep((began.elapsed() * DRAIN_RESTS).clamp(DRAIN_SOONEST, DRAIN_LATEST)).await;
    }
}

async fn load(app: App) {
    while let Err(error) = memory::load(&app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "keys were not loaded; trying again");
        tokio::time::sleep(BATCH_EVERY).await;
    }
    tracing::info!(keys = app.engine().known_keys(), "every key is loaded");
}

async fn batches(app: App, stopping: Arc<Notify>) {
    let mut batch = tokio::time::interval(BATCH_EVERY);
    loop {
        tokio::select! {
            () = stopping.notified() => return,
            _ = batch.tick() => flush(&app).await,
            () = app.batch_is_full() => flush(&app).await,
        }
    }
}

async fn flush(app: &App) {
    if let Err(error) = app.flush().await {
        tracing::warn!(%error, held = app.journal_state().held, "the batch was not written; it is held");
        // A database that is away is not asked again before the next tick.
        tokio::time::sleep(BATCH_EVERY).await;
    }
}

/// Drops from memory what ended more than a day ago, and deletes what nobody will ask for again: answers kept for repetitions, reports that cannot come again,
/// usage figures finer than they are kept, and entries of the audit log older than they are kept. Also sees to it that no chain of the log ends under an old pepper.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn forget(app: &App) -> Result<(), Error> {
    let now = app.now();
    memory::forget_ended(app).await?;
    forget_old_answers(app).await?;
    // One that lay ahead of its time comes into reach later.
    let old = now - reports::KNOWN_FOR - reports::AHEAD;
    let delete = async |tx: &Tx| Ok(tx.usage_reports().delete_older_unscoped(old, AT_ONCE).await?);
    while app.write_bulk::<_, Error>(RETENTION, delete).await? > 0 {}
    for (span, before) in app.retention().ends(now) {
        let delete =
            async |tx: &Tx| Ok(tx.usage().delete_older(Owner::Installation, span, before, AT_ONCE).await?);
        while app.write_bulk::<_, Error>(RETENTION, delete).await? > 0 {}
        let delete = async |tx: &Tx| {
            Ok(tx.usage_outcomes().delete_older(Owner::Installation, span, before, AT_ONCE).await?)
        };
        while app.write_bulk::<_, Error>(RETENTION, delete).await? > 0 {}
    }
    audit::seal_anew(app).await?;
    let own = app.store().organizations().keeping_unscoped().await?;
    for (organization, kept) in &own {
        if let Some(days) = kept.usage {
            forget_usage_of(app, Owner::Organization(*organization), start_of_kept(days, now)).await?;
        }
    }
    let own: BTreeMap<_, _> =
        own.into_iter().filter_map(|(id, kept)| Some((ChainId::from(Some(id)), kept.audit?))).collect();
    for (chain, days) in &own {
        audit::prune(app, *chain, now - TimeDelta::days(i64::from(*days))).await?;
    }
    match app.retention().audit {
        Some(days) => {
            let before = now - TimeDelta::days(i64::from(days));
            audit::prune_all(app, before, |chain| own.contains_key(&chain)).await
        }
        None => Ok(()),
    }
}

/// An organization keeps its figures for no longer than it wants, and for no longer than the installation.
async fn forget_usage_of(app: &App, owner: Owner, before: i64) -> Result<(), Error> {
    for span in Span::ALL {
        let delete = async |tx: &Tx| Ok(tx.usage().delete_older(owner, span, before, AT_ONCE).await?);
        while app.write_bulk::<_, Error>(RETENTION, delete).await? > 0 {}
        let delete =
            async |tx: &Tx| Ok(tx.usage_outcomes().delete_older(owner, span, before, AT_ONCE).await?);
        while app.write_bulk::<_, Error>(RETENTION, delete).await? > 0 {}
    }
    Ok(())
}

/// The start of the first day of which so many days later everything is kept, in seconds since the epoch: a whole
/// day's, so that no day is left in two halves.
fn start_of_kept(days: u32, now: Timestamp) -> i64 {
    Span::Day.floor((now - TimeDelta::days(i64::from(days))).timestamp())
}

/// Deletes the answers kept for repetitions that may no longer come.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn forget_old_answers(app: &App) -> Result<u64, Error> {
    let before = app.now() - KEPT_FOR;
    let delete = async |tx: &Tx| Ok(tx.kept_answers().delete_older_unscoped(before, AT_ONCE).await?);
    let mut deleted = 0;
    loop {
        match app.write_bulk::<_, Error>(RETENTION, delete).await? {
            0 => return Ok(deleted),
            some => deleted += some,
        }
    }
}

impl crate::Retention {
    /// The same, but for what the operator has settled: figures for no longer than that, at every resolution.
    pub(crate) fn unless(self, settled: KeptDays) -> Self {
        let Self { minutes, hours, days, audit } = self;
        let within = |kept: Option<u32>| match (kept, settled.usage) {
            (Some(kept), Some(most)) => Some(kept.min(most)),
            (kept, most) => kept.or(most),
        };
        Self {
            minutes: within(minutes),
            hours: within(hours),
            days: within(days),
            audit: settled.audit.or(audit),
        }
    }

    /// What is kept at `now`.
    pub(crate) fn kept(self, now: Timestamp) -> Kept {
        let from = |span| self.ends(now).find(|(of, _)| *of == span).map_or(i64::MIN, |(_, from)| from);
        Kept { minutes_from: from(Span::Minute), hours_from: from(Span::Hour) }
    }

    /// For each resolution that is not kept for ever, the start of the first bucket that is kept at `now`: a
    /// whole day's, so that no day is left in two halves.
    pub(crate) fn ends(self, now: Timestamp) -> impl Iterator<Item = (Span, i64)> {
        let Self { minutes, hours, days, audit: _ } = self;
        [(Span::Minute, minutes), (Span::Hour, hours), (Span::Day, days)]
            .into_iter()
            .filter_map(move |(span, kept)| Some((span, start_of_kept(kept?, now))))
    }
}
