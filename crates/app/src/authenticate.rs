//! From a presented key to a caller. Whatever is wrong with the key, the answer is the same.

use std::net::IpAddr;

use claviger_domain::Timestamp;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::capability::{Capability, CapabilitySet};
use claviger_domain::scope::Scope;
use claviger_domain::secret::{KeyFormat, Plaintext};
use claviger_domain::verification::{Demand, refuse};
use claviger_store::{Tables, Tx};

use crate::{App, Error};

/// The scope that lets an organization's key ask about keys.
const VERIFY_SCOPE: &str = "keys:verify";

/// Who presents `key` on a surface for admin keys: an admin key or the bootstrap key.
///
/// # Errors
/// [`Error::UnknownKey`] when the key is of another kind, unknown, revoked or expired, or its
/// organization suspended.
pub async fn admin(app: &App, key: &Plaintext) -> Result<Actor, Error> {
    match key.format() {
        KeyFormat::Bootstrap => bootstrap(app, key).await,
        KeyFormat::Admin => {
            let digests = app.peppers().candidates(key);
            let found = app.store().admin_keys().find_by_digest_unscoped(&digests).await?;
            let found = found.ok_or(Error::UnknownKey)?;
            let organization = app.store().organizations().find_unscoped(found.organization).await?;
            let now = app.now();
            let actor = organization.and_then(|organization| found.actor(&organization, now));
            let actor = actor.ok_or(Error::UnknownKey)?;
            app.journal().used(found.id, now);
            Ok(actor)
        }
        KeyFormat::Partner | KeyFormat::Live | KeyFormat::Test | KeyFormat::Scim => Err(Error::UnknownKey),
    }
}

/// Who presents `key` on the gateway surface: the bootstrap key, or an organization's live key. A live
/// key without the scope `keys:verify` is known, but may do nothing.
///
/// # Errors
/// [`Error::UnknownKey`] as for [`admin`].
pub async fn gateway(app: &App, key: &Plaintext, address: Option<IpAddr>) -> Result<Actor, Error> {
    match key.format() {
        KeyFormat::Bootstrap => bootstrap(app, key).await,
        KeyFormat::Live => {
            let digests = app.peppers().candidates(key);
            let subject = crate::verify::subject(app.store(), &digests).await?.ok_or(Error::UnknownKey)?;
            let demand = Demand { address, ..Demand::default() };
            if refuse(&subject, &demand, app.now()).is_some() {
                return Err(Error::UnknownKey);
            }
            let may_verify =
                VERIFY_SCOPE.parse::<Scope>().is_ok_and(|wanted| subject.credential.scopes.cover(&wanted));
            let capabilities: CapabilitySet =
                may_verify.then_some(Capability::VerifyKeys).into_iter().collect();
            Ok(Actor::Credential {
                id: subject.credential.id,
                organization: subject.credential.organization,
                capabilities,
            })
        }
        KeyFormat::Admin | KeyFormat::Partner | KeyFormat::Test | KeyFormat::Scim => Err(Error::UnknownKey),
    }
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
    let still = match actor {
        Actor::Operator => true,
        Actor::Bootstrap(id) => {
            tx.bootstrap_keys().find_unscoped(*id).await?.is_some_and(|key| key.revoked_at.is_none())
        }
        Actor::AdminKey { id, organization, entity, .. } => {
            let Some((key, suspended)) = tx.admin_keys().find_with_suspension_unscoped(*id).await? else {
                return Err(Error::UnknownKey);
            };
            let (id, organization, entity) = (*id, *organization, entity.clone());
            Actor::AdminKey { id, organization, entity, capabilities: key.permissions.clone() }
                .require(capability)?;
            key.is_live(now) && !suspended
        }
        Actor::Credential { id, .. } => {
            let found = tx.credentials().find(Owner::Installation, *id).await?;
            found.is_some_and(|credential| credential.revoked.is_none() && credential.disabled_at.is_none())
        }
    };
    if still { Ok(()) } else { Err(Error::UnknownKey) }
}
