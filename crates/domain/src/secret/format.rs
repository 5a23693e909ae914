//! The table of key forms, and the checksum they share.

use rand_core::Rng;

/// The kinds of key there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyFormat {
    /// `iiak_bootstrap_` + 40 hexadecimal characters: the root key of the installation.
    Bootstrap,
    /// `iiak_admin_` + 40 hexadecimal characters: a partner's admin key.
    Admin,
    /// `iiak_` + 48 of `[0-9a-z]`: a credential of a partner's customer.
    Partner,
    /// `ak_live_` + 40 of `[0-9A-Za-z]`: an organization's production key.
    Live,
    /// `ak_test_` + 40 of `[0-9A-Za-z]`: an organization's sandbox key.
    Test,
    /// `scim_` + 40 of `[0-9A-Za-z]`: an organization's provisioning key.
    Scim,
}

struct Shape {
    prefix: &'static str,
    alphabet: &'static [u8],
    /// Characters after the prefix, checksum included.
    body: usize,
    /// Characters of the checksum: enough digits of the alphabet for 32 bits.
    check: usize,
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl KeyFormat {
    /// Every format; a prefix that begins with another one stands before it.
    pub const ALL: [Self; 6] =
        [Self::Bootstrap, Self::Admin, Self::Partner, Self::Live, Self::Test, Self::Scim];

    const fn shape(self) -> Shape {
        match self {
            Self::Bootstrap => Shape { prefix: "iiak_bootstrap_", alphabet: HEX, body: 40, check: 8 },
            Self::Admin => Shape { prefix: "iiak_admin_", alphabet: HEX, body: 40, check: 8 },
            Self::Partner => Shape { prefix: "iiak_", alphabet: BASE36, body: 48, check: 7 },
            Self::Live => Shape { prefix: "ak_live_", alphabet: BASE62, body: 40, check: 6 },
            Self::Test => Shape { prefix: "ak_test_", alphabet: BASE62, body: 40, check: 6 },
            Self::Scim => Shape { prefix: "scim_", alphabet: BASE62, body: 40, check: 6 },
        }
    }

    /// The type prefix, its last underscore included.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        self.shape().prefix
    }

    /// The length of a whole key in characters; at most 55, so that it fits one BLAKE3 block.
    #[must_use]
    pub const fn length(self) -> usize {
        let shape = self.shape();
        shape.prefix.len() + shape.body
    }

    pub(super) fn generate(self, random: &mut dyn Rng) -> String {
        let Shape { prefix, alphabet, body, check } = self.shape();
        let mut text = String::with_capacity(prefix.len() + body);
        text.push_str(prefix);
        // Bytes at or above the last whole multiple would favour the first characters.
        let fair = 256 / alphabet.len() * alphabet.len();
        while text.len() < prefix.len() + body - check {
            let mut draw = [0_u8; 32];
            random.fill_bytes(&mut draw);
            for byte in draw {
                if usize::from(byte) < fair && text.len() < prefix.len() + body - check {
                    text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
                }
            }
        }
        let checksum = checksum(&text, alphabet, check);
        text.push_str(&checksum);
        text
    }

    pub(super) fn recognise(text: &str) -> Option<Self> {
        let format = Self::ALL.into_iter().find(|format| text.starts_with(format.prefix()))?;
        let Shape { prefix, alphabet, body, check } = format.shape();
        let rest = &text.as_bytes()[prefix.len()..];
        if rest.len() != body || !rest.iter().all(|byte| alphabet.contains(byte)) {
            return None;
        }
        let (signed, given) = text.split_at(text.len() - check);
        (checksum(signed, alphabet, check) == given).then_some(format)
    }
}

fn checksum(text: &str, alphabet: &[u8], length: usize) -> String {
    let mut value = crc32fast::hash(text.as_bytes()) as usize;
    let mut digits = vec![alphabet[0]; length];
    for digit in digits.iter_mut().rev() {
        *digit = alphabet[value % alphabet.len()];
        value /= alphabet.len();
    }
    digits.into_iter().map(char::from).collect()
}
