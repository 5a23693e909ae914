//! Roles: what the users of an organization may do, and why.

use std::collections::HashMap;

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::Owner;
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::{ManageRoles, ViewRoles};
use claviger_domain::capability::PERMISSIONS;
use claviger_domain::ids::{OrganizationId, RoleId, UserAccountId};
use claviger_domain::revision::{Precondition, Revision};
use claviger_domain::role::{Role, RoleIds, SystemRole};
use claviger_domain::scope::{Scope, Scopes};
use claviger_domain::text::{Description, Name};
use claviger_engine::Change;
use claviger_store::{Tables, Tx};

use crate::call::{Changed, Fact};
use crate::field::Changes;
use crate::memory::Learn;
use crate::{Answer, Call, Error, Field, State, organizations};

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

#[derive(Debug)]
pub struct Create {
    pub name: Name,
    pub description: Option<Description>,
    pub permissions: Scopes,
}

#[derive(Debug, Default)]
pub struct Update {
    pub name: Field<Name>,
    pub description: Field<Option<Description>>,
    pub permissions: Field<Scopes>,
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
    let owner = call.owner_within(Some(organization))?;
    let store = call.app().store();
    let since = organizations::since(store, organization).await?;
    let counted = users_by_role(store, owner).await?;
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
    let owner = call.owner_within(Some(organization))?;
    let store = call.app().store();
    let role = match SystemRole::of_id(id) {
        Some(role) => Known::System(role),
        None => Known::Custom(store.roles().find(organization, id).await?.ok_or_else(missing)?),
    };
    let since = organizations::since(store, organization).await?;
    told(store, owner, role, since).await
}

/// `since` is when the role's organization was made.
async fn told(
    tables: &impl Tables,
    owner: Owner,
    role: Known,
    since: Timestamp,
) -> Result<(Seen, Vec<UserAccount>), Error> {
    let id = role.id();
    let users = users_by_role(tables, owner).await?.remove(&id).unwrap_or_default();
    let holders = tables.user_accounts().holders(owner, id, MOST_TOLD).await?;
    Ok((Seen { users, created_at: role.created_at(since), role }, holders))
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

/// Makes a role.
///
/// # Errors
/// [`Error::BeyondCeiling`] of permissions that the caller lacks; [`Error::RoleNameTaken`].
pub async fn create<A: Answer>(
    call: &Call,
    organization: OrganizationId,
    create: Create,
    word: impl FnOnce(Role) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageRoles)?;
    let organization = call.tenant(Some(organization))?.organization;
    let Create { name, description, permissions } = create;
    call.change(ManageRoles, word, async |tx: &Tx, now: Timestamp| {
        organizations::usable(tx, organization).await?;
        call.may_grant(tx, ManageRoles, now, &permissions).await?;
        free_name(tx, organization, &name, None).await?;
        if tx.roles().count(organization).await? >= Role::MOST {
            return Err(Error::RolesExhausted);
        }
        let id = RoleId::generate(now, &mut call.app().random());
        let revision = Revision::FIRST;
        let role = Role {
            id,
            organization,
            name,
            description,
            permissions,
            created_at: now,
            updated_at: None,
            revision,
        };
        tx.roles().insert(&role).await?;
        let permissions = ("permissions".to_owned(), Detail::Text(role.permissions.to_string()));
        let fact = fact(&role, Verb::Created, vec![permissions]);
        Ok(Changed { outcome: role, entries: vec![fact] })
    })
    .await
}

/// Changes a role. Whoever has it has what it permits now, at once. Who changes what it permits, or its name, must hold
/// all that it permitted and permits then.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SystemRole`], [`Error::Stale`], [`Error::BeyondCeiling`],
/// [`Error::RoleNameTaken`].
pub async fn update<A: Answer>(
    call: &Call,
    organization: OrganizationId,
    id: RoleId,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce((Seen, Vec<UserAccount>)) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageRoles)?;
    let organization = call.tenant(Some(organization))?.organization;
    call.change(ManageRoles, word, async |tx: &Tx, now: Timestamp| {
        let mut role = held(tx, organization, id, precondition).await?;
        let Update { name, description, permissions } = update;
        if let Field::Set(permissions) = &permissions {
            call.may_grant(tx, ManageRoles, now, &role.permissions.clone().join(permissions)).await?;
        }
        if let Field::Set(name) = &name {
            // Roles are given by name too: who could swap two names would have others give what they lack themselves.
            call.may_grant(tx, ManageRoles, now, &role.permissions).await?;
            free_name(tx, organization, name, Some(id)).await?;
        }
        let mut changes = Changes::default();
        changes.apply("name", &mut role.name, name, |name| Detail::Text(name.to_string()));
        changes.apply("description", &mut role.description, description, |text| {
            Detail::text_or_null(text.as_ref())
        });
        changes.apply("permissions", &mut role.permissions, permissions, |it| Detail::Text(it.to_string()));
        let role = role.touched(now);
        tx.roles().save(&role).await?;
        let fact = fact(&role, Verb::Updated, vec![("changes".to_owned(), changes.into_detail())]);
        let since = role.created_at;
        let outcome = told(tx, Owner::Organization(organization), Known::Custom(role), since).await?;
        Ok(Changed { outcome, entries: vec![fact] })
    })
    .await
}

/// Deletes a role that nobody has.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SystemRole`], [`Error::Stale`], [`Error::RoleInUse`].
pub async fn delete<A: Answer>(
    call: &Call,
    organization: OrganizationId,
    id: RoleId,
    precondition: &Precondition,
    word: impl FnOnce(()) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageRoles)?;
    let organization = call.tenant(Some(organization))?.organization;
    call.change(ManageRoles, word, async |tx: &Tx, _: Timestamp| {
        let role = held(tx, organization, id, precondition).await?;
        if !tx.user_accounts().holders(Owner::Organization(organization), id, 1).await?.is_empty() {
            return Err(Error::RoleInUse);
        }
        tx.roles().delete(id).await?;
        let learn = Learn::Engine(Change::RoleDeleted(id));
        let fact = Fact { learn, ..fact(&role, Verb::Deleted, Vec::new()) };
        Ok(Changed { outcome: (), entries: vec![fact] })
    })
    .await
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
    let owner = call.owner_within(Some(organization))?;
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

async fn free_name(
    tx: &Tx,
    organization: OrganizationId,
    name: &Name,
    own: Option<RoleId>,
) -> Result<(), Error> {
    let other =
        tx.roles().find_by_name_to_refer_to(organization, name).await?.filter(|role| Some(role.id) != own);
    match SystemRole::of_name(name.as_str()).is_some() || other.is_some() {
        true => Err(Error::RoleNameTaken),
        false => Ok(()),
    }
}

async fn held(
    tx: &Tx,
    organization: OrganizationId,
    id: RoleId,
    precondition: &Precondition,
) -> Result<Role, Error> {
    if SystemRole::of_id(id).is_some() {
        return Err(Error::SystemRole);
    }
    let role = tx.roles().find_for_update(organization, id).await?.ok_or_else(missing)?;
    if precondition.admits(role.revision) { Ok(role) } else { Err(Error::Stale) }
}

fn missing() -> Error {
    Error::NotFound(Resource::Role, State::Any)
}

fn fact(role: &Role, verb: Verb, more: Details) -> Fact {
    let mut details = vec![("name".to_owned(), Detail::Text(role.name.to_string()))];
    details.extend(more);
    Fact {
        resource: Resource::Role,
        verb,
        target: role.id.uuid(),
        organization: Some(role.organization),
        details,
        learn: Learn::Engine(Change::Role(Box::new(role.clone()))),
    }
}
