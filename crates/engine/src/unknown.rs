//! Keys that were looked for a moment ago and do not exist. So many are remembered and no more, whoever
//! guesses.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::secret::Digest;

/// Half as long as a key is remembered at most.
const TURN: TimeDelta = TimeDelta::seconds(2);
/// Half as many as are remembered at most.
const MOST: usize = 32_768;

/// Two halves: the older one is let go as a whole, when the younger one is full or old.
#[derive(Debug, Default)]
pub(crate) struct Unknown(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    younger: HashSet<[u8; 32]>,
    older: HashSet<[u8; 32]>,
    since: Option<Timestamp>,
}

impl Unknown {
    fn at(&self, now: Timestamp) -> std::sync::MutexGuard<'_, Halves> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now - *halves.since.get_or_insert(now);
        if age >= TURN || age < TimeDelta::zero() || halves.younger.len() >= MOST {
            let younger = std::mem::take(&mut halves.younger);
            // After a long quiet both halves are old.
            halves.older = if age >= TURN * 2 { HashSet::new() } else { younger };
            halves.since = Some(now);
        }
        halves
    }

    pub(crate) fn remember(&self, digest: &Digest, now: Timestamp) {
        self.at(now).younger.insert(*digest.as_bytes());
    }

    pub(crate) fn holds(&self, digest: &Digest, now: Timestamp) -> bool {
        let halves = self.at(now);
        halves.younger.contains(digest.as_bytes()) || halves.older.contains(digest.as_bytes())
    }

    pub(crate) fn len(&self) -> usize {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.younger.len() + halves.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u64) -> Digest {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        Digest::from_bytes(bytes)
    }

    #[test]
    fn what_is_unknown_is_remembered_for_seconds() {
        let unknown = Unknown::default();
        let at = |ms| Timestamp::UNIX_EPOCH + TimeDelta::milliseconds(ms);
        unknown.remember(&digest(1), at(0));
        assert!(unknown.holds(&digest(1), at(1_999)));
        assert!(!unknown.holds(&digest(2), at(1_999)));
        assert!(unknown.holds(&digest(1), at(3_999)), "in the older half now");
        assert!(!unknown.holds(&digest(1), at(6_000)));
        unknown.remember(&digest(2), at(6_000));
        assert!(!unknown.holds(&digest(2), at(60_000)), "after a long quiet");
    }

    #[test]
    fn however_many_are_tried_few_are_held() {
        let unknown = Unknown::default();
        for n in 0..1_000_000 {
            unknown.remember(&digest(n), Timestamp::UNIX_EPOCH);
        }
        assert!(unknown.len() <= 2 * MOST, "{}", unknown.len());
    }
}
