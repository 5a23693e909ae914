//! May this call pass? Decided by the engine, from memory.

use claviger_domain::actor::{Actor, Owner};
use claviger_domain::capability::Capability::VerifyKeys;
use claviger_domain::scope::ScopeExpression;
use claviger_domain::secret::PresentedKey;
use claviger_domain::verification::{Code, Demand};
use claviger_engine::journal::Place;
use claviger_engine::{Decision, Known};

use crate::{App, Error, Pace, memory};

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
/// [`Error::Refused`] when the caller may not ask; [`Error::NotCounted`] when the journal cannot be written: then
/// nothing is spent. When the disk refuses what was journaled ([`Durability::Disk`](crate::Durability::Disk)), the
/// call is spent and counted, and its answer withheld.
pub async fn verify(app: &App, actor: &Actor, request: &Request<'_>) -> Result<Decision, Error> {
    actor.require(VerifyKeys)?;
    let decision = decide(app, actor.owner(), request.key, &request.demand).await?;
    app.await_disk(places(std::slice::from_ref(&decision))).await?;
    Ok(decision)
}

/// As [`verify`], each request by itself and in their order. When one cannot be counted, those before it are
/// spent and counted, and no answer tells of them. Other tasks run in between.
///
/// # Errors
/// As for [`verify`].
pub async fn verify_each(app: &App, actor: &Actor, requests: &[Request<'_>]) -> Result<Vec<Decision>, Error> {
    actor.require(VerifyKeys)?;
    let mut decisions = Vec::with_capacity(requests.len());
    let mut pace = Pace::default();
    for request in requests {
        decisions.push(decide(app, actor.owner(), request.key, &request.demand).await?);
        pace.after(2 + request.demand.scopes.as_ref().map_or(0, ScopeExpression::terms)).await;
    }
    app.await_disk(places(&decisions)).await?;
    Ok(decisions)
}

fn places(decisions: &[Decision]) -> impl Iterator<Item = Place> {
    decisions.iter().filter_map(|decision| decision.about.as_ref()?.place)
}

/// As [`verify`], asked by the key's own holder through a proxy: whoever presents a key may learn whether
/// it passes.
///
/// # Errors
/// As for [`verify`].
pub async fn pass(app: &App, key: &str, demand: &Demand) -> Result<Decision, Error> {
    let decision = decide(app, Owner::Installation, key, demand).await?;
    app.await_disk(places(std::slice::from_ref(&decision))).await?;
    Ok(decision)
}

async fn decide(app: &App, asking: Owner, key: &str, demand: &Demand) -> Result<Decision, Error> {
    let denied = |code| Ok(Decision { code, about: None });
    let Ok(key) = PresentedKey::recognise(key) else { return denied(Code::Malformed) };
    let Some(known) = memory::find(app, key).await? else { return denied(Code::NotFound) };
    if !may_see(asking, &known) {
        return denied(Code::NotFound);
    }
    app.engine().decide(known, demand, app.now()).map_err(Error::NotCounted)
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
