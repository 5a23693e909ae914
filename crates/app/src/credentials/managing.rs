//! No key shuts its organization out: one that can manage the organization's keys stays.

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::capability::manages_keys;
use claviger_domain::credential::Credential;
use claviger_domain::ids::CredentialId;
use claviger_domain::scope::Held;
use claviger_store::{Tables, Tx};

use crate::{Call, Error, roles};

/// So many keys of users are looked at; organizations have a few that manage keys.
const MOST: u64 = 200;

/// What stops.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gone<'a> {
    /// A key, which is not stored as stopped yet.
    Key(&'a Credential),
    /// What some user may do; what is stored is what it may do then.
    Permissions,
}

/// Checks that the caller, a key that can manage its organization's keys, leaves one that can: itself or another one.
/// Others are not held to it, and a caller is not when it says so.
///
/// # Errors
/// [`Error::LastManagingKey`].
pub(crate) async fn a_managing_key_stays(
    call: &Call,
    tx: &Tx,
    now: Timestamp,
    gone: Gone<'_>,
    force: bool,
) -> Result<(), Error> {
    let Actor::Credential { id, organization, user_account, scopes: Some(scopes), .. } = call.actor() else {
        return Ok(());
    };
    let is_another_organizations = matches!(gone, Gone::Key(key) if key.organization != *organization);
    if force || is_another_organizations || !manages_keys(&**scopes) {
        return Ok(());
    }
    let gone = match gone {
        Gone::Key(key) if key.id == *id || manages_keys(&key.scopes) => Some(key.id),
        Gone::Permissions if user_account.is_some() => None,
        Gone::Key(_) | Gone::Permissions => return Ok(()),
    };
    match is_one_left(tx, Owner::Organization(*organization), gone, now).await? {
        true => Ok(()),
        false => Err(Error::LastManagingKey),
    }
}

async fn is_one_left(
    tx: &Tx,
    owner: Owner,
    gone: Option<CredentialId>,
    now: Timestamp,
) -> Result<bool, Error> {
    let keys = tx.credentials().managing_keys(owner, gone, now, MOST).await?;
    if keys.iter().any(|key| key.user_account.is_none()) {
        return Ok(true);
    }
    let mut users: Vec<_> = keys.iter().filter_map(|key| key.user_account).collect();
    users.sort_unstable();
    users.dedup();
    let users = tx.user_accounts().find_many(owner, &users).await?;
    for user in users.iter().filter(|user| !user.is_suspended()) {
        if opens_with_one_of(tx, user, &keys).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a user may what one of its keys is for.
async fn opens_with_one_of(tx: &Tx, user: &UserAccount, keys: &[Credential]) -> Result<bool, Error> {
    let permissions = roles::permissions_of(tx, user).await?;
    let mut own = keys.iter().filter(|key| key.user_account == Some(user.id));
    Ok(own.any(|key| manages_keys(Held::new(&key.scopes, Some(&permissions)))))
}
