//! An entry as one line of JSON. There is this one rendering: what an export hands out are the bytes that the
//! hash of the entry covers, so that whoever has the keys verifies a file without asking the database. It is
//! written here by hand, for the domain serializes nothing by derive, and no library may decide one day to put
//! members in another order.
//!
//! The hash covers a line up to the comma before its last member, the hash itself. The members between are
//! free to grow at a next version; the first three and the last three have their places, for they are what is
//! read back.

use std::fmt::Write;

use chrono::SecondsFormat;
use uuid::Uuid;

use super::chain::{AuditKeys, ChainId, Link, Mac};
use super::{Author, AuthorUser, Detail, Entry, Target};
use crate::ids::{AuditEntryId, OrganizationId};
use crate::secret::PepperVersion;

/// Writes what the hash covers of an entry's line: all but the hash and the closing brace.
pub fn write_covered(line: &mut String, entry: &Entry, sequence: u64, pepper: PepperVersion, previous: &Mac) {
    let Entry { id, at, action, author, organization, target, address, request_id, details } = entry;
    let Author { kind, id: author_id, name, organization: author_organization, user } = author;
    put(line, format_args!("{{\"id\":\"{id}\",\"organization_id\":"));
    id_or_null(line, organization.map(OrganizationId::uuid));
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    put(line, format_args!(",\"sequence\":{sequence},\"at\":\"{at}\",\"action\":\"{action}\""));
    put(line, format_args!(",\"actor\":{{\"type\":\"{}\",\"id\":", kind.word()));
    id_or_null(line, *author_id);
    line.push_str(",\"name\":");
    match name {
        Some(name) => text(line, name),
        None => line.push_str("null"),
    }
    line.push_str(",\"organization_id\":");
    id_or_null(line, author_organization.map(OrganizationId::uuid));
    line.push_str(",\"user\":");
    match user {
        Some(AuthorUser { id, name }) => {
            put(line, format_args!("{{\"id\":\"{id}\",\"name\":"));
            text(line, name);
            line.push('}');
        }
        None => line.push_str("null"),
    }
    line.push_str("},\"target\":");
    match target {
        Some(Target { resource, id }) => {
            put(line, format_args!("{{\"type\":\"{}\",\"id\":\"{}\"}}", resource.word(), id.hyphenated()));
        }
        None => line.push_str("null"),
    }
    line.push_str(",\"ip_address\":");
    match address {
        Some(address) => put(line, format_args!("\"{address}\"")),
        None => line.push_str("null"),
    }
    line.push_str(",\"request_id\":");
    text(line, request_id);
    line.push_str(",\"details\":");
    members(line, details);
    put(line, format_args!(",\"pepper\":{pepper},\"previous\":\""));
    hex(line, previous);
    line.push('"');
}

/// Writes the rest of a line, without a line break.
pub fn write_mac(line: &mut String, mac: &Mac) {
    line.push_str(MAC);
    hex(line, mac);
    line.push_str("\"}");
}

/// The details alone, as one JSON object.
pub fn write_details(line: &mut String, details: &[(String, Detail)]) {
    members(line, details);
}

/// The hash of an entry at this place; `line` is room to work in. `None` when the pepper is not here.
pub fn mac_of(
    keys: &AuditKeys,
    line: &mut String,
    entry: &Entry,
    sequence: u64,
    pepper: PepperVersion,
    previous: &Mac,
) -> Option<Mac> {
    line.clear();
    write_covered(line, entry, sequence, pepper, previous);
    keys.mac(pepper, line.as_bytes())
}

const PREVIOUS: &str = ",\"previous\":\"";
const MAC: &str = ",\"mac\":\"";

/// What is read back of a line; the rest of it is covered by the hash, and of no concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The entry's id.
    pub id: AuditEntryId,
    /// Where the line says that it stands.
    pub link: Link,
    /// The hash of the entry before it, as the line has it.
    pub previous: Mac,
    /// The bytes that the hash covers.
    pub covered: &'a [u8],
}

impl<'a> Line<'a> {
    /// Takes a line apart, without its line break; `None` of anything else than an entry's line.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (covered, mac) = cut_hash(line.strip_suffix(b"\"}")?, MAC)?;
        let (rest, previous) = cut_hash(covered.strip_suffix(b"\"")?, PREVIOUS)?;
        let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (rest, pepper) = rest.split_at_checked(rest.len() - digits)?;
        rest.strip_suffix(b",\"pepper\":")?;
        let (id, rest) = cut_id(rest.strip_prefix(b"{\"id\":\"")?)?;
        let rest = rest.strip_prefix(b",\"organization_id\":")?;
        let (chain, rest) = match rest.strip_prefix(b"null") {
            Some(rest) => (ChainId::INSTALLATION, rest),
            None => {
                let (id, rest) = cut_id(rest.strip_prefix(b"\"")?)?;
                (ChainId::from_uuid(id), rest)
            }
        };
        let rest = rest.strip_prefix(b",\"sequence\":")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let link = Link { chain, sequence: number(&rest[..digits])?, pepper: number(pepper)?, mac };
        Some(Self { id: AuditEntryId::from_uuid(id), link, previous, covered })
    }
}

/// Cuts off a hash at the end, and the name before it.
pub(super) fn cut_hash<'a>(text: &'a [u8], name: &str) -> Option<(&'a [u8], Mac)> {
    let (text, hash) = text.split_at_checked(text.len().checked_sub(64)?)?;
    Some((text.strip_suffix(name.as_bytes())?, Mac::of_hex(hash)?))
}

/// Cuts off a UUID and the quotation mark that ends it.
fn cut_id(text: &[u8]) -> Option<(Uuid, &[u8])> {
    let (id, rest) = text.split_at_checked(36)?;
    Some((Uuid::try_parse_ascii(id).ok()?, rest.strip_prefix(b"\"")?))
}

pub(super) fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Writing to a string cannot fail.
fn put(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = line.write_fmt(arguments);
}

fn id_or_null(line: &mut String, id: Option<Uuid>) {
    match id {
        Some(id) => put(line, format_args!("\"{}\"", id.hyphenated())),
        None => line.push_str("null"),
    }
}

fn hex(line: &mut String, mac: &Mac) {
    line.extend(mac.hex().map(char::from));
}

fn detail(line: &mut String, detail: &Detail) {
    match detail {
        Detail::Null => line.push_str("null"),
        Detail::Flag(flag) => put(line, format_args!("{flag}")),
        Detail::Number(number) => put(line, format_args!("{number}")),
        Detail::Text(words) => text(line, words),
        Detail::List(items) => {
            line.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    line.push(',');
                }
                self::detail(line, item);
            }
            line.push(']');
        }
        Detail::Map(named) => members(line, named),
    }
}

fn members(line: &mut String, members: &[(String, Detail)]) {
    line.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        text(line, name);
        line.push(':');
        detail(line, value);
    }
    line.push('}');
}

/// A JSON string (RFC 8259): quotation marks, backslashes and control characters are escaped, the rest is
/// UTF-8 as it is.
fn text(line: &mut String, text: &str) {
    line.push('"');
    let mut plain_from = 0;
    for (place, byte) in text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\\' | 0..=0x1f))
    {
        line.push_str(&text[plain_from..place]);
        plain_from = place + 1;
        match byte {
            b'"' => line.push_str("\\\""),
            b'\\' => line.push_str("\\\\"),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            _ => put(line, format_args!("\\u{byte:04x}")),
        }
    }
    line.push_str(&text[plain_from..]);
    line.push('"');
}
