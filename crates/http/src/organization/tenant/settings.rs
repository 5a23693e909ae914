//! What the organization's keys and records are held to, as its own surface says it.

use claviger_app::Field;
use claviger_domain::address::IpAllowlist;
use claviger_domain::limit::Limits;
use claviger_domain::organization::OrganizationSettings;
use claviger_domain::settings::{KeptDays, KeyLifetime};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::bounds;
use crate::fault::Fault;
use crate::fields::{self, RateLimit};
use crate::input::Patch;

/// What its keys and its records are held to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwnOrganizationSettings, example = json!({
    "ipAllowlist": ["203.0.113.0/24"],
    "keyLifetime": {"defaultSeconds": 7776000, "maxSeconds": 31536000, "required": false},
    "defaultRateLimits": [{"name": "requests", "limit": 100, "window": 60, "pool": "credential"}],
    "retention": {"auditDays": 365, "usageDays": null}
}))]
pub(super) struct SettingsView {
    /// Addresses and CIDR blocks that its keys may be used from; empty: from anywhere.
    ip_allowlist: Vec<String>,
    key_lifetime: Lifetime,
    /// Of keys made without limits of their own; empty: the installation's.
    default_rate_limits: Vec<RateLimit>,
    retention: Retention,
}

/// How long new keys may live, within what the installation allows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OwnKeyLifetime, example = json!({"defaultSeconds": 7776000, "maxSeconds": 31536000, "required": false}))]
pub(super) struct Lifetime {
    /// Of a key whose maker says nothing; `null`: it does not expire, or as late as it may.
    #[schema(minimum = 1, maximum = 3_155_760_000_i64)]
    #[serde(default)]
    default_seconds: Option<i64>,
    /// The longest; `null`: for ever.
    #[schema(minimum = 1, maximum = 3_155_760_000_i64)]
    #[serde(default)]
    max_seconds: Option<i64>,
    /// Whether whoever makes a key must say when it ends, where there is no default.
    #[serde(default)]
    required: bool,
}

/// How many days records are kept; `null`: as many as the installation says, and never fewer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OwnRetention, example = json!({"auditDays": 365, "usageDays": null}))]
pub(super) struct Retention {
    /// Lines of the audit log.
    #[schema(minimum = 1, maximum = 36525)]
    #[serde(default)]
    audit_days: Option<i64>,
    /// Usage figures.
    #[schema(minimum = 1, maximum = 36525)]
    #[serde(default)]
    usage_days: Option<i64>,
}

/// The parts that are present replace the stored ones; of each, `null` is as if nothing had been said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OwnOrganizationSettingsPatch, example = json!({
    "ipAllowlist": ["203.0.113.0/24"], "keyLifetime": {"maxSeconds": 31536000}
}))]
pub(super) struct SettingsPatch {
    /// Addresses and CIDR blocks that its keys may be used from; empty: from anywhere.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    ip_allowlist: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Lifetime>)]
    key_lifetime: Patch<Lifetime>,
    /// Of keys made without limits of their own.
    #[serde(default)]
    #[schema(value_type = Option<Vec<RateLimit>>, max_items = 16)]
    default_rate_limits: Patch<Vec<Value>>,
    #[serde(default)]
    #[schema(value_type = Option<Retention>)]
    retention: Patch<Retention>,
}

#[derive(Default)]
pub(super) struct Read {
    pub(super) ip_allowlist: Field<IpAllowlist>,
    pub(super) key_lifetime: Field<KeyLifetime>,
    pub(super) default_limits: Field<Limits>,
    pub(super) kept_days: Field<KeptDays>,
}

impl SettingsPatch {
    pub(super) fn is_empty(&self) -> bool {
        let Self { ip_allowlist, key_lifetime, default_rate_limits, retention } = self;
        ip_allowlist.is_absent()
            && key_lifetime.is_absent()
            && default_rate_limits.is_absent()
            && retention.is_absent()
    }

    pub(super) fn read(self) -> Result<Read, Fault> {
        let Self { ip_allowlist, key_lifetime, default_rate_limits, retention } = self;
        Ok(Read {
            ip_allowlist: ip_allowlist
                .or_default(|given| fields::allowlist("settings.ipAllowlist", &given))?,
            key_lifetime: key_lifetime.or_default(Lifetime::read)?,
            default_limits: default_rate_limits
                .or_default(|given| fields::limits("settings.defaultRateLimits", given))?,
            kept_days: retention.or_default(Retention::read)?,
        })
    }
}

impl Lifetime {
    fn read(self) -> Result<KeyLifetime, Fault> {
        let Self { default_seconds, max_seconds, required } = self;
        Ok(KeyLifetime {
            usual: bounds::span("settings.keyLifetime.defaultSeconds", default_seconds)?,
            most: bounds::span("settings.keyLifetime.maxSeconds", max_seconds)?,
            is_demanded: required,
        })
    }
}

impl Retention {
    fn read(self) -> Result<KeptDays, Fault> {
        let Self { audit_days, usage_days } = self;
        Ok(KeptDays {
            audit: bounds::days("settings.retention.auditDays", audit_days)?,
            usage: bounds::days("settings.retention.usageDays", usage_days)?,
        })
    }
}

impl From<OrganizationSettings> for SettingsView {
    fn from(settings: OrganizationSettings) -> Self {
        // How much it may have is the operator's to tell.
        let OrganizationSettings {
            ip_allowlist,
            key_lifetime,
            default_limits,
            kept_days,
            resource_limits: _,
        } = settings;
        let KeyLifetime { usual, most, is_demanded } = key_lifetime;
        let KeptDays { audit, usage } = kept_days;
        let seconds = |span: Option<chrono::TimeDelta>| span.map(|span| span.num_seconds());
        Self {
            ip_allowlist: fields::told_allowlist(&ip_allowlist),
            key_lifetime: Lifetime {
                default_seconds: seconds(usual),
                max_seconds: seconds(most),
                required: is_demanded,
            },
            default_rate_limits: fields::told_limits(&default_limits),
            retention: Retention { audit_days: audit.map(i64::from), usage_days: usage.map(i64::from) },
        }
    }
}
