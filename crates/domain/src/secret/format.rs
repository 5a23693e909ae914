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

    /// Whether `text` contains the prefix of a key, in any case, followed by at least `more` letters or digits.
    fn occurs_in(self, text: &[u8], more: usize) -> bool {
        let prefix = self.prefix().as_bytes();
        text.windows(prefix.len() + more).any(|window| {
            let (start, rest) = window.split_at(prefix.len());
            start.eq_ignore_ascii_case(prefix) && rest.iter().all(u8::is_ascii_alphanumeric)
        })
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
        let checksum = checksum(&text, alphabet);
        text.extend(checksum[MOST_CHECK - check..].iter().copied().map(char::from));
        text
    }

    pub(super) fn recognise(text: &str) -> Option<Self> {
        let format = Self::ALL.into_iter().find(|format| text.starts_with(format.prefix()))?;
        let Shape { prefix, alphabet, body, check } = format.shape();
        let rest = &text.as_bytes()[prefix.len()..];
        if rest.len() != body || !rest.iter().all(|byte| is_of(alphabet, *byte)) {
            return None;
        }
        let (signed, given) = text.split_at(text.len() - check);
        (&checksum(signed, alphabet)[MOST_CHECK - check..] == given.as_bytes()).then_some(format)
    }
}

/// Whether a key, or the beginning of one, stands anywhere in `text`. Case does not matter: letters that were
/// changed in case are easily changed back.
///
/// For short identifiers that clients choose and that reach logs, such as request ids: no honest one needs these
/// prefixes.
#[must_use]
pub fn contains_key_prefix(text: &str) -> bool {
    KeyFormat::ALL.into_iter().any(|format| format.occurs_in(text.as_bytes(), 0))
}

/// Whether so much of a key stands anywhere in `text`, in any case, that it must not be written to a log: the prefix
/// and more than what [`Plaintext::prefix`](super::Plaintext::prefix) shows.
#[must_use]
pub fn contains_key(text: &str) -> bool {
    const SECRET: usize = 16;
    KeyFormat::ALL.into_iter().any(|format| format.occurs_in(text.as_bytes(), SECRET))
}

/// Whether a byte is in the alphabet: all are in the order digits, lower case, or digits, capitals, lower case.
fn is_of(alphabet: &[u8], byte: u8) -> bool {
    match alphabet.len() {
        16 => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        36 => matches!(byte, b'0'..=b'9' | b'a'..=b'z'),
        _ => byte.is_ascii_alphanumeric(),
    }
}

/// The longest checksum: 32 bits in hexadecimal.
const MOST_CHECK: usize = 8;

/// The checksum, padded on the left to its longest form: a format takes the last of it.
fn checksum(text: &str, alphabet: &[u8]) -> [u8; MOST_CHECK] {
    let mut value = crc32fast::hash(text.as_bytes()) as usize;
    let mut digits = [alphabet[0]; MOST_CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = alphabet[value % alphabet.len()];
        value /= alphabet.len();
    }
    digits
}
