//! What has been used: counts, and the figures told of them.

use std::ops::AddAssign;

use crate::verification::Code;

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
    /// Billable units: what allowed calls cost, and what was reported on top of that.
    pub units: u64,
}

impl Tally {
    /// One call that was decided, with no duration known. A denied one costs nothing.
    #[must_use]
    pub const fn decided(allowed: bool, cost: u32) -> Self {
        let units = if allowed { cost as u64 } else { 0 };
        Self { total: 1, failed: !allowed as u64, duration_ms: 0, timed: 0, units }
    }

    /// How a call went that was counted when it was decided: the HTTP status it was answered with, how
    /// long that took, and the units it used beyond its cost. No call is added.
    #[must_use]
    pub const fn reported(status: u16, duration_ms: u64, units: u64) -> Self {
        Self { total: 0, failed: (status >= 400) as u64, duration_ms, timed: 1, units }
    }

    /// The calls that did not fail; 0 where more failures are known than calls, as when a report is
    /// counted in the minute after its call.
    #[must_use]
    pub const fn succeeded(&self) -> u64 {
        self.total.saturating_sub(self.failed)
    }

    /// The mean duration in whole milliseconds, halves up; 0 of nothing.
    #[must_use]
    pub const fn average_ms(&self) -> u64 {
        match self.timed {
            0 => 0,
            timed => self.duration_ms.saturating_add(timed / 2) / timed,
        }
    }
}

/// What an organization's figures are told apart by.
///
/// A call is counted under the code it was decided with. What is reported of it later stands by itself: a
/// report names no decision, and a call that passed and then failed is still one that was `VALID`. So the
/// decisions' totals add up to the calls, and denials and reported failures together to the failed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Calls decided with this code.
    Decided(Code),
    /// What was reported of calls.
    Reported,
}

impl Outcome {
    /// The stable word, as the database holds it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Decided(code) => code.word(),
            Self::Reported => "REPORTED",
        }
    }

    /// The outcome of a word; `None` of any other text. Case matters.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Code::ALL.into_iter().map(Self::Decided).chain([Self::Reported]).find(|it| it.word() == word)
    }
}

/// What is too much for a count stays the most it can tell.
impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self { total, failed, duration_ms, timed, units } = other;
        self.total = self.total.saturating_add(total);
        self.failed = self.failed.saturating_add(failed);
        self.duration_ms = self.duration_ms.saturating_add(duration_ms);
        self.timed = self.timed.saturating_add(timed);
        self.units = self.units.saturating_add(units);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tally(total: u64, failed: u64, duration_ms: u64, timed: u64, units: u64) -> Tally {
        Tally { total, failed, duration_ms, timed, units }
    }

    #[test]
    fn a_call_is_counted_when_it_is_decided_and_not_again_when_it_is_reported() {
        for (counted, expected) in [
            (Tally::decided(true, 3), tally(1, 0, 0, 0, 3)),
            (Tally::decided(true, 0), tally(1, 0, 0, 0, 0)),
            (Tally::decided(false, 3), tally(1, 1, 0, 0, 0)),
            (Tally::reported(200, 12, 0), tally(0, 0, 12, 1, 0)),
            (Tally::reported(399, 0, 7), tally(0, 0, 0, 1, 7)),
            (Tally::reported(400, 12, 7), tally(0, 1, 12, 1, 7)),
            (Tally::reported(503, 12, 0), tally(0, 1, 12, 1, 0)),
        ] {
            assert_eq!(counted, expected);
        }
    }

    #[test]
    fn counts_add_up_and_stay_at_their_most() {
        let mut sum = Tally::decided(true, 2);
        sum += Tally::decided(false, 2);
        sum += Tally::reported(500, 30, 5);
        assert_eq!(sum, tally(2, 2, 30, 1, 7));
        assert_eq!(sum.succeeded(), 0);
        sum += tally(u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(sum, tally(u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX));
    }

    #[test]
    fn outcomes_are_known_by_their_words() {
        for outcome in Code::ALL.map(Outcome::Decided).into_iter().chain([Outcome::Reported]) {
            assert_eq!(Outcome::of_word(outcome.word()), Some(outcome));
        }
        assert_eq!(Outcome::of_word("valid"), None);
    }

    #[test]
    fn more_failures_than_calls_are_no_negative_success() {
        assert_eq!(Tally::reported(500, 1, 0).succeeded(), 0);
    }

    #[test]
    fn the_average_is_rounded_and_defined_for_nothing() {
        assert_eq!(Tally::default().average_ms(), 0);
        let tally = tally(4, 1, 91, 2, 0);
        assert_eq!((tally.average_ms(), tally.succeeded()), (46, 3));
    }
}
