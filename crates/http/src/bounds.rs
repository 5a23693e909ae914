//! Spans and numbers of days in settings, within what the operator's and the tenants' dialects allow alike.

use chrono::TimeDelta;

use crate::fault::{Fault, Reason};

/// A hundred years.
const LONGEST_SECONDS: i64 = 36_525 * 86_400;
const MOST_DAYS: i64 = 36_525;

pub(crate) fn span(field: impl Into<String>, seconds: Option<i64>) -> Result<Option<TimeDelta>, Fault> {
    match seconds {
        Some(seconds) if !(1..=LONGEST_SECONDS).contains(&seconds) => {
            Err(Fault::invalid(field, Reason::Between { min: 1, max: LONGEST_SECONDS }))
        }
        given => Ok(given.map(TimeDelta::seconds)),
    }
}

pub(crate) fn days(field: impl Into<String>, days: Option<i64>) -> Result<Option<u32>, Fault> {
    let fit = |days: i64| u32::try_from(days).ok().filter(|_| (1..=MOST_DAYS).contains(&days));
    let bad = || Fault::invalid(field, Reason::Between { min: 1, max: MOST_DAYS });
    days.map(fit).map_or(Ok(None), |days| days.map(Some).ok_or_else(bad))
}

pub(crate) fn count(field: impl Into<String>, count: Option<i64>) -> Result<Option<u32>, Fault> {
    let bad = |_| Fault::invalid(field, Reason::Between { min: 0, max: u32::MAX.into() });
    count.map(u32::try_from).transpose().map_err(bad)
}
