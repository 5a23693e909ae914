//! May this call pass? Decided by the engine, from memory.

use claviger_domain::actor::{Actor, Owner};
use claviger_domain::capability::Capability::VerifyKeys;
use claviger_domain::secret::PresentedKey;
use claviger_domain::verification::{Code, Demand};
use claviger_engine::{Decision, Known};

use crate::{App, Error, memory};

/// A presented key, and what the call needs.
#[derive(Debug)]
pub struct Request<'a> {
    /// Whatever the caller presented.
    pub key: &'a str,
    pub demand: Demand,
}

/// Decides about a key, spends what the call costs when it may pass, and counts the call, before it answers.
///
/// # Errors
/// [`Error::Refused`] when the caller may not ask; [`Error::NotCounted`] when the call cannot be counted: then
/// nothing is decided and nothing spent.
pub async fn verify(app: &App, actor: &Actor, request: &Request<'_>) -> Result<Decision, Error> {
    actor.require(VerifyKeys)?;
    decide(app, actor.owner(), request.key, &request.demand).await
}

/// As [`verify`], asked by the key's own holder through a proxy: whoever presents a key may learn whether
/// it passes.
///
/// # Errors
/// As for [`verify`].
pub async fn pass(app: &App, key: &str, demand: &Demand) -> Result<Decision, Error> {
    decide(app, Owner::Installation, key, demand).await
}

async fn decide(app: &App, asking: Owner, key: &str, demand: &Demand) -> Result<Decision, Error> {
    let denied = |code| Ok(Decision { code, about: None });
    let Ok(key) = PresentedKey::recognise(key) else { return denied(Code::Malformed) };
    let Some(known) = memory::find(app, key).await? else { return denied(Code::NotFound) };
    if !may_see(asking, &known) {
        return denied(Code::NotFound);
    }
    let decision = app.engine().decide(known, demand, app.now()).map_err(Error::NotCounted)?;
    if let Some(place) = decision.about.as_ref().and_then(|about| about.place) {
        app.await_disk(place).await?;
    }
    Ok(decision)
}

/// Of another organization's key nothing is said, not even that it exists.
fn may_see(asking: Owner, known: &Known) -> bool {
    match asking {
        Owner::Installation => true,
        Owner::Organization(id) => known.organization.id == id,
        // No admin key verifies.
        Owner::AdminKey(_) => false,
    }
}
