//! One lane: a row of segment files that one thread at a time appends to, while others read what
//! is written, drop what is drained and bring the rest to disk.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, TryLockError};

use super::directory;
use super::error::{JournalError, at};
use super::offsets::Offsets;
use super::reading::Reader;
use super::record::{self, LENGTH, Record};
use super::syncing::Syncer;
use crate::sync::{Mutex, MutexGuard};

/// What a check writes and cuts off again. Should it be left by a crash, half a record is as if it were not there.
const MOST_OF_A_RECORD: usize = LENGTH as usize - 1;
/// Capacity that the buffer of a lane keeps between appends, in bytes.
const KEPT_BUFFER: usize = 64 * 1024;

/// Locks are taken in the order of the fields, and `segments` only for as long as the list is looked at.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) number: u32,
    pub(super) directory: Arc<Path>,
    segment_bytes: u64,
    /// Only the holder of `writer` publishes.
    pub(super) offsets: Offsets,
    /// Records that were found damaged or lost.
    pub(super) damaged: AtomicU64,
    pub(super) writer: Mutex<Writer>,
    pub(super) reader: Mutex<Reader>,
    pub(super) syncer: Mutex<Syncer>,
    segments: Mutex<Vec<Segment>>,
}

/// Where a file begins in the lane, and where it ends: while it is written to, where the lane ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) base: u64,
    end: Option<u64>,
}

impl Segment {
    pub(super) fn end(&self, written: u64) -> u64 {
        self.end.map_or(written, |end| end.min(written))
    }
}

/// What appending needs.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) open: Option<Open>,
    /// The last append failed.
    pub(super) has_failed: bool,
    buffer: Vec<u8>,
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) file: File,
    base: u64,
    /// A failed write has left something behind the lane's end that could not be cut off yet.
    ragged: bool,
}

impl Lane {
    /// Goes on with a lane whose segments begin at `bases` and which was drained up to `drained`.
    /// Only an `appended` lane keeps its last segment for more.
    pub(super) fn resume(
        directory: &Arc<Path>,
        number: u32,
        bases: &[u64],
        drained: u64,
        appended: Option<u64>,
    ) -> Result<Self, JournalError> {
        if !drained.is_multiple_of(LENGTH) {
            return Err(JournalError::Misplaced { lane: number, offset: drained });
        }
        let mut segments = bases
            .iter()
            .enumerate()
            .map(|(index, base)| found(directory, number, *base, bases.get(index + 1).copied()))
            .collect::<Result<Vec<_>, _>>()?;
        let first = segments.first().map_or(drained, |segment| segment.base);
        let end = segments.last().and_then(|segment| segment.end).unwrap_or(drained);
        let mut writer = Writer::default();
        if let Some(last) = segments.last_mut().filter(|_| appended.is_some() && drained <= end) {
            let path = directory::segment(directory, number, last.base);
            let file = directory::private().open(&path).map_err(at(&path))?;
            file.set_len(end - last.base).map_err(at(&path))?;
            last.end = None;
            writer.open = Some(Open { file, base: last.base, ragged: false });
        }
        let lane = Self {
            number,
            directory: Arc::clone(directory),
            segment_bytes: appended.unwrap_or_default(),
            offsets: Offsets::new(drained.max(end), drained.max(first)),
            damaged: AtomicU64::new(0),
            writer: Mutex::new(writer),
            reader: Mutex::default(),
            syncer: Mutex::default(),
            segments: Mutex::new(segments),
        };
        lane.discard()?;
        Ok(lane)
    }

    /// Where the lane ends.
    pub(super) fn written(&self) -> u64 {
        self.offsets.written()
    }

    /// Up to where the database has it.
    pub(super) fn drained(&self) -> u64 {
        self.offsets.drained()
    }

    /// Bytes between the two.
    pub(super) fn undrained(&self) -> u64 {
        self.offsets.undrained()
    }

    pub(super) fn path(&self, segment: Segment) -> PathBuf {
        directory::segment(&self.directory, self.number, segment.base)
    }

    /// Where the lane ends, and its segments up to there. In this order: a list that was taken first
    /// could lack the file that the last records are in.
    pub(super) fn snapshot(&self) -> (u64, Vec<Segment>) {
        let written = self.written();
        (written, held(&self.segments).clone())
    }

    /// The right to append, if nobody has it.
    pub(super) fn turn_now(&self) -> Option<MutexGuard<'_, Writer>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The right to append, once nobody has it.
    pub(super) fn turn(&self) -> MutexGuard<'_, Writer> {
        held(&self.writer)
    }

    /// Appends all records in one write, or none; answers where the lane ends then.
    pub(super) fn append(&self, writer: &mut Writer, records: &[Record]) -> Result<u64, JournalError> {
        let start = self.written();
        if records.is_empty() {
            return Ok(start);
        }
        let Writer { open, has_failed: _, buffer } = writer;
        buffer.clear();
        buffer.shrink_to(KEPT_BUFFER);
        records.iter().for_each(|record| buffer.extend_from_slice(&record::encode(record)));
        let open = self.segment_for(open, start)?;
        let within = start - open.base;
        if let Err(error) = open.file.write_all_at(buffer, within) {
            // Records of a call that is refused must not be found after a crash. What cannot be cut
            // off now is cut off before anything else is written.
            open.ragged = open.file.set_len(within).is_err();
            return Err(at(&directory::segment(&self.directory, self.number, open.base))(error));
        }
        let end = start + buffer.len() as u64;
        self.offsets.publish(end);
        Ok(end)
    }

    /// Checks that appending to the lane and bringing it to disk work. Writes only when the last append failed:
    /// behind the lane's end, and what was written is cut off again.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        if self.is_unsynced() == Some(true) {
            return Err(JournalError::Unsynced { lane: self.number });
        }
        let mut turn = self.turn();
        let Writer { open, has_failed, buffer: _ } = &mut *turn;
        if let Some(Open { file, base, ragged: _ }) = open {
            let path = || directory::segment(&self.directory, self.number, *base);
            if file.metadata().map_err(|error| at(&path())(error))?.nlink() == 0 {
                return Err(JournalError::Damaged { path: path(), reason: "it was deleted" });
            }
        }
        if *has_failed {
            let start = self.written();
            let open = self.segment_for(open, start)?;
            let within = start - open.base;
            let written = open.file.write_all_at(&[0; MOST_OF_A_RECORD], within);
            open.ragged = open.file.set_len(within).is_err();
            written.map_err(at(&directory::segment(&self.directory, self.number, open.base)))?;
            *has_failed = false;
        }
        Ok(())
    }

    /// The file that the byte `start` of the lane belongs into, ending there.
    fn segment_for<'w>(&self, open: &'w mut Option<Open>, start: u64) -> Result<&'w mut Open, JournalError> {
        if let Some(Open { file, base, ragged }) = open
            && *ragged
        {
            let path = directory::segment(&self.directory, self.number, *base);
            file.set_len(start - *base).map_err(at(&path))?;
            *ragged = false;
        }
        let usable = open.take_if(|open| start - open.base < self.segment_bytes.max(1));
        let usable = match usable {
            Some(usable) => usable,
            None => self.begin(start)?,
        };
        Ok(open.insert(usable))
    }

    /// A new file, from the byte `start` of the lane on.
    fn begin(&self, start: u64) -> Result<Open, JournalError> {
        let path = directory::segment(&self.directory, self.number, start);
        let file = directory::private().create_new(true).open(&path).map_err(at(&path))?;
        let mut segments = held(&self.segments);
        if let Some(last) = segments.last_mut() {
            last.end.get_or_insert(start);
        }
        segments.push(Segment { base: start, end: None });
        Ok(Open { file, base: start, ragged: false })
    }

    /// Deletes the segments that are wholly in the database.
    pub(super) fn discard(&self) -> Result<(), JournalError> {
        let drained = self.drained();
        let over = |segment: &&Segment| segment.end.is_some_and(|end| end <= drained);
        let over: Vec<Segment> = held(&self.segments).iter().take_while(over).copied().collect();
        for segment in over {
            let path = self.path(segment);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&path)(error)),
                _ => held(&self.segments).retain(|kept| kept.base != segment.base),
            }
        }
        Ok(())
    }
}

/// Nothing here leaves a lock's contents half changed, so one that a panic has passed through is good.
pub(super) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A segment as it lies on disk. Half a record at its end is as if it were not there.
fn found(directory: &Path, lane: u32, base: u64, next: Option<u64>) -> Result<Segment, JournalError> {
    let path = directory::segment(directory, lane, base);
    let length = fs::metadata(&path).map_err(at(&path))?.len();
    let end = base.checked_add(length - length % LENGTH);
    match (end, next) {
        (Some(end), None) => Ok(Segment { base, end: Some(end) }),
        (Some(end), Some(next)) if end <= next => Ok(Segment { base, end: Some(end) }),
        _ => Err(JournalError::Damaged { path, reason: "it is longer than its place in the lane" }),
    }
}
