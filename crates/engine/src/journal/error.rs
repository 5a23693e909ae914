//! What can go wrong between a decided call and the file that remembers it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the journal refused.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process, or another part of this one, has the directory.
    #[error("the usage journal {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Nothing was written: the usage tables have to take what is there first.
    #[error("the usage journal holds as much as it may: {bound} bytes that are not in the database yet")]
    Full {
        /// How many bytes may wait ([`JournalSettings::max_bytes`](super::JournalSettings)).
        bound: u64,
    },
    /// A file was changed by other means; going on could count calls twice.
    #[error("{} is not what the usage journal wrote there: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A whole record of a kind that this build does not know; skipping it would lose a call.
    #[error("{} has a record at byte {at} that a newer build wrote", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Where in the file the record begins.
        at: u64,
    },
    /// The offset was not answered by this journal.
    #[error("lane {lane} of the usage journal has no offset {offset}")]
    Misplaced {
        /// The lane's number.
        lane: u32,
        /// The offset in it.
        offset: u64,
    },
    /// The disk refused earlier, and the system does not say again which bytes it has dropped since.
    #[error("lane {lane} of the usage journal could not be brought to disk, and has not been drained since")]
    Unsynced {
        /// The lane's number.
        lane: u32,
    },
    /// The file system refused.
    #[error("the usage journal cannot use {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// For `map_err`: says which path the file system refused.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    move |error| JournalError::Io(path.to_owned(), error)
}
