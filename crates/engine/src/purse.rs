//! What calls spend from: counters of limits, and balances. Each owner's are behind a lock of its own, which is held
//! for as long as one call is weighed: so of many limits all are charged, or none.

use std::collections::{HashMap, VecDeque};
use std::sync::PoisonError;

use claviger_domain::credential::Credits;
use claviger_domain::limit::{Counter, Limit, Limits};

use crate::sync::{Mutex, MutexGuard};

/// What one credential alone spends from.
#[derive(Debug, Default)]
pub(crate) struct Purse(Mutex<Contents>);

#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Few: those of at most sixteen limits, and [`SPARE`] more. Most credentials have one.
    counters: Vec<Held>,
    credits: Option<Box<Credits>>,
}

#[derive(Debug)]
struct Held {
    name: Box<str>,
    window_seconds: u32,
    counter: Counter,
}

/// Counters that are kept although no limit names them any more: a limit that is taken away and given back goes on
/// with what was spent.
const SPARE: usize = 16;

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

    pub(crate) fn has(&self, name: &str, window_seconds: u32) -> bool {
        self.counters.iter().any(|held| held.is_of(name, window_seconds))
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

    /// Drops the counters that none of these limits names, but for the newest [`SPARE`].
    pub(crate) fn keep(&mut self, limits: &Limits) {
        let is_named = |held: &Held| limits.iter().any(|limit| held.is_of(&limit.name, limit.window_seconds));
        let spare = self.counters.iter().filter(|held| !is_named(held)).count();
        let mut surplus = spare.saturating_sub(SPARE);
        self.counters.retain(|held| {
            let goes = surplus > 0 && !is_named(held);
            surplus -= usize::from(goes);
            !goes
        });
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.counters.len()
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

/// The counters that the credentials of one organization or one user account share.
#[derive(Debug, Default)]
pub(crate) struct SharedPurse(Mutex<SharedContents>);

/// There may be as many names as there are credentials: a counter is found by hash.
#[derive(Debug, Default)]
pub(crate) struct SharedContents {
    slots: HashMap<Box<[u8]>, Slot>,
    /// Counters that no credential names any more, the longest unnamed first; some may be named again.
    unnamed: VecDeque<Box<[u8]>>,
}

#[derive(Debug, Default)]
struct Slot {
    counter: Counter,
    /// Credentials with a limit that counts here.
    named_by: u32,
}

/// Unnamed counters that are kept, for the same reason as [`SPARE`].
const UNNAMED: usize = 64;

impl SharedPurse {
    pub(crate) fn open(&self) -> MutexGuard<'_, SharedContents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedContents {
    /// The counter of a limit; an empty one when nothing was spent from it yet.
    pub(crate) fn counter(&self, limit: &Limit) -> Counter {
        self.slot(&limit.name, limit.window_seconds).map(|slot| slot.counter).unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str, window_seconds: u32) -> bool {
        self.slot(name, window_seconds).is_some()
    }

    fn slot(&self, name: &str, window_seconds: u32) -> Option<&Slot> {
        Key::of(name, window_seconds).and_then(|key| self.slots.get(key.bytes()))
    }

    /// Sets the counter of a limit that a call has spent from.
    pub(crate) fn put(&mut self, name: &str, window_seconds: u32, counter: Counter) {
        let Some(key) = Key::of(name, window_seconds) else { return };
        match self.slots.get_mut(key.bytes()) {
            Some(slot) => slot.counter = counter,
            // The credential was changed while the call was decided.
            None => {
                self.slots.insert(key.bytes().into(), Slot { counter, named_by: 0 });
                self.spare(key.bytes().into());
            }
        }
    }

    /// As [`put`](Self::put), from a database: the credentials that name it may not be loaded yet.
    pub(crate) fn load(&mut self, name: &str, window_seconds: u32, counter: Counter) {
        if let Some(key) = Key::of(name, window_seconds) {
            self.slots.entry(key.bytes().into()).or_default().counter = counter;
        }
    }

    /// One credential more has this limit.
    pub(crate) fn name(&mut self, limit: &Limit) {
        let Some(key) = Key::of(&limit.name, limit.window_seconds) else { return };
        match self.slots.get_mut(key.bytes()) {
            Some(slot) => slot.named_by += 1,
            None => {
                self.slots.insert(key.bytes().into(), Slot { named_by: 1, ..Slot::default() });
            }
        }
    }

    /// One credential less has this limit.
    pub(crate) fn unname(&mut self, limit: &Limit) {
        let Some(key) = Key::of(&limit.name, limit.window_seconds) else { return };
        let Some(slot) = self.slots.get_mut(key.bytes()) else { return };
        slot.named_by = slot.named_by.saturating_sub(1);
        match (slot.named_by, slot.counter == Counter::default()) {
            (0, true) => {
                self.slots.remove(key.bytes());
            }
            (0, false) => self.spare(key.bytes().into()),
            _ => {}
        }
    }

    fn spare(&mut self, key: Box<[u8]>) {
        self.unnamed.push_back(key);
        if self.unnamed.len() > UNNAMED
            && let Some(oldest) = self.unnamed.pop_front()
            && self.slots.get(&oldest).is_some_and(|slot| slot.named_by == 0)
        {
            self.slots.remove(&oldest);
        }
    }

    /// Drops every counter that no credential names, once all credentials are loaded.
    pub(crate) fn drop_unnamed(&mut self) {
        self.unnamed.clear();
        self.slots.retain(|_, slot| slot.named_by > 0);
        if self.slots.capacity() > 4 * self.slots.len().max(16) {
            self.slots.shrink_to_fit();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// The longest name of a limit: [`Limits::new`].
const LONGEST_NAME: usize = 64;

/// A counter's name and window as the table has them, built without allocating.
struct Key {
    bytes: [u8; LONGEST_NAME + 4],
    length: usize,
}

impl Key {
    /// `None` of a name that no limit can have.
    fn of(name: &str, window_seconds: u32) -> Option<Self> {
        let mut bytes = [0; LONGEST_NAME + 4];
        bytes.first_chunk_mut::<4>()?.copy_from_slice(&window_seconds.to_le_bytes());
        let length = 4 + name.len();
        bytes.get_mut(4..length)?.copy_from_slice(name.as_bytes());
        Some(Self { bytes, length })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
