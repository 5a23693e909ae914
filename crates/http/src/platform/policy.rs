//! What keys and records are held to: organizations and the installation say it alike.

use chrono::TimeDelta;
use claviger_domain::resource_limits::{LimitedResource, ResourceLimits};
use claviger_domain::settings::{KeptDays, KeyLifetime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bounds;
use crate::fault::Fault;

/// How long new keys may live.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyLifetime, example = json!({"default_seconds": 7776000, "max_seconds": 31536000, "required": false}))]
pub(super) struct LifetimeFields {
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

/// How many days records are kept.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retention, example = json!({"audit_days": 365, "usage_days": null}))]
pub(super) struct RetentionFields {
    /// Lines of the audit log; `null`: as many as the installation, or else its configuration, says.
    #[schema(minimum = 1, maximum = 36525)]
    #[serde(default)]
    audit_days: Option<i64>,
    /// Usage figures; `null`: as many as the installation, or else its configuration, says.
    #[schema(minimum = 1, maximum = 36525)]
    #[serde(default)]
    usage_days: Option<i64>,
}

/// How many things one organization may have. `null`: as the installation says, or else 100,000 API keys and users, 500
/// roles and 1,000 admin keys. What is there already stays when a limit is lowered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceLimits, example = json!({"api_keys": 5000, "users": 1000, "roles": null, "admin_keys": null}))]
pub(super) struct ResourceLimitFields {
    /// Credentials that are not revoked.
    #[schema(minimum = 0, maximum = 4294967295_u32)]
    #[serde(default)]
    api_keys: Option<i64>,
    #[schema(minimum = 0, maximum = 4294967295_u32)]
    #[serde(default)]
    users: Option<i64>,
    /// Of its own.
    #[schema(minimum = 0, maximum = 4294967295_u32)]
    #[serde(default)]
    roles: Option<i64>,
    /// Admin keys that are not revoked.
    #[schema(minimum = 0, maximum = 4294967295_u32)]
    #[serde(default)]
    admin_keys: Option<i64>,
}

impl LifetimeFields {
    pub(super) fn read(self, field: &str) -> Result<KeyLifetime, Fault> {
        let Self { default_seconds, max_seconds, required } = self;
        Ok(KeyLifetime {
            usual: bounds::span(format!("{field}.default_seconds"), default_seconds)?,
            most: bounds::span(format!("{field}.max_seconds"), max_seconds)?,
            is_demanded: required,
        })
    }
}

impl From<KeyLifetime> for LifetimeFields {
    fn from(KeyLifetime { usual, most, is_demanded }: KeyLifetime) -> Self {
        let seconds = |span: Option<TimeDelta>| span.map(|span| span.num_seconds());
        Self { default_seconds: seconds(usual), max_seconds: seconds(most), required: is_demanded }
    }
}

impl RetentionFields {
    pub(super) fn read(self, field: &str) -> Result<KeptDays, Fault> {
        let Self { audit_days, usage_days } = self;
        Ok(KeptDays {
            audit: bounds::days(format!("{field}.audit_days"), audit_days)?,
            usage: bounds::days(format!("{field}.usage_days"), usage_days)?,
        })
    }
}

impl From<KeptDays> for RetentionFields {
    fn from(KeptDays { audit, usage }: KeptDays) -> Self {
        Self { audit_days: audit.map(i64::from), usage_days: usage.map(i64::from) }
    }
}

impl ResourceLimitFields {
    pub(super) fn read(self, field: &str) -> Result<ResourceLimits, Fault> {
        let Self { api_keys, users, roles, admin_keys } = self;
        let read = |resource: LimitedResource| {
            let given = match resource {
                LimitedResource::ApiKeys => api_keys,
                LimitedResource::Users => users,
                LimitedResource::Roles => roles,
                LimitedResource::AdminKeys => admin_keys,
            };
            bounds::count(format!("{field}.{}", resource.word()), given)
        };
        let mut fault = None;
        let limits = ResourceLimits::new(|resource| match read(resource) {
            Ok(limit) => limit,
            Err(wrong) => {
                fault.get_or_insert(wrong);
                None
            }
        });
        fault.map_or(Ok(limits), Err)
    }
}

impl From<ResourceLimits> for ResourceLimitFields {
    fn from(limits: ResourceLimits) -> Self {
        let of = |resource| limits.get(resource).map(i64::from);
        Self {
            api_keys: of(LimitedResource::ApiKeys),
            users: of(LimitedResource::Users),
            roles: of(LimitedResource::Roles),
            admin_keys: of(LimitedResource::AdminKeys),
        }
    }
}
