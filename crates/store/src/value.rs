//! Between domain values and columns.

use chrono::{DateTime, TimeDelta};
use claviger_domain::Timestamp;
use claviger_domain::secret::{Digest, SealedSecret};
use uuid::Uuid;

use crate::StoreError;

pub(crate) fn stamp(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

/// Reads columns of one row back into domain values, or says which row is not what was written.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) table: &'static str,
    pub(crate) id: Uuid,
}

impl Row {
    pub(crate) fn corrupt(self) -> StoreError {
        StoreError::Corrupt { table: self.table, row: self.id.to_string() }
    }

    pub(crate) fn instant(self, micros: i64) -> Result<Timestamp, StoreError> {
        DateTime::from_timestamp_micros(micros).ok_or_else(|| self.corrupt())
    }

    pub(crate) fn instant_or_none(self, micros: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
        micros.map(|micros| self.instant(micros)).transpose()
    }

    pub(crate) fn parsed<T: std::str::FromStr>(self, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt())
    }

    pub(crate) fn some<T>(self, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt())
    }

    pub(crate) fn number<T: TryFrom<i64>>(self, number: i64) -> Result<T, StoreError> {
        T::try_from(number).map_err(|_| self.corrupt())
    }

    pub(crate) fn number_or_none<T: TryFrom<i64>>(
        self,
        number: Option<i64>,
    ) -> Result<Option<T>, StoreError> {
        number.map(|number| self.number(number)).transpose()
    }

    /// How many days something is kept. None at all is not a rule that anybody could have settled.
    pub(crate) fn days_or_none(self, days: Option<i64>) -> Result<Option<u32>, StoreError> {
        let days = self.number_or_none(days)?;
        self.some((days != Some(0)).then_some(days))
    }

    pub(crate) fn seconds_or_none(self, seconds: Option<i64>) -> Result<Option<TimeDelta>, StoreError> {
        seconds.map(|seconds| self.some(TimeDelta::try_seconds(seconds))).transpose()
    }

    pub(crate) fn sealed(self, digest: &[u8], pepper: i64) -> Result<SealedSecret, StoreError> {
        let digest = digest.try_into().map_err(|_| self.corrupt())?;
        Ok(SealedSecret { digest: Digest::from_bytes(digest), pepper: self.number(pepper)? })
    }
}

/// Columns are signed; the domain's counts are not. Nothing counted here comes near the difference.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(crate) fn blob(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}
