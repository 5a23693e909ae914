//! Instants on the wire: ISO 8601 in, UTC with whole seconds out.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use claviger_domain::Timestamp;

/// `2026-01-26T12:00:00Z`.
pub(crate) fn print(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A date-time with an offset (RFC 3339), or without one, which then means UTC; or a date, which means
/// its first second.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    parse_with(text, NaiveTime::MIN)
}

/// As [`parse`], but a date means its last second.
pub(crate) fn parse_end(text: &str) -> Option<Timestamp> {
    parse_with(text, NaiveTime::from_hms_opt(23, 59, 59)?)
}

fn parse_with(text: &str, of_date: NaiveTime) -> Option<Timestamp> {
    // The longest form is RFC 3339 with nine digits of a second and an offset.
    if !text.is_ascii() || text.len() > 35 || !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let zoned = || DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let local = || {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
        formats
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|at| at.and_utc())
    };
    let date = || {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10)?;
        Some(date.and_time(of_date).and_utc())
    };
    let at: DateTime<Utc> = zoned().or_else(local).or_else(date)?;
    // What the database keeps; and no year that would print as anything but four digits.
    ("1970".."9999").contains(&&*at.format("%Y").to_string()).then_some(())?;
    DateTime::from_timestamp_micros(at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_are_read() {
        for (text, expected) in [
            ("2026-01-26T12:00:00Z", "2026-01-26T12:00:00Z"),
            ("2026-01-26T12:00:00.999999Z", "2026-01-26T12:00:00Z"),
            ("2026-01-26T12:00:00+02:00", "2026-01-26T10:00:00Z"),
            ("2026-01-26t12:00:00z", "2026-01-26T12:00:00Z"),
            ("2026-01-26T12:00:00", "2026-01-26T12:00:00Z"),
            ("2026-01-26T12:00", "2026-01-26T12:00:00Z"),
            ("2026-01-26", "2026-01-26T00:00:00Z"),
        ] {
            assert_eq!(parse(text).map(print).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(parse_end("2026-01-31").map(print).as_deref(), Some("2026-01-31T23:59:59Z"));
        assert_eq!(parse_end("2026-01-31T01:00:00Z").map(print).as_deref(), Some("2026-01-31T01:00:00Z"));
    }

    #[test]
    fn the_rest_is_refused() {
        for text in [
            "",
            "now",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-1-1",
            "1700000000",
            "+12026-01-01",
            "12026-01-01",
            "2026-01-26T25:00:00Z",
            "2026-01-26T12:00:00Zjunk",
            "1969-12-31",
            "0000-01-01",
            "２０２６-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
