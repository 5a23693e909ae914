//! Spans of time: how usage is cut into buckets, and which buckets a question covers.

use chrono::TimeDelta;

use crate::Timestamp;

/// The length of a usage bucket. Buckets begin at whole multiples since the epoch, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// 60 seconds: the finest usage is known to.
    Minute,
    /// 60 minutes.
    Hour,
    /// A UTC day of 24 hours; there are no leap seconds in Unix time.
    Day,
}

impl Span {
    /// Every span, from the finest up; each is a whole number of the one before it.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The start of the bucket that holds the second `seconds` since the epoch.
    #[must_use]
    pub const fn floor(self, seconds: i64) -> i64 {
        seconds.div_euclid(self.seconds()) * self.seconds()
    }

    const fn ceil(self, seconds: i64) -> i64 {
        self.floor(seconds + self.seconds() - 1)
    }
}

/// From `start` to `end`, both included, as a caller asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    start: Timestamp,
    end: Timestamp,
    kept: Kept,
}

/// From when on usage is known how finely, in seconds since the epoch. How long days are kept is not told here:
/// what is older than they are is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Buckets of a minute that begin before this are gone.
    pub minutes_from: i64,
    /// Buckets of an hour that begin before this are gone.
    pub hours_from: i64,
}

impl Kept {
    /// Nothing was ever deleted.
    pub const ALL: Self = Self { minutes_from: i64::MIN, hours_from: i64::MIN };

    /// The range `from..until`, with edges where the finer buckets are gone rounded outwards: to the
    /// hour, and to the day where the hours are gone too.
    fn widened(self, mut from: i64, mut until: i64) -> (i64, i64) {
        for (kept_from, coarser) in [(self.minutes_from, Span::Hour), (self.hours_from, Span::Day)] {
            if from < kept_from {
                from = coarser.floor(from);
            }
            // What the last edge is made of begins with its hour, or day, or with the range itself.
            if coarser.floor(until).max(from) < kept_from {
                until = coarser.ceil(until);
            }
        }
        (from, until)
    }
}

/// The end lies before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the end lies before the start")]
pub struct InvertedPeriod;

/// Buckets of one span whose starts lie in `from..until`, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    /// The length of each bucket.
    pub span: Span,
    /// The start of the first bucket.
    pub from: i64,
    /// The start of the first bucket that is left out.
    pub until: i64,
}

impl Period {
    /// The most days a breakdown goes back.
    pub const MAX_DAYS: i64 = 366;

    /// The period from `start` to `end`; one instant is a period too.
    ///
    /// # Errors
    /// [`InvertedPeriod`] when `end` is before `start`.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, InvertedPeriod> {
        if end < start { Err(InvertedPeriod) } else { Ok(Self { start, end, kept: Kept::ALL }) }
    }

    /// The same period, asked of usage that is no longer known as finely everywhere. A new period takes
    /// everything to be known.
    #[must_use]
    pub const fn known_since(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }

    /// The first instant of it.
    #[must_use]
    pub fn start(self) -> Timestamp {
        self.start
    }

    /// The last instant of it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.end
    }

    /// The fewest buckets that cover the period, none twice. Usage is known to the minute: a minute
    /// that the period touches counts whole; where minutes are gone, the hour does, and where hours are
    /// gone, the day. So the figures of old periods are complete, and at most coarser than asked for.
    #[must_use]
    pub fn cells(self) -> Vec<Cells> {
        let from = Span::Minute.floor(self.start.timestamp());
        let until = Span::Minute.floor(self.end.timestamp()) + Span::Minute.seconds();
        let (from, until) = self.kept.widened(from, until);
        let mut cells = Vec::with_capacity(5);
        cover(Span::Day, from, until, &mut cells);
        cells.retain(|cell| cell.from < cell.until);
        cells
    }

    /// The UTC days the period touches, oldest first; the last [`Self::MAX_DAYS`] of them when there are more.
    #[must_use]
    pub fn days(self) -> Vec<chrono::NaiveDate> {
        let last = self.end.date_naive();
        let touched = (last - self.start.date_naive()).num_days() + 1;
        let shown = touched.min(Self::MAX_DAYS);
        (0..shown).rev().filter_map(|back| last.checked_sub_signed(TimeDelta::days(back))).collect()
    }
}

/// Whole buckets of `span` in the middle, finer ones at both edges.
fn cover(span: Span, from: i64, until: i64, cells: &mut Vec<Cells>) {
    let finer = match span {
        Span::Day => Span::Hour,
        Span::Hour => Span::Minute,
        Span::Minute => return cells.push(Cells { span, from, until }),
    };
    let (inner_from, inner_until) = (span.ceil(from), span.floor(until));
    if inner_from >= inner_until {
        return cover(finer, from, until, cells);
    }
    cover(finer, from, inner_from, cells);
    cells.push(Cells { span, from: inner_from, until: inner_until });
    cover(finer, inner_until, until, cells);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn whole_days_are_asked_as_days() {
        let period = Period::new(at(0), at(3 * 86_400 - 1)).unwrap();
        assert_eq!(period.cells(), [Cells { span: Span::Day, from: 0, until: 3 * 86_400 }]);
        assert_eq!(period.days().len(), 3);
        assert_eq!(Period::new(at(1), at(0)), Err(InvertedPeriod));
    }

    #[test]
    fn a_breakdown_shows_the_last_days_only() {
        let period = Period::new(at(0), at(1000 * 86_400)).unwrap();
        let days = period.days();
        assert_eq!(days.len(), 366);
        assert_eq!(days[365], at(1000 * 86_400).date_naive());
    }

    #[test]
    fn edges_are_as_fine_as_what_is_kept() {
        const HOUR: i64 = 3_600;
        const DAY: i64 = 86_400;
        let kept = Kept { minutes_from: 5 * DAY + 90, hours_from: 2 * DAY + 90 };
        let minutes = |from, until| Cells { span: Span::Minute, from, until };
        let hours = |from, until| Cells { span: Span::Hour, from, until };
        let days = |from, until| Cells { span: Span::Day, from, until };
        for (start, end, expected) in [
            // Minutes are known of all of it.
            (5 * DAY + 120, 5 * DAY + 199, vec![minutes(5 * DAY + 120, 5 * DAY + 240)]),
            // One minute too early: the hour, and of a period within one hour nothing else.
            (5 * DAY + 60, 5 * DAY + 199, vec![hours(5 * DAY, 5 * DAY + HOUR)]),
            // Only the end reaches to where minutes are known.
            (
                5 * DAY + 60,
                5 * DAY + HOUR,
                vec![hours(5 * DAY, 5 * DAY + HOUR), minutes(5 * DAY + HOUR, 5 * DAY + HOUR + 60)],
            ),
            (3 * DAY + 70, 3 * DAY + HOUR, vec![hours(3 * DAY, 3 * DAY + 2 * HOUR)]),
            // The hour that the edge is rounded to is gone as well.
            (2 * DAY + 120, 2 * DAY + HOUR, vec![days(2 * DAY, 3 * DAY)]),
            (2 * DAY + HOUR, 2 * DAY + HOUR, vec![hours(2 * DAY + HOUR, 2 * DAY + 2 * HOUR)]),
            (DAY - 1, DAY, vec![days(0, 2 * DAY)]),
            // Each edge for itself.
            (
                70,
                5 * DAY + HOUR + 70,
                vec![
                    days(0, 5 * DAY),
                    hours(5 * DAY, 5 * DAY + HOUR),
                    minutes(5 * DAY + HOUR, 5 * DAY + HOUR + 120),
                ],
            ),
        ] {
            let period = Period::new(at(start), at(end)).unwrap();
            let mut cells = period.known_since(kept).cells();
            cells.sort_by_key(|cell| cell.from);
            assert_eq!(cells, expected, "{start} to {end}");
        }
    }

    proptest! {
        #[test]
        fn only_what_is_kept_is_asked_and_all_of_the_period(
            start in 0_i64..2_000_000,
            length in 0_i64..400_000,
            minutes_from in 0_i64..2_400_000,
            hours_from in 0_i64..2_400_000,
        ) {
            let kept = Kept { minutes_from, hours_from };
            let period = Period::new(at(start), at(start + length)).unwrap();
            let mut cells = period.known_since(kept).cells();
            cells.sort_by_key(|cell| cell.from);
            for cell in &cells {
                prop_assert!(cell.from % cell.span.seconds() == 0 && cell.until % cell.span.seconds() == 0);
                match cell.span {
                    Span::Minute => prop_assert!(cell.from >= minutes_from),
                    Span::Hour => prop_assert!(cell.from >= hours_from),
                    Span::Day => {}
                }
            }
            for pair in cells.windows(2) {
                prop_assert_eq!(pair[0].until, pair[1].from);
            }
            prop_assert!(cells.len() <= 5);
            // The edges lie outside of what was asked for, and no further than they must.
            let (from, until) = (cells[0].from, cells[cells.len() - 1].until);
            let (first, last) = (Span::Minute.floor(start), Span::Minute.floor(start + length) + 60);
            let hour = (Span::Hour.floor(first), Span::Hour.ceil(last));
            let day = (Span::Day.floor(first), Span::Day.ceil(last));
            prop_assert!(from == first || from == hour.0 || from == day.0);
            prop_assert!(until == last || until == hour.1 || until == day.1);
            if from < first {
                prop_assert!(first < minutes_from.max(hours_from));
            }
            if until > last {
                prop_assert!(Span::Day.floor(last) < minutes_from.max(hours_from));
            }
            if hours_from <= minutes_from {
                prop_assert!(from >= hour.0 || hour.0 < hours_from);
                // A whole hour at the end may still be among hours that are gone: then the day is asked.
                let (minutes_gone, hours_gone) =
                    (Span::Hour.floor(last) < minutes_from, Span::Day.floor(last) < hours_from);
                prop_assert!(until <= last || minutes_gone || hours_gone);
                prop_assert!(until <= hour.1 || hours_gone);
            }
        }

        #[test]
        fn every_minute_is_covered_exactly_once(start in 0_i64..20_000_000, length in 0_i64..400_000) {
            let period = Period::new(at(start), at(start + length)).unwrap();
            let mut cells = period.cells();
            prop_assert!(cells.iter().all(|c| c.from % c.span.seconds() == 0 && c.until % c.span.seconds() == 0));
            cells.sort_by_key(|cell| cell.from);
            prop_assert_eq!(cells[0].from, Span::Minute.floor(start));
            prop_assert_eq!(cells[cells.len() - 1].until, Span::Minute.floor(start + length) + 60);
            for pair in cells.windows(2) {
                prop_assert_eq!(pair[0].until, pair[1].from);
            }
            prop_assert!(cells.len() <= 5);
        }
    }
}
