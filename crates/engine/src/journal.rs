//! The usage journal: what was decided is in a file before it is answered, until the usage tables
//! have it.
//!
//! **What survives.** [`Journal::append`] answers when the operating system has the records: from then
//! on they survive the death of the process, by `kill -9` too. They do not survive the death of the
//! machine until the system has written them out, which Linux does within about half a minute
//! (`vm.dirty_expire_centisecs` and `vm.dirty_writeback_centisecs`). A power cut costs at most the calls
//! of that time that were not drained yet. It costs nothing where [`Journal::sync`] is called between
//! the append and the answer: the price is a write to disk, which all who wait at the same time share.
//!
//! **Exactly once.** [`Journal::read`] answers records and [`Positions`]. The caller adds the records to
//! its counts and stores the positions in one transaction, and only when that is committed to stay
//! calls [`Journal::drained`], which deletes files. After a start, [`Found::resume`] is given the stored
//! positions: what lies before them is never read again. Offsets are absolute and never used twice,
//! also where a power cut has taken from the files what the database has already.
//!
//! **Bounded.** When [`JournalSettings::max_bytes`] wait to be drained, appending is refused with
//! [`JournalError::Full`]: a call that cannot be counted is the caller's to refuse.
//!
//! Threads append to several lanes, each a row of segment files, so that they do not meet on one lock.
//!
//! ```
//! use claviger_domain::Timestamp;
//! use claviger_domain::ids::CredentialId;
//! use claviger_domain::verification::Code;
//! use claviger_engine::journal::{Journal, JournalSettings, Positions, Record};
//! use uuid::Uuid;
//!
//! # let directory = tempfile::tempdir()?;
//! let settings = JournalSettings {
//!     directory: directory.path().join("journal"),
//!     max_bytes: 256 << 20,
//!     segment_bytes: 8 << 20,
//!     lanes: 2,
//! };
//! let found = Journal::find(settings, Uuid::from_u128(7))?;
//! // The database knows nothing of the journal `found.id()` yet.
//! let journal = found.resume(&Positions::default())?;
//!
//! let credential = CredentialId::from_uuid(Uuid::nil());
//! let record = Record { credential, at: Timestamp::UNIX_EPOCH, code: Code::Valid, cost: 1, grant: 0 };
//! journal.append(&[record])?;
//!
//! let batch = journal.read(1000)?;
//! assert_eq!(batch.records, [record]);
//! // In one transaction: the counts, and `batch.upto`. Then:
//! journal.drained(&batch.upto)?;
//! assert_eq!(journal.state().bytes, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod directory;
mod error;
mod holding;
mod lane;
mod offsets;
mod position;
mod reading;
mod record;
mod syncing;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use claviger_domain::Timestamp;
use uuid::Uuid;

use self::lane::Lane;
use self::offsets::Room;
use self::record::LENGTH;

pub use self::error::JournalError;
pub use self::holding::{HeldSegments, is_file_name};
pub use self::position::{Place, Positions};
pub use self::record::Record;

/// Where the journal is and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// Made with mode 0700 when missing. Nothing else may be kept in it.
    pub directory: PathBuf,
    /// Bytes that may wait to be drained; a record has 40. On disk, each lane may hold one segment more.
    pub max_bytes: u64,
    /// Bytes after which a lane goes on in a new file.
    pub segment_bytes: u64,
    /// How many threads append without waiting for each other; at least one.
    pub lanes: usize,
}

/// A journal found on disk, or made. It is not written yet: first the caller must say how far it has
/// been drained.
#[derive(Debug)]
pub struct Found {
    settings: JournalSettings,
    directory: Arc<Path>,
    id: Uuid,
    lock: directory::Lock,
}

/// An open journal; the directory is its own until it is dropped.
#[derive(Debug)]
pub struct Journal {
    id: Uuid,
    /// By number, and the first `appended` of them are those that are appended to.
    lanes: Vec<Lane>,
    appended: usize,
    room: Room,
    refused: AtomicU64,
    lock: directory::Lock,
}

/// What is to be counted next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Oldest first within a lane.
    pub records: Vec<Record>,
    /// Up to where the lanes were read, of those that anything was read of. It may go on past what
    /// could not be read where there are no records: there is nothing more only when it is empty.
    pub upto: Positions,
    /// How many records on the way were damaged or lost, and are not among these.
    pub damaged: u64,
}

/// How the journal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalState {
    /// Bytes that are not drained.
    pub bytes: u64,
    /// Records that are not drained, the damaged ones among them included.
    pub records: u64,
    /// When the oldest call was decided that is not drained and can be read.
    pub oldest: Option<Timestamp>,
    /// Records found damaged or lost since the journal was opened, each once.
    pub damaged: u64,
    /// Appends refused since the journal was opened, because it was full or the file system failed.
    pub refused: u64,
}

impl Found {
    /// The journal's identity, under which the database keeps its positions.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Goes on from where the database is. Where it is further than the files, these have lost what it
    /// has, and the lane goes on behind it. Where the files begin further on, the database was restored,
    /// and they are drained from their beginning.
    ///
    /// # Errors
    /// [`JournalError::Misplaced`] when a position is none of this journal's, [`JournalError::Damaged`]
    /// or [`JournalError::Io`] when a file cannot be used.
    pub fn resume(self, drained: &Positions) -> Result<Journal, JournalError> {
        let Self { settings, directory, id, lock } = self;
        let appended = settings.lanes.max(1);
        let found = directory::segments(&directory)?;
        let wanted = 0..u32::try_from(appended).unwrap_or(u32::MAX);
        let numbers: BTreeSet<u32> = found.keys().copied().chain(wanted.clone()).collect();
        let lanes = numbers
            .into_iter()
            .map(|number| {
                let bases = found.get(&number).map_or(&[][..], Vec::as_slice);
                let segment_bytes = wanted.contains(&number).then_some(settings.segment_bytes);
                Lane::resume(&directory, number, bases, drained.get(number).unwrap_or(0), segment_bytes)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let room = Room::new(settings.max_bytes, lanes.iter().map(Lane::undrained).sum());
        let refused = AtomicU64::new(0);
        Ok(Journal { id, lanes, appended, room, refused, lock })
    }
}

impl Journal {
    /// Takes the directory and finds out whose it is. `new_id` becomes the journal's identity when it
    /// has none yet.
    ///
    /// # Errors
    /// [`JournalError::InUse`] when another process has it, [`JournalError::Damaged`] or
    /// [`JournalError::Io`] when it cannot be used.
    pub fn find(settings: JournalSettings, new_id: Uuid) -> Result<Found, JournalError> {
        let directory: Arc<Path> = settings.directory.as_path().into();
        directory::create(&directory)?;
        let lock = directory::lock(&directory)?;
        let id = directory::identity(&directory, new_id)?;
        Ok(Found { settings, directory, id, lock })
    }

    /// The journal's identity, under which the database keeps its positions.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Appends all `records` with one write, or none of them. On `Ok` they survive the process.
    ///
    /// # Errors
    /// [`JournalError::Full`] when more would wait than may, [`JournalError::Io`] when the file system
    /// refuses. Neither leaves anything behind.
    pub fn append(&self, records: &[Record]) -> Result<Place, JournalError> {
        let bytes = records.len() as u64 * LENGTH;
        let appended = self
            .reserve(bytes)
            .and_then(|()| self.append_to_a_lane(records).inspect_err(|_| self.room.free(bytes)));
        appended.inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Up to `most` records that are not drained, fairly from all lanes and oldest first within each.
    /// Reading again without [`Self::drained`] answers the same.
    ///
    /// # Errors
    /// [`JournalError::Newer`] when a newer build has written here, [`JournalError::Io`] when the file
    /// system refuses. What is merely damaged is passed by and counted.
    pub fn read(&self, most: usize) -> Result<Batch, JournalError> {
        let mut waiting: Vec<_> =
            self.lanes.iter().map(|lane| (lane.undrained(), lane)).filter(|(bytes, _)| *bytes > 0).collect();
        // What the short lanes leave of their shares is the long ones'.
        waiting.sort_by_key(|(bytes, _)| *bytes);
        let mut batch = Batch::default();
        let mut upto = Vec::new();
        for (index, (_, lane)) in waiting.iter().enumerate() {
            let share = (most - batch.records.len()) / (waiting.len() - index);
            let from = lane.drained();
            let reached = lane.read(share, &mut batch.records)?;
            batch.damaged += reached.damaged;
            if reached.upto > from {
                upto.push((lane.number, reached.upto));
            }
        }
        batch.upto = upto.into_iter().collect();
        Ok(batch)
    }

    /// What lies before these positions is in the database, to stay: a power cut does not undo it. Frees
    /// the bound and deletes what is no longer needed. Positions that were passed already change nothing.
    ///
    /// # Errors
    /// [`JournalError::Misplaced`] when a position was never written, and then nothing is changed.
    /// [`JournalError::Io`] when a file cannot be deleted, which the next call tries again.
    pub fn drained(&self, upto: &Positions) -> Result<(), JournalError> {
        for (lane, offset) in upto.iter() {
            if !self.lane(lane).is_some_and(|known| known.offsets.has(offset)) {
                return Err(JournalError::Misplaced { lane, offset });
            }
        }
        for (lane, offset) in upto.iter() {
            if let Some(lane) = self.lane(lane) {
                self.room.free(lane.offsets.advance(offset));
            }
        }
        self.lanes.iter().try_for_each(Lane::discard)
    }

    /// Brings to disk what was appended to a lane before the call, or is in the database already;
    /// answers the offset up to which that is so.
    ///
    /// # Errors
    /// [`JournalError::Misplaced`] when there is no such lane, [`JournalError::Io`] when the disk
    /// refuses, and from then on [`JournalError::Unsynced`] until what the lane held is drained.
    pub fn sync(&self, lane: u32) -> Result<u64, JournalError> {
        self.lane(lane).ok_or(JournalError::Misplaced { lane, offset: 0 })?.sync()
    }

    /// The numbers of all lanes, those included that are only drained any more.
    pub fn lanes(&self) -> impl Iterator<Item = u32> {
        self.lanes.iter().map(|lane| lane.number)
    }

    /// How the journal stands. Looks into the files for the oldest record.
    #[must_use]
    pub fn state(&self) -> JournalState {
        let bytes = self.lanes.iter().map(Lane::undrained).sum();
        let mut first = Vec::new();
        for lane in &self.lanes {
            // Whoever drains is told of what cannot be read; here it only has no age.
            let _ = lane.read(1, &mut first);
        }
        JournalState {
            bytes,
            records: bytes / LENGTH,
            oldest: first.iter().map(|record| record.at).min(),
            damaged: self.lanes.iter().map(|lane| lane.damaged.load(Ordering::Relaxed)).sum(),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Checks that a call can be appended now, and that the last append and sync did not fail. Writes a byte and
    /// removes it again.
    ///
    /// # Errors
    /// [`JournalError::Full`], [`JournalError::Unsynced`], [`JournalError::Damaged`] when a file in use was deleted or
    /// the directory replaced, [`JournalError::Io`] when the file system refuses.
    pub fn check(&self) -> Result<(), JournalError> {
        if !self.room.fits(LENGTH) {
            return Err(JournalError::Full { bound: self.room.bound });
        }
        self.lock.check()?;
        self.lanes.iter().try_for_each(Lane::check)
    }

    /// Whether every call that was decided is in the database. Looks into no file.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.lanes.iter().all(|lane| lane.undrained() == 0)
    }

    fn lane(&self, number: u32) -> Option<&Lane> {
        let index = self.lanes.binary_search_by_key(&number, |lane| lane.number).ok()?;
        self.lanes.get(index)
    }

    fn reserve(&self, bytes: u64) -> Result<(), JournalError> {
        if self.room.take(bytes) { Ok(()) } else { Err(JournalError::Full { bound: self.room.bound }) }
    }

    /// To the thread's own lane, or to the next that nobody is writing to.
    fn append_to_a_lane(&self, records: &[Record]) -> Result<Place, JournalError> {
        let (before, from) = self.lanes[..self.appended].split_at(own() % self.appended);
        let in_turn = || from.iter().chain(before);
        let free = in_turn().find_map(|lane| lane.turn_now().map(|turn| (lane, turn)));
        let (lane, mut turn) = match free {
            Some(free) => free,
            None => (&from[0], from[0].turn()),
        };
        let appended = lane.append(&mut turn, records);
        turn.has_failed = appended.is_err();
        Ok(Place { lane: lane.number, offset: appended? })
    }
}

/// Threads are numbered as they first append.
fn own() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    OWN.with(|own| *own)
}
