//! The reports that wait, and the task that writes them while there are any.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use claviger_domain::Timestamp;
use claviger_domain::ids::OrganizationId;
use claviger_domain::limit::{Counter, Limit, Pool};
use tokio::sync::oneshot;

use super::batch::{self, Part};
use super::{Outcome, Report};
use crate::places::Places;
use crate::write_queue::LONGEST_WAIT;
use crate::{App, Call, Error};

/// Requests with reports that one organization may have under way.
const REQUESTS_PER_TENANT: usize = 32;
/// Target duration of one batch, because other writers wait for it. The batch size adapts to it.
const BATCH_TIME: Duration = Duration::from_millis(4);
const SMALLEST_BATCH: usize = 25;
const LARGEST_BATCH: usize = 1_000;
/// Requests of which reports are in one batch, at most: each caller is authenticated again.
const REQUESTS_PER_BATCH: usize = 8;

type Tenant = Option<OrganizationId>;
type Answer = Result<Vec<Outcome>, Error>;

#[derive(Debug)]
pub(crate) struct ReportQueue {
    pub(super) places: Places,
    state: Mutex<State>,
    /// Reports of one organization in a minute; `None`: no limit.
    limit: Option<Limit>,
    /// Only organizations that exist get here.
    counters: Mutex<HashMap<Tenant, Counter>>,
}

#[derive(Debug)]
struct State {
    tenants: HashMap<Tenant, VecDeque<Submission>>,
    /// The tenants that have reports waiting, in the order of their turns.
    turns: VecDeque<Tenant>,
    is_writing: bool,
    batch_size: usize,
    next_id: u64,
}

/// The reports of one request.
#[derive(Debug)]
struct Submission {
    id: u64,
    call: Call,
    reports: Arc<[Report]>,
    /// Outcomes of the reports written so far, from the first one on.
    done: Vec<Outcome>,
    answer: oneshot::Sender<Answer>,
}

/// Which of a submission's reports are in a batch: the next `count`.
struct Picked {
    submission: Submission,
    count: usize,
}

impl ReportQueue {
    /// `per_minute` is the limit of each organization's reports in a minute; 0 is no limit.
    pub(crate) fn new(per_minute: u32) -> Self {
        let limit = Limit {
            name: "usage-reports".to_owned(),
            limit: per_minute,
            window_seconds: 60,
            pool: Pool::Organization,
        };
        Self {
            places: Places::new(REQUESTS_PER_TENANT),
            state: Mutex::new(State {
                tenants: HashMap::new(),
                turns: VecDeque::new(),
                is_writing: false,
                batch_size: SMALLEST_BATCH,
                next_id: 0,
            }),
            limit: (per_minute > 0).then_some(limit),
            counters: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many reports wait.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.lock();
        let left = |submission: &Submission| submission.reports.len() - submission.done.len();
        state.tenants.values().flatten().map(left).sum()
    }

    /// Counts reports against the limit of their organization, or none of them when they exceed it.
    fn charge(&self, tenant: Tenant, count: usize, now: Timestamp) -> Result<(), Error> {
        let Some(limit) = &self.limit else { return Ok(()) };
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(tenant).or_default();
        let status = limit.look(*counter, count as u64, now);
        if status.exceeded {
            let wait_ms = status.retry_at_ms.map_or(60_000, |at| at - now.timestamp_millis());
            let retry_after_seconds = u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000).max(1);
            return Err(Error::TooManyReports { retry_after_seconds });
        }
        *counter = limit.spend(*counter, count as u64, now);
        Ok(())
    }

    pub(super) async fn submit(&self, call: &Call, reports: Arc<[Report]>) -> Answer {
        let tenant = call.actor().organization();
        self.charge(tenant, reports.len(), call.app().now())?;
        let (answer, mut answered) = oneshot::channel();
        let id = {
            let mut state = self.lock();
            let id = state.next_id;
            state.next_id += 1;
            let done = Vec::with_capacity(reports.len());
            state.push_back(tenant, Submission { id, call: call.clone(), reports, done, answer });
            if !state.is_writing {
                state.is_writing = true;
                tokio::spawn(write_all(Writing { app: call.app().clone(), is_over: false }));
            }
            id
        };
        let answer = match tokio::time::timeout(LONGEST_WAIT, &mut answered).await {
            Ok(answer) => answer,
            Err(_) if self.lock().withdraw(tenant, id) => return Err(Error::Busy),
            Err(_) => answered.await,
        };
        answer.map_err(|gone| Error::Internal(gone.into()))?
    }
}

impl State {
    fn push_back(&mut self, tenant: Tenant, submission: Submission) {
        self.line(tenant).push_back(submission);
    }

    /// The submissions of a tenant, which has a turn from now on.
    fn line(&mut self, tenant: Tenant) -> &mut VecDeque<Submission> {
        let line = self.tenants.entry(tenant).or_default();
        if line.is_empty() {
            self.turns.push_back(tenant);
        }
        line
    }

    /// Removes a submission none of whose reports was written; answers whether there is one.
    fn withdraw(&mut self, tenant: Tenant, id: u64) -> bool {
        let Some(line) = self.tenants.get_mut(&tenant) else { return false };
        let place = line.iter().position(|submission| submission.id == id && submission.done.is_empty());
        let Some(place) = place else { return false };
        line.remove(place);
        if line.is_empty() {
            self.tenants.remove(&tenant);
            self.turns.retain(|other| *other != tenant);
        }
        true
    }

    fn pop(&mut self) -> Option<Submission> {
        let tenant = self.turns.pop_front()?;
        let line = self.tenants.get_mut(&tenant)?;
        let submission = line.pop_front();
        match line.is_empty() {
            true => drop(self.tenants.remove(&tenant)),
            false => self.turns.push_back(tenant),
        }
        submission
    }

    /// The next batch: from each tenant in turn its equal part.
    fn pick(&mut self) -> Vec<Picked> {
        let tenants = self.turns.len().clamp(1, REQUESTS_PER_BATCH);
        let part = self.batch_size.div_ceil(tenants);
        let mut batch = Vec::new();
        let mut room = self.batch_size;
        while room > 0
            && batch.len() < REQUESTS_PER_BATCH
            && let Some(submission) = self.pop()
        {
            let left = submission.reports.len() - submission.done.len();
            let count = left.min(part).min(room);
            room -= count;
            batch.push(Picked { submission, count });
        }
        batch
    }

    /// Answers what is complete; what is not goes on at its tenant's next turn.
    fn put_back(&mut self, batch: Vec<(Submission, Answer)>) {
        // Several of one tenant keep their order.
        for (mut submission, outcomes) in batch.into_iter().rev() {
            let answer = match outcomes {
                Err(error) => Err(error),
                Ok(outcomes) => {
                    submission.done.extend(outcomes);
                    if submission.done.len() < submission.reports.len() {
                        let tenant = submission.call.actor().organization();
                        self.line(tenant).push_front(submission);
                        continue;
                    }
                    Ok(submission.done)
                }
            };
            // A caller that has left needs no answer.
            drop(submission.answer.send(answer));
        }
    }

    fn adapt(&mut self, took: Duration) {
        if took > BATCH_TIME {
            self.batch_size = (self.batch_size / 2).max(SMALLEST_BATCH);
        } else if took < BATCH_TIME / 2 {
            self.batch_size = (self.batch_size * 2).min(LARGEST_BATCH);
        }
    }
}

/// The one task that writes. When it ends in whichever way, the next submission starts another.
struct Writing {
    app: App,
    is_over: bool,
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.is_over {
            self.app.reports().lock().is_writing = false;
        }
    }
}

async fn write_all(mut writing: Writing) {
    let app = writing.app.clone();
    loop {
        let batch = {
            let mut state = app.reports().lock();
            let batch = state.pick();
            if batch.is_empty() {
                // In the same moment as the look: a submission after it starts another task.
                state.is_writing = false;
                writing.is_over = true;
                return;
            }
            batch
        };
        let parts: Vec<_> = batch.iter().map(Picked::part).collect();
        let (outcomes, took) = batch::write_each(&app, &parts).await;
        let written = batch.into_iter().map(|picked| picked.submission).zip(outcomes).collect();
        let mut state = app.reports().lock();
        state.put_back(written);
        state.adapt(took);
    }
}

impl Picked {
    fn part(&self) -> Part<'_> {
        let Submission { call, reports, done, .. } = &self.submission;
        Part { call, reports: &reports[done.len()..done.len() + self.count] }
    }
}
