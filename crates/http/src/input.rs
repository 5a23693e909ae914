//! Fields of request bodies, read into types that have their rules: what the dialects have in common.

use claviger_app::Field;
use claviger_domain::text::{Description, InvalidText, Metadata, Name};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::fault::{Fault, Reason};
use crate::strict;

/// A field of a PATCH body: absent, `null`, or a value.
#[derive(Debug, Default)]
pub(crate) enum Patch<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T> Patch<T> {
    /// A field that `null` clears.
    pub(crate) fn nullable(self) -> Field<Option<T>> {
        match self {
            Self::Absent => Field::Keep,
            Self::Null => Field::Set(None),
            Self::Value(value) => Field::Set(Some(value)),
        }
    }

    /// A field that cannot be cleared.
    pub(crate) fn required(self, null: impl FnOnce() -> Fault) -> Result<Field<T>, Fault> {
        match self {
            Self::Absent => Ok(Field::Keep),
            Self::Null => Err(null()),
            Self::Value(value) => Ok(Field::Set(value)),
        }
    }

    /// A field that `null` sets back to what it is when nobody says anything.
    pub(crate) fn or_default<U: Default>(
        self,
        read: impl FnOnce(T) -> Result<U, Fault>,
    ) -> Result<Field<U>, Fault> {
        self.nullable().try_map(|given| Ok(given.map(read).transpose()?.unwrap_or_default()))
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Reads a text field into a type that has its rule.
pub(crate) fn text<T>(
    field: &'static str,
    text: &str,
    rule: impl FnOnce(&str) -> Result<T, InvalidText>,
) -> Result<T, Fault> {
    rule(text).map_err(|error| Fault::invalid(field, Reason::Text(error)))
}

pub(crate) fn optional_text<T>(
    field: &'static str,
    given: Option<String>,
    rule: impl FnOnce(&str) -> Result<T, InvalidText>,
) -> Result<Option<T>, Fault> {
    given.map(|given| text(field, &given, rule)).transpose()
}

pub(crate) fn name(given: &str) -> Result<Name, Fault> {
    text("name", given, Name::new)
}

pub(crate) fn description(given: &str) -> Result<Description, Fault> {
    text("description", given, Description::new)
}

pub(crate) fn metadata(given: Map<String, Value>) -> Result<Metadata, Fault> {
    let value = Value::Object(given);
    let depth = strict::depth(&value);
    Metadata::new(value.to_string(), depth)
        .map_err(|error| Fault::invalid("metadata", Reason::Metadata(error)))
}

/// A name in a PATCH body: it may be changed, but not cleared.
pub(crate) fn patched_name(given: Patch<String>) -> Result<Field<Name>, Fault> {
    let null = || Fault::invalid("name", Reason::Type(crate::fault::Expected::String));
    given.required(null)?.try_map(|given| name(&given))
}

/// An instant in a body.
pub(crate) fn instant(field: &'static str, given: &str) -> Result<claviger_domain::Timestamp, Fault> {
    crate::instant::parse(given).ok_or_else(|| Fault::invalid(field, Reason::Instant))
}
