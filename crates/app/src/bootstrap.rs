//! The bootstrap key: how an installation gets its first key, and a new one.

use claviger_domain::Timestamp;
use claviger_domain::actor::Actor;
use claviger_domain::admin_key::BootstrapKey;
use claviger_domain::audit::{Resource, Verb};
use claviger_domain::capability::Capability;
use claviger_domain::ids::BootstrapKeyId;
use claviger_domain::secret::{KeyFormat, Plaintext};
use claviger_store::{Tables, Tx};

use crate::call::{Changed, Direct, Fact};
use crate::memory::Learn;
use crate::{App, Call, Error, Facts};

/// What was found, or done, at start.
#[derive(Debug)]
pub enum Ensured {
    /// A bootstrap key is in force already: the given one, when one is given.
    Present,
    /// The first one was made; it is to be shown this once.
    Created(Plaintext),
    /// The given one is in force from now on, and any before it is not.
    Replaced,
}

/// Sees to it that a bootstrap key is in force: `given`, or else any, or else a new one.
///
/// # Errors
/// [`Error::UnknownKey`] when `given` is a key of another kind.
pub async fn ensure(app: &App, given: Option<Plaintext>) -> Result<Ensured, Error> {
    match given {
        Some(key) if key.format() != KeyFormat::Bootstrap => Err(Error::UnknownKey),
        Some(key) => Ok(match put_in_force(app, &key, Unless::ItIsLive).await? {
            true => Ensured::Replaced,
            false => Ensured::Present,
        }),
        None => {
            let key = Plaintext::generate(KeyFormat::Bootstrap, &mut app.random());
            Ok(match put_in_force(app, &key, Unless::AnyIsLive).await? {
                true => Ensured::Created(key),
                false => Ensured::Present,
            })
        }
    }
}

/// Makes a new bootstrap key; any before it stops at once.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn rotate(app: &App) -> Result<Plaintext, Error> {
    let key = Plaintext::generate(KeyFormat::Bootstrap, &mut app.random());
    put_in_force(app, &key, Unless::Never).await?;
    Ok(key)
}

/// When to leave things as they are.
#[derive(Clone, Copy)]
enum Unless {
    AnyIsLive,
    ItIsLive,
    Never,
}

/// Answers whether the key was put in force. The look and the write are one transaction: of two
/// processes that start at once on an empty database, one makes the key.
async fn put_in_force(app: &App, key: &Plaintext, unless: Unless) -> Result<bool, Error> {
    let call = Call::new(app.clone(), Actor::Operator, Facts::default());
    let sealed = app.peppers().seal(key);
    let digests = app.peppers().candidates(key);
    let Direct(done) = call
        .revocation(Capability::ManageAdminKeys, Direct, async |tx: &Tx, now: Timestamp| {
            let any = tx.bootstrap_keys().is_any_live_unscoped().await?;
            let leave = match unless {
                Unless::AnyIsLive => any,
                Unless::ItIsLive => tx.bootstrap_keys().find_live_unscoped(&digests).await?.is_some(),
                Unless::Never => false,
            };
            if leave {
                return Ok(Changed { outcome: false, entries: Vec::new() });
            }
            tx.bootstrap_keys().revoke_all_unscoped(now).await?;
            let id = BootstrapKeyId::generate(now, &mut app.random());
            let key = BootstrapKey { id, prefix: key.prefix(), created_at: now, revoked_at: None };
            tx.bootstrap_keys().insert(&key, &sealed).await?;
            let fact = Fact {
                resource: Resource::BootstrapKey,
                verb: if any { Verb::Rotated } else { Verb::Created },
                target: id.uuid(),
                organization: None,
                details: Vec::new(),
                learn: Learn::Bootstrap(id, sealed.digest),
            };
            Ok(Changed { outcome: true, entries: vec![fact] })
        })
        .await?;
    Ok(done)
}
