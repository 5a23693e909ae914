//! How far a lane is written and drained, and how much of all lanes waits: counted without a lock.

use std::sync::atomic::Ordering;

use super::record::LENGTH;
use crate::sync::AtomicU64;

/// How far a lane is. Never is more drained than written.
#[derive(Debug)]
pub(super) struct Offsets {
    /// Everything before it is whole and may be read.
    written: AtomicU64,
    /// Everything before it is in the database.
    drained: AtomicU64,
}

impl Offsets {
    pub(super) fn new(written: u64, drained: u64) -> Self {
        Self { written: AtomicU64::new(written), drained: AtomicU64::new(drained) }
    }

    /// Where the lane ends. Whoever sees it sees what was written up to there.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Up to where the database has it.
    pub(super) fn drained(&self) -> u64 {
        self.drained.load(Ordering::Acquire)
    }

    /// Bytes between the two.
    pub(super) fn undrained(&self) -> u64 {
        // In this order: what is drained was written before, and stays so.
        let drained = self.drained();
        self.written() - drained
    }

    /// Whether `offset` is a place that was written.
    pub(super) fn has(&self, offset: u64) -> bool {
        offset.is_multiple_of(LENGTH) && offset <= self.written()
    }

    /// Everything before `end` has been written. Only one thread at a time may say so, and none that lacks
    /// the right to append.
    pub(super) fn publish(&self, end: u64) {
        self.written.store(end, Ordering::Release);
    }

    /// What lies before `offset`, which was written, is in the database; answers how many bytes that has
    /// freed. Told twice, it has freed them once.
    pub(super) fn advance(&self, offset: u64) -> u64 {
        offset.saturating_sub(self.drained.fetch_max(offset, Ordering::AcqRel))
    }
}

/// The room that all lanes have together.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) bound: u64,
    /// Bytes that are not drained, or are about to be written.
    taken: AtomicU64,
}

impl Room {
    /// With so many bytes taken, which may be more than `bound` already.
    pub(super) fn new(bound: u64, taken: u64) -> Self {
        Self { bound, taken: AtomicU64::new(taken) }
    }

    /// Takes so many bytes; `false`, and nothing is taken, when they do not fit.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let fits = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= self.bound);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    /// Whether so many bytes fit now.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        self.taken.load(Ordering::Relaxed).checked_add(bytes).is_some_and(|sum| sum <= self.bound)
    }

    /// Gives back bytes that were taken.
    pub(super) fn free(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}
