//! What the organization surface shows of roles and permissions.

use claviger_app::roles;
use claviger_domain::account::UserAccount;
use claviger_domain::role::Role;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{fields, instant};

/// A role.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationRole, example = json!({
    "id": "role_01h455vb4pex5vsknk084sn02q", "name": "Accountant", "description": "Sees and pays invoices",
    "type": "custom", "permissions": ["invoices:*", "usage:read"], "userCount": 1,
    "createdAt": "2024-01-15T10:00:00Z"
}))]
pub(super) struct RoleView {
    id: String,
    name: String,
    #[schema(required)]
    description: Option<String>,
    /// `system`: every organization has it, and it does not change; or `custom`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What whoever has it may do.
    permissions: Vec<String>,
    /// How many users have it.
    user_count: u64,
    /// Of a system role, when the organization was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A role, and who has it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationRoleDetail, example = json!({
    "id": "role_01h455vb4pex5vsknk084sn02q", "name": "Accountant", "description": "Sees and pays invoices",
    "type": "custom", "permissions": ["invoices:*", "usage:read"], "userCount": 1,
    "createdAt": "2024-01-15T10:00:00Z", "updatedAt": null,
    "users": [{"id": "user_01h455vb4pex5vsknk084sn02q", "email": "ada@acme.com", "displayName": "Ada Lovelace"}]
}))]
pub(super) struct RoleDetail {
    #[serde(flatten)]
    role: RoleView,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
    /// The first hundred of those who have it, the oldest first; the list of users by `role` has them all.
    users: Vec<Holder>,
}

/// A user that has a role.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationRoleUser, example = json!({
    "id": "user_01h455vb4pex5vsknk084sn02q", "email": "ada@acme.com", "displayName": "Ada Lovelace"
}))]
struct Holder {
    id: String,
    #[schema(required)]
    email: Option<String>,
    display_name: String,
}

impl From<roles::Seen> for RoleView {
    fn from(roles::Seen { role, users, created_at }: roles::Seen) -> Self {
        let (description, kind) = match &role {
            roles::Known::System(system) => (Some(system.description().to_owned()), "system"),
            roles::Known::Custom(Role { description, .. }) => {
                (description.as_ref().map(ToString::to_string), "custom")
            }
        };
        Self {
            id: role.id().prefixed(),
            name: role.name().to_owned(),
            description,
            kind,
            permissions: fields::words(&role.permissions()),
            user_count: users,
            created_at: instant::print(created_at),
        }
    }
}

impl RoleDetail {
    pub(super) fn of(seen: roles::Seen, holders: Vec<UserAccount>) -> Self {
        let updated_at = match &seen.role {
            roles::Known::System(_) => None,
            roles::Known::Custom(role) => role.updated_at.map(instant::print),
        };
        let holder = |user: UserAccount| Holder {
            id: user.id.prefixed(),
            email: user.email.map(|email| email.to_string()),
            display_name: user.name.to_string(),
        };
        Self { role: seen.into(), updated_at, users: holders.into_iter().map(holder).collect() }
    }
}

/// A permission that has a meaning here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationPermission, example = json!({
    "permission": "users:read", "description": "See users", "systemRoles": ["Owner", "Admin", "Member", "Viewer"]
}))]
pub(super) struct PermissionView {
    permission: &'static str,
    description: &'static str,
    /// The names of the system roles that have it.
    system_roles: Vec<&'static str>,
}

impl From<roles::Permission> for PermissionView {
    fn from(roles::Permission { word, description, system_roles }: roles::Permission) -> Self {
        let system_roles = system_roles.into_iter().map(claviger_domain::role::SystemRole::name).collect();
        Self { permission: word, description, system_roles }
    }
}

/// Whether a user may do something, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "allowed": true, "permission": "invoices:pay", "userId": "user_01h455vb4pex5vsknk084sn02q", "reason": "granted",
    "grantedBy": [{"roleId": "role_01h455vb4pex5vsknk084sn02q", "roleName": "Accountant", "permission": "invoices:*"}]
}))]
pub(super) struct PermissionAnswer {
    allowed: bool,
    permission: String,
    user_id: String,
    /// `granted`; or why not: `not_granted` when none of the user's roles permits it, `no_roles` when it has none,
    /// `user_suspended` when it is suspended, whatever its roles permit.
    reason: &'static str,
    /// The roles of the user that permit it.
    granted_by: Vec<Grant>,
}

/// A role that permits what was asked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PermissionGrant, example = json!({
    "roleId": "role_01h455vb4pex5vsknk084sn02q", "roleName": "Accountant", "permission": "invoices:*"
}))]
struct Grant {
    role_id: String,
    role_name: String,
    /// The word of the role that covers it.
    permission: String,
}

impl From<roles::Checked> for PermissionAnswer {
    fn from(roles::Checked { user, permission, granted_by, is_allowed }: roles::Checked) -> Self {
        let reason = match is_allowed {
            true => "granted",
            false if user.is_suspended() => "user_suspended",
            false if user.roles.is_empty() => "no_roles",
            false => "not_granted",
        };
        let grant = |role: roles::Known| {
            let permissions = role.permissions();
            let word = permissions.iter().find(|word| word.covers(&permission)).map(ToString::to_string);
            let role_name = role.name().to_owned();
            Some(Grant { role_id: role.id().prefixed(), role_name, permission: word? })
        };
        Self {
            allowed: is_allowed,
            user_id: user.id.prefixed(),
            reason,
            granted_by: granted_by.into_iter().filter_map(grant).collect(),
            permission: permission.to_string(),
        }
    }
}
