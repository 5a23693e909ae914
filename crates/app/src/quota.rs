//! How many calls one key may make on the admin surfaces.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use claviger_domain::Timestamp;
use claviger_domain::limit::{Counter, Limit};
use uuid::Uuid;

use crate::App;

/// Where a key stands after a call was counted, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub limit: u32,
    pub window_seconds: u32,
    pub remaining: u32,
    /// When the whole limit will be free again, in seconds since the epoch, rounded up.
    pub reset_at: i64,
    /// Seconds until then.
    pub reset_after: i64,
    /// Seconds until the next call would pass, at least 1; `None` when this one did.
    pub retry_after: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Quotas {
    limit: Option<Limit>,
    /// Only keys that exist get here, so callers cannot make it grow.
    counters: Mutex<HashMap<Uuid, Counter>>,
}

impl Quotas {
    pub(crate) fn new(limit: Option<Limit>) -> Self {
        Self { limit, counters: Mutex::default() }
    }

    fn take(&self, key: Uuid, now: Timestamp) -> Option<Quota> {
        let limit = self.limit.as_ref()?;
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(key).or_default();
        let asked = limit.look(*counter, 1, now);
        if !asked.exceeded {
            *counter = limit.spend(*counter, 1, now);
        }
        let now_ms = now.timestamp_millis();
        let retry_after =
            asked.exceeded.then(|| asked.retry_at_ms.map_or(1, |at| whole_seconds(at - now_ms)).max(1));
        let after = limit.look(*counter, 0, now);
        Some(Quota {
            limit: limit.limit,
            window_seconds: limit.window_seconds,
            remaining: after.remaining,
            reset_at: after.reset_at_seconds(),
            reset_after: whole_seconds(after.reset_at_ms - now_ms),
            retry_after,
        })
    }
}

/// Milliseconds as seconds, rounded up.
fn whole_seconds(ms: i64) -> i64 {
    ms.div_euclid(1000) + i64::from(ms.rem_euclid(1000) > 0)
}

impl App {
    /// Counts a call of `key` on an admin surface; `None` when there is no limit.
    #[must_use]
    pub fn count_call(&self, key: Uuid) -> Option<Quota> {
        self.quotas().take(key, self.now())
    }
}
