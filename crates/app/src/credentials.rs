//! Credentials: issuing, showing, changing, rotating and revoking what is verified. Whichever surface asks, it
//! is done here.

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::Actor;
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::{ManageCredentials, ViewCredentials};
use claviger_domain::capability::UNRESTRICT;
use claviger_domain::credential::{Class, Credential};
use claviger_domain::ids::{CredentialId, OrganizationId, SecretId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::restriction::Restrictions;
use claviger_domain::revision::Precondition;
use claviger_domain::scope::{Scope, Scopes};
use claviger_domain::secret::{Plaintext, SecretVersion};
use claviger_domain::text::{ExternalId, Name};
use claviger_engine::Change;
use claviger_store::{CredentialFilter, Tables, Tx};

use crate::call::Fact;
use crate::error::Whose;
use crate::memory::Learn;
use crate::{App, Call, Error, State};

mod change;
mod create;
mod end;
mod maker;
mod managing;
mod rotate;

pub use change::{Update, disable, enable, update};
pub use claviger_store::CredentialFilter as Filter;
pub use create::{Create, Expiry, create, create_many};
pub(crate) use end::end_all_of_user;
pub use end::{revoke, revoke_many};
use maker::{may_act_for_bound_user, may_bind, restrictions};
pub(crate) use managing::{Gone, a_managing_key_stays};
pub use rotate::{Rotated, rotate};

/// A credential as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub credential: Credential,
    pub user: Option<UserSeen>,
}

/// What is shown of the user account a credential is linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSeen {
    pub name: Name,
    pub external_id: Option<ExternalId>,
}

/// A credential and its key, which is shown this once.
#[derive(Debug)]
pub struct Issued {
    pub seen: Seen,
    pub key: Plaintext,
}

/// # Errors
/// [`Error::NotFound`] when the caller has no such credential.
pub async fn find(call: &Call, id: CredentialId) -> Result<Seen, Error> {
    call.require(ViewCredentials)?;
    let found = call.app().store().credentials().find(call.owner(), id).await?;
    let credential = found.ok_or(Error::NotFound(Resource::Credential, State::Any))?;
    see(call.app().store(), credential).await
}

/// The caller's credentials, or those of them that are one organization's, newest first; expired ones are among
/// them.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(
    call: &Call,
    organization: Option<OrganizationId>,
    filter: &CredentialFilter,
    window: Window,
) -> Result<Slice<Seen>, Error> {
    call.require(ViewCredentials)?;
    let store = call.app().store();
    let owner = call.owner_within(organization)?;
    let found = store.credentials().list(owner, filter, window).await?;
    let ids: Vec<_> = found.items.iter().filter_map(|credential| credential.user_account).collect();
    let users = store.user_accounts().find_many(owner, &ids).await?;
    let user_of = |credential: &Credential| {
        users.iter().find(|user| Some(user.id) == credential.user_account).map(user_seen)
    };
    Ok(found.map(|credential| Seen { user: user_of(&credential), credential }))
}

fn new_secret(app: &App, class: Class, number: u32, now: Timestamp) -> (Plaintext, SecretVersion) {
    let mut random = app.random();
    let key = Plaintext::generate(class.format(), &mut random);
    let id = SecretId::generate(now, &mut random);
    let sealed = app.peppers().seal(&key);
    (key, SecretVersion { id, number, sealed, created_at: now, ends_at: None })
}

/// A credential that may still be changed.
async fn held(
    call: &Call,
    tx: &Tx,
    id: CredentialId,
    precondition: &Precondition,
) -> Result<Credential, Error> {
    let found = tx.credentials().find_for_update(call.owner(), id).await?;
    let credential = found.ok_or(Error::NotFound(Resource::Credential, State::NotRevoked))?;
    if credential.revoked.is_some() {
        return Err(already_revoked());
    }
    if precondition.admits(credential.revision) { Ok(credential) } else { Err(Error::Stale) }
}

/// Whoever makes a key more than it is, or gets to see a secret of it, must hold all that the key does, and may act for
/// the user that it is bound to. What a partner's credential opens no scope says, so only who holds every scope surely
/// holds that; partners themselves reach none but their own.
async fn may_strengthen(call: &Call, tx: &Tx, credential: &Credential, now: Timestamp) -> Result<(), Error> {
    let needed = match (credential.class, call.actor()) {
        (Class::Partner, Actor::Credential { .. }) => &Scopes::everything(),
        _ => &credential.scopes,
    };
    if let Some(own) = call.confined_to(tx, ManageCredentials, now).await?
        && credential.user_account != Some(own)
    {
        return Err(Error::BoundElsewhere);
    }
    call.may_grant(tx, ManageCredentials, now, needed).await?;
    may_act_for_bound_user(call, tx, credential, now).await
}

/// As [`may_strengthen`], of a key that is handed out or switched on as it is: it is restricted as much as the caller's.
async fn may_hand_out(call: &Call, tx: &Tx, credential: &Credential, now: Timestamp) -> Result<(), Error> {
    may_strengthen(call, tx, credential, now).await?;
    // A key that hands itself out gains nothing.
    if matches!(call.actor(), Actor::Credential { id, .. } if *id == credential.id) {
        return Ok(());
    }
    match restrictions(call, tx, credential.organization, now).await? {
        Some(own) => {
            stays_restricted(&own, &credential.scopes)?;
            Ok(own.admit(&Restrictions::from(credential), now)?)
        }
        None => Ok(()),
    }
}

/// That a key which is restricted itself frees no other key of restrictions.
fn stays_restricted(own: &Restrictions, scopes: &Scopes) -> Result<(), Error> {
    if own.admit_scopes(scopes) {
        return Ok(());
    }
    let frees = |scope: &Scope| [scope].into_iter().collect::<Scopes>().cover_word(UNRESTRICT);
    let lacking = scopes.iter().filter(|scope| frees(scope)).cloned().collect();
    Err(Error::BeyondCeiling { lacking, whose: Whose::Caller })
}

fn already_revoked() -> Error {
    Error::WrongState(Resource::Credential, State::NotRevoked)
}

async fn see(tables: &impl Tables, credential: Credential) -> Result<Seen, Error> {
    let ids: Vec<_> = credential.user_account.into_iter().collect();
    let owner = claviger_domain::actor::Owner::Organization(credential.organization);
    let user = tables.user_accounts().find_many(owner, &ids).await?.pop();
    Ok(Seen { credential, user: user.as_ref().map(user_seen) })
}

fn user_seen(user: &UserAccount) -> UserSeen {
    UserSeen { name: user.name.clone(), external_id: user.external_id.clone() }
}

/// What the audit log calls a credential of this class, whichever surface it was made on.
pub(crate) fn resource(class: Class) -> Resource {
    match class {
        Class::Partner => Resource::Credential,
        Class::Live | Class::Test | Class::Scim => Resource::ApiKey,
    }
}

/// `secrets` are all of the credential's, when any of them was added or given an end.
fn fact(credential: &Credential, verb: Verb, more: Details, secrets: Option<Vec<SecretVersion>>) -> Fact {
    let mut details = vec![("name".to_owned(), Detail::Text(credential.name.to_string()))];
    details.extend(more);
    Fact {
        resource: resource(credential.class),
        verb,
        target: credential.id.uuid(),
        organization: Some(credential.organization),
        details,
        learn: Learn::Engine(Change::Credential(Box::new(credential.clone()), secrets)),
    }
}
