//! Follows the changes of other processes on the same database: the command line, or other servers. The audit log
//! records every change, and its revisions are the feed. Clocks play no part in it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::ids::AuditEntryId;
use claviger_store::{Change, Tables};

use crate::{App, Error, memory};

/// Entries read at once.
const PAGE: u64 = 2_000;
/// How far below the last revision the feed starts on PostgreSQL: a transaction that is running at the start may
/// commit entries below the last revision.
const LOOK_BACK: i64 = 10_000;
/// Audit entries written by this process are remembered this long, so that it does not reload its own changes.
const OWN_FOR: TimeDelta = TimeDelta::minutes(10);

/// How far this process has followed the feed.
#[derive(Debug, Default)]
pub(crate) struct ChangeFeed {
    position: Mutex<Position>,
    /// One reader at a time: two would apply the same entries twice.
    reader: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Position {
    /// `None` until the feed is followed.
    followed: Option<Followed>,
    /// Entries of this process whose changes it has applied itself.
    own: BTreeSet<AuditEntryId>,
    /// When the feed was last read to its end.
    read_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Followed {
    /// Every entry up to here has been applied, and no further one can appear below it.
    complete_through: i64,
    /// The revisions above that have been applied.
    applied: BTreeSet<i64>,
    /// Nothing can appear up to this revision once every transaction up to this id has ended. `None` on the
    /// embedded database, and when nothing has been read since.
    awaited: Option<(i64, i64)>,
}

impl Followed {
    fn new(complete_through: i64) -> Self {
        Self { complete_through, applied: BTreeSet::new(), awaited: None }
    }

    /// Nothing can appear any more up to `revision`.
    fn complete_through(&mut self, revision: i64) {
        self.complete_through = revision;
        self.applied = self.applied.split_off(&(revision + 1));
    }
}

impl ChangeFeed {
    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that this process has applied the change of an entry that it wrote.
    pub(crate) fn applied_here(&self, entry: AuditEntryId) {
        self.position().own.insert(entry);
    }
}

impl App {
    /// How long ago the feed was last read to its end: every older change of another process is in force here.
    #[must_use]
    pub fn revocation_lag(&self) -> TimeDelta {
        self.change_feed().position().read_at.map_or(TimeDelta::zero(), |at| self.now() - at)
    }
}

/// Begins to follow: what is loaded from now on is as new as the position noted here.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not answer.
pub(crate) async fn begin(app: &App) -> Result<(), Error> {
    let log = app.store().audit_log();
    let mut followed = Followed::new(log.last_revision_unscoped().await? - LOOK_BACK);
    if app.store().is_embedded() {
        followed.complete_through += LOOK_BACK;
    } else {
        let mut after = followed.complete_through;
        loop {
            let page = log.changes_after_unscoped(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.revision;
            followed.applied.extend(page.iter().map(|change| change.revision));
        }
    }
    app.change_feed().position().followed = Some(followed);
    app.load_installation().await
}

/// Applies what other processes have changed since the last call.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not answer: nothing is skipped, the next call goes on where this
/// one stopped.
pub async fn follow(app: &App) -> Result<(), Error> {
    let _reader = app.change_feed().reader.lock().await;
    let Some(mut followed) = app.change_feed().position().followed.clone() else { return Ok(()) };
    let began_at = app.now();
    let oldest_running = app.store().oldest_running_transaction().await?;
    let mut after = followed.complete_through;
    loop {
        let page = app.store().audit_log().changes_after_unscoped(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.revision;
        for change in page.iter().filter(|change| !followed.applied.contains(&change.revision)) {
            apply(app, change).await?;
        }
        followed.applied.extend(page.iter().map(|change| change.revision));
        app.change_feed().position().followed = Some(followed.clone());
    }
    if app.store().is_embedded() {
        // Revisions are in the order of commits.
        followed.complete_through(after);
    } else {
        if let Some((revision, _)) = followed.awaited.take_if(|(_, newest)| oldest_running > *newest) {
            followed.complete_through(revision);
        }
        if followed.awaited.is_none() && after > followed.complete_through {
            followed.awaited = Some((after, app.store().newest_transaction().await?));
        }
    }
    let mut position = app.change_feed().position();
    position.followed = Some(followed);
    position.own = position.own.split_off(&AuditEntryId::least_of(began_at - OWN_FOR));
    position.read_at = Some(began_at);
    Ok(())
}

async fn apply(app: &App, change: &Change) -> Result<(), Error> {
    let is_own = app.change_feed().position().own.remove(&change.entry);
    match change.changed {
        Some(changed) if !is_own => match changed.resource {
            Some(resource) => memory::put_in_force(app, resource, changed.target).await,
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
