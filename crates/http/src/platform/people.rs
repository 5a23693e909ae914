//! The users of organizations as the platform surface shows them, alike wherever it does.

use claviger_app::{roles, users};
use claviger_domain::account::UserAccount;
use claviger_domain::ids::AdminKeyId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{instant, json};

/// A user account of any organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformUser, example = json!({
    "id": "user_01h455vb4pex5vsknk084sn02q", "organization_id": "org_01h455vb4pex5vsknk084sn02q",
    "admin_key_id": null, "external_id": "customer-123", "name": "Ada Lovelace", "email": "ada@acme.com",
    "metadata": {}, "status": "active", "billing_plan": "pro",
    "roles": [{"id": "role_0000000000e008000000000003", "name": "Member"}],
    "created_at": "2026-01-26T12:00:00Z", "updated_at": null
}))]
pub(super) struct UserView {
    id: String,
    organization_id: String,
    /// The partner's admin key it belongs to; `null`: it is the organization's own.
    #[schema(required)]
    admin_key_id: Option<String>,
    /// Your own id for it, or the partner's.
    #[schema(required)]
    external_id: Option<String>,
    name: String,
    #[schema(required)]
    email: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
    /// `active`, `suspended` or `pending`.
    status: &'static str,
    #[schema(required)]
    billing_plan: Option<String>,
    /// What it may do in its organization; without any it is a customer, and no member.
    roles: Vec<RoleView>,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

/// A role that somebody has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformRole, example = json!({"id": "role_0000000000e008000000000003", "name": "Member"}))]
pub(super) struct RoleView {
    id: String,
    name: String,
}

/// A user that has a role in its organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformMember, example = json!({
    "user_id": "user_01h455vb4pex5vsknk084sn02q", "organization_id": "org_01h455vb4pex5vsknk084sn02q",
    "name": "Ada Lovelace", "email": "ada@acme.com", "status": "active",
    "roles": [{"id": "role_0000000000e008000000000003", "name": "Member"}]
}))]
pub(super) struct MemberView {
    user_id: String,
    organization_id: String,
    name: String,
    #[schema(required)]
    email: Option<String>,
    /// `active`, `suspended` or `pending`.
    status: &'static str,
    /// One, unless the organization has given it more.
    roles: Vec<RoleView>,
}

impl From<users::Seen> for UserView {
    fn from(users::Seen { account, roles }: users::Seen) -> Self {
        // The revision is its tag.
        let UserAccount {
            id,
            organization,
            admin_key,
            external_id,
            name,
            email,
            metadata,
            status,
            billing_plan,
            first_name: _,
            last_name: _,
            roles: _,
            created_at,
            updated_at,
            revision: _,
        } = account;
        Self {
            id: id.prefixed(),
            organization_id: organization.prefixed(),
            admin_key_id: admin_key.map(AdminKeyId::prefixed),
            external_id: external_id.map(|id| id.to_string()),
            name: name.to_string(),
            email: email.map(|email| email.to_string()),
            metadata: json::object(&metadata),
            status: status.word(),
            billing_plan: billing_plan.map(|plan| plan.to_string()),
            roles: roles.iter().map(RoleView::from).collect(),
            created_at: instant::print(created_at),
            updated_at: updated_at.map(instant::print),
        }
    }
}

impl From<&roles::Known> for RoleView {
    fn from(role: &roles::Known) -> Self {
        Self { id: role.id().prefixed(), name: role.name().to_owned() }
    }
}

impl From<users::Seen> for MemberView {
    fn from(seen: users::Seen) -> Self {
        let UserView {
            id,
            organization_id,
            admin_key_id: _,
            external_id: _,
            name,
            email,
            metadata: _,
            status,
            billing_plan: _,
            roles,
            created_at: _,
            updated_at: _,
        } = UserView::from(seen);
        Self { user_id: id, organization_id, name, email, status, roles }
    }
}
