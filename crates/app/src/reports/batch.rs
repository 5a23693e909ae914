//! One transaction's worth of reports, of one or several callers.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use claviger_domain::Timestamp;
use claviger_domain::capability::Capability::VerifyKeys;
use claviger_domain::ids::{CredentialId, OrganizationId};
use claviger_domain::usage::{self, Tally};
use claviger_store::{ReportId, Tables, Tx};
use tokio::time::Instant;

use super::{Outcome, Report};
use crate::{App, Call, Error, authenticate};

/// Some reports of one request.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) call: &'a Call,
    pub(super) reports: &'a [Report],
}

type Written = Result<Vec<Outcome>, Error>;

/// Writes the parts in one transaction. When it fails, each is tried alone, so that no caller pays for another's.
/// Answers also how long the writer was held.
pub(super) async fn write_each(app: &App, parts: &[Part<'_>]) -> (Vec<Written>, Duration) {
    let mut held = Duration::ZERO;
    match write(app, parts, &mut held).await {
        Ok(written) => return (written, held),
        Err(error) if parts.len() < 2 => return (vec![Err(error)], held),
        // A database that is away is away for each of them: their callers are not kept waiting for it.
        Err(error @ Error::Unavailable(_)) => {
            let others = parts.iter().skip(1).map(|_| Err(Error::Busy));
            return (std::iter::once(Err(error)).chain(others).collect(), held);
        }
        Err(error) => tracing::debug!(%error, "a batch of usage reports failed; writing them one by one"),
    }
    let mut written = Vec::with_capacity(parts.len());
    for part in parts {
        written.push(match write(app, &[*part], &mut held).await {
            Ok(mut only) => only.pop().unwrap_or_else(|| Err(Error::Overtaken)),
            Err(error) => Err(error),
        });
    }
    (written, held)
}

async fn write(app: &App, parts: &[Part<'_>], held: &mut Duration) -> Result<Vec<Written>, Error> {
    // Another server may take the same new report at the same time; a second look then finds it.
    match write_once(app, parts, held).await {
        Err(Error::Overtaken) => write_once(app, parts, held).await,
        other => other,
    }
}

async fn write_once(app: &App, parts: &[Part<'_>], held: &mut Duration) -> Result<Vec<Written>, Error> {
    let mut began = None;
    let written = app
        .write_bulk("usage reports", async |tx: &Tx| {
            began = Some(Instant::now());
            let now = app.now();
            let mut written = Vec::with_capacity(parts.len());
            let mut batch = New::default();
            for part in parts {
                written.push(match authenticate::again(tx, part.call.actor(), VerifyKeys, now).await {
                    Ok(_) => Ok(batch.add(part, tx, now).await?),
                    // The caller's own matter; the others' reports are written.
                    Err(error @ (Error::UnknownKey | Error::Refused(_))) => Err(error),
                    Err(error) => return Err(error),
                });
            }
            tx.usage_reports().insert_many(&batch.reports, now).await?;
            tx.usage().add(&batch.calls).await?;
            tx.usage_outcomes().add(&batch.outcomes).await?;
            Ok(written)
        })
        .await;
    *held = began.map_or(Duration::ZERO, |began| began.elapsed());
    written
}

/// What a batch adds to the database.
#[derive(Default)]
struct New {
    known: HashMap<ReportId, [u8; 32]>,
    reports: Vec<(ReportId, [u8; 32])>,
    calls: Vec<(CredentialId, Timestamp, Tally)>,
    outcomes: Vec<(OrganizationId, Timestamp, usage::Outcome, Tally)>,
}

impl New {
    async fn add(&mut self, part: &Part<'_>, tx: &Tx, now: Timestamp) -> Result<Vec<Outcome>, Error> {
        let Part { call, reports } = part;
        let owners = owners(call, tx, reports).await?;
        let keys: Vec<_> = reports
            .iter()
            .filter_map(|report| Some((*owners.get(&report.credential)?, digest(&report.id))))
            .filter(|key| !self.known.contains_key(key))
            .collect();
        self.known.extend(tx.usage_reports().fingerprints_of(&keys).await?);
        Ok(reports.iter().map(|report| self.outcome(report, &owners, now)).collect())
    }

    fn outcome(
        &mut self,
        report: &Report,
        owners: &HashMap<CredentialId, OrganizationId>,
        now: Timestamp,
    ) -> Outcome {
        let Some(organization) = owners.get(&report.credential) else {
            return Outcome::UnknownCredential;
        };
        let key = (*organization, digest(&report.id));
        let fingerprint = fingerprint(report);
        match self.known.get(&key) {
            Some(recorded) if *recorded == fingerprint => Outcome::Duplicate,
            Some(_) => Outcome::Conflict,
            None => {
                self.known.insert(key, fingerprint);
                self.reports.push((key, fingerprint));
                let tally = Tally::reported(report.status, report.duration_ms, report.units);
                let at = report.occurred_at.unwrap_or(now);
                self.calls.push((report.credential, at, tally));
                self.outcomes.push((*organization, at, usage::Outcome::Reported, tally));
                Outcome::Recorded
            }
        }
    }
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
