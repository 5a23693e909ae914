//! Figures as a series: how far back a question reaches, and into which buckets its answer is cut.

use std::str::FromStr;

use chrono::TimeDelta;

use crate::Timestamp;
use crate::period::{Cells, Kept, Period, Span};

/// How long before now a question begins: some hours or days, at most [`Period::MAX_DAYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookback(TimeDelta);

/// Why a text is no [`Lookback`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLookback {
    /// It is not a whole number above 0 with `h` or `d` behind it.
    #[error("not a number of hours or days")]
    Malformed,
    /// It reaches further back than figures are asked for at once.
    #[error("more than {} days", Period::MAX_DAYS)]
    TooLong,
}

impl Lookback {
    /// What a question covers when nothing is said.
    pub const USUAL: Self = Self(TimeDelta::days(30));
}

impl FromStr for Lookback {
    type Err = InvalidLookback;

    fn from_str(text: &str) -> Result<Self, InvalidLookback> {
        let (number, hours) = match text.strip_suffix('h') {
            Some(number) => (number, 1),
            None => (text.strip_suffix('d').ok_or(InvalidLookback::Malformed)?, 24),
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidLookback::Malformed);
        }
        // Digits that are no number are too many of them.
        let number: i64 = number.parse().map_err(|_| InvalidLookback::TooLong)?;
        match number.saturating_mul(hours) {
            0 => Err(InvalidLookback::Malformed),
            hours if hours > Period::MAX_DAYS * 24 => Err(InvalidLookback::TooLong),
            hours => Ok(Self(TimeDelta::hours(hours))),
        }
    }
}

/// What a question reaches over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// So long, until now.
    Back(Lookback),
    /// From one instant to another, both included. An open end is now; an open start is
    /// [`Lookback::USUAL`] before the end.
    Between {
        /// The first instant.
        start: Option<Timestamp>,
        /// The last instant.
        end: Option<Timestamp>,
    },
}

impl Default for Reach {
    fn default() -> Self {
        Self::Back(Lookback::USUAL)
    }
}

/// The length of a series' buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// UTC hours.
    Hour,
    /// UTC days.
    Day,
}

impl Resolution {
    /// The word callers switch on.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The span of its buckets.
    #[must_use]
    pub const fn span(self) -> Span {
        match self {
            Self::Hour => Span::Hour,
            Self::Day => Span::Day,
        }
    }
}

/// Why figures cannot be told as a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeries {
    /// The end lies before the start.
    #[error("the end lies before the start")]
    Inverted,
    /// More than [`Period::MAX_DAYS`] lie between start and end.
    #[error("more than {} days", Period::MAX_DAYS)]
    TooLong,
}

/// The buckets of an answer: every one that the question's instants touch, and each whole, so that the
/// totals are the sums of what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    start: Timestamp,
    end: Timestamp,
    resolution: Resolution,
}

impl Series {
    /// As long a question is answered by the hour, if the hours are still known.
    const HOURLY: TimeDelta = TimeDelta::days(7);

    /// The series of a question that is asked at `now`, of usage that is known since `kept`.
    ///
    /// # Errors
    /// [`InvalidSeries`] when the instants of the question are in the wrong order, or too far apart.
    pub fn new(reach: Reach, now: Timestamp, kept: Kept) -> Result<Self, InvalidSeries> {
        let before = |end: Timestamp, Lookback(back)| end.checked_sub_signed(back).unwrap_or(end);
        let (start, end) = match reach {
            Reach::Back(back) => (before(now, back), now),
            Reach::Between { start, end } => {
                let end = end.unwrap_or(now);
                (start.unwrap_or_else(|| before(end, Lookback::USUAL)), end)
            }
        };
        if end < start {
            return Err(InvalidSeries::Inverted);
        }
        let length = end - start;
        if length > TimeDelta::days(Period::MAX_DAYS) {
            return Err(InvalidSeries::TooLong);
        }
        let is_known = Span::Hour.floor(start.timestamp()) >= kept.hours_from;
        let resolution = if length <= Self::HOURLY && is_known { Resolution::Hour } else { Resolution::Day };
        Ok(Self { start, end, resolution })
    }

    /// The first instant that was asked for.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The last instant that was asked for.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// How long its buckets are.
    #[must_use]
    pub const fn resolution(self) -> Resolution {
        self.resolution
    }

    /// Its buckets, as usage is asked for them.
    #[must_use]
    pub const fn cells(self) -> Cells {
        let span = self.resolution.span();
        let until = span.floor(self.end.timestamp()) + span.seconds();
        Cells { span, from: span.floor(self.start.timestamp()), until }
    }

    /// The starts of its buckets in seconds since the epoch, oldest first.
    pub fn starts(self) -> impl Iterator<Item = i64> {
        let Cells { span, from, until } = self.cells();
        let mut next = from;
        std::iter::from_fn(move || {
            let start = next;
            next += span.seconds();
            (start < until).then_some(start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn between(start: &str, end: &str) -> Result<Series, InvalidSeries> {
        let reach = Reach::Between { start: Some(at(start)), end: Some(at(end)) };
        Series::new(reach, at("2030-01-01T00:00:00Z"), Kept::ALL)
    }

    #[test]
    fn lookbacks_are_hours_or_days() {
        for (text, hours) in
            [("1h", 1), ("24h", 24), ("8784h", 8_784), ("7d", 168), ("366d", 8_784), ("007d", 168)]
        {
            assert_eq!(text.parse(), Ok(Lookback(TimeDelta::hours(hours))), "{text}");
        }
        for text in
            ["", "h", "d", "0h", "0d", "7", "7w", "-7d", "+7d", " 7d", "7 d", "7D", "1.5h", "٣d", "7dd"]
        {
            assert_eq!(text.parse::<Lookback>(), Err(InvalidLookback::Malformed), "{text:?}");
        }
        for text in ["367d", "8785h", "9223372036854775807d", "99999999999999999999h"] {
            assert_eq!(text.parse::<Lookback>(), Err(InvalidLookback::TooLong), "{text}");
        }
    }

    #[test]
    fn a_question_ends_now_or_where_it_says() {
        let now = at("2026-03-01T12:34:56Z");
        let of = |reach| Series::new(reach, now, Kept::ALL).unwrap();
        let series = of(Reach::default());
        assert_eq!((series.start(), series.end()), (at("2026-01-30T12:34:56Z"), now));
        let day = Reach::Back("24h".parse().unwrap());
        assert_eq!(of(day).start(), at("2026-02-28T12:34:56Z"));
        let end = at("2026-01-31T00:00:00Z");
        let series = of(Reach::Between { start: None, end: Some(end) });
        assert_eq!((series.start(), series.end()), (at("2026-01-01T00:00:00Z"), end));
        let series = of(Reach::Between { start: Some(end), end: None });
        assert_eq!((series.start(), series.end()), (end, now));
    }

    #[test]
    fn a_week_is_told_by_the_hour_and_more_by_the_day() {
        for (start, end, resolution, buckets) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Resolution::Hour, 1),
            ("2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z", Resolution::Hour, 2),
            ("2025-12-31T23:30:00Z", "2026-01-01T00:30:00Z", Resolution::Hour, 2),
            ("2026-01-01T00:30:00Z", "2026-01-08T00:30:00Z", Resolution::Hour, 169),
            ("2026-01-01T00:00:00Z", "2026-01-08T00:00:01Z", Resolution::Day, 8),
            // February, of a common year and of a leap year, and the ends of years.
            ("2026-02-01T00:00:00Z", "2026-02-28T23:59:59Z", Resolution::Day, 28),
            ("2028-02-01T00:00:00Z", "2028-02-29T23:59:59Z", Resolution::Day, 29),
            ("2028-02-28T23:00:00Z", "2028-03-01T00:59:59Z", Resolution::Hour, 26),
            ("2027-12-20T00:00:00Z", "2028-01-10T00:00:00Z", Resolution::Day, 22),
            ("2028-01-01T00:00:00Z", "2028-12-31T23:59:59Z", Resolution::Day, 366),
            ("1969-12-30T00:00:00Z", "1970-01-10T00:00:00Z", Resolution::Day, 12),
        ] {
            let series = between(start, end).unwrap();
            assert_eq!(
                (series.resolution(), series.starts().count()),
                (resolution, buckets),
                "{start} {end}"
            );
        }
        assert_eq!(between("2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"), Err(InvalidSeries::Inverted));
        assert_eq!(between("2025-01-01T00:00:00Z", "2026-01-02T00:00:01Z"), Err(InvalidSeries::TooLong));
    }

    #[test]
    fn where_hours_are_gone_days_are_told() {
        let kept = Kept { minutes_from: i64::MIN, hours_from: at("2026-01-02T00:00:00Z").timestamp() };
        for (start, resolution) in
            [("2026-01-01T23:59:59Z", Resolution::Day), ("2026-01-02T00:00:00Z", Resolution::Hour)]
        {
            let reach = Reach::Between { start: Some(at(start)), end: Some(at("2026-01-03T00:00:00Z")) };
            let series = Series::new(reach, at("2026-01-04T00:00:00Z"), kept).unwrap();
            assert_eq!(series.resolution(), resolution, "{start}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_asked_for_is_in_one_bucket(start in -4_000_000_000_i64..4_000_000_000, length in 0_i64..31_622_400) {
            let instant = |seconds| Timestamp::UNIX_EPOCH + TimeDelta::seconds(seconds);
            let (first, last) = (instant(start), instant(start + length));
            let reach = Reach::Between { start: Some(first), end: Some(last) };
            let series = Series::new(reach, last, Kept::ALL).unwrap();
            let starts: Vec<_> = series.starts().collect();
            let seconds = series.resolution().span().seconds();
            prop_assert!(starts[0] <= start && start < starts[0] + seconds);
            let end = starts[starts.len() - 1];
            prop_assert!(end <= start + length && start + length < end + seconds);
            prop_assert!(starts.windows(2).all(|pair| pair[0] + seconds == pair[1]));
            prop_assert_eq!(series.cells().until, end + seconds);
        }
    }
}
