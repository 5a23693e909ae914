//! What the partner surface shows of admin keys.

use claviger_app::admin_keys;
use claviger_domain::admin_key::{AdminKey, BootstrapKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::instant;

/// An admin key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminKey, example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000002", "name": "Billing system", "entity_name": "YourCompany",
    "organization_id": "01932a3e-5f00-7000-8000-000000000009",
    "permissions": ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"],
    "api_key_prefix": "iiak_admin_0a1b2c3d", "created_at": "2026-01-26T12:00:00Z", "expires_at": null,
    "last_used_at": null, "revoked": false, "revoked_at": null
}))]
pub(super) struct AdminKeyView {
    #[schema(format = Uuid)]
    id: String,
    #[schema(required)]
    name: Option<String>,
    /// The partner's name: its organization's. `null` for the bootstrap key.
    #[schema(required)]
    entity_name: Option<String>,
    #[schema(required, format = Uuid)]
    organization_id: Option<String>,
    /// Of `manage_credentials`, `manage_users`, `view_audit_logs`, `view_usage`. The bootstrap key has the last two,
    /// `manage_admin_keys` and `verify_keys`.
    permissions: Vec<&'static str>,
    api_key_prefix: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    revoked: bool,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
}

impl From<admin_keys::Seen> for AdminKeyView {
    fn from(admin_keys::Seen { key, entity }: admin_keys::Seen) -> Self {
        // The revision is the key's tag.
        let AdminKey {
            id,
            organization,
            name,
            permissions,
            prefix,
            created_at,
            updated_at: _,
            expires_at,
            last_used_at,
            revoked_at,
            revision: _,
        } = key;
        Self {
            id: id.to_string(),
            name: name.map(|name| name.to_string()),
            entity_name: Some(entity.to_string()),
            organization_id: Some(organization.to_string()),
            permissions: permissions.words(),
            api_key_prefix: prefix.as_str().to_owned(),
            created_at: instant::print(created_at),
            expires_at: expires_at.map(instant::print),
            last_used_at: last_used_at.map(instant::print),
            revoked: revoked_at.is_some(),
            revoked_at: revoked_at.map(instant::print),
        }
    }
}

impl From<admin_keys::Me> for AdminKeyView {
    fn from(me: admin_keys::Me) -> Self {
        let (key, capabilities) = match me {
            admin_keys::Me::AdminKey(seen) => return (*seen).into(),
            admin_keys::Me::Bootstrap { key, capabilities } => (key, capabilities),
        };
        let BootstrapKey { id, prefix, made_by: _, created_at, revoked_at } = key;
        Self {
            id: id.to_string(),
            name: Some("Bootstrap key".to_owned()),
            entity_name: None,
            organization_id: None,
            permissions: capabilities.words(),
            api_key_prefix: prefix.as_str().to_owned(),
            created_at: instant::print(created_at),
            expires_at: None,
            last_used_at: None,
            revoked: revoked_at.is_some(),
            revoked_at: revoked_at.map(instant::print),
        }
    }
}

/// An admin key and its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "admin_key": {
        "id": "01932a3e-5f00-7000-8000-000000000002", "name": null, "entity_name": "YourCompany",
        "organization_id": "01932a3e-5f00-7000-8000-000000000009", "permissions": ["manage_users"],
        "api_key_prefix": "iiak_admin_0a1b2c3d", "created_at": "2026-01-26T12:00:00Z", "expires_at": null,
        "last_used_at": null, "revoked": false, "revoked_at": null
    },
    "api_key": "iiak_admin_…"
}))]
pub(super) struct IssuedAdminKey {
    admin_key: AdminKeyView,
    /// The key. It is shown this once.
    api_key: String,
}

impl From<admin_keys::Issued> for IssuedAdminKey {
    fn from(admin_keys::Issued { seen, plaintext }: admin_keys::Issued) -> Self {
        Self { admin_key: seen.into(), api_key: plaintext.expose().to_owned() }
    }
}
