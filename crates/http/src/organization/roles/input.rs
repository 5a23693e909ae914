//! What the organization surface is told about roles and permissions.

use claviger_app::{Kind, roles};
use claviger_domain::ids::UserAccountId;
use claviger_domain::scope::Scope;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::fault::{Expected, Fault, Reason};
use crate::fields;
use crate::input::{self, Patch};
use crate::path::any_id;

/// A role to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrganizationRole, example = json!({
    "name": "Accountant", "description": "Sees and pays invoices", "permissions": ["invoices:*", "usage:read"]
}))]
pub(super) struct NewRole {
    /// 1 to 255 characters after trimming; unique in the organization, whatever the case.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// Words like `users:read`, `users:*`, or `*` for all but `admin:` ones.
    #[schema(max_items = 100)]
    permissions: Vec<String>,
}

impl TryFrom<NewRole> for roles::Create {
    type Error = Fault;

    fn try_from(NewRole { name, description, permissions }: NewRole) -> Result<Self, Fault> {
        Ok(Self {
            name: input::name(&name)?,
            description: description.as_deref().map(input::description).transpose()?,
            permissions: fields::scopes("permissions", &permissions)?,
        })
    }
}

/// Fields to change; absent ones stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganizationRolePatch, example = json!({"description": null, "permissions": ["invoices:read"]}))]
pub(super) struct RolePatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Patch<String>,
    /// They replace those it has.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    permissions: Patch<Vec<String>>,
    /// Change it even if no key could manage the organization's keys afterwards; default false.
    force: Option<bool>,
}

impl TryFrom<RolePatch> for roles::Update {
    type Error = Fault;

    fn try_from(RolePatch { name, description, permissions, force }: RolePatch) -> Result<Self, Fault> {
        if name.is_absent() && description.is_absent() && permissions.is_absent() {
            return Err(Fault::NothingToChange(Kind::Role));
        }
        let null = || Fault::invalid("permissions", Reason::Type(Expected::Array));
        Ok(Self {
            name: input::patched_name(name)?,
            description: description
                .nullable()
                .try_map(|text| text.as_deref().map(input::description).transpose())?,
            permissions: permissions
                .required(null)?
                .try_map(|given| fields::scopes("permissions", &given))?,
            force: force.unwrap_or_default(),
        })
    }
}

/// What is to be checked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"userId": "user_01h455vb4pex5vsknk084sn02q", "permission": "invoices:pay"}))]
pub(super) struct PermissionQuestion {
    /// The user's id.
    user_id: String,
    /// One word, like `users:read`.
    permission: String,
}

impl PermissionQuestion {
    pub(super) fn read(self) -> Result<(UserAccountId, Scope), Fault> {
        let Self { user_id, permission } = self;
        let user = any_id(&user_id, || Fault::invalid("userId", Reason::Reference))?;
        Ok((user, fields::scope("permission", &permission)?))
    }
}
