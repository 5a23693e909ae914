//! Usage reports: what gateways tell of calls that have passed. Each is taken once, however often it is sent.
//!
//! Reports of all callers are queued and written in small batches in the bulk lane of the write queue, by turns of
//! the reporting organizations.

use std::sync::Arc;

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::capability::Capability::VerifyKeys;
use claviger_domain::ids::CredentialId;

use crate::places::Place;
use crate::{Call, Error};

mod batch;
mod queue;

pub(crate) use queue::ReportQueue;

/// How long report ids are remembered, to recognise duplicates.
pub(crate) const KNOWN_FOR: TimeDelta = TimeDelta::days(32);
/// Gateways' clocks differ.
pub(crate) const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// What came of one call.
#[derive(Debug)]
pub struct Report {
    /// The gateway's own id for it: the same one again is the same report.
    pub id: String,
    pub credential: CredentialId,
    /// The status that the call was answered with.
    pub status: u16,
    pub duration_ms: u64,
    /// Billed beyond what the verification cost.
    pub units: u64,
    /// When the call was; `None` is now.
    pub occurred_at: Option<Timestamp>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Recorded,
    /// It was recorded before.
    Duplicate,
    /// Another report was recorded under its id.
    Conflict,
    /// The caller has no such credential.
    UnknownCredential,
}

/// A place among the requests with reports that the caller's organization may have under way. To be taken before the
/// body is read.
///
/// # Errors
/// [`Error::TooManyReports`] when the organization has too many under way.
pub fn admit(call: &Call) -> Result<Place, Error> {
    call.require(VerifyKeys)?;
    let place = call.app().reports().places.take(call.actor().organization());
    place.ok_or(Error::TooManyReports { retry_after_seconds: 1 })
}

/// Takes reports; answers what became of each, in their order, when all are committed. They are written in several
/// transactions: after an error some may have been taken, and are duplicates when they are sent again.
///
/// # Errors
/// [`Error::OutOfReach`] when one is older than reports are remembered, or lies more than five minutes
/// ahead: then none is taken. [`Error::TooManyReports`] when the caller's organization has sent too many in this
/// minute, [`Error::Busy`] when their turn does not come within seconds.
pub async fn take(call: &Call, reports: Arc<[Report]>) -> Result<Vec<Outcome>, Error> {
    call.require(VerifyKeys)?;
    let now = call.app().now();
    let in_reach = |at: Timestamp| now - KNOWN_FOR < at && at <= now + AHEAD;
    let is_wrong = |report: &Report| report.occurred_at.is_some_and(|at| !in_reach(at));
    if let Some(place) = reports.iter().position(is_wrong) {
        return Err(Error::OutOfReach { place });
    }
    call.app().reports().submit(call, reports).await
}
