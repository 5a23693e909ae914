//! Stored JSON on its way out.

use claviger_domain::text::Metadata;
use serde_json::{Map, Value};

/// Metadata as the object it came in as.
pub(crate) fn object(metadata: &Metadata) -> Value {
    serde_json::from_str(metadata.as_str()).unwrap_or_else(|_| Value::Object(Map::new()))
}
