//! What the caller's own key means for the keys that it makes and changes.

use claviger_domain::Timestamp;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::capability::Capability::{ManageCredentials, ViewUsers};
use claviger_domain::credential::Credential;
use claviger_domain::ids::{OrganizationId, UserAccountId};
use claviger_domain::restriction::Restrictions;
use claviger_store::{Tables, Tx};

use crate::{Call, Error, authenticate, roles};

/// What restricts the keys that the caller makes and changes in an organization; `None`: nothing does.
pub(super) async fn restrictions(
    call: &Call,
    tx: &Tx,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<Option<Restrictions>, Error> {
    let Actor::Credential { id, organization: own, .. } = call.actor() else { return Ok(None) };
    if !authenticate::again(tx, call.actor(), ManageCredentials, now).await?.passes_restrictions_on() {
        return Ok(None);
    }
    let key = tx.credentials().find(Owner::Installation, *id).await?.ok_or(Error::UnknownKey)?;
    let mut restrictions = Restrictions::from(&key);
    // In its own organization that one's list holds for all keys anyway.
    if organization != *own {
        let own = tx.organizations().find_unscoped(*own).await?.ok_or(Error::UnknownKey)?;
        restrictions.ip_allowlist = restrictions.ip_allowlist.meet(&own.settings.ip_allowlist);
    }
    Ok(Some(restrictions))
}

/// Checks that the caller may name this user in a key, before anything is told of the user. Answers whether the user
/// is somebody else than the one that the caller's own key is bound to: then the right to act for it is needed too. A
/// partner has accounts of its own only.
///
/// # Errors
/// [`Error::BindingRequires`] when the caller may not see users.
pub(super) async fn may_bind(
    call: &Call,
    tx: &Tx,
    user: UserAccountId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Actor::Credential { user_account, .. } = call.actor() else { return Ok(false) };
    if *user_account == Some(user) {
        return Ok(false);
    }
    let caller = authenticate::again(tx, call.actor(), ManageCredentials, now).await?;
    caller.require(ViewUsers).map_err(|_| Error::BindingRequires(ViewUsers))?;
    Ok(true)
}

/// Checks the same of a key that is there, and that the caller may act for the user that it is bound to.
///
/// # Errors
/// [`Error::BindingRequires`], [`Error::BeyondCeiling`].
pub(super) async fn may_act_for_bound_user(
    call: &Call,
    tx: &Tx,
    key: &Credential,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(user) = key.user_account else { return Ok(()) };
    if !may_bind(call, tx, user, now).await? {
        return Ok(());
    }
    let found = tx.user_accounts().find_many(Owner::Organization(key.organization), &[user]).await?.pop();
    let Some(user) = found else { return Ok(()) };
    let permissions = roles::permissions_of(tx, &user).await?;
    call.may_act_for(tx, ManageCredentials, now, &permissions).await
}
