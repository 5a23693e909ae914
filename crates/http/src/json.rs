//! Stored JSON on its way out.

use claviger_domain::audit::Detail;
use claviger_domain::text::Metadata;
use serde_json::{Map, Value};

/// Metadata as the object it came in as.
pub(crate) fn object(metadata: &Metadata) -> Value {
    serde_json::from_str(metadata.as_str()).unwrap_or_else(|_| Value::Object(Map::new()))
}

/// A detail of an audit entry.
pub(crate) fn detail(detail: Detail) -> Value {
    match detail {
        Detail::Null => Value::Null,
        Detail::Flag(flag) => flag.into(),
        Detail::Number(number) => number.into(),
        Detail::Text(text) => text.into(),
        Detail::List(items) => items.into_iter().map(self::detail).collect(),
        Detail::Map(members) => {
            members.into_iter().map(|(name, member)| (name, self::detail(member))).collect()
        }
    }
}
