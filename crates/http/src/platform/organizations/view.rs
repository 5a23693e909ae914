//! What the platform surface shows of organizations.

use claviger_domain::organization::{Organization, OrganizationSettings};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{self, RateLimit};
use crate::platform::policy::{LifetimeFields, ResourceLimitFields, RetentionFields};
use crate::{instant, json};

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformOrganization, example = json!({
    "id": "org_01h455vb4pex5vsknk084sn02q", "name": "Acme Corporation", "name_verified": true, "slug": "acme-corporation",
    "email": "admin@acme.com", "plan": "enterprise", "status": "active", "metadata": {},
    "settings": {
        "ip_allowlist": [], "key_lifetime": {"default_seconds": null, "max_seconds": null, "required": false},
        "default_rate_limits": [], "retention": {"audit_days": null, "usage_days": null},
        "resource_limits": {"api_keys": null, "users": null, "roles": null, "admin_keys": null}
    },
    "created_at": "2026-01-26T12:00:00Z", "updated_at": null
}))]
pub(super) struct OrganizationView {
    id: String,
    name: String,
    /// Whether the name is yours or verified by you. Only such a name is joined by an admin key for that `entity_name`.
    name_verified: bool,
    /// Its name in addresses: accepted wherever its id is.
    slug: String,
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    plan: Option<String>,
    /// `active` or `suspended`.
    status: &'static str,
    #[schema(value_type = Object)]
    metadata: Value,
    settings: SettingsView,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

/// What its keys and its records are held to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationSettings, example = json!({
    "ip_allowlist": ["203.0.113.0/24"],
    "key_lifetime": {"default_seconds": 7776000, "max_seconds": 31536000, "required": false},
    "default_rate_limits": [{"name": "requests", "limit": 100, "window": 60, "pool": "credential"}],
    "retention": {"audit_days": 365, "usage_days": null},
    "resource_limits": {"api_keys": 5000, "users": null, "roles": null, "admin_keys": null}
}))]
struct SettingsView {
    /// Addresses and CIDR blocks that its keys may be used from; empty: from anywhere.
    ip_allowlist: Vec<String>,
    key_lifetime: LifetimeFields,
    /// Of keys made without limits of their own; empty: the installation's.
    default_rate_limits: Vec<RateLimit>,
    retention: RetentionFields,
    resource_limits: ResourceLimitFields,
}

impl From<Organization> for OrganizationView {
    fn from(organization: Organization) -> Self {
        // The revision is its tag.
        let Organization {
            id,
            name,
            is_self_named,
            slug,
            email,
            plan,
            status,
            metadata,
            settings,
            created_at,
            updated_at,
            revision: _,
        } = organization;
        let OrganizationSettings { ip_allowlist, key_lifetime, default_limits, kept_days, resource_limits } =
            settings;
        Self {
            id: id.prefixed(),
            name: name.to_string(),
            name_verified: !is_self_named,
            slug: slug.to_string(),
            email: email.map(|email| email.to_string()),
            plan: plan.map(|plan| plan.to_string()),
            status: status.word(),
            metadata: json::object(&metadata),
            settings: SettingsView {
                ip_allowlist: fields::told_allowlist(&ip_allowlist),
                key_lifetime: key_lifetime.into(),
                default_rate_limits: fields::told_limits(&default_limits),
                retention: kept_days.into(),
                resource_limits: resource_limits.into(),
            },
            created_at: instant::print(created_at),
            updated_at: updated_at.map(instant::print),
        }
    }
}
