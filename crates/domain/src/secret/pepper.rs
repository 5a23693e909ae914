//! Peppers: the server's own half of each digest, so that a stolen database is useless alone.

use std::fmt;

use zeroize::Zeroizing;

use super::{Digest, Plaintext, PresentedKey, SealedSecret};
use crate::audit::AuditKeys;

/// Which pepper a digest was made under: a number the operator gives, higher for newer ones.
pub type PepperVersion = u32;

/// The set of peppers is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeppers {
    /// There is none: nothing could be signed.
    #[error("at least one pepper is needed")]
    None,
    /// Two peppers have this version, so which of them a digest was made under is unknown.
    #[error("pepper {0} is given twice")]
    Twice(PepperVersion),
}

/// What [`Peppers::checks`] are made of. It is no key's text, so that no check is the digest of a key.
pub(super) const CHECKED: &str = "claviger: which pepper is this?";

/// Every pepper of the installation. The highest version signs; all of them verify. Its `Debug` shows
/// the versions only, and its memory is wiped when dropped.
#[derive(Clone)]
pub struct Peppers {
    newest_first: Vec<(PepperVersion, Zeroizing<[u8; 32]>)>,
}

impl Peppers {
    /// Orders the peppers by version.
    ///
    /// # Errors
    /// [`InvalidPeppers`] when there is none, or two of one version.
    pub fn new(peppers: Vec<(PepperVersion, [u8; 32])>) -> Result<Self, InvalidPeppers> {
        let mut newest_first: Vec<_> =
            peppers.into_iter().map(|(version, key)| (version, Zeroizing::new(key))).collect();
        newest_first.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        if let Some(pair) = newest_first.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(InvalidPeppers::Twice(pair[0].0));
        }
        if newest_first.is_empty() {
            return Err(InvalidPeppers::None);
        }
        Ok(Self { newest_first })
    }

    /// What to store of a new key: its BLAKE3 digest keyed with the newest pepper.
    #[must_use]
    pub fn seal(&self, key: &Plaintext) -> SealedSecret {
        let (version, pepper) = &self.newest_first[0];
        SealedSecret { digest: digest(pepper, key.expose().as_bytes()), pepper: *version }
    }

    /// Every digest under which `key` may be stored, newest pepper first: one for each pepper.
    #[must_use]
    pub fn candidates(&self, key: &Plaintext) -> Vec<Digest> {
        self.digests(key.into()).collect()
    }

    /// As [`candidates`](Self::candidates), each made when it is asked for: most keys are found under the
    /// first.
    pub fn digests<'a>(&'a self, key: PresentedKey<'a>) -> impl Iterator<Item = Digest> + 'a {
        self.newest_first.iter().map(move |(_, pepper)| digest(pepper, key.text.as_bytes()))
    }

    /// The digest of one fixed text under each pepper, newest first. Kept beside the digests of keys, it
    /// tells later whether a pepper is still the one that its version stands for. It tells a thief no more
    /// than any key of his own would.
    #[must_use]
    pub fn checks(&self) -> Vec<SealedSecret> {
        let check = |(version, pepper): &(PepperVersion, Zeroizing<[u8; 32]>)| SealedSecret {
            digest: digest(pepper, CHECKED.as_bytes()),
            pepper: *version,
        };
        self.newest_first.iter().map(check).collect()
    }

    /// The keys of the audit log under each pepper.
    #[must_use]
    pub fn audit_keys(&self) -> AuditKeys {
        AuditKeys::of(self.newest_first.iter().map(|(version, pepper)| (*version, &**pepper)))
    }
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.newest_first.iter().map(|(version, _)| version)).finish()
    }
}

fn digest(pepper: &[u8; 32], text: &[u8]) -> Digest {
    Digest::from_bytes(*blake3::keyed_hash(pepper, text).as_bytes())
}
