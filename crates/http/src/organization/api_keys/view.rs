//! What the organization surface shows of API keys.

use claviger_app::credentials;
use claviger_domain::Timestamp;
use claviger_domain::credential::{Class, Credential, Network, Revocation};
use claviger_domain::ids::UserAccountId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{self, CreditsInput, RateLimit};
use crate::{instant, json};

/// What is known of a key; never the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationApiKey, example = json!({
    "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "description": null, "userId": null,
    "type": "api_key", "environment": "live", "networkId": null, "permissions": ["users:read", "users:write"],
    "prefix": "ak_live_3kTm9Qzb", "rateLimits": [], "ipAllowlist": [], "credits": null, "metadata": {},
    "status": "active", "createdAt": "2024-01-15T10:00:00Z", "updatedAt": null,
    "expiresAt": "2025-01-14T10:00:00Z", "lastUsedAt": null, "disabledAt": null, "revokedAt": null,
    "revocationReason": null
}))]
pub(super) struct ApiKeyView {
    id: String,
    name: String,
    #[schema(required)]
    description: Option<String>,
    /// The user it is bound to.
    #[schema(required)]
    user_id: Option<String>,
    /// `api_key`, `scim`, or `partner`: made by a partner for a customer.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `live` or `test`.
    environment: &'static str,
    /// Of a partner's key: 0 = Cardano mainnet, 1 = preview, 2 = preprod.
    #[schema(required)]
    network_id: Option<i16>,
    permissions: Vec<String>,
    /// The first characters of the key.
    prefix: String,
    rate_limits: Vec<RateLimit>,
    /// Addresses and CIDR blocks it may be used from; empty: from anywhere the organization allows.
    ip_allowlist: Vec<String>,
    /// The balance when it was last brought to the database; `null`: none.
    #[schema(required)]
    credits: Option<CreditsInput>,
    #[schema(value_type = Object)]
    metadata: Value,
    /// `active`, `disabled`, `expired` or `revoked`.
    status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
    /// `null`: does not expire.
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    /// `null` before the first use.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    #[schema(required, format = DateTime)]
    disabled_at: Option<String>,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
    #[schema(required)]
    revocation_reason: Option<String>,
}

fn status(credential: &Credential, now: Timestamp) -> &'static str {
    if credential.revoked.is_some() {
        "revoked"
    } else if credential.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else if credential.disabled_at.is_some() {
        "disabled"
    } else {
        "active"
    }
}

impl ApiKeyView {
    pub(super) fn of(credentials::Seen { credential, user: _ }: credentials::Seen, now: Timestamp) -> Self {
        let status = status(&credential, now);
        // Whose it is, the path says; the admin key that made it is the partner's matter; its revision is its tag.
        let Credential {
            id,
            organization: _,
            admin_key: _,
            user_account,
            class,
            name,
            description,
            prefix,
            scopes,
            limits,
            credits,
            ip_allowlist,
            network,
            metadata,
            created_at,
            updated_at,
            expires_at,
            disabled_at,
            revoked,
            last_used_at,
            revision: _,
        } = credential;
        let (revoked_at, reason) = revoked.map(|Revocation { at, reason }| (at, reason)).unzip();
        Self {
            id: id.prefixed(),
            name: name.to_string(),
            description: description.map(|text| text.to_string()),
            user_id: user_account.map(UserAccountId::prefixed),
            kind: match class {
                Class::Partner => "partner",
                Class::Live | Class::Test => "api_key",
                Class::Scim => "scim",
            },
            environment: class.environment().word(),
            network_id: network.map(Network::number),
            permissions: fields::words(&scopes),
            prefix: prefix.as_str().to_owned(),
            rate_limits: fields::told_limits(&limits),
            ip_allowlist: fields::told_allowlist(&ip_allowlist),
            credits: credits.map(|credits| fields::told_balance(credits, now)),
            metadata: json::object(&metadata),
            status,
            created_at: instant::print(created_at),
            updated_at: updated_at.map(instant::print),
            expires_at: expires_at.map(instant::print),
            last_used_at: last_used_at.map(instant::print),
            disabled_at: disabled_at.map(instant::print),
            revoked_at: revoked_at.map(instant::print),
            revocation_reason: reason.flatten().map(|reason| reason.to_string()),
        }
    }
}

/// What is known of a new key, and the key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedOrganizationApiKey, example = json!({
    "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "description": null, "userId": null,
    "type": "api_key", "environment": "live", "networkId": null, "permissions": ["users:read", "users:write"],
    "prefix": "ak_live_3kTm9Qzb", "rateLimits": [], "ipAllowlist": [], "credits": null, "metadata": {},
    "status": "active", "createdAt": "2024-01-15T10:00:00Z", "updatedAt": null,
    "expiresAt": "2025-01-14T10:00:00Z", "lastUsedAt": null, "disabledAt": null, "revokedAt": null,
    "revocationReason": null, "key": "ak_live_…"
}))]
pub(super) struct CreatedApiKey {
    #[serde(flatten)]
    known: ApiKeyView,
    /// The key. It is shown this once.
    key: String,
}

impl CreatedApiKey {
    pub(super) fn of(credentials::Issued { seen, key }: credentials::Issued, now: Timestamp) -> Self {
        Self { known: ApiKeyView::of(seen, now), key: key.expose().to_owned() }
    }
}

/// What is known of a key, and its new secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RotatedOrganizationApiKey, example = json!({
    "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "description": null, "userId": null,
    "type": "api_key", "environment": "live", "networkId": null, "permissions": ["users:read", "users:write"],
    "prefix": "ak_live_8xVb2Lpn", "rateLimits": [], "ipAllowlist": [], "credits": null, "metadata": {},
    "status": "active", "createdAt": "2024-01-15T10:00:00Z", "updatedAt": "2024-04-15T10:00:00Z",
    "expiresAt": "2025-01-14T10:00:00Z", "lastUsedAt": null, "disabledAt": null, "revokedAt": null,
    "revocationReason": null, "key": "ak_live_…", "previousExpiresAt": "2024-04-16T10:00:00Z"
}))]
pub(super) struct RotatedApiKey {
    #[serde(flatten)]
    known: ApiKeyView,
    /// The new key. It is shown this once.
    key: String,
    /// Until then the keys before it are accepted as well.
    #[schema(format = DateTime)]
    previous_expires_at: String,
}

impl RotatedApiKey {
    pub(super) fn of(rotated: credentials::Rotated, now: Timestamp) -> Self {
        let credentials::Rotated { issued, previous_expires_at } = rotated;
        let CreatedApiKey { known, key } = CreatedApiKey::of(issued, now);
        Self { known, key, previous_expires_at: instant::print(previous_expires_at) }
    }
}
