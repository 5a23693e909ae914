//! The end of credentials.

use claviger_domain::Timestamp;
use claviger_domain::audit::{Detail, Verb};
use claviger_domain::capability::Capability::ManageCredentials;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::revision::Precondition;
use claviger_domain::text::Description;
use claviger_store::{Tables, Tx};

use super::{Gone, Seen, a_managing_key_stays, already_revoked, fact, held, see};
use crate::call::{Changed, Fact};
use crate::{Answer, Call, Error};

/// Ends a credential for good; its keys stop with it. `reason` is kept with it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked already, [`Error::Stale`];
/// [`Error::LastManagingKey`] unless `force` is set.
pub async fn revoke<A: Answer>(
    call: &Call,
    id: CredentialId,
    precondition: &Precondition,
    reason: Option<Description>,
    force: bool,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    call.revocation(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let (outcome, fact) = end(call, tx, id, precondition, Why { reason, force }, now).await?;
        Ok(Changed { outcome, entries: vec![fact] })
    })
    .await
}

/// Ends each of these or says why not: what is wrong with one is no matter of the others. All that can be ended
/// are, or in case of a failure none.
///
/// # Errors
/// [`Error::Refused`] when the caller may end none.
pub async fn revoke_many<A: Answer>(
    call: &Call,
    wanted: Vec<Result<CredentialId, Error>>,
    reason: Option<Description>,
    force: bool,
    word: impl FnOnce(Vec<Result<Seen, Error>>) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    call.revocation(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        // Held in the order of their ids, whatever the caller's: two such calls do not wait for one another.
        let ids: Vec<_> = wanted.iter().filter_map(|id| id.as_ref().ok().copied()).collect();
        tx.credentials().find_many_for_update(call.owner(), &ids).await?;
        let mut outcome = Vec::with_capacity(wanted.len());
        let mut entries = Vec::new();
        for id in wanted {
            let ended = match id {
                Ok(id) => {
                    let why = Why { reason: reason.clone(), force };
                    end(call, tx, id, &Precondition::None, why, now).await
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok((seen, fact)) => {
                    outcome.push(Ok(seen));
                    entries.push(fact);
                }
                Err(error) if error.is_of_the_request() => outcome.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(Changed { outcome, entries })
    })
    .await
}

/// Why a credential is ended, and whether it is whatever follows from it.
struct Why {
    reason: Option<Description>,
    force: bool,
}

async fn end(
    call: &Call,
    tx: &Tx,
    id: CredentialId,
    precondition: &Precondition,
    Why { reason, force }: Why,
    now: Timestamp,
) -> Result<(Seen, Fact), Error> {
    let credential = held(call, tx, id, precondition).await?;
    a_managing_key_stays(call, tx, now, Gone::Key(&credential), force).await?;
    let more = reason.as_ref().map(|reason| ("reason".to_owned(), Detail::Text(reason.to_string())));
    let credential = credential.revoke(reason, now).map_err(|_| already_revoked())?;
    tx.credentials().save(&credential).await?;
    let fact = fact(&credential, Verb::Revoked, more.into_iter().collect(), None);
    Ok((see(tx, credential).await?, fact))
}

/// Ends all that are linked to an account, which was found with its owner and is going away.
pub(crate) async fn end_all_of_user(
    tx: &Tx,
    user: UserAccountId,
    now: Timestamp,
) -> Result<Vec<Fact>, Error> {
    let mut entries = Vec::new();
    for credential in tx.credentials().live_of_user_for_update(user).await? {
        let reason = Description::new("user deleted").ok();
        let credential = credential.revoke(reason, now).map_err(|_| already_revoked())?;
        tx.credentials().save(&credential).await?;
        let more = vec![("reason".to_owned(), Detail::Text("user deleted".to_owned()))];
        entries.push(fact(&credential, Verb::Revoked, more, None));
    }
    Ok(entries)
}
