//! From a presented key to a caller. Whatever is wrong with the key, the answer is the same.

use std::net::IpAddr;

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::{Actor, Owner, Refusal};
use claviger_domain::capability::{Capability, CapabilitySet};
use claviger_domain::credential::Credential;
use claviger_domain::scope::Scopes;
use claviger_domain::secret::{KeyFormat, Plaintext, PresentedKey};
use claviger_domain::verification::Demand;
use claviger_store::{Tables, Tx};

use crate::{App, Error, memory};

/// The scope that lets an organization's key ask about keys.
const VERIFY_SCOPE: &str = "keys:verify";

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
/// organization suspended.
pub async fn admin(app: &App, key: &Plaintext, purpose: Purpose) -> Result<Actor, Error> {
    match key.format() {
        KeyFormat::Bootstrap => bootstrap(app, key).await,
        KeyFormat::Admin => {
            let digests = app.peppers().candidates(key);
            let now = app.now();
            let remembered = (purpose == Purpose::Change).then(|| app.recent().find(&digests, now)).flatten();
            let actor = match remembered {
                Some(actor) => actor,
                None => {
                    let found = app.store().admin_keys().find_by_digest_unscoped(&digests).await?;
                    let (found, organization) = found.ok_or(Error::UnknownKey)?;
                    let actor = found.actor(&organization, now).ok_or(Error::UnknownKey)?;
                    app.recent().remember(&digests, &actor, now, found.expires_at);
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

/// Who presents `key` on the gateway surface: the bootstrap key, or an organization's live key. A live
/// key without the scope `keys:verify` is known, but may do nothing. Answered from memory.
///
/// # Errors
/// [`Error::UnknownKey`] as for [`admin`].
pub async fn gateway(app: &App, key: PresentedKey<'_>, address: Option<IpAddr>) -> Result<Actor, Error> {
    match key.format() {
        KeyFormat::Bootstrap => app.bootstrap_key(key).map(Actor::Bootstrap).ok_or(Error::UnknownKey),
        KeyFormat::Live => {
            let known = memory::find_caller(app, key).await?.ok_or(Error::UnknownKey)?;
            let demand = Demand { address, ..Demand::default() };
            if app.engine().refuses(&known, &demand, app.now()).is_some() {
                return Err(Error::UnknownKey);
            }
            let capabilities = capabilities(&known.snapshot.scopes);
            let organization = known.organization.id;
            Ok(Actor::Credential { id: known.snapshot.id, organization, capabilities })
        }
        KeyFormat::Admin | KeyFormat::Partner | KeyFormat::Test | KeyFormat::Scim => Err(Error::UnknownKey),
    }
}

/// What an organization's key may do here, by its scopes.
fn capabilities(scopes: &Scopes) -> CapabilitySet {
    scopes.cover_word(VERIFY_SCOPE).then_some(Capability::VerifyKeys).into_iter().collect()
}

async fn bootstrap(app: &App, key: &Plaintext) -> Result<Actor, Error> {
    let digests = app.peppers().candidates(key);
    let found = app.store().bootstrap_keys().find_live_unscoped(&digests).await?;
    found.map(|found| Actor::Bootstrap(found.id)).ok_or(Error::UnknownKey)
}

/// Whether `actor`, authenticated a moment ago, still is who it was and may do what it wants to.
pub(crate) async fn again(
    tx: &Tx,
    actor: &Actor,
    capability: Capability,
    now: Timestamp,
) -> Result<(), Error> {
    // Whoever ends a key need not be able to use it.
    let ends = capability == Capability::RevokeSelf;
    match actor {
        Actor::Operator => Ok(()),
        Actor::Bootstrap(id) => {
            let found = tx.bootstrap_keys().find_unscoped(*id).await?;
            found.filter(|key| key.revoked_at.is_none()).map(|_| ()).ok_or(Error::UnknownKey)
        }
        Actor::AdminKey { id, .. } => {
            let found = tx.admin_keys().find_unscoped(*id).await?;
            let (key, organization) = found.ok_or(Error::UnknownKey)?;
            if ends {
                return if key.revoked_at.is_none() { Ok(()) } else { Err(Error::UnknownKey) };
            }
            let actor = key.actor(&organization, now).ok_or(Error::UnknownKey)?;
            Ok(actor.require(capability)?)
        }
        Actor::Credential { id, .. } => {
            let found = tx.credentials().find(Owner::Installation, *id).await?;
            let credential = found.filter(|it| it.revoked.is_none()).ok_or(Error::UnknownKey)?;
            if ends {
                return Ok(());
            }
            if !is_usable(tx, &credential, now).await? {
                return Err(Error::UnknownKey);
            }
            match capabilities(&credential.scopes).contains(capability) {
                true => Ok(()),
                false => Err(Refusal::Lacks(capability).into()),
            }
        }
    }
}

/// Whether its key opens anything at `now`, as far as that does not depend on where it is presented.
async fn is_usable(tx: &Tx, credential: &Credential, now: Timestamp) -> Result<bool, Error> {
    if credential.disabled_at.is_some() || credential.expires_at.is_some_and(|end| end <= now) {
        return Ok(false);
    }
    let users: Vec<_> = credential.user_account.into_iter().collect();
    let users = tx.user_accounts().find_many(Owner::Installation, &users).await?;
    let organization = tx.organizations().find_unscoped(credential.organization).await?;
    let is_active = organization.is_some_and(|organization| !organization.is_suspended());
    Ok(is_active && !users.iter().any(UserAccount::is_suspended))
}
