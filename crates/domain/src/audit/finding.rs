//! What is found when a chain is walked along.

use super::chain::{ChainId, Mac};
use crate::ids::AuditEntryId;
use crate::secret::PepperVersion;

/// How a chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The entry is not as it was written.
    Changed,
    /// Entries are missing, the last of them with this number.
    Removed {
        /// The last one's number.
        through: u64,
    },
    /// The entry was not written here.
    Inserted,
    /// Entries have changed places.
    Reordered,
    /// The entry, or the head, says it was made under a pepper that is not given.
    UnknownPepper(PepperVersion),
    /// There are entries, but no head that says how many there should be.
    HeadMissing,
    /// The head is not as it was sealed.
    HeadForged,
    /// The head is an earlier one, put back: entries go on behind it.
    HeadSetBack,
    /// The mark of what was removed for its age is not as it was sealed.
    AnchorForged,
    /// The head or the mark of what was removed for its age is not as it was sealed.
    SealBroken,
    /// The chain does not contain the head that was kept elsewhere, which has this number.
    NotAsKept(u64),
}

/// The first place where a chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// The number that the entry has, or should have.
    pub sequence: u64,
    /// The entry that stands there, if one does.
    pub id: Option<AuditEntryId>,
    /// What is wrong.
    pub flaw: Flaw,
}

/// A head that was printed once and kept where nobody with the database could change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Whose it is.
    pub chain: ChainId,
    /// The last entry's number then.
    pub sequence: u64,
    /// The last entry's hash then.
    pub mac: Mac,
}

/// What a walk along a chain has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// Whose chain it is.
    pub chain: ChainId,
    /// The first entry's number; `None` where there was none.
    pub first: Option<u64>,
    /// The last number up to which everything holds.
    pub last: u64,
    /// The hash there.
    pub mac: Mac,
    /// Entries that were seen.
    pub entries: u64,
    /// Entries that hold.
    pub held: u64,
    /// The first break; `None` when the chain is whole.
    pub broken: Option<Break>,
    /// Kept heads of which nothing can be said: what they name is older than what remains.
    pub kept_unseen: usize,
    /// How old the youngest entry was that was ever removed for its age, in seconds, as the seal says that holds.
    pub pruned_from_age: Option<u64>,
}
