//! What the partner surface is told about admin keys.

use claviger_app::{Field, Kind, admin_keys};
use claviger_domain::capability::{Capability, CapabilitySet};
use claviger_domain::text::Name;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::fault::{Expected, Fault, Reason};
use crate::partner::wire::{self, Patch};

/// The permission words, in the order they are told in.
const WORDS: &[&str] = &["manage_credentials", "manage_users", "view_audit_logs", "view_usage"];

/// An admin key to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "entity_name": "YourCompany", "permissions": ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"],
    "name": "Billing system", "expires_at": "2027-01-26T12:00:00Z"
}))]
pub(super) struct NewAdminKey {
    /// The partner. An organization of this name is joined; without one, it is opened.
    #[schema(min_length = 1, max_length = 255)]
    entity_name: String,
    /// At least one of `manage_credentials`, `manage_users`, `view_audit_logs`, `view_usage`.
    #[schema(min_items = 1)]
    permissions: Vec<String>,
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// In the future; `null`: does not expire.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl TryFrom<NewAdminKey> for admin_keys::Create {
    type Error = Fault;

    fn try_from(new: NewAdminKey) -> Result<Self, Fault> {
        let NewAdminKey { entity_name, permissions, name, expires_at } = new;
        Ok(Self {
            entity: wire::text("entity_name", &entity_name, Name::new)?,
            name: name.as_deref().map(wire::name).transpose()?,
            permissions: permission_set(&permissions)?,
            expires_at: expires_at.map(|at| wire::instant("expires_at", &at)).transpose()?,
        })
    }
}

/// Fields to change; absent ones stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"permissions": ["view_usage"], "expires_at": null}))]
pub(super) struct AdminKeyPatch {
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    /// The whole new set.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    permissions: Patch<Vec<String>>,
    /// In the future; `null`: does not expire.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Patch<String>,
}

impl TryFrom<AdminKeyPatch> for admin_keys::Update {
    type Error = Fault;

    fn try_from(AdminKeyPatch { name, permissions, expires_at }: AdminKeyPatch) -> Result<Self, Fault> {
        if name.is_absent() && permissions.is_absent() && expires_at.is_absent() {
            return Err(Fault::NothingToChange(Kind::AdminKey));
        }
        let null = || Fault::invalid("permissions", Reason::Type(Expected::Array));
        let expires_at: Field<Option<String>> = expires_at.nullable();
        Ok(Self {
            name: name.nullable().try_map(|given| given.as_deref().map(wire::name).transpose())?,
            permissions: permissions.required(null)?.try_map(|words| permission_set(&words))?,
            expires_at: expires_at
                .try_map(|given| given.map(|at| wire::instant("expires_at", &at)).transpose())?,
        })
    }
}

fn permission_set(words: &[String]) -> Result<CapabilitySet, Fault> {
    if words.is_empty() {
        return Err(Fault::invalid("permissions", Reason::Empty));
    }
    let known = |word: &String| Capability::of_partner_word(word);
    words.iter().map(known).collect::<Option<_>>().ok_or(Fault::invalid("permissions", Reason::Word(WORDS)))
}
