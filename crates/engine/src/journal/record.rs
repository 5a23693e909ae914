//! One decided call in forty bytes. All records are of one length, so that a damaged one never hides
//! where the next begins.

use claviger_domain::Timestamp;
use claviger_domain::ids::CredentialId;
use claviger_domain::verification::Code;
use uuid::Uuid;

/// One decided call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Whose key was presented.
    pub credential: CredentialId,
    /// When it was decided; microseconds are kept, what is below them is not.
    pub at: Timestamp,
    /// What was answered.
    pub code: Code,
    /// Units it was asked for.
    pub cost: u32,
    /// Which grant of credits was spent from.
    pub grant: u32,
}

/// Bytes of a record on disk.
pub(super) const LENGTH: u64 = 40;
pub(super) const BYTES: usize = LENGTH as usize;

/// The only kind there is so far. Another layout takes another number and the same length.
const KIND: u8 = 1;

/// What was found where a record should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Whole(Record),
    /// Zeros: a power cut can leave a file longer than what was brought to disk of it.
    Empty,
    Damaged,
    /// Undamaged, but not of this build.
    Unknown,
}

/// Layout, numbers with the lowest byte first: kind 1, code 1, zero 2, cost 4, microseconds 8,
/// credential 16, grant 4, checksum of all these 4.
pub(super) fn encode(record: &Record) -> [u8; BYTES] {
    let Record { credential, at, code, cost, grant } = record;
    let mut bytes = [0; BYTES];
    bytes[0] = KIND;
    bytes[1] = number(*code);
    bytes[4..8].copy_from_slice(&cost.to_le_bytes());
    bytes[8..16].copy_from_slice(&at.timestamp_micros().to_le_bytes());
    bytes[16..32].copy_from_slice(credential.uuid().as_bytes());
    bytes[32..36].copy_from_slice(&grant.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..36]);
    bytes[36..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

pub(super) fn decode(bytes: &[u8; BYTES]) -> Slot {
    if bytes.iter().all(|byte| *byte == 0) {
        return Slot::Empty;
    }
    if crc32fast::hash(&bytes[..36]).to_le_bytes() != part(bytes, 36) {
        return Slot::Damaged;
    }
    let code = Code::ALL.into_iter().find(|code| number(*code) == bytes[1]);
    let at = Timestamp::from_timestamp_micros(i64::from_le_bytes(part(bytes, 8)));
    match (bytes[0], part(bytes, 2), code, at) {
        (KIND, [0, 0], Some(code), Some(at)) => Slot::Whole(Record {
            credential: CredentialId::from_uuid(Uuid::from_bytes(part(bytes, 16))),
            at,
            code,
            cost: u32::from_le_bytes(part(bytes, 4)),
            grant: u32::from_le_bytes(part(bytes, 32)),
        }),
        _ => Slot::Unknown,
    }
}

fn part<const N: usize>(bytes: &[u8; BYTES], from: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[from + index])
}

/// Stands on disks: a number keeps its meaning, whatever becomes of the order of the checks.
const fn number(code: Code) -> u8 {
    match code {
        Code::Valid => 1,
        Code::Malformed => 2,
        Code::NotFound => 3,
        Code::Revoked => 4,
        Code::Expired => 5,
        Code::Disabled => 6,
        Code::UserSuspended => 7,
        Code::OrganizationSuspended => 8,
        Code::IpNotAllowed => 9,
        Code::WrongNetwork => 10,
        Code::WrongEnvironment => 11,
        Code::InsufficientScope => 12,
        Code::RateLimited => 13,
        Code::CreditsExhausted => 14,
    }
}
