//! What an organization says about itself.

use claviger_app::{Kind, organizations};
use claviger_domain::text::Email;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::settings::{Read, SettingsPatch};
use crate::fault::{Expected, Fault, Reason};
use crate::input::{self, Patch};

/// Fields to change; absent ones stay. The slug is not among them: an answer that one is taken would tell that another
/// organization exists.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme Corporation", "settings": {"keyLifetime": {"maxSeconds": 31536000}}}))]
pub(super) struct OwnOrganizationPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Patch<String>,
    /// Replaces the stored object.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
    /// The parts that are present replace the stored ones.
    #[serde(default)]
    #[schema(value_type = Option<SettingsPatch>)]
    settings: Patch<SettingsPatch>,
    /// Take an `ipAllowlist` that does not admit the address of this request; default false.
    force: Option<bool>,
}

impl TryFrom<OwnOrganizationPatch> for organizations::Update {
    type Error = Fault;

    fn try_from(patch: OwnOrganizationPatch) -> Result<Self, Fault> {
        let OwnOrganizationPatch { name, email, metadata, settings, force } = patch;
        let is_unsettled = match &settings {
            Patch::Absent => true,
            Patch::Null => false,
            Patch::Value(settings) => settings.is_empty(),
        };
        if name.is_absent() && email.is_absent() && metadata.is_absent() && is_unsettled {
            return Err(Fault::NothingToChange(Kind::Organization));
        }
        let null = |field: &'static str| move || Fault::invalid(field, Reason::Type(Expected::Object));
        let settings = match settings {
            Patch::Absent => Read::default(),
            Patch::Null => return Err(null("settings")()),
            Patch::Value(settings) => settings.read()?,
        };
        let Read { ip_allowlist, key_lifetime, default_limits, kept_days } = settings;
        Ok(Self {
            name: input::patched_name(name)?,
            email: email.nullable().try_map(|given| input::optional_text("email", given, Email::new))?,
            metadata: metadata.required(null("metadata"))?.try_map(input::metadata)?,
            ip_allowlist,
            key_lifetime,
            default_limits,
            kept_days,
            force: force.unwrap_or_default(),
            ..Self::default()
        })
    }
}
