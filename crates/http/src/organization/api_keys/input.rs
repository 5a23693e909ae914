//! What the organization surface is told about API keys.

use chrono::TimeDelta;
use claviger_app::{Kind, credentials};
use claviger_domain::Timestamp;
use claviger_domain::credential::Environment;
use claviger_domain::ids::UserAccountId;
use claviger_domain::text::Metadata;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::extract::Query;
use crate::fault::{Expected, Fault, Reason};
use crate::fields::{self, CreditsInput, RateLimit};
use crate::input::{self, Patch};
use crate::path::any_id;

/// A key to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NewOrganizationApiKey, example = json!({
    "name": "Production API Key", "permissions": ["users:read", "users:write"], "expiresIn": "365d"
}))]
pub(super) struct NewApiKey {
    /// 1 to 255 characters after trimming.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// What it may do: words like `users:read`, `users:*`, or `*` for all there is.
    #[schema(max_items = 100)]
    permissions: Vec<String>,
    /// A span like `365d`, `12h`, `4w`, `90m` or `P1Y`; a day is 24 hours. Without it and `expiresAt`: as the
    /// organization has settled, or never.
    expires_in: Option<String>,
    /// In the future.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// `live` (default) or `test`.
    environment: Option<String>,
    /// `api_key` (default), or `scim` for provisioning.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// At most 16 of different names; default: as the organization has settled, or none.
    #[schema(value_type = Option<Vec<RateLimit>>, max_items = 16)]
    rate_limits: Option<Vec<Value>>,
    /// Addresses and CIDR blocks it may be used from; default: from anywhere the organization allows.
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
    pub(super) fn read(self, now: Timestamp) -> Result<credentials::Create, Fault> {
        let Self {
            name,
            description,
            permissions,
            expires_in,
            expires_at,
            environment,
            kind,
            rate_limits,
            ip_allowlist,
            credits,
            user_id,
            metadata,
        } = self;
        Ok(credentials::Create {
            organization: None,
            class: fields::class(environment.as_deref(), kind.as_deref())?,
            name: input::name(&name)?,
            description: description.as_deref().map(input::description).transpose()?,
            user_account: user_id.map(|id| user(&id)).transpose()?,
            network: None,
            scopes: fields::scopes("permissions", &permissions)?,
            expires_at: fields::either_expiry(["expiresAt", "expiresIn"], expires_at, expires_in)?,
            limits: rate_limits.map(|given| fields::limits("rateLimits", given)).transpose()?,
            credits: credits.map(|given| fields::balance("credits", given, now)).transpose()?,
            ip_allowlist: ip_allowlist.map(|given| fields::allowlist("ipAllowlist", &given)).transpose()?,
            metadata: metadata.map(input::metadata).transpose()?.unwrap_or_else(Metadata::empty),
        })
    }
}

fn user(id: &str) -> Result<UserAccountId, Fault> {
    any_id(id, || Fault::invalid("userId", Reason::Reference))
}

/// Which keys a list shows.
pub(super) fn filter(query: &mut Query) -> Result<credentials::Filter, Fault> {
    let include_revoked = query.flag("includeRevoked")?;
    let environment = query.take("environment").map(|word| {
        let bad = || Fault::invalid("environment", Reason::Word(&["live", "test"]));
        Environment::of_word(&word).ok_or_else(bad)
    });
    Ok(credentials::Filter {
        include_revoked,
        user_account: query.take("userId").map(|id| user(&id)).transpose()?,
        classes: environment.transpose()?.map(fields::classes_of).unwrap_or_default(),
        search: fields::search(query)?,
    })
}

/// Fields to change; absent ones stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OrganizationApiKeyPatch, example = json!({"name": "Production EU", "permissions": ["users:read"], "expiresIn": "90d"}))]
pub(super) struct ApiKeyPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    permissions: Patch<Vec<String>>,
    /// A span from now, like `90d`, `12h` or `P1Y`.
    #[serde(default)]
    #[schema(value_type = String, required = false)]
    expires_in: Patch<String>,
    /// In the future; `null`: as the organization has settled, or never.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Patch<String>,
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
            permissions,
            expires_in,
            expires_at,
            rate_limits,
            ip_allowlist,
            credits,
            metadata,
        } = self;
        let unnamed = name.is_absent() && description.is_absent() && metadata.is_absent();
        let unlimited = rate_limits.is_absent() && ip_allowlist.is_absent() && credits.is_absent();
        let endless = expires_at.is_absent() && expires_in.is_absent();
        if unnamed && unlimited && endless && permissions.is_absent() {
            return Err(Fault::NothingToChange(Kind::ApiKey));
        }
        let null = |field, expected| move || Fault::invalid(field, Reason::Type(expected));
        let expires_at = fields::patched_expiry(["expiresAt", "expiresIn"], expires_at, expires_in)?;
        Ok(credentials::Update {
            name: input::patched_name(name)?,
            description: description
                .nullable()
                .try_map(|text| text.as_deref().map(input::description).transpose())?,
            metadata: metadata.required(null("metadata", Expected::Object))?.try_map(input::metadata)?,
            scopes: permissions
                .required(null("permissions", Expected::Array))?
                .try_map(|given| fields::scopes("permissions", &given))?,
            expires_at,
            limits: rate_limits.or_default(|given| fields::limits("rateLimits", given))?,
            credits: credits
                .nullable()
                .try_map(|given| given.map(|it| fields::balance("credits", it, now)).transpose())?,
            ip_allowlist: ip_allowlist.or_default(|given| fields::allowlist("ipAllowlist", &given))?,
        })
    }
}

/// How a key is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OrganizationApiKeyRotation, example = json!({"overlapSeconds": 86400}))]
pub(super) struct Rotation {
    /// How long the secrets before it go on working: 0 to 2592000 seconds, default 86400.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<i64>,
}

impl Rotation {
    pub(super) fn overlap(self) -> Result<TimeDelta, Fault> {
        fields::overlap("overlapSeconds", self.overlap_seconds)
    }
}
