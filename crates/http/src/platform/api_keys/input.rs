//! What the platform surface is told about API keys.

use chrono::TimeDelta;
use claviger_app::Kind;
use claviger_app::credentials;
use claviger_domain::Timestamp;
use claviger_domain::ids::UserAccountId;
use claviger_domain::text::{Description, Metadata};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::fault::{Expected, Fault, Reason};
use crate::fields::{self, CreditsInput, RateLimit};
use crate::input::{self, Patch};
use crate::path::any_id;

/// A key to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "organization_id": "org_01h455vb4pex5vsknk084sn02q", "name": "Production API Key",
    "scopes": ["workflows:read", "transactions:write"]
}))]
pub(super) struct NewApiKey {
    /// Whose it is: the organization's id or slug.
    organization_id: String,
    /// 1 to 255 characters after trimming.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// What it may do: words like `workflows:read`, `workflows:*`, or `*` for all but `admin:` ones.
    #[schema(max_items = 100)]
    scopes: Vec<String>,
    /// `live` (default) or `test`.
    environment: Option<String>,
    /// `api_key` (default), or `scim` for provisioning.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// In the future. Without it and `expires_in`: as the organization has settled, or never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// A span like `90d`, `12h` or `P1Y`.
    expires_in: Option<String>,
    /// At most 16 of different names; default: as the organization has settled, or none.
    #[schema(value_type = Option<Vec<RateLimit>>, max_items = 16)]
    rate_limits: Option<Vec<Value>>,
    /// Addresses and CIDR blocks it may be used from; default: from anywhere its organization allows.
    #[schema(max_items = 100)]
    ip_allowlist: Option<Vec<String>>,
    /// A balance that its calls spend; default: none.
    credits: Option<CreditsInput>,
    /// The user it is bound to: it never may more than that user.
    user_id: Option<String>,
    /// At most 16 KiB, at most 8 levels deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

impl NewApiKey {
    /// The organization as it was named, and the key.
    pub(super) fn read(self, now: Timestamp) -> Result<(String, credentials::Create), Fault> {
        let Self {
            organization_id,
            name,
            description,
            scopes,
            environment,
            kind,
            expires_at,
            expires_in,
            rate_limits,
            ip_allowlist,
            credits,
            user_id,
            metadata,
        } = self;
        let bad_user = || Fault::invalid("user_id", Reason::Reference);
        let create = credentials::Create {
            organization: None,
            class: fields::class(environment.as_deref(), kind.as_deref())?,
            name: input::name(&name)?,
            description: description.as_deref().map(input::description).transpose()?,
            user_account: user_id.map(|id| any_id::<UserAccountId>(&id, bad_user)).transpose()?,
            network: None,
            scopes: fields::scopes("scopes", &scopes)?,
            expires_at: fields::either_expiry(["expires_at", "expires_in"], expires_at, expires_in)?,
            limits: rate_limits.map(|given| fields::limits("rate_limits", given)).transpose()?,
            credits: credits.map(|given| fields::balance("credits", given, now)).transpose()?,
            ip_allowlist: ip_allowlist.map(|given| fields::allowlist("ip_allowlist", &given)).transpose()?,
            metadata: metadata.map(input::metadata).transpose()?.unwrap_or_else(Metadata::empty),
        };
        Ok((organization_id, create))
    }
}

/// Fields to change; absent ones stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Production EU", "scopes": ["workflows:read"], "expires_in": "90d"}))]
pub(super) struct ApiKeyPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    scopes: Patch<Vec<String>>,
    /// In the future; `null`: as the organization has settled, or never.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Patch<String>,
    /// A span from now, like `90d`, `12h` or `P1Y`.
    #[serde(default)]
    #[schema(value_type = String, required = false)]
    expires_in: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<RateLimit>>, max_items = 16)]
    rate_limits: Patch<Vec<Value>>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    ip_allowlist: Patch<Vec<String>>,
    /// Sets the balance anew.
    #[serde(default)]
    #[schema(value_type = Option<CreditsInput>)]
    credits: Patch<CreditsInput>,
    /// Replaces the stored object.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
}

impl ApiKeyPatch {
    pub(super) fn read(self, now: Timestamp) -> Result<credentials::Update, Fault> {
        let Self {
            name,
            description,
            scopes,
            expires_at,
            expires_in,
            rate_limits,
            ip_allowlist,
            credits,
            metadata,
        } = self;
        let absent = name.is_absent() && description.is_absent() && scopes.is_absent();
        let unlimited = rate_limits.is_absent() && ip_allowlist.is_absent() && credits.is_absent();
        let endless = expires_at.is_absent() && expires_in.is_absent();
        if absent && unlimited && endless && metadata.is_absent() {
            return Err(Fault::NothingToChange(Kind::ApiKey));
        }
        let null = |field, expected| move || Fault::invalid(field, Reason::Type(expected));
        let expires_at = fields::patched_expiry(["expires_at", "expires_in"], expires_at, expires_in)?;
        Ok(credentials::Update {
            name: input::patched_name(name)?,
            description: description
                .nullable()
                .try_map(|text| text.as_deref().map(input::description).transpose())?,
            metadata: metadata.required(null("metadata", Expected::Object))?.try_map(input::metadata)?,
            scopes: scopes
                .required(null("scopes", Expected::Array))?
                .try_map(|given| fields::scopes("scopes", &given))?,
            expires_at,
            limits: rate_limits.or_default(|given| fields::limits("rate_limits", given))?,
            credits: credits
                .nullable()
                .try_map(|given| given.map(|it| fields::balance("credits", it, now)).transpose())?,
            ip_allowlist: ip_allowlist.or_default(|given| fields::allowlist("ip_allowlist", &given))?,
        })
    }
}

/// Why keys are revoked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyRevocation, example = json!({"reason": "Leaked in a log"}))]
pub(super) struct Reasoned {
    /// At most 1,024 characters; kept with the key and in the audit log.
    #[schema(max_length = 1024)]
    reason: Option<String>,
    /// Revoke it even if no key is left that can manage its organization's keys; default false.
    force: Option<bool>,
}

impl Reasoned {
    /// The reason, and whether the key is revoked whatever follows from it.
    pub(super) fn read(self) -> Result<(Option<Description>, bool), Fault> {
        Ok((reason(self.reason)?, self.force.unwrap_or_default()))
    }
}

/// Why keys are revoked, in their revoker's words.
pub(super) fn reason(given: Option<String>) -> Result<Option<Description>, Fault> {
    input::optional_text("reason", given, Description::new)
}

/// How a key is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyRotation, example = json!({"overlap_seconds": 86400}))]
pub(super) struct Rotation {
    /// How long the keys before it go on working: 0 to 2592000 seconds, default 86400.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<i64>,
}

impl Rotation {
    /// How long the keys before the new one go on working.
    pub(super) fn overlap(self) -> Result<TimeDelta, Fault> {
        fields::overlap("overlap_seconds", self.overlap_seconds)
    }
}
