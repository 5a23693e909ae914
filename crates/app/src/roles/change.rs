//! Making, changing and deleting the roles of an organization's own.

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::Owner;
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::ManageRoles;
use claviger_domain::ids::{OrganizationId, RoleId};
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::revision::{Precondition, Revision};
use claviger_domain::role::{Role, SystemRole};
use claviger_domain::scope::Scopes;
use claviger_domain::text::{Description, Name};
use claviger_engine::Change;
use claviger_store::{Tables, Tx};

use super::{Known, Seen, missing, told};
use crate::call::{Changed, Fact};
use crate::credentials::{Gone, a_managing_key_stays};
use crate::field::Changes;
use crate::memory::Learn;
use crate::{Answer, Call, Error, Field, organizations};

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
    /// Even if no key could manage the organization's keys afterwards.
    pub force: bool,
}

/// Makes a role.
///
/// # Errors
/// [`Error::NotFound`] of the organization, [`Error::OrganizationSuspended`]; [`Error::BeyondCeiling`] of permissions that the
/// caller lacks; [`Error::RoleNameTaken`], [`Error::LimitReached`].
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
        let of = organizations::usable(tx, organization).await?;
        call.may_grant(tx, ManageRoles, now, &permissions).await?;
        free_name(tx, organization, &name, None).await?;
        organizations::has_room(call, tx, &of, LimitedResource::Roles).await?;
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
/// [`Error::RoleNameTaken`]; [`Error::LastManagingKey`] unless forced.
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
        let Update { name, description, permissions, force } = update;
        if let Field::Set(permissions) = &permissions
            && *permissions != role.permissions
        {
            call.may_grant(tx, ManageRoles, now, &role.permissions.clone().join(permissions)).await?;
        }
        if let Field::Set(name) = &name
            && *name != role.name
        {
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
        a_managing_key_stays(call, tx, now, Gone::Permissions, force).await?;
        let fact = fact(&role, Verb::Updated, vec![("changes".to_owned(), changes.into_detail())]);
        let created_at = role.created_at;
        let outcome = told(tx, organization, Known::Custom(role), created_at).await?;
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

/// Looks, and holds nothing: who takes the name at the same time is stopped by the index.
async fn free_name(
    tx: &Tx,
    organization: OrganizationId,
    name: &Name,
    own: Option<RoleId>,
) -> Result<(), Error> {
    let other = tx.roles().find_by_name(organization, name).await?.filter(|role| Some(role.id) != own);
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
