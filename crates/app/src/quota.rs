//! How many calls one key, and all keys of one organization together, may make on the admin surfaces.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use claviger_domain::Timestamp;
use claviger_domain::ids::OrganizationId;
use claviger_domain::limit::{Counter, Limit, Pool, Standing};
use uuid::Uuid;

use crate::App;

/// Where a key stands at one limit after a call was counted, or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    pub name: &'static str,
    pub limit: u32,
    pub window_seconds: u32,
    pub remaining: u32,
    /// When the whole limit will be free again, in seconds since the epoch, rounded up.
    pub reset_at: i64,
    /// Seconds until then.
    pub reset_after: i64,
    /// Seconds until the next call would pass, at least 1; `None` when this one did not exceed this limit.
    pub retry_after: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Quotas {
    /// Of an organization's calls.
    organization: Option<(&'static str, Limit)>,
    /// Of all calls of a key, then of those that do many things at once.
    limits: Vec<(&'static str, Limit)>,
    /// Of each key or organization and limit. Only those that exist get here, so callers cannot make it grow.
    counters: Mutex<HashMap<(Uuid, &'static str), Counter>>,
}

/// Calls that do many things at once, of one key in a minute.
const BATCHES_PER_MINUTE: u32 = 100;

impl Quotas {
    /// `per_minute` of a key's calls, `of_organization` of those of all its keys; 0 is no limit. Without a limit of
    /// all calls there is none of batches.
    pub(crate) fn new(per_minute: u32, of_organization: u32) -> Self {
        let limit = |name: &'static str, limit: u32| {
            let limit = Limit { name: name.to_owned(), limit, window_seconds: 60, pool: Pool::Credential };
            (name, limit)
        };
        Self {
            organization: (of_organization > 0).then(|| limit("organization", of_organization)),
            limits: match per_minute {
                0 => Vec::new(),
                _ => vec![limit("admin", per_minute), limit("batch", BATCHES_PER_MINUTE)],
            },
            counters: Mutex::default(),
        }
    }

    /// Counts a call against every limit that it meets, or against none when it exceeds one.
    fn take(&self, key: Uuid, organization: Option<Uuid>, is_batch: bool, now: Timestamp) -> Vec<Quota> {
        let of_organization = organization.zip(self.organization.as_ref());
        let of_key = self.limits.iter().take(if is_batch { 2 } else { 1 }).map(|limit| (key, limit));
        let met: Vec<_> = of_organization.into_iter().chain(of_key).collect();
        if met.is_empty() {
            return Vec::new();
        }
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = |owner, name| counters.get(&(owner, name)).copied().unwrap_or_default();
        let look = |(owner, (name, limit)): &(Uuid, &(&'static str, Limit))| {
            limit.look(counter(*owner, *name), 1, now)
        };
        let asked: Vec<_> = met.iter().map(look).collect();
        if !asked.iter().any(|standing| standing.exceeded) {
            for (owner, (name, limit)) in &met {
                let counter = counters.entry((*owner, *name)).or_default();
                *counter = limit.spend(*counter, 1, now);
            }
        }
        let now_ms = now.timestamp_millis();
        let told = |((owner, (name, limit)), asked): (&(Uuid, &(&'static str, Limit)), Standing)| {
            let wait = || asked.retry_at_ms.map_or(1, |at| whole_seconds(at - now_ms)).max(1);
            let after = limit.look(counters.get(&(*owner, *name)).copied().unwrap_or_default(), 0, now);
            Quota {
                name,
                limit: limit.limit,
                window_seconds: limit.window_seconds,
                remaining: after.remaining,
                reset_at: after.reset_at_seconds(),
                reset_after: whole_seconds(after.reset_at_ms - now_ms),
                retry_after: asked.exceeded.then(wait),
            }
        };
        met.iter().zip(asked).map(told).collect()
    }
}

/// Milliseconds as seconds, rounded up.
fn whole_seconds(ms: i64) -> i64 {
    ms.div_euclid(1000) + i64::from(ms.rem_euclid(1000) > 0)
}

impl App {
    /// Counts a call of `key` on an admin surface, and tells of each limit that it meets: that of its organization,
    /// that of all calls of the key, and for a call that does many things at once that of such calls. Without limits
    /// there is nothing to tell.
    #[must_use]
    pub fn count_call(&self, key: Uuid, organization: Option<OrganizationId>, is_batch: bool) -> Vec<Quota> {
        self.quotas().take(key, organization.map(OrganizationId::uuid), is_batch, self.now())
    }
}
