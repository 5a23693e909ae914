//! Repeated requests (`Idempotency-Key`): the first answer is kept, sealed, in the transaction of
//! the change it answers, so that no crash can separate the two.
//!
//! The seal's key is derived from the caller's own bearer key and the idempotency key, neither of
//! which is stored: whoever steals the database and the peppers cannot open a kept answer.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::secret::Plaintext;
use claviger_store::{KeptAnswer, Tables, Tx};
use rand_core::Rng;
use uuid::Uuid;

use crate::Error;

const NONCE: usize = 24;

/// How long an answer is kept.
pub(crate) const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// One repeatable request.
#[derive(Clone)]
pub struct Repeat {
    caller: Uuid,
    key_hash: [u8; 32],
    seal: [u8; 32],
    fingerprint: [u8; 32],
}

impl std::fmt::Debug for Repeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repeat").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl Repeat {
    /// The request of `caller`, who presented `bearer`, under its idempotency key. `fingerprint` is a
    /// digest of all that makes the request what it is: method, path and body.
    #[must_use]
    pub fn new(caller: Uuid, bearer: &Plaintext, idempotency_key: &str, fingerprint: [u8; 32]) -> Self {
        let derive = |context, text: &str| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(bearer.expose().as_bytes()).update(&[0]).update(text.as_bytes());
            *hasher.finalize().as_bytes()
        };
        Self {
            caller,
            key_hash: derive("claviger 2026-11-22 kept answer, name", idempotency_key),
            seal: derive("claviger 2026-11-22 kept answer, seal", idempotency_key),
            fingerprint,
        }
    }

    pub(crate) async fn recall(&self, tx: &Tx, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let Some(kept) = tx.kept_answers().find(self.caller, &self.key_hash).await? else {
            return Ok(None);
        };
        if now - kept.created_at >= KEPT_FOR {
            tx.kept_answers().delete(self.caller, &self.key_hash).await?;
            return Ok(None);
        }
        if kept.fingerprint != self.fingerprint {
            return Err(Error::RepeatDiffers);
        }
        let (nonce, sealed) = kept.sealed.split_at_checked(NONCE).ok_or_else(damaged)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| damaged())?;
        self.cipher().decrypt(&nonce, sealed).map(Some).map_err(|_| damaged())
    }

    pub(crate) async fn keep(
        &self,
        tx: &Tx,
        answer: &[u8],
        now: Timestamp,
        random: &mut (dyn Rng + Send),
    ) -> Result<(), Error> {
        let mut nonce = [0; NONCE];
        random.fill_bytes(&mut nonce);
        let mut sealed = nonce.to_vec();
        sealed.extend(self.cipher().encrypt(&XNonce::from(nonce), answer).map_err(|_| damaged())?);
        let kept = KeptAnswer {
            caller: self.caller,
            key_hash: self.key_hash,
            fingerprint: self.fingerprint,
            sealed,
            created_at: now,
        };
        Ok(tx.kept_answers().insert(&kept).await?)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.seal.into())
    }
}

/// The row's name is made of the same keys as its seal: only a damaged row cannot be opened.
pub(crate) fn damaged() -> Error {
    Error::Internal("a kept answer is damaged".into())
}

/// The repeatable requests that this process is answering at this moment.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashSet<(Uuid, [u8; 32])>>);

/// Holds the place of one request until it is answered.
pub(crate) struct Turn<'a> {
    all: &'a UnderWay,
    this: (Uuid, [u8; 32]),
}

impl UnderWay {
    pub(crate) fn begin(&self, repeat: &Repeat) -> Result<Turn<'_>, Error> {
        let this = (repeat.caller, repeat.key_hash);
        let fresh = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(this);
        if fresh { Ok(Turn { all: self, this }) } else { Err(Error::RepeatUnderWay) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.this);
    }
}
