//! From a presented key to a caller. Whatever is wrong with the key, the answer is the same.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::Guard;
use claviger_domain::Timestamp;
use claviger_domain::actor::{Actor, CallerNames, Owner, Presented};
use claviger_domain::capability::{Capability, Door};
use claviger_domain::credential::Credential;
use claviger_domain::scope::{Held, Scopes};
use claviger_domain::secret::{KeyFormat, Plaintext, PresentedKey};
use claviger_domain::verification::{Code, Demand};
use claviger_engine::KnownOrganization;
use claviger_store::{Tables, Tx};

use crate::{App, Error, memory, roles};

/// What a caller is authenticated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The answer rests on this authentication alone.
    Read,
    /// [`again`] asks once more, inside the change's transaction: until then memory will do.
    Change,
}

/// Who presents `key` on a surface for admin keys: an admin key or the bootstrap key.
///
/// # Errors
/// [`Error::UnknownKey`] when the key is of another kind, unknown, revoked or expired, or its
/// organization suspended; [`Error::AddressNotAllowed`] when it may not be used from `address`.
pub async fn admin(
    app: &App,
    key: &Plaintext,
    purpose: Purpose,
    address: Option<IpAddr>,
) -> Result<Actor, Error> {
    match key.format() {
        KeyFormat::Bootstrap => bootstrap(app, key).await,
        KeyFormat::Admin => {
            let digests = app.peppers().candidates(key);
            let now = app.now();
            let remembered = (purpose == Purpose::Change).then(|| app.recent().find(&digests, now)).flatten();
            let actor = match remembered {
                Some(actor) => actor,
                None => {
                    // Keys that were in force lately are read at once; any other may be a guess, and waits in line.
                    let is_known = app.recent().is_known(&digests);
                    let look_up = async || {
                        let found = app.store().admin_keys().find_by_digest_unscoped(&digests).await?;
                        Ok(found
                            .map(|(key, organization)| (key.actor(&organization, now), key, organization)))
                    };
                    let found = match is_known {
                        true => look_up().await?,
                        false => memory::look_up_guess(app, key.into(), look_up).await?,
                    };
                    let Some((Some(actor), found, organization)) = found else {
                        app.recent().note_not_in_force(&digests);
                        return Err(Error::UnknownKey);
                    };
                    app.recent().note_in_force(&digests);
                    let allowlist = &organization.settings.ip_allowlist;
                    if !allowlist.admits(address) {
                        return Err(Error::AddressNotAllowed);
                    }
                    // Only who may come from anywhere is known again from anywhere.
                    if allowlist.admits(None) {
                        app.recent().remember(&digests, &actor, now, found.expires_at);
                    }
                    actor
                }
            };
            if let Actor::AdminKey { id, .. } = &actor {
                app.journal().used(*id, now);
            }
            Ok(actor)
        }
        KeyFormat::Partner | KeyFormat::Live | KeyFormat::Test | KeyFormat::Scim => Err(Error::UnknownKey),
    }
}

/// Who presents `key` on the platform, organization or gateway surface: the bootstrap key, or an
/// organization's live key, which may do there what its scopes say. Answered from memory.
///
/// # Errors
/// [`Error::UnknownKey`] as for [`admin`]; [`Error::AddressNotAllowed`] when the key may not be used from
/// `address`.
pub async fn at(
    app: &App,
    door: Door,
    key: PresentedKey<'_>,
    address: Option<IpAddr>,
) -> Result<Authenticated, Error> {
    match (door, key.format()) {
        (Door::Platform | Door::Gateway, KeyFormat::Bootstrap) => {
            let id = app.bootstrap_key(key).ok_or(Error::UnknownKey)?;
            Ok(Authenticated { actor: Actor::Bootstrap(id), organization: None })
        }
        (_, KeyFormat::Live) => {
            let known = memory::find_caller(app, key).await?.ok_or(Error::UnknownKey)?;
            let demand = Demand { address, ..Demand::default() };
            match app.engine().refuses(&known, &demand, app.now()) {
                None => {}
                Some(Code::IpNotAllowed) => return Err(Error::AddressNotAllowed),
                Some(_) => return Err(Error::UnknownKey),
            }
            let mut actor = Actor::credential(known.presented(), door, known.held());
            // Gateways' calls are not logged one by one, and come too often to copy names.
            if door != Door::Gateway {
                let user = known.user_account.as_ref().map(|account| account.name.clone());
                actor = actor.named(CallerNames { key: known.snapshot.name.clone(), user });
            }
            // Gateways do not ask for it, and counting its holders would make their threads wait for each other.
            let organization = (door == Door::Organization).then(|| Guard::into_inner(known.organization));
            Ok(Authenticated { actor, organization })
        }
        _ => Err(Error::UnknownKey),
    }
}

/// A caller.
#[derive(Debug)]
pub struct Authenticated {
    pub actor: Actor,
    /// Behind the organization's door: whose key it is.
    pub organization: Option<Arc<KnownOrganization>>,
}

async fn bootstrap(app: &App, key: &Plaintext) -> Result<Actor, Error> {
    let digests = app.peppers().candidates(key);
    let look_up = async || Ok(app.store().bootstrap_keys().find_live_unscoped(&digests).await?);
    let found = match app.bootstrap_key(key.into()) {
        Some(_) => look_up().await?,
        None => memory::look_up_guess(app, key.into(), look_up).await?,
    };
    found.map(|found| Actor::Bootstrap(found.id)).ok_or(Error::UnknownKey)
}

/// The caller as it is now, if it still is who it was a moment ago and may do what it wants to.
pub(crate) async fn again(
    tx: &Tx,
    actor: &Actor,
    capability: Capability,
    now: Timestamp,
) -> Result<Actor, Error> {
    // Whoever ends a key need not be able to use it.
    let ends = capability == Capability::RevokeSelf;
    match actor {
        Actor::Operator => Ok(Actor::Operator),
        Actor::Bootstrap(id) => {
            let found = tx.bootstrap_keys().find_unscoped(*id).await?;
            let live = found.filter(|key| key.revoked_at.is_none()).ok_or(Error::UnknownKey)?;
            Ok(Actor::Bootstrap(live.id))
        }
        Actor::AdminKey { id, .. } => {
            let found = tx.admin_keys().find_unscoped(*id).await?;
            let (key, organization) = found.ok_or(Error::UnknownKey)?;
            if ends {
                return if key.revoked_at.is_none() { Ok(actor.clone()) } else { Err(Error::UnknownKey) };
            }
            let actor = key.actor(&organization, now).ok_or(Error::UnknownKey)?;
            actor.require(capability)?;
            Ok(actor)
        }
        Actor::Credential { id, secret, door, .. } => {
            let found = tx.credentials().find(Owner::Installation, *id).await?;
            let credential = found.filter(|it| it.revoked.is_none()).ok_or(Error::UnknownKey)?;
            let names = names_of(tx, &credential).await?;
            if ends {
                return Ok(actor.clone().named(names));
            }
            // Rotated meanwhile, the key that was presented is nobody's.
            let presented = tx.secrets().find(*id, *secret).await?;
            presented.filter(|it| it.is_in_force(now)).ok_or(Error::UnknownKey)?;
            let scopes = held_now(tx, &credential, now).await?.ok_or(Error::UnknownKey)?;
            let key = Presented {
                credential: *id,
                secret: *secret,
                organization: credential.organization,
                user_account: credential.user_account,
            };
            let actor = Actor::credential(key, *door, &scopes).named(names);
            actor.require(capability)?;
            Ok(actor)
        }
    }
}

/// What a credential, and the user it is bound to, are called.
async fn names_of(tx: &Tx, credential: &Credential) -> Result<CallerNames, Error> {
    let user = match credential.user_account {
        Some(user) => tx.user_accounts().find_many(Owner::Installation, &[user]).await?.pop(),
        None => None,
    };
    Ok(CallerNames { key: credential.name.clone(), user: user.map(|user| user.name) })
}

/// What a credential holds at `now`; `None` when its key opens nothing, as far as that does not depend on
/// where it is presented.
async fn held_now(tx: &Tx, credential: &Credential, now: Timestamp) -> Result<Option<Scopes>, Error> {
    if credential.disabled_at.is_some() || credential.expires_at.is_some_and(|end| end <= now) {
        return Ok(None);
    }
    let organization = tx.organizations().find_unscoped(credential.organization).await?;
    if organization.is_none_or(|organization| organization.is_suspended()) {
        return Ok(None);
    }
    let Some(user) = credential.user_account else { return Ok(Some(credential.scopes.clone())) };
    let found = tx.user_accounts().find_many(Owner::Installation, &[user]).await?.pop();
    let Some(user) = found.filter(|user| !user.is_suspended()) else { return Ok(None) };
    let permissions = roles::permissions_of(tx, &user).await?;
    Ok(Some(Held::new(&credential.scopes, Some(&permissions)).scopes().into_owned()))
}
