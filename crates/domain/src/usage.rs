//! What has been used: counts, and the figures told of them.

/// Counts over any set of calls; they add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many calls.
    pub total: u64,
    /// Denied, or reported with a status of 400 and above.
    pub failed: u64,
    /// Milliseconds, summed over the calls whose duration was reported.
    pub duration_ms: u64,
    /// How many calls reported a duration.
    pub timed: u64,
}

impl Tally {
    /// One call that was decided, with no duration known.
    #[must_use]
    pub const fn one_call(failed: bool) -> Self {
        Self { total: 1, failed: failed as u64, duration_ms: 0, timed: 0 }
    }

    /// The calls that did not fail.
    #[must_use]
    pub const fn succeeded(&self) -> u64 {
        self.total.saturating_sub(self.failed)
    }

    /// The mean duration in whole milliseconds, halves up; 0 of nothing.
    #[must_use]
    pub const fn average_ms(&self) -> u64 {
        match self.timed {
            0 => 0,
            timed => (self.duration_ms + timed / 2) / timed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_is_rounded_and_defined_for_nothing() {
        assert_eq!(Tally::default().average_ms(), 0);
        let tally = Tally { total: 4, failed: 1, duration_ms: 91, timed: 2 };
        assert_eq!((tally.average_ms(), tally.succeeded()), (46, 3));
    }
}
