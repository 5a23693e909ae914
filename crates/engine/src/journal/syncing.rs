//! Bringing a lane to disk, for those who may lose nothing to a power cut.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::TryLockError;

use super::directory;
use super::error::{JournalError, at};
use super::lane::{Lane, Segment, held};

/// What is known to be on disk.
#[derive(Debug, Default)]
pub(super) struct Syncer {
    /// Everything before it.
    synced: u64,
    /// The names of the segments that begin before it.
    named: u64,
    /// The last segment that was synced, by its base. The file stays open because the system tells of
    /// an error of its own writing only those who had the file open then.
    open: Option<(u64, File)>,
    /// Where the lane ended when the disk refused. The system takes what it could not write for
    /// written, so that a second attempt would succeed without meaning anything.
    refused: Option<u64>,
}

impl Lane {
    /// Brings everything to disk that was written before the call; answers how far it came. Who waits
    /// for another's sync to end shares the next one.
    pub(super) fn sync(&self) -> Result<u64, JournalError> {
        let wanted = self.written();
        let mut syncer = held(&self.syncer);
        if let Some(end) = syncer.refused {
            if self.drained() < end {
                return Err(JournalError::Unsynced { lane: self.number });
            }
            syncer.refused = None;
        }
        if syncer.synced >= wanted {
            return Ok(syncer.synced);
        }
        let (written, segments) = self.snapshot();
        let from = syncer.synced.max(self.drained());
        for segment in segments.into_iter().filter(|segment| segment.base < written) {
            if segment.end(written) > from
                && let Err(error) = self.sync_segment(&mut syncer, segment)
            {
                syncer.refused = Some(self.written());
                syncer.open = None;
                return Err(error);
            }
        }
        syncer.synced = written;
        Ok(written)
    }

    /// Whether the disk has refused what is still not in the database. `None` while a sync is under way.
    pub(super) fn is_unsynced(&self) -> Option<bool> {
        let syncer = match self.syncer.try_lock() {
            Ok(syncer) => syncer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(syncer.refused.is_some_and(|end| self.drained() < end))
    }

    fn sync_segment(&self, syncer: &mut Syncer, segment: Segment) -> Result<(), JournalError> {
        let path = self.path(segment);
        let file = match &mut syncer.open {
            Some((base, file)) if *base == segment.base => file,
            other => match File::open(&path) {
                Ok(file) => &mut other.insert((segment.base, file)).1,
                // It was drained and deleted: the database has it.
                Err(error) if error.kind() == ErrorKind::NotFound && self.drained() > segment.base => {
                    return Ok(());
                }
                Err(error) => return Err(at(&path)(error)),
            },
        };
        file.sync_data().map_err(at(&path))?;
        if syncer.named <= segment.base {
            directory::sync(&self.directory)?;
            syncer.named = segment.base + 1;
        }
        Ok(())
    }
}
