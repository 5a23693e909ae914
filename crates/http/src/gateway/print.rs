//! Values as they are printed millions of times: straight into the answer, nothing allocated on the way.

use claviger_domain::scope::Held;
use claviger_domain::text::Metadata;
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

/// A bare UUID.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(pub(super) Uuid);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

/// Seconds since the epoch, as `2026-01-26T12:00:00Z`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(pub(super) i64);

impl Instant {
    fn text(self, text: &mut [u8; 20]) -> Option<&str> {
        let (days, seconds) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        // Days since the epoch to a civil date: eras of 400 years that begin in March, so that leap days come
        // last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        if !(0..=9_999).contains(&year) {
            return None;
        }
        *text = *b"0000-00-00T00:00:00Z";
        for (place, value) in [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, seconds / 3_600),
            (14, seconds / 60 % 60),
            (17, seconds % 60),
        ] {
            // Each is below a hundred.
            let value = u8::try_from(value).unwrap_or_default();
            text[place] += value / 10;
            text[place + 1] += value % 10;
        }
        std::str::from_utf8(text).ok()
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 20];
        serializer.serialize_str(self.text(&mut text).unwrap_or("9999-12-31T23:59:59Z"))
    }
}

/// Metadata as the object it came in as.
#[derive(Debug)]
pub(super) struct Stored<'a>(pub(super) Option<&'a Metadata>);

impl Serialize for Stored<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.map_or("{}", Metadata::as_str);
        serde_json::from_str::<&RawValue>(text).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Scopes as a list of words; nobody's are none.
#[derive(Debug)]
pub(super) struct Words<'a>(pub(super) Option<Held<'a>>);

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut words = serializer.serialize_seq(None)?;
        for scope in self.0.iter().flat_map(Held::iter) {
            words.serialize_element(scope.as_str())?;
        }
        words.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::Timestamp;

    #[test]
    fn instants_are_printed_as_everywhere_else() {
        let step = 86_400 * 29 + 12_347;
        for seconds in (0..253_402_300_799_i64).step_by(step).chain([951_782_400, 253_402_300_799]) {
            let at = Timestamp::from_timestamp(seconds, 0).unwrap();
            let mut text = [0; 20];
            assert_eq!(Instant(seconds).text(&mut text), Some(crate::instant::print(at).as_str()));
        }
        assert_eq!(Instant(i64::MAX / 2).text(&mut [0; 20]), None);
        assert_eq!(serde_json::to_string(&Instant(253_402_300_800)).unwrap(), "\"9999-12-31T23:59:59Z\"");
    }
}
