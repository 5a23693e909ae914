//! Spans of time as people write them: `365d`, or the durations of ISO 8601.

use std::str::FromStr;

use chrono::{Months, TimeDelta};

use crate::Timestamp;

/// How long something is to last: calendar months, and a span beyond them. More than nothing, and at most
/// [`Self::MOST_DAYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    months: u32,
    span: TimeDelta,
}

/// The text is no span of time, or one of nothing or of more than a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a span of time")]
pub struct InvalidSpan;

impl Lifetime {
    /// The longest, in days.
    pub const MOST_DAYS: i64 = 36_525;

    /// The instant so long after `now`; `None` beyond the end of the calendar. The last day of a short month
    /// stands for those it lacks.
    #[must_use]
    pub fn after(self, now: Timestamp) -> Option<Timestamp> {
        now.checked_add_months(Months::new(self.months))?.checked_add_signed(self.span)
    }
}

/// Seconds of a unit: a day is 24 hours, whatever a calendar says.
const fn seconds(unit: u8) -> Option<i64> {
    match unit {
        b'w' | b'W' => Some(604_800),
        b'd' | b'D' => Some(86_400),
        b'h' | b'H' => Some(3_600),
        b'm' => Some(60),
        _ => None,
    }
}

impl FromStr for Lifetime {
    type Err = InvalidSpan;

    /// Reads a whole number with `m`, `h`, `d` or `w` behind it (minutes, hours, days of 24 hours, weeks), or a
    /// duration of ISO 8601 in whole numbers, such as `P1Y`, `P90D` or `P1DT12H`: its years and months are the
    /// calendar's.
    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let read = match text.strip_prefix('P') {
            Some(rest) => iso(rest),
            None => plain(text),
        };
        let (months, total) = read.ok_or(InvalidSpan)?;
        let days = i64::from(months) * 31 + total / 86_400;
        if (months == 0 && total == 0) || days > Self::MOST_DAYS {
            return Err(InvalidSpan);
        }
        Ok(Self { months, span: TimeDelta::try_seconds(total).ok_or(InvalidSpan)? })
    }
}

fn plain(text: &str) -> Option<(u32, i64)> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = unit.bytes().next().filter(u8::is_ascii_lowercase)?;
    Some((0, number(digits)?.checked_mul(seconds(unit)?)?))
}

fn number(digits: &str) -> Option<i64> {
    let fits = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

fn iso(rest: &str) -> Option<(u32, i64)> {
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let (mut months, mut total) = (0_u32, 0_i64);
    for (count, unit) in parts(date, b"YMWD")? {
        match unit {
            b'Y' => months = months.checked_add(u32::try_from(count).ok()?.checked_mul(12)?)?,
            b'M' => months = months.checked_add(u32::try_from(count).ok()?)?,
            _ => total = total.checked_add(count.checked_mul(seconds(unit)?)?)?,
        }
    }
    for (count, unit) in parts(time, b"HMS")? {
        let unit = match unit {
            b'H' => 3_600,
            b'M' => 60,
            _ => 1,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
    }
    Some((months, total))
}

/// Numbers with their units, each unit at most once and in this order.
fn parts(text: &str, units: &[u8]) -> Option<Vec<(i64, u8)>> {
    let mut left = text;
    let mut parts = Vec::new();
    let mut from = 0;
    while !left.is_empty() {
        let end = left.bytes().position(|byte| !byte.is_ascii_digit())?;
        let unit = left.as_bytes()[end];
        from += units.get(from..)?.iter().position(|known| *known == unit)? + 1;
        parts.push((number(&left[..end])?, unit));
        left = left.get(end + 1..)?;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_added() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (span, from, to) in [
            // A day is 24 hours: the published example is a day off.
            ("365d", "2024-01-15T10:00:00Z", "2025-01-14T10:00:00Z"),
            ("90m", "2024-01-15T10:00:00Z", "2024-01-15T11:30:00Z"),
            ("36h", "2024-01-15T10:00:00Z", "2024-01-16T22:00:00Z"),
            ("2w", "2024-01-15T10:00:00Z", "2024-01-29T10:00:00Z"),
            ("P1Y", "2024-01-15T10:00:00Z", "2025-01-15T10:00:00Z"),
            ("P1M", "2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z"),
            ("P90D", "2024-01-15T10:00:00Z", "2024-04-14T10:00:00Z"),
            ("P1DT12H30M5S", "2024-01-15T10:00:00Z", "2024-01-16T22:30:05Z"),
            ("PT1M", "2024-01-15T10:00:00Z", "2024-01-15T10:01:00Z"),
        ] {
            assert_eq!(span.parse::<Lifetime>().unwrap().after(at(from)), Some(at(to)), "{span}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "d",
            "365",
            "0d",
            "-1d",
            "1.5d",
            "1y",
            "1D",
            "1s",
            " 1d",
            "P",
            "PT",
            "P1",
            "P1H",
            "PT1D",
            "P1D1Y",
            "P1DT",
            "P0D",
            "P1.5D",
            "p1d",
            "99999999999d",
            "36526d",
            "P101Y",
            "1é",
            "é",
        ] {
            assert_eq!(text.parse::<Lifetime>(), Err(InvalidSpan), "{text}");
        }
    }
}
