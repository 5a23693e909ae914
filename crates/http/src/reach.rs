//! Over which time usage is asked for, and of how many keys: alike for the operator and the tenants.

use claviger_app::analytics::Keys;
use claviger_domain::series::Reach;

use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::instant;

/// `period`, or `start` and `end`.
pub(crate) fn read(query: &mut Query) -> Result<Reach, Fault> {
    let (period, start, end) = (query.take("period"), query.take("start"), query.take("end"));
    let bad = |field| move || Fault::invalid(field, Reason::Instant);
    match (period, start, end) {
        (None, None, None) => Ok(Reach::default()),
        (Some(period), None, None) => {
            let bad = |_| Fault::invalid("period", Reason::Lookback);
            period.parse().map(Reach::Back).map_err(bad)
        }
        (Some(_), Some(_), _) => Err(Fault::invalid("period", Reason::NotWith("start"))),
        (Some(_), None, Some(_)) => Err(Fault::invalid("period", Reason::NotWith("end"))),
        (None, start, end) => Ok(Reach::Between {
            start: start.map(|text| instant::parse(&text).ok_or_else(bad("start"))).transpose()?,
            end: end.map(|text| instant::parse_end(&text).ok_or_else(bad("end"))).transpose()?,
        }),
    }
}

/// How many of the busiest keys are told.
pub(crate) fn keys(query: &mut Query) -> Result<Keys, Fault> {
    let keys = query.take("keys").map(|text| {
        let bad = Fault::invalid("keys", Reason::Integer { min: 1, max: 100 });
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).and_then(Keys::new).ok_or(bad)
    });
    Ok(keys.transpose()?.unwrap_or_default())
}
