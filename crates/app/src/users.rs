//! User accounts: a partner's customers, an organization's members.

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::{ManageUsers, ViewUsers};
use claviger_domain::ids::{OrganizationId, UserAccountId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::Precondition;
use claviger_domain::role::{Role, SystemRole};
use claviger_domain::text::{BillingPlan, Email, ExternalId, Metadata, Name};
use claviger_engine::Change;
use claviger_store::{Tables, Tx, UserFilter};

use crate::call::Fact;
use crate::memory::Learn;
use crate::{Call, Error, Field, State, roles};

mod change;
mod status;

pub(crate) use change::{assigned, roles_detail};
pub use change::{create, delete, update};
pub use claviger_store::UserFilter as Filter;
pub use status::{reactivate, suspend};

/// A user account, and the roles it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub account: UserAccount,
    pub roles: Vec<roles::Known>,
}

#[derive(Debug)]
pub struct Create {
    /// Whose it is to be, where the caller acts for any.
    pub organization: Option<OrganizationId>,
    pub name: Name,
    pub external_id: Option<ExternalId>,
    pub email: Option<Email>,
    pub metadata: Metadata,
    pub billing_plan: Option<BillingPlan>,
    pub first_name: Option<Name>,
    pub last_name: Option<Name>,
    pub roles: Vec<roles::Named>,
}

/// What an account is made by a change: deleting it is another matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Active,
    Suspended,
}

#[derive(Debug, Default)]
pub struct Update {
    pub name: Field<Name>,
    pub external_id: Field<Option<ExternalId>>,
    pub email: Field<Option<Email>>,
    pub metadata: Field<Metadata>,
    pub billing_plan: Field<Option<BillingPlan>>,
    pub first_name: Field<Option<Name>>,
    pub last_name: Field<Option<Name>>,
    pub status: Field<Standing>,
    pub roles: Field<Vec<roles::Named>>,
    /// Even if no key could manage the organization's keys afterwards.
    pub force: bool,
}

/// # Errors
/// [`Error::NotFound`] when the caller has no such account.
pub async fn find(call: &Call, id: UserAccountId) -> Result<Seen, Error> {
    call.require(ViewUsers)?;
    let found = call.app().store().user_accounts().find(call.owner(), id).await?;
    see(call.app().store(), found.ok_or_else(missing)?).await
}

/// # Errors
/// [`Error::NotFound`] when the caller has no account of this external id.
pub async fn find_by_external_id(call: &Call, external_id: &ExternalId) -> Result<Seen, Error> {
    call.require(ViewUsers)?;
    let found = call.app().store().user_accounts().find_by_external_id(call.owner(), external_id).await?;
    see(call.app().store(), found.ok_or_else(missing)?).await
}

/// The caller's accounts, or those of them that are one organization's, newest first.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(
    call: &Call,
    organization: Option<OrganizationId>,
    filter: &UserFilter,
    window: Window,
) -> Result<Slice<Seen>, Error> {
    call.require(ViewUsers)?;
    let owner = call.owner_within(organization)?;
    let store = call.app().store();
    let found = store.user_accounts().list(owner, filter, window).await?;
    let ids: Vec<_> = found.items.iter().flat_map(|account| account.roles.iter()).collect();
    let custom = if ids.is_empty() { Vec::new() } else { store.roles().find_many_unscoped(&ids).await? };
    Ok(found.map(|account| Seen { roles: roles::known(&account.roles, &custom), account }))
}

/// The user to whom the caller's key is bound.
///
/// # Errors
/// [`Error::NoUser`] when it is bound to none.
pub async fn me(call: &Call) -> Result<Seen, Error> {
    let Actor::Credential { id, .. } = call.actor() else { return Err(Error::NoUser) };
    let store = call.app().store();
    let found = store.credentials().find(call.owner(), *id).await?.ok_or(Error::UnknownKey)?;
    let user = found.user_account.ok_or(Error::NoUser)?;
    let found = store.user_accounts().find(call.owner(), user).await?;
    see(store, found.ok_or(Error::UnknownKey)?).await
}

pub(crate) async fn see(tables: &impl Tables, account: UserAccount) -> Result<Seen, Error> {
    Ok(Seen { roles: roles::of_user(tables, &account).await?, account })
}

/// An account that is about to be changed.
pub(crate) async fn held(
    call: &Call,
    tx: &Tx,
    id: UserAccountId,
    precondition: &Precondition,
    needed: State,
) -> Result<UserAccount, Error> {
    let found = held_by(call, tx, call.owner(), id).await?;
    let account = found.ok_or(Error::NotFound(Resource::UserAccount, needed))?;
    if precondition.admits(account.revision) { Ok(account) } else { Err(Error::Stale) }
}

/// The owner's account, held until the transaction ends, and its organization with it: whether it is the last owner is
/// asked there. Rows are held in one order everywhere, so that no two changes wait for one another: organization,
/// accounts, roles, credentials, and last the ends of the audit log's chains.
pub(crate) async fn held_by(
    call: &Call,
    tx: &Tx,
    owner: Owner,
    id: UserAccountId,
) -> Result<Option<UserAccount>, Error> {
    let organization = match owner {
        Owner::Organization(own) => Some(own),
        Owner::AdminKey(_) => call.actor().organization(),
        Owner::Installation => tx.user_accounts().find(owner, id).await?.map(|account| account.organization),
    };
    let Some(organization) = organization else { return Ok(None) };
    tx.organizations().find_for_update_unscoped(organization).await?;
    Ok(tx.user_accounts().find_for_update(owner, id).await?)
}

/// Whoever lets an account's keys work again, or says who it is, must hold all that its roles permit; a partner does so
/// with accounts that have none.
async fn may_act_for(
    call: &Call,
    tx: &Tx,
    account: &UserAccount,
    custom: &[Role],
    now: Timestamp,
) -> Result<(), Error> {
    call.may_act_for(tx, ManageUsers, now, &account.roles.permissions(custom)).await
}

/// That somebody still owns the organization of an account that did: whoever asks holds both ([`held_by`]), and has saved
/// what becomes of the account.
pub(crate) async fn an_owner_stays(tx: &Tx, before: &UserAccount, after: &UserAccount) -> Result<(), Error> {
    if !before.is_active_owner() || after.is_active_owner() {
        return Ok(());
    }
    let organization = Owner::Organization(before.organization);
    let role = SystemRole::Owner.id();
    match tx.user_accounts().has_active_holder(organization, role).await? {
        true => Ok(()),
        false => Err(Error::LastOwner),
    }
}

fn missing() -> Error {
    Error::NotFound(Resource::UserAccount, State::Any)
}

/// `custom` are the roles of its organization's own making that the account has.
pub(crate) fn fact(account: &UserAccount, custom: Vec<Role>, verb: Verb, more: Details) -> Fact {
    let mut details = vec![
        ("name".to_owned(), Detail::Text(account.name.to_string())),
        ("external_id".to_owned(), Detail::text_or_null(account.external_id.as_ref())),
    ];
    details.extend(more);
    Fact {
        resource: Resource::UserAccount,
        verb,
        target: account.id.uuid(),
        organization: Some(account.organization),
        details,
        learn: Learn::Engine(Change::UserAccount(Box::new(account.clone()), custom)),
    }
}
