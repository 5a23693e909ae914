//! Keys: how they look, how they are recognised without asking a store, and what is kept of them.
//!
//! A key is a type prefix, a random part of at least 128 bits and a CRC-32 (ISO-HDLC) of all that
//! precedes it. Only a keyed BLAKE3 digest under a versioned pepper is ever stored.
//!
//! A service that links this crate tells mistyped and invented keys apart from possible ones without
//! asking anybody:
//!
//! ```
//! use claviger_domain::secret::{KeyFormat, MalformedKey, Plaintext};
//!
//! let key: Plaintext = "iiak_0123456789abcdefghijklmnopqrstuvwxyz012340w53k76".parse()?;
//! assert_eq!(key.format(), KeyFormat::Partner);
//! // What may be logged and shown:
//! assert_eq!(key.prefix().as_str(), "iiak_01234567");
//!
//! // Two characters have changed places: the checksum is not theirs.
//! let mistyped = "iiak_1023456789abcdefghijklmnopqrstuvwxyz012340w53k76";
//! assert_eq!(mistyped.parse::<Plaintext>().err(), Some(MalformedKey));
//! # Ok::<(), MalformedKey>(())
//! ```
//!
//! The checksum is no signature: anybody can compute it, and only verification says whether a key was
//! ever issued.

mod format;
mod pepper;

use std::fmt;
use std::str::FromStr;

use rand_core::Rng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Timestamp;
use crate::ids::SecretId;

pub use format::{KeyFormat, contains_key, contains_key_prefix};
pub use pepper::{InvalidPeppers, PepperVersion, Peppers};

/// The text is not a key this installation could have issued: its prefix, length, alphabet or
/// checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed key")]
pub struct MalformedKey;

/// A key in the clear. It exists between its generation and its one display, or between a caller's
/// presenting it and its digest; its memory is wiped when dropped.
#[derive(Clone)]
pub struct Plaintext {
    text: Zeroizing<String>,
    format: KeyFormat,
}

impl Plaintext {
    /// A new key of `format`; `random` must be cryptographically secure.
    pub fn generate(format: KeyFormat, random: &mut dyn Rng) -> Self {
        Self { text: Zeroizing::new(format.generate(random)), format }
    }

    /// The key itself, to be shown to its owner once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Which kind of key this is.
    #[must_use]
    pub fn format(&self) -> KeyFormat {
        self.format
    }

    /// What may be shown of it afterwards: the type prefix and the next eight characters. At least 96
    /// random bits stay hidden.
    #[must_use]
    pub fn prefix(&self) -> KeyPrefix {
        KeyPrefix(self.text[..self.format.prefix().len() + 8].to_owned())
    }
}

/// A key as somebody presents it, in memory that is not ours.
#[derive(Clone, Copy)]
pub struct PresentedKey<'a> {
    text: &'a str,
    format: KeyFormat,
}

impl<'a> PresentedKey<'a> {
    /// Recognises a key by its form and checksum alone; white space around it is not part of a key.
    ///
    /// # Errors
    /// [`MalformedKey`] when no key looks like this.
    pub fn recognise(text: &'a str) -> Result<Self, MalformedKey> {
        KeyFormat::recognise(text).map(|format| Self { text, format }).ok_or(MalformedKey)
    }

    /// Which kind of key this is.
    #[must_use]
    pub fn format(self) -> KeyFormat {
        self.format
    }
}

impl fmt::Debug for PresentedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedKey").field("format", &self.format).finish_non_exhaustive()
    }
}

impl<'a> From<&'a Plaintext> for PresentedKey<'a> {
    fn from(key: &'a Plaintext) -> Self {
        Self { text: &key.text, format: key.format }
    }
}

impl From<PresentedKey<'_>> for Plaintext {
    fn from(key: PresentedKey<'_>) -> Self {
        Self { text: Zeroizing::new(key.text.to_owned()), format: key.format }
    }
}

impl FromStr for Plaintext {
    type Err = MalformedKey;

    /// Recognises a key by its form and checksum alone; white space around it is not part of a key.
    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        PresentedKey::recognise(text).map(Self::from)
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plaintext").field("format", &self.format).finish_non_exhaustive()
    }
}

/// The part of a key that is safe to show and to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Takes a stored prefix back.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The characters, for example `iiak_a1b2c3d4`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is stored of a key. Compared in constant time; its `Debug` shows nothing.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Takes stored bytes back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store and to look up by.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// A digest and the pepper it was made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedSecret {
    /// BLAKE3 of the key's characters, keyed with the pepper.
    pub digest: Digest,
    /// Which pepper: as long as it is configured, the key verifies.
    pub pepper: PepperVersion,
}

/// One secret of a credential. Rotation adds a version and gives the ones before it an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersion {
    /// Given when it is made; never changes.
    pub id: SecretId,
    /// Counts the secrets of one credential, from 1.
    pub number: u32,
    /// What is kept of the key.
    pub sealed: SealedSecret,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this instant on the secret no longer verifies; `None` while it is the current one.
    pub ends_at: Option<Timestamp>,
}

impl SecretVersion {
    /// The most secrets of one credential that are remembered, and so can be in force at once: a key rotated every
    /// quarter of an hour, with an overlap of a day, has fewer.
    pub const MOST: u32 = 100;

    /// Whether the secret may still be used at `now`.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests;
