//! May this call pass? The plain form: decided from the database and counted in one transaction.
//!
//! It is right and slow on purpose. The engine will answer on the wire from memory; this function
//! stays as the reference the engine's decisions are compared with.

use claviger_domain::Timestamp;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::capability::Capability::VerifyKeys;
use claviger_domain::credential::{Credential, Credits};
use claviger_domain::limit::{Limit, Standing};
use claviger_domain::secret::{Digest, Plaintext, SecretVersion};
use claviger_domain::usage::Tally;
use claviger_domain::verification::{Code, Demand, Subject, Weighed, refuse, weigh};
use claviger_store::{Tables, Tx};

use crate::{Call, Error, authenticate};

/// A presented key, and what the call needs.
#[derive(Debug)]
pub struct Request {
    /// `None` when what was presented has not the form of a key.
    pub key: Option<Plaintext>,
    pub demand: Demand,
}

/// The answer, and what it was decided from; nothing of a key that is unknown to the caller.
#[derive(Debug)]
pub struct Decision {
    pub code: Code,
    pub about: Option<About>,
}

/// The credential a decision is about, as the decision left it.
#[derive(Debug)]
pub struct About {
    pub subject: Subject,
    pub limits: Vec<(Limit, Standing)>,
    pub credits: Option<Credits>,
}

/// Decides about a key, spends what the call costs when it may pass, and counts the call.
///
/// # Errors
/// [`Error::Refused`] when the caller may not ask.
pub async fn verify(call: &Call, request: Request) -> Result<Decision, Error> {
    call.require(VerifyKeys)?;
    let Request { key, demand } = request;
    let Some(key) = key else { return Ok(Decision { code: Code::Malformed, about: None }) };
    let digests = call.app().peppers().candidates(&key);
    let not_found = Decision { code: Code::NotFound, about: None };
    // Unknown keys are the bulk of what attackers send: they never take the writer.
    match subject(call.app().store(), &digests).await? {
        Some(subject) if may_see(call.actor(), &subject) => {}
        _ => return Ok(not_found),
    }
    call.app()
        .store()
        .transaction(async |tx: &Tx| {
            // Inside, for the wait for the writer may have been long.
            let now = call.app().now();
            authenticate::again(tx, call.actor(), VerifyKeys, now).await?;
            let Some(subject) = subject_for_update(tx, &digests).await? else { return Ok(not_found) };
            decide(tx, subject, &demand, now).await
        })
        .await
}

/// Of another organization's key nothing is said, not even that it exists.
fn may_see(actor: &Actor, subject: &Subject) -> bool {
    match actor.owner() {
        Owner::Installation => true,
        Owner::Organization(id) => subject.organization.id == id,
        Owner::AdminKey(id) => subject.credential.admin_key == Some(id),
    }
}

async fn decide(tx: &Tx, subject: Subject, demand: &Demand, now: Timestamp) -> Result<Decision, Error> {
    let credential = &subject.credential;
    let counters = tx.counters().of(credential.id, &credential.limits).await?;
    let Weighed { code, mut standings, mut credits } = match refuse(&subject, demand, now) {
        Some(code) => Weighed { code, ..weigh(credential, &counters, 0, now) },
        None => weigh(credential, &counters, demand.cost, now),
    };
    if code == Code::Valid {
        if demand.cost > 0 {
            let cost = u64::from(demand.cost);
            let limits = &credential.limits;
            let spent: Vec<_> = limits
                .iter()
                .zip(&counters)
                .map(|(limit, counter)| limit.spend(*counter, cost, now))
                .collect();
            tx.counters().put(credential.id, limits, &spent).await?;
            credits = credits.map(|credits| Credits { remaining: credits.remaining - cost, ..credits });
            standings =
                limits.iter().zip(&spent).map(|(limit, counter)| limit.look(*counter, 0, now)).collect();
        }
        tx.credentials().spend_unscoped(credential.id, credits, now).await?;
    }
    tx.usage().add(&[(credential.id, now, Tally::one_call(code != Code::Valid))]).await?;
    let limits = credential.limits.iter().cloned().zip(standings).collect();
    Ok(Decision { code, about: Some(About { subject, limits, credits }) })
}

/// The credential whose secret has one of these digests, and all that decides about it.
pub(crate) async fn subject(tables: &impl Tables, digests: &[Digest]) -> Result<Option<Subject>, Error> {
    let Some((id, secret)) = tables.secrets().find_unscoped(digests).await? else { return Ok(None) };
    // The key itself is the proof that the caller may ask about its credential.
    let Some(credential) = tables.credentials().find(Owner::Installation, id).await? else { return Ok(None) };
    complete(tables, secret, credential).await
}

/// As [`subject`], and nobody else spends from the credential until the transaction ends.
async fn subject_for_update(tx: &Tx, digests: &[Digest]) -> Result<Option<Subject>, Error> {
    let Some((id, secret)) = tx.secrets().find_unscoped(digests).await? else { return Ok(None) };
    let Some(credential) = tx.credentials().find_for_update(Owner::Installation, id).await? else {
        return Ok(None);
    };
    // A rotation may have ended the secret before the credential was ours.
    let Some((_, secret)) = tx.secrets().find_unscoped(&[secret.sealed.digest]).await? else {
        return Ok(None);
    };
    complete(tx, secret, credential).await
}

async fn complete(
    tables: &impl Tables,
    secret: SecretVersion,
    credential: Credential,
) -> Result<Option<Subject>, Error> {
    let Some(organization) = tables.organizations().find_unscoped(credential.organization).await? else {
        return Ok(None);
    };
    let user_account = match credential.user_account {
        Some(id) => tables.user_accounts().find(Owner::Installation, id).await?,
        None => None,
    };
    Ok(Some(Subject { credential, secret, user_account, organization }))
}
