//! Fair queue in front of the database's writer: priority lanes, round-robin by tenant within a lane, bounded
//! admission and a bounded wait.
//!
//! On the embedded database one write runs at a time; on PostgreSQL as many as the pool has connections, some of which
//! are kept for the revocation lane.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use claviger_domain::ids::OrganizationId;
use claviger_store::{StoreError, Tx};
use tokio::sync::oneshot;

use crate::{App, Error};

/// Priority classes, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// What takes rights away: revoke, disable, suspend, delete, rotate without overlap.
    Revocation,
    /// Every other change.
    Change,
    /// Usage reports, usage flush, audit batches, retention.
    Bulk,
}

impl Lane {
    /// Every lane, by priority.
    pub const ALL: [Self; 3] = [Self::Revocation, Self::Change, Self::Bulk];

    /// The stable name, for metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Change => "change",
            Self::Bulk => "bulk",
        }
    }
}

/// Who takes turns within a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tenant {
    Organization(OrganizationId),
    /// The bootstrap key and the command line.
    Operator,
    /// One kind of background work.
    Background(&'static str),
}

impl From<Option<OrganizationId>> for Tenant {
    fn from(organization: Option<OrganizationId>) -> Self {
        organization.map_or(Self::Operator, Self::Organization)
    }
}

/// How long a caller's write waits for its turn.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Writes of one tenant that may wait in one lane.
const WAITING_PER_TENANT: usize = 1024;
/// Writes of all tenants that may wait in one lane.
const WAITING_PER_LANE: usize = 8192;
/// After so many turns of higher lanes in a row, a waiting lane gets one: priority must not starve it.
const TURNS_AHEAD: u32 = 16;

/// The writers of the database, and who waits for them.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    state: Mutex<State>,
    refused: [AtomicU64; 3],
}

/// What the metrics tell of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneState {
    /// Writes that wait for their turn.
    pub waiting: usize,
    /// Writes refused since the start, because too many waited or the wait was too long.
    pub refused: u64,
}

#[derive(Debug)]
struct State {
    lanes: [Waiting; 3],
    /// Writes under way in each lane.
    running: [usize; 3],
    /// How many may run at once: in all lanes, in all but the first, and in the last.
    most: [usize; 3],
    next_id: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    tenants: HashMap<Tenant, VecDeque<Waiter>>,
    /// The tenants that have waiters, in the order of their turns.
    turns: VecDeque<Tenant>,
    count: usize,
    /// Turns that higher lanes had while this one waited.
    passed_over: u32,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    start: oneshot::Sender<()>,
}

impl Waiting {
    fn push(&mut self, tenant: Tenant, waiter: Waiter) {
        let of_tenant = self.tenants.entry(tenant).or_default();
        if of_tenant.is_empty() {
            self.turns.push_back(tenant);
        }
        of_tenant.push_back(waiter);
        self.count += 1;
    }

    /// Takes the next waiter; its tenant goes to the end of the line.
    fn pop(&mut self) -> Option<Waiter> {
        let tenant = self.turns.pop_front()?;
        let of_tenant = self.tenants.get_mut(&tenant)?;
        let waiter = of_tenant.pop_front()?;
        match of_tenant.is_empty() {
            true => drop(self.tenants.remove(&tenant)),
            false => self.turns.push_back(tenant),
        }
        self.count -= 1;
        Some(waiter)
    }

    fn remove(&mut self, tenant: Tenant, id: u64) {
        let Some(of_tenant) = self.tenants.get_mut(&tenant) else { return };
        let Some(place) = of_tenant.iter().position(|waiter| waiter.id == id) else { return };
        of_tenant.remove(place);
        self.count -= 1;
        if of_tenant.is_empty() {
            self.tenants.remove(&tenant);
            self.turns.retain(|other| *other != tenant);
        }
    }
}

impl State {
    /// Whether the database takes another write of this lane now.
    fn has_room(&self, lane: usize) -> bool {
        (0..=lane).all(|limit| self.running[limit..].iter().sum::<usize>() < self.most[limit])
    }

    /// Starts waiters for as long as there is room.
    fn dispatch(&mut self) {
        while let Some(lane) = self.next_lane() {
            let Some(waiter) = self.lanes[lane].pop() else { return };
            // Sending fails when the caller has left.
            if waiter.start.send(()).is_ok() {
                self.running[lane] += 1;
                self.lanes[lane].passed_over = 0;
                for lower in &mut self.lanes[lane + 1..] {
                    lower.passed_over = if lower.count > 0 { lower.passed_over + 1 } else { 0 };
                }
            }
        }
    }

    fn next_lane(&self) -> Option<usize> {
        let ready = |lane: &usize| self.lanes[*lane].count > 0 && self.has_room(*lane);
        let is_starved = |lane: &usize| self.lanes[*lane].passed_over >= TURNS_AHEAD;
        (0..3).filter(ready).find(is_starved).or_else(|| (0..3).find(ready))
    }
}

impl WriteQueue {
    /// `writers` is how many writes the database runs at once.
    pub(crate) fn new(writers: usize) -> Self {
        let most = match writers {
            0..=3 => [writers.max(1), writers.saturating_sub(1).max(1), 1],
            _ => [writers, writers - writers.div_ceil(4), writers / 4],
        };
        let state = State { lanes: Default::default(), running: [0; 3], most, next_id: 0 };
        Self { state: Mutex::new(state), refused: Default::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, for at most `longest`.
    ///
    /// # Errors
    /// [`Error::Busy`] when the tenant has too many waiting, or the turn does not come.
    async fn turn(self: &Arc<Self>, lane: Lane, tenant: Tenant, longest: Duration) -> Result<Turn, Error> {
        let line = {
            let mut state = self.lock();
            let waiting = &state.lanes[lane as usize];
            let of_tenant = waiting.tenants.get(&tenant).map_or(0, VecDeque::len);
            let is_background = matches!(tenant, Tenant::Background(_));
            // A tenant's first write always gets in: others cannot fill the lane against it.
            let is_full = of_tenant > 0 && waiting.count >= WAITING_PER_LANE;
            if !is_background && (of_tenant >= WAITING_PER_TENANT || is_full) {
                drop(state);
                return Err(self.refuse(lane));
            }
            let id = state.next_id;
            state.next_id += 1;
            let (start, started) = oneshot::channel();
            state.lanes[lane as usize].push(tenant, Waiter { id, start });
            let line = Place { queue: self.clone(), lane, tenant, id, started: Some(started) };
            state.dispatch();
            line
        };
        match tokio::time::timeout(longest, line.started()).await {
            Ok(turn) => turn.ok_or(Error::Busy),
            Err(_) => Err(self.refuse(lane)),
        }
    }

    fn refuse(&self, lane: Lane) -> Error {
        self.refused[lane as usize].fetch_add(1, Ordering::Relaxed);
        Error::Busy
    }

    /// Each lane as it is now.
    pub(crate) fn state(&self) -> [(Lane, LaneState); 3] {
        let state = self.lock();
        Lane::ALL.map(|lane| {
            let refused = self.refused[lane as usize].load(Ordering::Relaxed);
            (lane, LaneState { waiting: state.lanes[lane as usize].count, refused })
        })
    }
}

/// A place in the queue; given up when dropped.
struct Place {
    queue: Arc<WriteQueue>,
    lane: Lane,
    tenant: Tenant,
    id: u64,
    started: Option<oneshot::Receiver<()>>,
}

impl Place {
    async fn started(mut self) -> Option<Turn> {
        self.started.as_mut()?.await.ok()?;
        self.started = None;
        Some(Turn { queue: self.queue.clone(), lane: self.lane })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(mut started) = self.started.take() else { return };
        let mut state = self.queue.lock();
        state.lanes[self.lane as usize].remove(self.tenant, self.id);
        // The turn may have come at this very moment.
        started.close();
        if started.try_recv().is_ok() {
            state.running[self.lane as usize] -= 1;
            state.dispatch();
        }
    }
}

/// The right to write, until dropped.
struct Turn {
    queue: Arc<WriteQueue>,
    lane: Lane,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.running[self.lane as usize] -= 1;
        state.dispatch();
    }
}

impl App {
    /// Runs `work` as one transaction of `organization`'s (`None`: the operator's) when its turn in `lane` comes.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many of the tenant's writes wait or the turn does not come within seconds; what
    /// `work` answers; [`StoreError`] when the transaction cannot begin or commit.
    pub(crate) async fn write<T>(
        &self,
        lane: Lane,
        organization: Option<OrganizationId>,
        work: impl AsyncFnOnce(&Tx) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _turn = self.writes().turn(lane, organization.into(), LONGEST_WAIT).await?;
        self.store().transaction(work).await
    }

    /// Runs `work` of the background as one transaction in the bulk lane, however long its turn takes. Each kind of
    /// work takes turns with the others. `work` must be bounded: a revocation may have to wait for one such
    /// transaction.
    ///
    /// # Errors
    /// What `work` answers, or [`StoreError`] when the transaction cannot begin or commit.
    pub(crate) async fn write_bulk<T, E: From<StoreError>>(
        &self,
        kind: &'static str,
        work: impl AsyncFnOnce(&Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_in_background(Lane::Bulk, kind, work).await
    }

    /// The same in any lane.
    ///
    /// # Errors
    /// What `work` answers, or [`StoreError`] when the transaction cannot begin or commit.
    pub(crate) async fn write_in_background<T, E: From<StoreError>>(
        &self,
        lane: Lane,
        kind: &'static str,
        work: impl AsyncFnOnce(&Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        // A wait without a bound is never refused.
        let _turn = self.writes().turn(lane, Tenant::Background(kind), Duration::MAX).await.ok();
        self.store().transaction(work).await
    }

    /// The lanes of the write queue, by priority.
    #[must_use]
    pub fn write_lanes(&self) -> [(Lane, LaneState); 3] {
        self.writes().state()
    }
}

#[cfg(test)]
mod tests;
