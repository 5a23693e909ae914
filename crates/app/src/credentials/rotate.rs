//! New keys for credentials.

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::Actor;
use claviger_domain::audit::{Detail, Verb};
use claviger_domain::capability::Capability::ManageCredentials;
use claviger_domain::credential::Credential;
use claviger_domain::ids::CredentialId;
use claviger_domain::revision::Precondition;
use claviger_domain::secret::SecretVersion;
use claviger_store::{Tables, Tx};

use super::{Issued, fact, held, may_hand_out, new_secret, see};
use crate::call::Changed;
use crate::{Answer, Call, Error, Lane};

/// A credential with a new key, and when the ones before it stop.
#[derive(Debug)]
pub struct Rotated {
    pub issued: Issued,
    pub previous_expires_at: Timestamp,
}

/// Gives a credential a new key. The ones before it go on working for `overlap`; limits, usage and
/// the credential's id stay as they are. Who sees the new key must hold every scope that it has.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked, [`Error::BeyondCeiling`],
/// [`Error::BoundElsewhere`], [`Error::LooserThanMaker`], [`Error::TooManySecrets`]; [`Error::Superseded`] by a key that was rotated away itself.
pub async fn rotate<A: Answer>(
    call: &Call,
    id: CredentialId,
    overlap: TimeDelta,
    word: impl FnOnce(Rotated) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    let lane = if overlap.is_zero() { Lane::Revocation } else { Lane::Change };
    call.change_in(lane, ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let credential = held(call, tx, id, &Precondition::None).await?;
        may_hand_out(call, tx, &credential, now).await?;
        let newest = tx.secrets().newest_number_of(id).await?;
        // Whoever still has a key that was rotated away must not take the credential over.
        if matches!(call.actor(), Actor::Credential { id: own, secret, .. } if *own == id && *secret < newest)
        {
            return Err(Error::Superseded);
        }
        let number = newest + 1;
        let previous_expires_at = now + overlap;
        let (key, secret) = new_secret(call.app(), credential.class, number, now);
        tx.secrets().end_all_of(id, previous_expires_at).await?;
        tx.secrets().insert(id, &secret).await?;
        // No secret ends before the one that came before it: when the last of those without a place has ended, all
        // have.
        if let Some(last) = number.checked_sub(SecretVersion::MOST) {
            let found = tx.secrets().find(id, last).await?;
            if found.is_some_and(|secret| secret.is_in_force(now)) {
                return Err(Error::TooManySecrets);
            }
            tx.secrets().delete_through(id, last).await?;
        }
        let credential = Credential { prefix: key.prefix(), ..credential }.touched(now);
        tx.credentials().save(&credential).await?;
        let fact = fact(
            &credential,
            Verb::Rotated,
            vec![
                ("api_key_prefix".to_owned(), Detail::Text(key.prefix().as_str().to_owned())),
                ("previous_expires_at".to_owned(), Detail::instant(previous_expires_at)),
            ],
            Some(tx.secrets().versions_of(id).await?),
        );
        let seen = see(tx, credential).await?;
        Ok(Changed {
            outcome: Rotated { issued: Issued { seen, key }, previous_expires_at },
            entries: vec![fact],
        })
    })
    .await
}
