//! What makes the log tamper-evident: each entry belongs to one chain and carries a keyed hash of itself and of
//! the entry before it, and the end of each chain is sealed.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::ids::OrganizationId;
use crate::secret::PepperVersion;

/// Whose entries follow one another: an organization's, or the installation's, which are those without an
/// organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(Uuid);

impl ChainId {
    /// The chain of the entries that belong to no organization.
    pub const INSTALLATION: Self = Self(Uuid::nil());

    /// Takes a stored UUID as a chain's.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID to store: the organization's, or nil.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Whose it is; `None` of the installation's.
    #[must_use]
    pub fn organization(self) -> Option<OrganizationId> {
        (self != Self::INSTALLATION).then(|| OrganizationId::from_uuid(self.0))
    }
}

impl From<Option<OrganizationId>> for ChainId {
    fn from(organization: Option<OrganizationId>) -> Self {
        organization.map_or(Self::INSTALLATION, |id| Self(id.uuid()))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

/// A keyed hash, 64 lowercase hexadecimal digits in text. Compared in constant time.
#[derive(Clone, Copy)]
pub struct Mac([u8; 32]);

impl Mac {
    /// What the first entry of a chain names as the one before it.
    pub const NONE: Self = Self([0; 32]);

    /// Takes stored bytes as a hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its digits, as they stand in a line.
    #[must_use]
    pub fn hex(&self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }

    /// Reads its digits.
    pub(super) fn of_hex(hex: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let hex: &[u8; 64] = hex.try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl PartialEq for Mac {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Mac {}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.hex()))
    }
}

/// The text is not 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lowercase hexadecimal digits")]
pub struct InvalidMac;

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        Self::of_hex(text.as_bytes()).ok_or(InvalidMac)
    }
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Whose entries it is one of.
    pub chain: ChainId,
    /// 1 of the first entry a chain ever had, and one more of each that follows.
    pub sequence: u64,
    /// The pepper whose key the hash was made with.
    pub pepper: PepperVersion,
    /// The keyed hash over the entry, its place, and the hash of the entry before it.
    pub mac: Mac,
}

/// The two ends of a chain: up to where there are entries, and up to where they were removed because they
/// were old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose chain it is.
    pub chain: ChainId,
    /// The last entry's number; 0 before the first.
    pub sequence: u64,
    /// The last entry's hash.
    pub mac: Mac,
    /// The number of the last entry that was removed; 0 when none was.
    pub pruned_through: u64,
    /// That entry's hash: the oldest one that remains follows it.
    pub pruned_mac: Mac,
    /// How old the youngest entry was that was ever removed, in seconds; `None` when none was.
    ///
    /// How long entries are kept is settled outside the log. Whoever changes that can have what is old removed, and no
    /// hash tells: this does.
    pub pruned_from_age: Option<u64>,
}

impl Head {
    /// A chain before its first entry.
    #[must_use]
    pub const fn new(chain: ChainId) -> Self {
        let (mac, pruned_mac) = (Mac::NONE, Mac::NONE);
        Self { chain, sequence: 0, mac, pruned_through: 0, pruned_mac, pruned_from_age: None }
    }

    /// The chain after its oldest entries were removed: up to this one, which was so many seconds old.
    #[must_use]
    pub fn pruned(self, through: u64, mac: Mac, age: u64) -> Self {
        let least = self.pruned_from_age.map_or(age, |known| known.min(age));
        Self { pruned_through: through, pruned_mac: mac, pruned_from_age: Some(least), ..self }
    }

    fn bytes(&self) -> [u8; 104] {
        let mut bytes = [0; 104];
        bytes[..16].copy_from_slice(self.chain.uuid().as_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[24..56].copy_from_slice(self.mac.as_bytes());
        bytes[56..64].copy_from_slice(&self.pruned_through.to_be_bytes());
        bytes[64..96].copy_from_slice(self.pruned_mac.as_bytes());
        bytes[96..].copy_from_slice(&self.pruned_from_age.unwrap_or(u64::MAX).to_be_bytes());
        bytes
    }
}

/// A head as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedHead {
    /// What is sealed.
    pub head: Head,
    /// The pepper whose key the seal was made with.
    pub pepper: PepperVersion,
    /// A keyed hash over all of the head. `None`: the head was found with a seal that did not hold, and was
    /// not sealed again: what was forged must not become true by being used.
    pub seal: Option<Mac>,
}

/// The keys of the audit log: three for each pepper, made of it and of nothing else. Its `Debug` shows the
/// peppers' versions only, and its memory is wiped when dropped.
#[derive(Clone)]
pub struct AuditKeys {
    newest_first: Vec<Keys>,
}

#[derive(Clone)]
struct Keys {
    pepper: PepperVersion,
    entries: Zeroizing<[u8; 32]>,
    heads: Zeroizing<[u8; 32]>,
    exports: Zeroizing<[u8; 32]>,
}

impl AuditKeys {
    /// Of peppers, the newest first, of which there is at least one.
    pub(crate) fn of<'a>(peppers: impl Iterator<Item = (PepperVersion, &'a [u8; 32])>) -> Self {
        let derive = |context, pepper: &[u8; 32]| Zeroizing::new(blake3::derive_key(context, pepper));
        let newest_first = peppers
            .map(|(version, pepper)| Keys {
                pepper: version,
                entries: derive("claviger 2026-11-24 audit log, entries of a chain", pepper),
                heads: derive("claviger 2026-11-24 audit log, heads of chains", pepper),
                exports: derive("claviger 2026-11-26 audit log, filtered exports", pepper),
            })
            .collect();
        Self { newest_first }
    }

    /// The pepper that new hashes are made under.
    #[must_use]
    pub fn newest(&self) -> PepperVersion {
        self.newest_first[0].pepper
    }

    /// The other peppers that are here.
    pub fn older(&self) -> impl Iterator<Item = PepperVersion> + '_ {
        self.newest_first[1..].iter().map(|keys| keys.pepper)
    }

    fn find(&self, pepper: PepperVersion) -> Option<&Keys> {
        self.newest_first.iter().find(|keys| keys.pepper == pepper)
    }

    /// The keyed hash of an entry's line, as far as it is covered; `None` when the pepper is not here.
    #[must_use]
    pub fn mac(&self, pepper: PepperVersion, covered: &[u8]) -> Option<Mac> {
        self.find(pepper).map(|keys| Mac(*blake3::keyed_hash(&keys.entries, covered).as_bytes()))
    }

    /// What seals a filtered export; `None` when the pepper is not here.
    pub(super) fn export_hasher(&self, pepper: PepperVersion) -> Option<blake3::Hasher> {
        self.find(pepper).map(|keys| blake3::Hasher::new_keyed(&keys.exports))
    }

    /// As [`export_hasher`](Self::export_hasher) under the newest pepper, and which that is.
    pub(super) fn newest_export_hasher(&self) -> (PepperVersion, blake3::Hasher) {
        let Keys { pepper, exports, .. } = &self.newest_first[0];
        (*pepper, blake3::Hasher::new_keyed(exports))
    }

    /// Seals a head under the newest pepper.
    #[must_use]
    pub fn seal(&self, head: Head) -> SealedHead {
        let keys = &self.newest_first[0];
        SealedHead { head, pepper: keys.pepper, seal: Some(seal(keys, &head)) }
    }

    /// Whether a head is as it was sealed; `None` when the pepper is not here.
    #[must_use]
    pub fn holds(&self, sealed: &SealedHead) -> Option<bool> {
        let SealedHead { head, pepper, seal: stated } = sealed;
        let keys = self.find(*pepper)?;
        Some(stated.is_some_and(|stated| stated == seal(keys, head)))
    }
}

impl fmt::Debug for AuditKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.newest_first.iter().map(|keys| keys.pepper)).finish()
    }
}

fn seal(keys: &Keys, head: &Head) -> Mac {
    Mac(*blake3::keyed_hash(&keys.heads, &head.bytes()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Peppers;

    fn keys(peppers: &[(u32, u8)]) -> AuditKeys {
        let peppers = peppers.iter().map(|(version, byte)| (*version, [*byte; 32])).collect();
        Peppers::new(peppers).unwrap().audit_keys()
    }

    #[test]
    fn every_part_of_a_head_is_sealed() {
        let head = Head {
            chain: ChainId::from_uuid(Uuid::from_u128(1)),
            sequence: 9,
            mac: Mac([1; 32]),
            pruned_through: 3,
            pruned_mac: Mac([2; 32]),
            pruned_from_age: Some(5),
        };
        assert_eq!(head.pruned(4, head.pruned_mac, 7).pruned_from_age, Some(5), "the least of all");
        let keys = keys(&[(1, 7), (2, 8)]);
        let sealed = keys.seal(head);
        assert_eq!((keys.holds(&sealed), sealed.pepper), (Some(true), 2));
        for forged in [
            Head { chain: ChainId::INSTALLATION, ..head },
            Head { sequence: 10, ..head },
            Head { mac: Mac([3; 32]), ..head },
            Head { pruned_through: 4, ..head },
            Head { pruned_mac: Mac([3; 32]), ..head },
            Head { pruned_from_age: Some(6), ..head },
            Head { pruned_from_age: None, ..head },
        ] {
            assert_eq!(keys.holds(&SealedHead { head: forged, ..sealed }), Some(false), "{forged:?}");
        }
        assert_eq!(keys.holds(&SealedHead { pepper: 1, ..sealed }), Some(false));
        assert_eq!(keys.holds(&SealedHead { pepper: 3, ..sealed }), None);
        assert_eq!(keys.holds(&SealedHead { seal: None, ..sealed }), Some(false));
    }

    #[test]
    fn keys_are_the_peppers_own_and_not_shown() {
        let one = keys(&[(1, 7)]);
        assert_eq!(one.mac(1, b"line"), keys(&[(1, 7), (2, 8)]).mac(1, b"line"));
        assert_ne!(one.mac(1, b"line"), keys(&[(1, 8)]).mac(1, b"line"));
        assert_eq!(one.mac(2, b"line"), None);
        assert_ne!(one.mac(1, b"line"), Some(Mac(*blake3::keyed_hash(&[7; 32], b"line").as_bytes())));
        assert_eq!(format!("{one:?}"), "[1]");
    }

    #[test]
    fn hashes_are_read_back() {
        let mac = Mac(std::array::from_fn(|place| u8::try_from(place * 8).unwrap()));
        assert_eq!(mac.to_string().parse(), Ok(mac));
        for text in ["", "0", &"A".repeat(64), &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
            assert_eq!(text.parse::<Mac>(), Err(InvalidMac), "{text}");
        }
    }
}
