//! What the partner surface shows of credentials.

use claviger_app::credentials;
use claviger_domain::credential::{Credential, Network, Revocation};
use claviger_domain::text::Name;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{instant, json};

/// A credential, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credential, example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "description": null,
    "api_key_prefix": "iiak_a1b2c3d4", "created_at": "2026-01-26T12:00:00Z",
    "user_account_id": "01932a3e-5f00-7000-8000-000000000001", "user_account_name": "Acme Corp",
    "user_external_id": "customer-123", "admin_key_id": "01932a3e-5f00-7000-8000-000000000002",
    "admin_entity_name": "YourCompany", "network_id": 0, "last_used_at": null, "expires_at": null,
    "revoked": false, "revoked_at": null, "rate_limit_per_minute": 120, "metadata": {}
}))]
pub(super) struct CredentialView {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    #[schema(required)]
    description: Option<String>,
    /// The first 13 characters of the key.
    api_key_prefix: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = Uuid)]
    user_account_id: Option<String>,
    #[schema(required)]
    user_account_name: Option<String>,
    #[schema(required)]
    user_external_id: Option<String>,
    /// The admin key it belongs to.
    #[schema(required, format = Uuid)]
    admin_key_id: Option<String>,
    #[schema(required)]
    admin_entity_name: Option<String>,
    /// 0 = Cardano mainnet, 1 = preview, 2 = preprod.
    #[schema(required)]
    network_id: Option<i16>,
    /// `null` before the first use.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    /// `null`: does not expire.
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    revoked: bool,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
    #[schema(required)]
    rate_limit_per_minute: Option<u32>,
    #[schema(value_type = Object)]
    metadata: Value,
}

impl CredentialView {
    /// `entity` is the name of the caller's.
    pub(super) fn of(
        credentials::Seen { credential, user }: credentials::Seen,
        entity: Option<&Name>,
    ) -> Self {
        // What a partner's credential has beside is the other surfaces' to tell; its revision is its tag.
        let Credential {
            id,
            organization: _,
            admin_key,
            user_account,
            class: _,
            name,
            description,
            prefix,
            scopes: _,
            limits,
            credits: _,
            ip_allowlist: _,
            network,
            metadata,
            created_at,
            updated_at: _,
            expires_at,
            disabled_at: _,
            revoked,
            last_used_at,
            revision: _,
        } = credential;
        let (user_account_name, user_external_id) =
            user.map_or((None, None), |credentials::UserSeen { name, external_id }| {
                (Some(name.to_string()), external_id.map(|id| id.to_string()))
            });
        Self {
            id: id.to_string(),
            name: name.to_string(),
            description: description.map(|text| text.to_string()),
            api_key_prefix: prefix.as_str().to_owned(),
            created_at: instant::print(created_at),
            user_account_id: user_account.map(|id| id.to_string()),
            user_account_name,
            user_external_id,
            admin_key_id: admin_key.map(|id| id.to_string()),
            admin_entity_name: entity.map(ToString::to_string),
            network_id: network.map(Network::number),
            last_used_at: last_used_at.map(instant::print),
            expires_at: expires_at.map(instant::print),
            revoked: revoked.is_some(),
            revoked_at: revoked.map(|Revocation { at, reason: _ }| instant::print(at)),
            rate_limit_per_minute: limits.figure_per_minute(),
            metadata: json::object(&metadata),
        }
    }
}

/// A credential and its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "credential": {
        "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "description": null,
        "api_key_prefix": "iiak_a1b2c3d4", "created_at": "2026-01-26T12:00:00Z", "user_account_id": null,
        "user_account_name": null, "user_external_id": null,
        "admin_key_id": "01932a3e-5f00-7000-8000-000000000002", "admin_entity_name": "YourCompany",
        "network_id": 0, "last_used_at": null, "expires_at": null, "revoked": false, "revoked_at": null,
        "rate_limit_per_minute": 60, "metadata": {}
    },
    "api_key": "iiak_…"
}))]
pub(super) struct IssuedCredential {
    credential: CredentialView,
    /// The key. It is shown this once.
    api_key: String,
}

impl IssuedCredential {
    pub(super) fn of(credentials::Issued { seen, key }: credentials::Issued, entity: Option<&Name>) -> Self {
        Self { credential: CredentialView::of(seen, entity), api_key: key.expose().to_owned() }
    }
}

/// A credential and its new key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "credential": {
        "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "description": null,
        "api_key_prefix": "iiak_z9y8x7w6", "created_at": "2026-01-26T12:00:00Z", "user_account_id": null,
        "user_account_name": null, "user_external_id": null,
        "admin_key_id": "01932a3e-5f00-7000-8000-000000000002", "admin_entity_name": "YourCompany",
        "network_id": 0, "last_used_at": null, "expires_at": null, "revoked": false, "revoked_at": null,
        "rate_limit_per_minute": 60, "metadata": {}
    },
    "api_key": "iiak_…", "previous_expires_at": "2026-01-28T12:00:00Z"
}))]
pub(super) struct RotatedCredential {
    credential: CredentialView,
    /// The new key. It is shown this once.
    api_key: String,
    /// Until then the keys before it are accepted as well.
    #[schema(format = DateTime)]
    previous_expires_at: String,
}

impl RotatedCredential {
    pub(super) fn of(rotated: credentials::Rotated, entity: Option<&Name>) -> Self {
        let credentials::Rotated { issued, previous_expires_at } = rotated;
        let IssuedCredential { credential, api_key } = IssuedCredential::of(issued, entity);
        Self { credential, api_key, previous_expires_at: instant::print(previous_expires_at) }
    }
}

/// What is left of a revoked credential.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "api_key_prefix": "iiak_a1b2c3d4",
    "user_account_id": null, "user_account_name": null,
    "admin_key_id": "01932a3e-5f00-7000-8000-000000000002", "admin_entity_name": "YourCompany",
    "network_id": 0, "revoked": true, "revoked_at": "2026-01-27T12:00:00Z"
}))]
pub(super) struct RevokedCredential {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    api_key_prefix: String,
    #[schema(required, format = Uuid)]
    user_account_id: Option<String>,
    #[schema(required)]
    user_account_name: Option<String>,
    #[schema(required, format = Uuid)]
    admin_key_id: Option<String>,
    #[schema(required)]
    admin_entity_name: Option<String>,
    #[schema(required)]
    network_id: Option<i16>,
    revoked: bool,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
}

impl From<CredentialView> for RevokedCredential {
    fn from(view: CredentialView) -> Self {
        let CredentialView {
            id,
            name,
            description: _,
            api_key_prefix,
            created_at: _,
            user_account_id,
            user_account_name,
            user_external_id: _,
            admin_key_id,
            admin_entity_name,
            network_id,
            last_used_at: _,
            expires_at: _,
            revoked,
            revoked_at,
            rate_limit_per_minute: _,
            metadata: _,
        } = view;
        Self {
            id,
            name,
            api_key_prefix,
            user_account_id,
            user_account_name,
            admin_key_id,
            admin_entity_name,
            network_id,
            revoked,
            revoked_at,
        }
    }
}
