//! What the platform surface shows of API keys.

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
#[schema(as = PlatformApiKey, example = json!({
    "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "description": null,
    "organization_id": "org_01h455vb4pex5vsknk084sn02q", "user_id": null, "type": "api_key",
    "scopes": ["workflows:read", "transactions:write"], "environment": "live", "network_id": null,
    "prefix": "ak_live_3kTm9Qzb", "rate_limits": [], "ip_allowlist": [], "credits": null, "metadata": {},
    "created_at": "2026-01-26T12:00:00Z", "updated_at": null, "expires_at": null, "last_used_at": null,
    "disabled": false, "disabled_at": null, "revoked": false, "revoked_at": null, "revocation_reason": null
}))]
pub(super) struct ApiKeyView {
    id: String,
    name: String,
    #[schema(required)]
    description: Option<String>,
    organization_id: String,
    /// The user it is bound to.
    #[schema(required)]
    user_id: Option<String>,
    /// `api_key`, `scim`, or `partner`: made by a partner for a customer.
    #[serde(rename = "type")]
    kind: &'static str,
    scopes: Vec<String>,
    /// `live` or `test`.
    environment: &'static str,
    /// Of a partner's key: 0 = Cardano mainnet, 1 = preview, 2 = preprod.
    #[schema(required)]
    network_id: Option<i16>,
    /// The first characters of the key.
    prefix: String,
    rate_limits: Vec<RateLimit>,
    /// Addresses and CIDR blocks it may be used from; empty: from anywhere its organization allows.
    ip_allowlist: Vec<String>,
    /// The balance when it was last brought to the database; `null`: none.
    #[schema(required)]
    credits: Option<CreditsInput>,
    #[schema(value_type = Object)]
    metadata: Value,
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
    disabled: bool,
    #[schema(required, format = DateTime)]
    disabled_at: Option<String>,
    revoked: bool,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
    #[schema(required)]
    revocation_reason: Option<String>,
}

impl ApiKeyView {
    pub(super) fn of(credentials::Seen { credential, user: _ }: credentials::Seen, now: Timestamp) -> Self {
        // The admin key that made it is the partner's matter; its revision is its tag.
        let Credential {
            id,
            organization,
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
        let (revoked_at, revocation_reason) =
            revoked.map(|Revocation { at, reason }| (at, reason.map(|reason| reason.to_string()))).unzip();
        Self {
            id: id.prefixed(),
            name: name.to_string(),
            description: description.map(|text| text.to_string()),
            organization_id: organization.prefixed(),
            user_id: user_account.map(UserAccountId::prefixed),
            kind: match class {
                Class::Partner => "partner",
                Class::Live | Class::Test => "api_key",
                Class::Scim => "scim",
            },
            scopes: fields::words(&scopes),
            environment: class.environment().word(),
            network_id: network.map(Network::number),
            prefix: prefix.as_str().to_owned(),
            rate_limits: fields::told_limits(&limits),
            ip_allowlist: fields::told_allowlist(&ip_allowlist),
            credits: credits.map(|credits| fields::told_balance(credits, now)),
            metadata: json::object(&metadata),
            created_at: instant::print(created_at),
            updated_at: updated_at.map(instant::print),
            expires_at: expires_at.map(instant::print),
            last_used_at: last_used_at.map(instant::print),
            disabled: disabled_at.is_some(),
            disabled_at: disabled_at.map(instant::print),
            revoked: revoked_at.is_some(),
            revoked_at: revoked_at.map(instant::print),
            revocation_reason: revocation_reason.flatten(),
        }
    }
}

/// What is known of a key, and the key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuedPlatformApiKey, example = json!({
    "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "description": null,
    "organization_id": "org_01h455vb4pex5vsknk084sn02q", "user_id": null, "type": "api_key",
    "scopes": ["workflows:read", "transactions:write"], "environment": "live", "network_id": null,
    "prefix": "ak_live_3kTm9Qzb", "rate_limits": [], "ip_allowlist": [], "credits": null, "metadata": {},
    "created_at": "2026-01-26T12:00:00Z", "updated_at": null, "expires_at": null, "last_used_at": null,
    "disabled": false, "disabled_at": null, "revoked": false, "revoked_at": null, "revocation_reason": null,
    "key": "ak_live_…"
}))]
pub(super) struct IssuedApiKey {
    #[serde(flatten)]
    known: ApiKeyView,
    /// The key. It is shown this once.
    key: String,
}

impl IssuedApiKey {
    pub(super) fn of(credentials::Issued { seen, key }: credentials::Issued, now: Timestamp) -> Self {
        Self { known: ApiKeyView::of(seen, now), key: key.expose().to_owned() }
    }
}

/// What is known of a key, and the new key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RotatedPlatformApiKey, example = json!({
    "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "description": null,
    "organization_id": "org_01h455vb4pex5vsknk084sn02q", "user_id": null, "type": "api_key",
    "scopes": ["workflows:read", "transactions:write"], "environment": "live", "network_id": null,
    "prefix": "ak_live_8xVb2Lpn", "rate_limits": [], "ip_allowlist": [], "credits": null, "metadata": {},
    "created_at": "2026-01-26T12:00:00Z", "updated_at": "2026-01-27T12:00:00Z", "expires_at": null,
    "last_used_at": null, "disabled": false, "disabled_at": null, "revoked": false, "revoked_at": null,
    "revocation_reason": null, "key": "ak_live_…", "previous_expires_at": "2026-01-28T12:00:00Z"
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
        let IssuedApiKey { known, key } = IssuedApiKey::of(issued, now);
        Self { known, key, previous_expires_at: instant::print(previous_expires_at) }
    }
}
