//! Reading a lane from where it was drained, past everything that is not whole.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use super::error::{JournalError, at};
use super::lane::{Lane, Segment, held};
use super::record::{self, BYTES, LENGTH, Record, Slot};

/// Records that are read at once.
const CHUNK: usize = 1600;

/// What reading needs.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The segment that was read last, by its base.
    open: Option<(u64, File)>,
    buffer: Vec<u8>,
    /// Damage before this was counted when it was first met.
    examined: u64,
}

/// How far a reading came.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) upto: u64,
    /// Records passed by because they were damaged or lost.
    pub(super) damaged: u64,
}

impl Lane {
    /// Adds up to `most` undrained records to `records`, oldest first.
    pub(super) fn read(&self, most: usize, records: &mut Vec<Record>) -> Result<Reached, JournalError> {
        let mut reader = held(&self.reader);
        let mut position = self.drained();
        let (written, segments) = self.snapshot();
        let (mut left, mut damaged) = (most, 0);
        for segment in segments {
            let end = segment.end(written);
            if end <= position {
                continue;
            }
            if left == 0 || segment.base > written {
                break;
            }
            if position < segment.base {
                // A power cut has taken the end of the file before.
                damaged += self.count(&mut reader, position, segment.base);
                position = segment.base;
            }
            while left > 0 && position < end {
                let slots = left.min(CHUNK).min(((end - position) / LENGTH) as usize);
                if !self.fill(&mut reader, segment, position, slots)? {
                    position = end;
                    break;
                }
                for index in 0..slots {
                    let next = position + LENGTH;
                    match slot(&reader.buffer, index) {
                        Slot::Whole(record) => {
                            records.push(record);
                            left -= 1;
                        }
                        Slot::Empty => {}
                        Slot::Damaged => damaged += self.count(&mut reader, position, next),
                        Slot::Unknown => {
                            let at = position - segment.base;
                            return Err(JournalError::Newer { path: self.path(segment), at });
                        }
                    }
                    position = next;
                }
            }
        }
        reader.examined = reader.examined.max(position);
        Ok(Reached { upto: position, damaged })
    }

    /// Reads `slots` records into the buffer. `false` when the segment was drained and deleted meanwhile.
    fn fill(
        &self,
        reader: &mut Reader,
        segment: Segment,
        position: u64,
        slots: usize,
    ) -> Result<bool, JournalError> {
        let path = self.path(segment);
        let file = match &mut reader.open {
            Some((base, file)) if *base == segment.base => file,
            other => match File::open(&path) {
                Ok(file) => &mut other.insert((segment.base, file)).1,
                Err(error) if error.kind() == ErrorKind::NotFound && self.drained() > position => {
                    return Ok(false);
                }
                Err(error) => return Err(at(&path)(error)),
            },
        };
        reader.buffer.resize(slots * BYTES, 0);
        file.read_exact_at(&mut reader.buffer, position - segment.base).map_err(at(&path))?;
        Ok(true)
    }

    /// How many records were to be from `from` to `to`. What is met for the first time is added to the
    /// lane's sum.
    fn count(&self, reader: &mut Reader, from: u64, to: u64) -> u64 {
        let fresh = to.saturating_sub(from.max(reader.examined)) / LENGTH;
        self.damaged.fetch_add(fresh, Ordering::Relaxed);
        reader.examined = reader.examined.max(to);
        (to - from) / LENGTH
    }
}

fn slot(buffer: &[u8], index: usize) -> Slot {
    let bytes = std::array::from_fn(|byte| buffer[index * BYTES + byte]);
    record::decode(&bytes)
}
