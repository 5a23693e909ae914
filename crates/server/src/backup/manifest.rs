//! What a backup says of itself.

use serde_json::{Value, json};
use uuid::Uuid;

use super::DatabaseKind;

/// The layout that this build writes and reads. A change that an older build would misread takes another number.
const FORMAT: u64 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The build that wrote the backup.
    pub(super) version: String,
    /// RFC 3339.
    pub(super) created_at: String,
    pub(super) database: DatabaseKind,
    pub(super) schema_changes: Vec<String>,
    pub(super) installation: Uuid,
    /// Of the peppers that keys or audit entries in the database were made under.
    pub(super) pepper_versions: Vec<u64>,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
}

impl Manifest {
    pub(super) fn has_part(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name == name)
    }

    /// Such as `1, 2`.
    pub(super) fn pepper_versions(&self) -> String {
        let versions: Vec<_> = self.pepper_versions.iter().map(ToString::to_string).collect();
        versions.join(", ")
    }

    pub(super) fn text(&self) -> String {
        let Self { version, created_at, database, schema_changes, installation, pepper_versions, parts } =
            self;
        let parts: Vec<_> = parts
            .iter()
            .map(|Part { name, bytes, blake3 }| json!({"name": name, "bytes": bytes, "blake3": blake3}))
            .collect();
        let manifest = json!({
            "claviger_backup": FORMAT,
            "version": version,
            "created_at": created_at,
            "database": {"kind": database.word(), "schema_changes": schema_changes},
            "installation": installation.to_string(),
            "pepper_versions": pepper_versions,
            "parts": parts,
        });
        format!("{manifest:#}\n")
    }

    /// # Errors
    /// A reason in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|_| "its manifest is not JSON".to_owned())?;
        match value["claviger_backup"].as_u64() {
            Some(FORMAT) => {}
            Some(format) => {
                return Err(format!(
                    "it has format {format}, which this build does not know: use a newer one"
                ));
            }
            None => return Err("it has no manifest of claviger".to_owned()),
        }
        Self::read(&value).ok_or_else(|| "its manifest is incomplete".to_owned())
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let part = |part: &Value| {
            Some(Part {
                name: text(&part["name"])?,
                bytes: part["bytes"].as_u64()?,
                blake3: text(&part["blake3"])?,
            })
        };
        Some(Self {
            version: text(&value["version"])?,
            created_at: text(&value["created_at"])?,
            database: DatabaseKind::of_word(value["database"]["kind"].as_str()?)?,
            schema_changes: value["database"]["schema_changes"]
                .as_array()?
                .iter()
                .map(text)
                .collect::<Option<_>>()?,
            installation: value["installation"].as_str()?.parse().ok()?,
            pepper_versions: value["pepper_versions"]
                .as_array()?
                .iter()
                .map(Value::as_u64)
                .collect::<Option<_>>()?,
            parts: value["parts"].as_array()?.iter().map(part).collect::<Option<_>>()?,
        })
    }
}
