use proptest::prelude::*;
use rand_core::{Rng, TryRng};

use super::*;

/// SplitMix64: any well-mixed sequence will do, as long as a seed repeats it.
struct Seeded(u64);

impl TryRng for Seeded {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok((self.next_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

fn formats() -> impl Strategy<Value = KeyFormat> {
    prop::sample::select(KeyFormat::ALL.to_vec())
}

#[test]
fn the_forms_are_those_of_the_contract() {
    let cases = [
        (KeyFormat::Bootstrap, "iiak_bootstrap_", 55, "0123456789abcdef", 23),
        (KeyFormat::Admin, "iiak_admin_", 51, "0123456789abcdef", 19),
        (KeyFormat::Partner, "iiak_", 53, "0123456789abcdefghijklmnopqrstuvwxyz", 13),
        (
            KeyFormat::Live,
            "ak_live_",
            48,
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            16,
        ),
        (
            KeyFormat::Test,
            "ak_test_",
            48,
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            16,
        ),
        (KeyFormat::Scim, "scim_", 45, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 13),
    ];
    for (format, prefix, length, alphabet, shown) in cases {
        let key = Plaintext::generate(format, &mut Seeded(7));
        let rest = key.expose().strip_prefix(prefix).unwrap();
        assert_eq!(key.expose().len(), length);
        assert_eq!(format.length(), length);
        assert!(rest.chars().all(|character| alphabet.contains(character)));
        assert_eq!(key.prefix().as_str(), &key.expose()[..shown]);
    }
}

#[test]
fn a_checksum_made_elsewhere_is_accepted() {
    // The checksum is python's zlib.crc32 of the first 43 characters, as eight hexadecimal digits.
    let signed = "iiak_admin_00112233445566778899aabbccddeeff";
    let key = format!("{signed}{:08x}", 0x3cea_5fc4_u32);
    assert_eq!(key.parse::<Plaintext>().map(|key| key.format()), Ok(KeyFormat::Admin));
}

#[test]
fn what_is_printed_of_a_key_tells_nothing() {
    let key = Plaintext::generate(KeyFormat::Partner, &mut Seeded(1));
    let peppers = Peppers::new(vec![(1, [7; 32])]).unwrap();
    let sealed = peppers.seal(&key);
    assert_eq!(format!("{key:?}"), "Plaintext { format: Partner, .. }");
    assert_eq!(format!("{sealed:?}"), "SealedSecret { digest: Digest(..), pepper: 1 }");
    assert_eq!(format!("{peppers:?}"), "[1]");
}

#[test]
fn the_newest_pepper_signs_and_the_old_ones_still_verify() {
    let key = Plaintext::generate(KeyFormat::Live, &mut Seeded(2));
    let before = Peppers::new(vec![(1, [1; 32])]).unwrap();
    let after = Peppers::new(vec![(1, [1; 32]), (2, [2; 32])]).unwrap();
    assert_eq!(after.seal(&key).pepper, 2);
    assert_ne!(after.seal(&key).digest, before.seal(&key).digest);
    assert!(after.candidates(&key).contains(&before.seal(&key).digest));
    assert_eq!(Peppers::new(vec![]).err(), Some(InvalidPeppers::None));
    assert_eq!(Peppers::new(vec![(3, [1; 32]), (3, [2; 32])]).err(), Some(InvalidPeppers::Twice(3)));
}

#[test]
fn a_check_tells_peppers_apart_and_is_no_keys_digest() {
    let peppers = Peppers::new(vec![(1, [1; 32]), (2, [2; 32])]).unwrap();
    let checks = peppers.checks();
    assert_eq!(checks.iter().map(|check| check.pepper).collect::<Vec<_>>(), [2, 1]);
    assert_ne!(checks[0].digest, checks[1].digest);
    // It depends on the pepper alone, whatever its version and its neighbours.
    let alone = Peppers::new(vec![(7, [1; 32])]).unwrap();
    assert_eq!(alone.checks()[0].digest, checks[1].digest);
    assert!(pepper::CHECKED.parse::<Plaintext>().is_err());
}

proptest! {
    #[test]
    fn what_is_generated_is_recognised(format in formats(), seed: u64) {
        let key = Plaintext::generate(format, &mut Seeded(seed));
        let read: Plaintext = key.expose().parse().unwrap();
        prop_assert_eq!(read.format(), format);
        prop_assert_eq!(read.expose(), key.expose());
    }

    #[test]
    fn every_changed_character_is_noticed(format in formats(), seed: u64) {
        let key = Plaintext::generate(format, &mut Seeded(seed));
        let text = key.expose().as_bytes();
        for place in 0..text.len() {
            for byte in 0x21..0x7f_u8 {
                if byte == text[place] {
                    continue;
                }
                let mut changed = text.to_vec();
                changed[place] = byte;
                let changed = String::from_utf8(changed).unwrap();
                prop_assert!(changed.parse::<Plaintext>().is_err(), "{} -> {}", key.expose(), changed);
            }
        }
    }

    #[test]
    fn every_swap_of_neighbours_is_noticed(format in formats(), seed: u64) {
        let key = Plaintext::generate(format, &mut Seeded(seed));
        let text = key.expose().as_bytes();
        for place in 1..text.len() {
            let mut swapped = text.to_vec();
            swapped.swap(place - 1, place);
            if swapped != text {
                let swapped = String::from_utf8(swapped).unwrap();
                prop_assert!(swapped.parse::<Plaintext>().is_err(), "{} -> {}", key.expose(), swapped);
            }
        }
    }

    #[test]
    fn a_lost_or_added_character_is_noticed(format in formats(), seed: u64, place in 0_usize..60) {
        let key = Plaintext::generate(format, &mut Seeded(seed));
        let place = place % key.expose().len();
        let mut shorter = key.expose().to_owned();
        shorter.remove(place);
        let mut longer = key.expose().to_owned();
        longer.insert(place, '0');
        prop_assert!(shorter.parse::<Plaintext>().is_err());
        prop_assert!(longer.parse::<Plaintext>().is_err());
    }

    #[test]
    fn no_text_makes_the_parser_fail_otherwise(text in "\\PC{0,80}") {
        let _ = text.parse::<Plaintext>();
        let _ = format!("iiak_{text}").parse::<Plaintext>();
    }
}
