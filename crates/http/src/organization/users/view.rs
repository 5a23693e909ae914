//! What the organization surface shows of users.

use claviger_app::{roles, users};
use claviger_domain::account::UserAccount;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{fields, instant, json};

/// A user of the organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationUser, example = json!({
    "id": "user_01h455vb4pex5vsknk084sn02q", "email": "ada@acme.com", "firstName": "Ada", "lastName": "Lovelace",
    "displayName": "Ada Lovelace", "name": "Ada Lovelace", "status": "active", "emailVerified": false,
    "mfaEnabled": false, "roles": [{"id": "role_0000000000e008000000000003", "name": "Member"}],
    "externalId": null, "metadata": {}, "lastLoginAt": null, "createdAt": "2024-01-15T10:00:00Z", "updatedAt": null
}))]
pub(super) struct UserView {
    #[serde(flatten)]
    user: UserFields,
    /// What it may do; without any it is a customer, and no member.
    roles: Vec<RoleName>,
}

/// A user of the organization, with all that its roles permit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationUserDetail, example = json!({
    "id": "user_01h455vb4pex5vsknk084sn02q", "email": "ada@acme.com", "firstName": "Ada", "lastName": "Lovelace",
    "displayName": "Ada Lovelace", "name": "Ada Lovelace", "status": "active", "emailVerified": false,
    "mfaEnabled": false,
    "roles": [{"id": "role_01h455vb4pex5vsknk084sn02q", "name": "Accountant", "permissions": ["invoices:*"]}],
    "externalId": null, "metadata": {}, "lastLoginAt": null, "createdAt": "2024-01-15T10:00:00Z", "updatedAt": null
}))]
pub(super) struct UserDetail {
    #[serde(flatten)]
    user: UserFields,
    /// What it may do; without any it is a customer, and no member.
    roles: Vec<RoleGrant>,
}

/// What is told of a user wherever it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationUserFields, example = json!({
    "id": "user_01h455vb4pex5vsknk084sn02q", "email": "ada@acme.com", "firstName": "Ada", "lastName": "Lovelace",
    "displayName": "Ada Lovelace", "name": "Ada Lovelace", "status": "active", "emailVerified": false,
    "mfaEnabled": false, "externalId": null, "metadata": {}, "lastLoginAt": null,
    "createdAt": "2024-01-15T10:00:00Z", "updatedAt": null
}))]
struct UserFields {
    id: String,
    #[schema(required)]
    email: Option<String>,
    /// As it was told; it is not guessed from the name.
    #[schema(required)]
    first_name: Option<String>,
    /// As it was told; it is not guessed from the name.
    #[schema(required)]
    last_name: Option<String>,
    /// The same as `name`.
    display_name: String,
    name: String,
    /// `active`, `suspended` or `pending`.
    status: &'static str,
    /// Always `false`: no mail is sent to users.
    email_verified: bool,
    /// Always `false`: nobody signs in with a second factor yet.
    mfa_enabled: bool,
    /// Your own id for it, or the partner's.
    #[schema(required)]
    external_id: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
    /// Always `null`: nobody signs in yet.
    #[schema(required, format = DateTime)]
    last_login_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

/// A role that somebody has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationRoleName, example = json!({"id": "role_0000000000e008000000000003", "name": "Member"}))]
struct RoleName {
    id: String,
    name: String,
}

/// A role that somebody has, and what it permits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationRoleGrant, example = json!({
    "id": "role_01h455vb4pex5vsknk084sn02q", "name": "Accountant", "permissions": ["invoices:*"]
}))]
struct RoleGrant {
    id: String,
    name: String,
    permissions: Vec<String>,
}

impl From<UserAccount> for UserFields {
    fn from(account: UserAccount) -> Self {
        // Whose it is, the path says; the admin key that made it and its plan are the partner's matter; its revision
        // is its tag.
        let UserAccount {
            id,
            organization: _,
            admin_key: _,
            external_id,
            name,
            email,
            metadata,
            status,
            billing_plan: _,
            first_name,
            last_name,
            roles: _,
            created_at,
            updated_at,
            revision: _,
        } = account;
        Self {
            id: id.prefixed(),
            email: email.map(|email| email.to_string()),
            first_name: first_name.map(|name| name.to_string()),
            last_name: last_name.map(|name| name.to_string()),
            display_name: name.to_string(),
            name: name.to_string(),
            status: status.word(),
            email_verified: false,
            mfa_enabled: false,
            external_id: external_id.map(|id| id.to_string()),
            metadata: json::object(&metadata),
            last_login_at: None,
            created_at: instant::print(created_at),
            updated_at: updated_at.map(instant::print),
        }
    }
}

impl From<users::Seen> for UserView {
    fn from(users::Seen { account, roles }: users::Seen) -> Self {
        let name = |role: roles::Known| RoleName { id: role.id().prefixed(), name: role.name().to_owned() };
        Self { user: account.into(), roles: roles.into_iter().map(name).collect() }
    }
}

impl From<users::Seen> for UserDetail {
    fn from(users::Seen { account, roles }: users::Seen) -> Self {
        let grant = |role: roles::Known| RoleGrant {
            id: role.id().prefixed(),
            name: role.name().to_owned(),
            permissions: fields::words(&role.permissions()),
        };
        Self { user: account.into(), roles: roles.into_iter().map(grant).collect() }
    }
}
