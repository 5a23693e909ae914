//! What keys look like, and that a key which is not ours is known as such from its text.

use serde_json::json;

use super::{code_of, text};
use crate::support::World;

/// CRC-32 (IEEE 802.3), bit by bit: written anew here, so that the two must agree.
fn crc_32(text: &str) -> u32 {
    !text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

/// The number in so many digits of this alphabet.
fn digits(mut number: u32, alphabet: &[u8], count: usize) -> String {
    let base = u32::try_from(alphabet.len()).unwrap();
    let mut digits = Vec::new();
    for _ in 0..count {
        digits.push(char::from(alphabet[(number % base) as usize]));
        number /= base;
    }
    digits.iter().rev().collect()
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE_36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE_62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key of this kind that nobody made: its form and its checksum are right.
pub(super) fn invented(prefix: &str) -> String {
    let (alphabet, random, check) = match prefix {
        "iiak_bootstrap_" | "iiak_admin_" => (HEX, 32, 8),
        "iiak_" => (BASE_36, 41, 7),
        _ => (BASE_62, 34, 6),
    };
    let signed = format!("{prefix}{}", "0".repeat(random));
    let checksum = digits(crc_32(&signed), alphabet, check);
    signed + &checksum
}

#[test]
fn the_checksum_is_the_published_one() {
    assert_eq!(crc_32("123456789"), 0xcbf4_3926);
    assert_eq!(digits(u32::MAX, BASE_36, 7), "1z141z3");
}

#[tokio::test]
async fn keys_have_their_published_form_and_end_in_their_checksum() {
    let world = World::new().await;
    let partner = world.partner().await;
    let bootstrap = world.bootstrap().key.unwrap();
    let admin = partner.key.clone().unwrap();
    let credential = text(&partner.credential("A").await["api_key"]).to_owned();
    for (key, prefix, length, alphabet, check) in [
        (&bootstrap, "iiak_bootstrap_", 55, HEX, 8),
        (&admin, "iiak_admin_", 51, HEX, 8),
        (&credential, "iiak_", 53, BASE_36, 7),
    ] {
        let body = key.strip_prefix(prefix).unwrap();
        assert_eq!(key.len(), length, "{prefix}");
        assert!(body.bytes().all(|byte| alphabet.contains(&byte)), "{prefix}");
        let (signed, checksum) = key.split_at(length - check);
        assert_eq!(checksum, digits(crc_32(signed), alphabet, check), "{prefix}");
    }
}

#[tokio::test]
async fn prefixes_show_the_kind_and_eight_characters_more() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("A").await;
    assert_eq!(issued["credential"]["api_key_prefix"], text(&issued["api_key"])[..13]);
    let me = partner.get("/v1/admin/me").await.data();
    assert_eq!(me["api_key_prefix"], partner.key.as_ref().unwrap()[..19]);
    let root = world.bootstrap().get("/v1/admin/me").await.data();
    assert_eq!(root["api_key_prefix"], world.bootstrap().key.unwrap()[..23]);
}

#[tokio::test]
async fn no_two_keys_are_alike() {
    let world = World::new().await;
    let partner = world.partner().await;
    let mut keys = std::collections::HashSet::new();
    for _ in 0..50 {
        assert!(keys.insert(text(&partner.credential("A").await["api_key"])[5..].to_owned()));
    }
}

#[tokio::test]
async fn a_mistyped_key_is_told_from_an_unknown_one() {
    let world = World::new().await;
    let key = world.partner().await.credential("A").await["api_key"].clone();
    let key = text(&key);
    assert_eq!(code_of(&world, &json!(key)).await, "VALID");
    for place in 0..key.len() {
        let other = if key.as_bytes()[place] == b'0' { '1' } else { '0' };
        let mistyped = format!("{}{other}{}", &key[..place], &key[place + 1..]);
        assert_eq!(code_of(&world, &json!(mistyped)).await, "MALFORMED", "{place}");
    }
    for place in 0..key.len() - 1 {
        let (here, there) = (&key[place..=place], &key[place + 1..place + 2]);
        if here != there {
            let swapped = format!("{}{there}{here}{}", &key[..place], &key[place + 2..]);
            assert_eq!(code_of(&world, &json!(swapped)).await, "MALFORMED", "{place}");
        }
    }
    assert_eq!(code_of(&world, &json!(invented("iiak_"))).await, "NOT_FOUND");
}

#[tokio::test]
async fn a_mistyped_admin_key_opens_nothing() {
    let world = World::new().await;
    let key = world.partner().await.key.clone().unwrap();
    for place in 11..key.len() {
        let other = if key.as_bytes()[place] == b'0' { '1' } else { '0' };
        let mistyped = format!("{}{other}{}", &key[..place], &key[place + 1..]);
        world.bearer(&mistyped).get("/v1/admin/me").await.refused(403, "Invalid admin API key");
    }
    let shouted = key.to_uppercase();
    world.bearer(&shouted).get("/v1/admin/me").await.refused(403, "Invalid admin API key");
}
