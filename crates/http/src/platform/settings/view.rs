//! What the platform surface shows of the installation's settings.

use claviger_domain::settings::Settings;
use serde::Serialize;
use utoipa::ToSchema;

use crate::fields::{self, RateLimit};
use crate::instant;
use crate::platform::policy::{LifetimeFields, ResourceLimitFields, RetentionFields};

/// What holds for the whole installation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Settings, example = json!({
    "key_lifetime": {"default_seconds": null, "max_seconds": 31536000, "required": false},
    "default_rate_limits": [], "retention": {"audit_days": null, "usage_days": null},
    "resource_limits": {"api_keys": null, "users": null, "roles": null, "admin_keys": null},
    "forward_auth_dialect": "plain", "cors_origins": [], "updated_at": null
}))]
pub(super) struct SettingsView {
    /// For keys of organizations that say nothing themselves, and the bound for all.
    key_lifetime: LifetimeFields,
    /// Of keys made without limits of their own, where their organization has none either.
    default_rate_limits: Vec<RateLimit>,
    retention: RetentionFields,
    resource_limits: ResourceLimitFields,
    /// How forward-auth answers proxies that do not say: `plain` or `nginx`.
    forward_auth_dialect: &'static str,
    /// Whose web pages may call the admin surfaces; without any, none may.
    cors_origins: Vec<String>,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

impl From<Settings> for SettingsView {
    fn from(settings: Settings) -> Self {
        // The revision is their tag.
        let Settings {
            key_lifetime,
            default_limits,
            kept_days,
            resource_limits,
            forward_auth_dialect,
            cors_origins,
            updated_at,
            revision: _,
        } = settings;
        Self {
            key_lifetime: key_lifetime.into(),
            default_rate_limits: fields::told_limits(&default_limits),
            retention: kept_days.into(),
            resource_limits: resource_limits.into(),
            forward_auth_dialect: forward_auth_dialect.word(),
            cors_origins,
            updated_at: updated_at.map(instant::print),
        }
    }
}
