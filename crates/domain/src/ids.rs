//! One newtype per kind of identifier, so that no two kinds can be mistaken for each other.
//!
//! Ids are UUIDs of version 7 (RFC 9562). Each has two spellings: the bare hyphenated UUID, and the
//! [TypeID](https://github.com/jetify-com/typeid) form `prefix_` + 26 characters of Crockford base32.

use std::fmt;
use std::str::FromStr;

use rand_core::Rng;
use uuid::Uuid;

use crate::Timestamp;

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of the expected kind")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What stands before the underscore in the TypeID form.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh version 7 id: `now` to a quarter of a microsecond, then 62 bits from `random`.
            pub fn generate(now: Timestamp, random: &mut dyn Rng) -> Self {
                let mut bytes = [0_u8; 10];
                random.fill_bytes(&mut bytes);
                Self(version_7(now, bytes))
            }

            /// The least id that can have been made at `now`: none made earlier is greater.
            #[must_use]
            pub fn least_of(now: Timestamp) -> Self {
                Self(version_7(now, [0; 10]))
            }

            /// Takes a stored UUID as this kind of id.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID to store.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The TypeID spelling, for example
            #[doc = concat!("`", $prefix, "_01h455vb4pex5vsknk084sn02q`.")]
            #[must_use]
            pub fn prefixed(self) -> String {
                format!("{}_{}", $prefix, base32(self.0))
            }

            /// Reads either spelling.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is neither a hyphenated UUID nor a TypeID of this kind.
            pub fn parse_any(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix(concat!($prefix, "_")) {
                    Some(rest) => unbase32(rest).map(Self).ok_or(InvalidId),
                    None => text.parse(),
                }
            }

            /// Whether the text has this kind's prefix, whatever follows: then it names one of this kind, and possibly
            /// none that there can be.
            #[must_use]
            pub fn is_named_by(text: &str) -> bool {
                text.strip_prefix(concat!($prefix, "_")).is_some_and(|rest| {
                    !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the hyphenated UUID only, in either case.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                hyphenated(text).map(Self).ok_or(InvalidId)
            }
        }
    )*};
}

ids! {
    /// A tenant.
    OrganizationId, "org";
    /// The root key of the installation.
    BootstrapKeyId, "boot";
    /// A partner's admin key.
    AdminKeyId, "admin";
    /// A customer's account.
    UserAccountId, "user";
    /// What is verified; it outlives its secrets.
    CredentialId, "key";
    /// One secret of a credential.
    SecretId, "secret";
    /// A named set of permissions of an organization.
    RoleId, "role";
    /// One line of the audit log.
    AuditEntryId, "audit";
}

/// Twelve bits below the millisecond hold its fraction (RFC 9562, section 6.2, method 3), so that ids
/// of one millisecond are in the order of their making.
fn version_7(now: Timestamp, mut bytes: [u8; 10]) -> Uuid {
    let micros = now.timestamp_micros().rem_euclid(1000);
    let fraction = u16::try_from(micros * 4096 / 1000).unwrap_or(0).to_be_bytes();
    bytes[..2].copy_from_slice(&fraction);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

/// `Uuid::parse_str` also takes braces, URNs and undashed text; ids have one bare spelling.
fn hyphenated(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn base32(uuid: Uuid) -> String {
    let value = uuid.as_u128();
    (0..26_u32).map(|place| char::from(CROCKFORD[((value >> (125 - 5 * place)) & 31) as usize])).collect()
}

fn unbase32(text: &str) -> Option<Uuid> {
    // 26 characters hold 130 bits: the first may only carry three of them.
    if text.len() != 26 || !matches!(text.as_bytes()[0], b'0'..=b'7') {
        return None;
    }
    text.bytes()
        .try_fold(0_u128, |value, byte| {
            let digit = CROCKFORD.iter().position(|known| *known == byte)?;
            Some((value << 5) | digit as u128)
        })
        .map(Uuid::from_u128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_published_typeid_vector_holds() {
        // From the TypeID specification's valid.yml.
        let uuid = Uuid::try_parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        let id = UserAccountId::from_uuid(uuid);
        assert_eq!(id.prefixed(), "user_01h455vb4pex5vsknk084sn02q");
        assert_eq!(UserAccountId::parse_any("user_01h455vb4pex5vsknk084sn02q"), Ok(id));
    }

    #[test]
    fn ids_of_one_millisecond_are_in_the_order_of_their_making() {
        struct Ones;
        impl rand_core::TryRng for Ones {
            type Error = std::convert::Infallible;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                Ok(u32::MAX)
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                Ok(u64::MAX)
            }
            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
                bytes.fill(0xff);
                Ok(())
            }
        }
        let at = |micros: i64| Timestamp::from_timestamp_micros(1_769_428_800_123_000 + micros).unwrap();
        let ids: Vec<_> = (0..1000).map(|micros| CredentialId::generate(at(micros), &mut Ones)).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert_eq!(ids[999].uuid().get_version_num(), 7);
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "01890a5dac96774bbcceb302099a8057",
            "{01890a5d-ac96-774b-bcce-b302099a8057}",
            "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
            "org_01h455vb4pex5vsknk084sn02q",
            "user_81h455vb4pex5vsknk084sn02q",
            "user_01H455VB4PEX5VSKNK084SN02Q",
            "user_01h455vb4pex5vsknk084sn02",
            "user_",
            "user_01h455vb4pex5vsknk084sn0é",
        ] {
            assert_eq!(UserAccountId::parse_any(text), Err(InvalidId), "{text}");
        }
        for (text, is_named) in
            [("user_abc123", true), ("user_", false), ("user_é", false), ("role_admin", false)]
        {
            assert_eq!(UserAccountId::is_named_by(text), is_named, "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_spellings_read_back(value: u128) {
            let id = CredentialId::from_uuid(Uuid::from_u128(value));
            prop_assert_eq!(CredentialId::parse_any(&id.prefixed()), Ok(id));
            prop_assert_eq!(CredentialId::parse_any(&id.to_string()), Ok(id));
        }
    }
}
