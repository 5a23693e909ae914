//! Roles: what the users of an organization may do, and why.

use std::collections::HashMap;

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::Owner;
use claviger_domain::audit::Resource;
use claviger_domain::capability::Capability::ViewRoles;
use claviger_domain::capability::PERMISSIONS;
use claviger_domain::ids::{OrganizationId, RoleId, UserAccountId};
use claviger_domain::revision::Revision;
use claviger_domain::role::{Role, RoleIds, SystemRole};
use claviger_domain::scope::{Scope, Scopes};
use claviger_domain::text::Name;
use claviger_store::{Tables, Tx};

use crate::{Call, Error, State, organizations};

mod change;

pub use change::{Create, Update, create, delete, update};

/// Of the users who have a role, so many are told with it: a list by role has them all.
pub const MOST_TOLD: u64 = 100;

/// Any role, and how many users have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub role: Known,
    pub users: u64,
    /// When there came to be such a role: one of the system's came with its organization.
    pub created_at: Timestamp,
}

/// A permission that has a meaning of ours, and which system roles have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub word: &'static str,
    pub description: &'static str,
    pub system_roles: Vec<SystemRole>,
}

/// A role of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    System(SystemRole),
    Custom(Role),
}

impl Known {
    #[must_use]
    pub fn id(&self) -> RoleId {
        match self {
            Self::System(role) => role.id(),
            Self::Custom(role) => role.id,
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::System(role) => role.name(),
            Self::Custom(role) => role.name.as_str(),
        }
    }

    /// Which of its states this is; a system role has one only.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::System(_) => Revision::FIRST,
            Self::Custom(role) => role.revision,
        }
    }

    /// `since` is when its organization was made.
    fn created_at(&self, since: Timestamp) -> Timestamp {
        match self {
            Self::System(_) => since,
            Self::Custom(role) => role.created_at,
        }
    }

    #[must_use]
    pub fn permissions(&self) -> Scopes {
        match self {
            Self::System(role) => role.permissions(),
            Self::Custom(role) => role.permissions.clone(),
        }
    }
}

/// How a caller names a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Id(RoleId),
    Name(Name),
}

/// Whether a user may do something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub user: UserAccount,
    pub permission: Scope,
    /// The roles that permit it, in the user's order.
    pub granted_by: Vec<Known>,
    /// Of a user that is not suspended, and has such a role.
    pub is_allowed: bool,
}

/// Every permission that has a meaning of ours.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub fn catalogue(call: &Call) -> Result<Vec<Permission>, Error> {
    call.require(ViewRoles)?;
    let permission = |(word, description): (&'static str, &'static str)| {
        let has = |role: &SystemRole| role.permissions().cover_word(word);
        Permission { word, description, system_roles: SystemRole::ALL.into_iter().filter(has).collect() }
    };
    Ok(PERMISSIONS.into_iter().map(permission).collect())
}

/// Every role of an organization: the system's first, then its own by name.
///
/// # Errors
/// [`Error::Refused`], [`Error::NotFound`] when the caller has no such organization.
pub async fn list(call: &Call, organization: OrganizationId) -> Result<Vec<Seen>, Error> {
    call.require(ViewRoles)?;
    let organization = call.tenant(Some(organization))?.organization;
    let store = call.app().store();
    let since = organizations::since(store, organization).await?;
    let counted = users_by_role(store, Owner::Organization(organization)).await?;
    let system = SystemRole::ALL.into_iter().map(Known::System);
    let custom = store.roles().list(organization).await?.into_iter().map(Known::Custom);
    let seen = |role: Known| {
        let users = counted.get(&role.id()).copied().unwrap_or_default();
        Seen { users, created_at: role.created_at(since), role }
    };
    Ok(system.chain(custom).map(seen).collect())
}

/// One role, and the first [`MOST_TOLD`] of those who have it.
///
/// # Errors
/// [`Error::Refused`]; [`Error::NotFound`] when the organization has no such role.
pub async fn find(
    call: &Call,
    organization: OrganizationId,
    id: RoleId,
) -> Result<(Seen, Vec<UserAccount>), Error> {
    call.require(ViewRoles)?;
    let organization = call.tenant(Some(organization))?.organization;
    let store = call.app().store();
    let role = match SystemRole::of_id(id) {
        Some(role) => Known::System(role),
        None => Known::Custom(store.roles().find(organization, id).await?.ok_or_else(missing)?),
    };
    let created_at = role.created_at(organizations::since(store, organization).await?);
    told(store, organization, role, created_at).await
}

/// `created_at` is when there came to be such a role.
async fn told(
    tables: &impl Tables,
    organization: OrganizationId,
    role: Known,
    created_at: Timestamp,
) -> Result<(Seen, Vec<UserAccount>), Error> {
    let (owner, id) = (Owner::Organization(organization), role.id());
    let users = users_by_role(tables, owner).await?.remove(&id).unwrap_or_default();
    let holders = tables.user_accounts().holders(owner, id, MOST_TOLD).await?;
    Ok((Seen { users, created_at, role }, holders))
}

async fn users_by_role(tables: &impl Tables, owner: Owner) -> Result<HashMap<RoleId, u64>, Error> {
    let mut counted = HashMap::new();
    for (roles, users) in tables.user_accounts().counted_by_roles(owner).await? {
        for role in roles.iter() {
            *counted.entry(role).or_default() += users;
        }
    }
    Ok(counted)
}

/// Whether a user of the organization may do something, and by which of its roles.
///
/// # Errors
/// [`Error::NotFound`] when the organization has no such user.
pub async fn check(
    call: &Call,
    organization: OrganizationId,
    user: UserAccountId,
    permission: Scope,
) -> Result<Checked, Error> {
    call.require(ViewRoles)?;
    let owner = Owner::Organization(call.tenant(Some(organization))?.organization);
    let store = call.app().store();
    let found = store.user_accounts().find(owner, user).await?;
    let user = found.ok_or(Error::NotFound(Resource::UserAccount, State::Any))?;
    let mut granted_by = of_user(store, &user).await?;
    granted_by.retain(|role| role.permissions().cover(&permission));
    let is_allowed = !user.is_suspended() && !granted_by.is_empty();
    Ok(Checked { user, permission, granted_by, is_allowed })
}

/// The roles of a user, in its order.
pub(crate) async fn of_user(tables: &impl Tables, user: &UserAccount) -> Result<Vec<Known>, Error> {
    let custom = custom_of(tables, &user.roles).await?;
    Ok(known(&user.roles, &custom))
}

pub(crate) fn known(ids: &RoleIds, custom: &[Role]) -> Vec<Known> {
    ids.iter()
        .filter_map(|id| match SystemRole::of_id(id) {
            Some(role) => Some(Known::System(role)),
            None => custom.iter().find(|role| role.id == id).cloned().map(Known::Custom),
        })
        .collect()
}

/// Those of these roles that are no system roles.
pub(crate) async fn custom_of(tables: &impl Tables, ids: &RoleIds) -> Result<Vec<Role>, Error> {
    let custom: Vec<_> = ids.iter().filter(|id| SystemRole::of_id(*id).is_none()).collect();
    Ok(if custom.is_empty() { Vec::new() } else { tables.roles().find_many_unscoped(&custom).await? })
}

/// What a user may do by its roles.
pub(crate) async fn permissions_of(tables: &impl Tables, user: &UserAccount) -> Result<Scopes, Error> {
    Ok(user.roles.permissions(&custom_of(tables, &user.roles).await?))
}

/// The roles that a caller names: they stay as they are until the transaction ends.
pub(crate) async fn named(
    tx: &Tx,
    organization: OrganizationId,
    named: &[Named],
) -> Result<(RoleIds, Vec<Role>), Error> {
    let mut ids = Vec::with_capacity(named.len());
    let mut custom = Vec::new();
    for named in named {
        let (system, found) = match named {
            Named::Id(id) => match SystemRole::of_id(*id) {
                Some(role) => (Some(role), None),
                None => (None, tx.roles().find_to_refer_to(organization, *id).await?),
            },
            Named::Name(name) => match SystemRole::of_name(name.as_str()) {
                Some(role) => (Some(role), None),
                None => (None, tx.roles().find_by_name_to_refer_to(organization, name).await?),
            },
        };
        match (system, found) {
            (Some(role), _) => ids.push(role.id()),
            (None, Some(role)) => {
                ids.push(role.id);
                custom.push(role);
            }
            (None, None) => return Err(missing()),
        }
    }
    let ids = RoleIds::new(ids).map_err(|_| Error::TooManyRoles)?;
    Ok((ids, custom))
}

fn missing() -> Error {
    Error::NotFound(Resource::Role, State::Any)
}
