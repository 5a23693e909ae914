//! What an organization is shown of itself.

use claviger_app::organizations::Seen;
use claviger_domain::organization::Organization;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::settings::SettingsView;
use crate::{instant, json};

/// The organization whose key is presented.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwnOrganization, example = json!({
    "id": "org_01h455vb4pex5vsknk084sn02q", "name": "Acme Corporation", "slug": "acme-corp",
    "email": "admin@acme.com", "plan": "enterprise", "status": "active", "metadata": {},
    "settings": {
        "ipAllowlist": [], "keyLifetime": {"defaultSeconds": null, "maxSeconds": null, "required": false},
        "defaultRateLimits": [], "retention": {"auditDays": null, "usageDays": null}
    },
    "memberCount": 12, "createdAt": "2024-01-15T10:00:00Z", "updatedAt": null
}))]
pub(super) struct OrganizationView {
    id: String,
    name: String,
    /// Its name in addresses: accepted wherever its id is.
    slug: String,
    #[schema(required)]
    email: Option<String>,
    /// The operator's name of what it pays for.
    #[schema(required)]
    plan: Option<String>,
    /// `active`: the keys of a suspended organization open nothing.
    status: &'static str,
    #[schema(value_type = Object)]
    metadata: Value,
    settings: SettingsView,
    /// Users that have a role in it.
    member_count: u64,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

impl From<Seen> for OrganizationView {
    fn from(Seen { organization, members }: Seen) -> Self {
        // The revision is its tag.
        let Organization {
            id,
            name,
            is_self_named: _,
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
        Self {
            id: id.prefixed(),
            name: name.to_string(),
            slug: slug.to_string(),
            email: email.map(|email| email.to_string()),
            plan: plan.map(|plan| plan.to_string()),
            status: status.word(),
            metadata: json::object(&metadata),
            settings: settings.into(),
            member_count: members,
            created_at: instant::print(created_at),
            updated_at: updated_at.map(instant::print),
        }
    }
}
