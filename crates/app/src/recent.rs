//! Admin keys seen a moment ago. A change asks for its caller's authority inside its own transaction, so
//! asking the database before it as well would be the same work twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::Actor;
use claviger_domain::secret::Digest;

/// How long a caller is remembered. Changes made by this process are noticed at once; of those made by
/// another one, a refusal may name the wrong reason for so long, and no change slips through.
const FOR: TimeDelta = TimeDelta::seconds(1);
/// Only keys that exist get here; an installation with more of them at work asks the database.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Recent {
    callers: Mutex<HashMap<[u8; 32], Remembered>>,
    /// Digests of keys that were in force when they were last asked for: nobody guesses these.
    known: Mutex<HashSet<[u8; 32]>>,
}

#[derive(Debug)]
struct Remembered {
    actor: Actor,
    since: Timestamp,
    until: Timestamp,
}

impl Recent {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Remembered>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller of one of these digests, the newest pepper's first.
    pub(crate) fn find(&self, digests: &[Digest], now: Timestamp) -> Option<Actor> {
        let remembered = self.lock();
        let found = remembered.get(digests.first()?.as_bytes())?;
        (found.since <= now && now < found.until).then(|| found.actor.clone())
    }

    pub(crate) fn remember(
        &self,
        digests: &[Digest],
        actor: &Actor,
        now: Timestamp,
        expiry: Option<Timestamp>,
    ) {
        let Some(digest) = digests.first() else { return };
        let until = expiry.map_or(now + FOR, |expiry| expiry.min(now + FOR));
        let mut remembered = self.lock();
        if remembered.len() >= MOST {
            remembered.retain(|_, other| now < other.until);
        }
        if remembered.len() < MOST {
            remembered.insert(*digest.as_bytes(), Remembered { actor: actor.clone(), since: now, until });
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the key of these digests was in force when it was last asked for. It says nothing of whether it still is.
    pub(crate) fn is_known(&self, digests: &[Digest]) -> bool {
        digests.first().is_some_and(|digest| self.known().contains(digest.as_bytes()))
    }

    pub(crate) fn note_in_force(&self, digests: &[Digest]) {
        let Some(digest) = digests.first() else { return };
        let mut known = self.known();
        if known.len() < MOST {
            known.insert(*digest.as_bytes());
        }
    }

    pub(crate) fn note_not_in_force(&self, digests: &[Digest]) {
        if let Some(digest) = digests.first() {
            self.known().remove(digest.as_bytes());
        }
    }

    /// Forgets everybody: somebody's authority has changed.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }
}
