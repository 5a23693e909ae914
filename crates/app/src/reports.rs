//! Usage reports: what gateways tell of calls that have passed. Each is taken once, however often it is sent.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::capability::Capability::VerifyKeys;
use claviger_domain::ids::{CredentialId, OrganizationId};
use claviger_domain::usage::{self, Tally};
use claviger_store::{Tables, Tx};

use crate::{Call, Error, authenticate};

/// For so long a report is known again.
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

/// Takes reports, in one transaction; answers what became of each, in their order.
///
/// # Errors
/// [`Error::OutOfReach`] when one is older than reports are remembered, or lies more than five minutes
/// ahead: then none is taken.
pub async fn take(call: &Call, reports: &[Report]) -> Result<Vec<Outcome>, Error> {
    call.require(VerifyKeys)?;
    // Two requests with the same new report may meet; the second one then finds the first's.
    match take_once(call, reports).await {
        Err(Error::Overtaken) => take_once(call, reports).await,
        other => other,
    }
}

async fn take_once(call: &Call, reports: &[Report]) -> Result<Vec<Outcome>, Error> {
    let taken = call.app().store().transaction(async |tx: &Tx| {
        let now = call.app().now();
        authenticate::again(tx, call.actor(), VerifyKeys, now).await?;
        let in_reach = |at: Timestamp| now - KNOWN_FOR < at && at <= now + AHEAD;
        let is_wrong = |report: &Report| report.occurred_at.is_some_and(|at| !in_reach(at));
        if let Some(place) = reports.iter().position(is_wrong) {
            return Err(Error::OutOfReach { place });
        }
        let owners = owners(call, tx, reports).await?;
        let keys: Vec<_> = reports
            .iter()
            .filter_map(|report| Some((*owners.get(&report.credential)?, digest(&report.id))))
            .collect();
        let mut known: HashMap<_, _> = tx.usage_reports().fingerprints_of(&keys).await?.into_iter().collect();
        let mut new = Vec::new();
        let (mut calls, mut reported) = (Vec::new(), Vec::new());
        let outcomes = reports.iter().map(|report| {
            let Some(organization) = owners.get(&report.credential) else {
                return Outcome::UnknownCredential;
            };
            let key = (*organization, digest(&report.id));
            let fingerprint = fingerprint(report);
            match known.get(&key) {
                Some(recorded) if *recorded == fingerprint => Outcome::Duplicate,
                Some(_) => Outcome::Conflict,
                None => {
                    known.insert(key, fingerprint);
                    new.push((key, fingerprint));
                    let tally = Tally::reported(report.status, report.duration_ms, report.units);
                    let at = report.occurred_at.unwrap_or(now);
                    calls.push((report.credential, at, tally));
                    reported.push((*organization, at, usage::Outcome::Reported, tally));
                    Outcome::Recorded
                }
            }
        });
        let outcomes = outcomes.collect();
        tx.usage_reports().insert_many(&new, now).await?;
        tx.usage().add(&calls).await?;
        tx.usage_outcomes().add(&reported).await?;
        Ok(outcomes)
    });
    taken.await
}

/// Which organization each reported credential belongs to, as far as they are the caller's.
async fn owners(
    call: &Call,
    tx: &Tx,
    reports: &[Report],
) -> Result<HashMap<CredentialId, OrganizationId>, Error> {
    let ids: HashSet<_> = reports.iter().map(|report| report.credential).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let found = tx.credentials().find_many(call.owner(), &ids).await?;
    Ok(found.into_iter().map(|credential| (credential.id, credential.organization)).collect())
}

fn digest(id: &str) -> [u8; 32] {
    *blake3::hash(id.as_bytes()).as_bytes()
}

/// The digest of all that a report says.
fn fingerprint(report: &Report) -> [u8; 32] {
    let Report { id, credential, status, duration_ms, units, occurred_at } = report;
    let mut hasher = blake3::Hasher::new();
    hasher.update(digest(id).as_slice()).update(credential.uuid().as_bytes());
    hasher.update(&status.to_le_bytes()).update(&duration_ms.to_le_bytes()).update(&units.to_le_bytes());
    let at = occurred_at.map_or(i64::MIN, |at| at.timestamp_micros());
    *hasher.update(&at.to_le_bytes()).finalize().as_bytes()
}
