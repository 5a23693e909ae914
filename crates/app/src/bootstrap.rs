//! The bootstrap key: how an installation gets its first key, and a new one.

use std::time::Duration;

use claviger_domain::Timestamp;
use claviger_domain::actor::Actor;
use claviger_domain::admin_key::BootstrapKey;
use claviger_domain::audit::{Resource, Verb};
use claviger_domain::capability::Capability;
use claviger_domain::ids::BootstrapKeyId;
use claviger_domain::secret::{KeyFormat, Plaintext};
use claviger_store::{Tables, Tx};

use crate::background::FOLLOW_EVERY;
use crate::call::{Changed, Direct, Fact};
use crate::memory::Learn;
use crate::{App, Call, Error, Facts};

/// Within this time a running server has taken up a new bootstrap key and refuses the old one, if it can
/// read the database: twice the interval at which it reads the changes of other processes.
pub const TAKEN_UP_WITHIN: Duration = FOLLOW_EVERY.saturating_mul(2);

/// The name of the advisory lock: any number that nothing else on the database is likely to use.
const ENSURING: i64 = 4_807_234_166_571_265;

/// What was found, or done, at start.
#[derive(Debug)]
pub enum Ensured {
    /// This key was in force already: the given one, when one is given.
    Present(BootstrapKey),
    /// The first key was made. It must be shown to the operator now, as it cannot be shown again.
    Created(Plaintext),
    /// The given key is in force, and there was none before.
    Given,
    /// The given key replaced this one.
    Replaced(BootstrapKey),
}

/// Makes sure that a bootstrap key is in force: `given`; or else the one there is; or else a new one.
/// `process` names this process for operators of others, see [`BootstrapKey::made_by`].
///
/// # Errors
/// [`Error::UnknownKey`] when `given` is a key of another kind, [`Error::Unavailable`] when the database
/// does not take it.
pub async fn ensure(app: &App, given: Option<Plaintext>, process: &str) -> Result<Ensured, Error> {
    let ensured = match given {
        Some(key) if key.format() != KeyFormat::Bootstrap => return Err(Error::UnknownKey),
        Some(key) => match put_in_force(app, &key, Unless::ItIsLive, process).await? {
            Put { before: Some(before), is_done: false } => Ensured::Present(before),
            Put { before: Some(before), is_done: true } => Ensured::Replaced(before),
            Put { before: None, .. } => Ensured::Given,
        },
        None => {
            let key = Plaintext::generate(KeyFormat::Bootstrap, &mut app.random());
            match put_in_force(app, &key, Unless::AnyIsLive, process).await?.before {
                Some(before) => Ensured::Present(before),
                None => Ensured::Created(key),
            }
        }
    };
    if matches!(ensured, Ensured::Present(_)) {
        // Another process may have made it after this one read the keys.
        app.reload_bootstrap_keys().await?;
    }
    Ok(ensured)
}

/// A new bootstrap key and the one it replaced.
#[derive(Debug)]
pub struct Rotated {
    pub key: Plaintext,
    /// `None` when there was none yet.
    pub replaced: Option<BootstrapKey>,
}

/// Makes a new bootstrap key. This process refuses the one before it at once, running servers within
/// [`TAKEN_UP_WITHIN`].
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn rotate(app: &App, process: &str) -> Result<Rotated, Error> {
    let key = Plaintext::generate(KeyFormat::Bootstrap, &mut app.random());
    let Put { before, .. } = put_in_force(app, &key, Unless::Never, process).await?;
    Ok(Rotated { key, replaced: before })
}

/// When to leave things as they are.
#[derive(Clone, Copy)]
enum Unless {
    AnyIsLive,
    ItIsLive,
    Never,
}

struct Put {
    /// The key that was in force before.
    before: Option<BootstrapKey>,
    /// Whether the new key is in force now.
    is_done: bool,
}

/// The look and the write are one transaction under a lock: of several processes that start at once on an
/// empty database, one makes the key and the others find it.
async fn put_in_force(app: &App, key: &Plaintext, unless: Unless, process: &str) -> Result<Put, Error> {
    let call = Call::new(app.clone(), Actor::Operator, Facts::default());
    let sealed = app.peppers().seal(key);
    let digests = app.peppers().candidates(key);
    let Direct(put) = call
        .revocation(Capability::ManageAdminKeys, Direct, async |tx: &Tx, now: Timestamp| {
            tx.alone(ENSURING).await?;
            let before = tx.bootstrap_keys().in_force_unscoped().await?;
            let leave = match unless {
                Unless::AnyIsLive => before.is_some(),
                Unless::ItIsLive => tx.bootstrap_keys().find_live_unscoped(&digests).await?.is_some(),
                Unless::Never => false,
            };
            if leave {
                return Ok(Changed { outcome: Put { before, is_done: false }, entries: Vec::new() });
            }
            tx.bootstrap_keys().revoke_all_unscoped(now).await?;
            let id = BootstrapKeyId::generate(now, &mut app.random());
            let key = BootstrapKey {
                id,
                prefix: key.prefix(),
                made_by: process.to_owned(),
                created_at: now,
                revoked_at: None,
            };
            tx.bootstrap_keys().insert(&key, &sealed).await?;
            let fact = Fact {
                resource: Resource::BootstrapKey,
                verb: if before.is_some() { Verb::Rotated } else { Verb::Created },
                target: id.uuid(),
                organization: None,
                details: Vec::new(),
                learn: Learn::Bootstrap(id, sealed.digest),
            };
            Ok(Changed { outcome: Put { before, is_done: true }, entries: vec![fact] })
        })
        .await?;
    Ok(put)
}
