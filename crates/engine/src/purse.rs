//! What calls spend from: the counters of one owner's limits, and its balance. Behind a lock of its own,
//! which is held for as long as one call is weighed: so of many limits all are charged, or none.

use std::sync::PoisonError;

use claviger_domain::credential::Credits;
use claviger_domain::limit::{Counter, Limit};

use crate::sync::{Mutex, MutexGuard};

#[derive(Debug, Default)]
pub(crate) struct Purse(Mutex<Contents>);

#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Few: a credential has at most sixteen limits, and most have one.
    counters: Vec<Held>,
    credits: Option<Box<Credits>>,
}

#[derive(Debug)]
struct Held {
    name: Box<str>,
    window_seconds: u32,
    counter: Counter,
}

impl Purse {
    pub(crate) fn open(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// The counter of a limit; an empty one when nothing was spent from it yet.
    pub(crate) fn counter(&self, limit: &Limit) -> Counter {
        let held = self.counters.iter().find(|held| held.is_of(&limit.name, limit.window_seconds));
        held.map(|held| held.counter).unwrap_or_default()
    }

    pub(crate) fn put(&mut self, name: &str, window_seconds: u32, counter: Counter) {
        match self.counters.iter_mut().find(|held| held.is_of(name, window_seconds)) {
            Some(held) => held.counter = counter,
            None => {
                // Most purses hold one counter for good: no room is made for more.
                self.counters.reserve_exact(1);
                self.counters.push(Held { name: name.into(), window_seconds, counter });
            }
        }
    }

    pub(crate) fn credits(&self) -> Option<Credits> {
        self.credits.as_deref().copied()
    }

    pub(crate) fn set_credits(&mut self, credits: Option<Credits>) {
        match (&mut self.credits, credits) {
            (Some(held), Some(credits)) => **held = credits,
            (held, credits) => *held = credits.map(Box::new),
        }
    }

    /// Takes over a balance from outside, unless it is the grant that is being spent from here already:
    /// then what is held here is newer.
    pub(crate) fn grant(&mut self, credits: Option<Credits>) {
        if self.credits().map(|held| held.grant) != credits.map(|given| given.grant) {
            self.set_credits(credits);
        }
    }
}

impl Held {
    fn is_of(&self, name: &str, window_seconds: u32) -> bool {
        self.window_seconds == window_seconds && *self.name == *name
    }
}
