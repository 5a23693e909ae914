//! Segments that are held while another process writes and deletes them: what a backup is made of.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::directory;
use super::error::{JournalError, at};
use super::record::LENGTH;

/// The segments of a usage log that were there at any moment since this was made. They are held open, so
/// that they can be read to the end after the server has deleted them.
///
/// A backup holds the segments first, then copies the database, then the segments: a call that the copy of
/// the database lacks was in a segment when the database was copied, and the positions in the copy say which
/// calls it has.
#[derive(Debug)]
pub struct HeldSegments {
    directory: PathBuf,
    files: BTreeMap<(u32, u64), File>,
}

impl HeldSegments {
    /// Holds the segments in `directory`; `None` when there is no usage log in it.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] or [`JournalError::Io`] when the directory cannot be read.
    pub fn of(directory: &Path) -> Result<Option<Self>, JournalError> {
        if !directory.join(directory::IDENTITY).is_file() {
            return Ok(None);
        }
        let mut held = Self { directory: directory.to_owned(), files: BTreeMap::new() };
        held.hold_new()?;
        Ok(Some(held))
    }

    /// Holds those segments too that were begun since.
    ///
    /// # Errors
    /// As for [`Self::of`].
    pub fn hold_new(&mut self) -> Result<(), JournalError> {
        for (lane, bases) in directory::segments(&self.directory)? {
            for base in bases {
                if self.files.contains_key(&(lane, base)) {
                    continue;
                }
                let path = directory::segment(&self.directory, lane, base);
                match File::open(&path) {
                    Ok(file) => drop(self.files.insert((lane, base), file)),
                    // Deleted in between: the database has all of it.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(at(&path)(error)),
                }
            }
        }
        Ok(())
    }

    /// The file that holds the log's identity.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.directory.join(directory::IDENTITY)
    }

    /// Of each segment its file name, its file, and how many bytes of whole records are in it now.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the file system refuses.
    pub fn files(&self) -> impl Iterator<Item = Result<(String, &File, u64), JournalError>> {
        self.files.iter().map(|((lane, base), file)| {
            let path = directory::segment(&self.directory, *lane, *base);
            let length = file.metadata().map_err(at(&path))?.len();
            Ok((directory::segment_name(*lane, *base), file, length - length % LENGTH))
        })
    }
}

/// Whether a file of this name belongs into a usage log's directory: its identity or a segment.
#[must_use]
pub fn is_file_name(name: &str) -> bool {
    name == directory::IDENTITY
        || directory::parse_segment(name)
            .is_some_and(|(lane, base)| directory::segment_name(lane, base) == name)
}
