//! The journal's directory: who has it, whose it is, and which files are in it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::{JournalError, at};
use super::record::LENGTH;

const LOCK: &str = "lock";
pub(super) const IDENTITY: &str = "id";
const SUFFIX: &str = ".usage";

/// Makes `directory`, and what is missing above it, readable by the owner alone and there to stay.
pub(super) fn create(directory: &Path) -> Result<(), JournalError> {
    if directory.is_dir() {
        return Ok(());
    }
    let absolute = std::path::absolute(directory).map_err(at(directory))?;
    let existing = absolute.ancestors().find(|above| above.is_dir()).unwrap_or(&absolute).to_owned();
    DirBuilder::new().recursive(true).mode(0o700).create(&absolute).map_err(at(&absolute))?;
    for above in absolute.ancestors().skip(1).take_while(|above| above.starts_with(&existing)) {
        sync(above)?;
    }
    Ok(())
}

/// Brings the names in `directory` to disk. One that may be written but not read cannot be opened,
/// and then not be synced either.
pub(super) fn sync(directory: &Path) -> Result<(), JournalError> {
    match File::open(directory) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        opened => opened.and_then(|opened| opened.sync_all()).map_err(at(directory)),
    }
}

/// The right to a directory.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that this one is just starting holds it open as well,
    /// until it has become another program.
    fn drop(&mut self) {
        // What cannot be let go of now goes with the process.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Checks that the directory is still the one that was taken, and that its file system takes a byte, which is
    /// removed again.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        let identity = |file: &Metadata| (file.dev(), file.ino());
        let own = self.file.metadata().map_err(at(&self.path))?;
        let is_own = match fs::metadata(&self.path) {
            Ok(found) => identity(&found) == identity(&own),
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(at(&self.path)(error)),
        };
        if !is_own {
            return Err(JournalError::Damaged {
                path: self.path.clone(),
                reason: "it was deleted or replaced",
            });
        }
        // The file is empty between checks, so that the byte needs a free block: a full disk refuses it.
        self.file
            .set_len(0)
            .and_then(|()| self.file.write_all_at(b"\n", 0))
            .and_then(|()| self.file.set_len(0))
            .map_err(at(&self.path))
    }
}

/// Takes the directory for as long as the answer lives; the system lets go of it when the process dies.
pub(super) fn lock(directory: &Path) -> Result<Lock, JournalError> {
    let path = directory.join(LOCK);
    let file = private().create(true).truncate(false).open(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { file, path }),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(JournalError::Io(path, error)),
    }
}

/// The journal's identity. When there is none yet it becomes `new`, and a crash leaves all or nothing of it.
pub(super) fn identity(directory: &Path, new: Uuid) -> Result<Uuid, JournalError> {
    let path = directory.join(IDENTITY);
    match fs::read_to_string(&path) {
        Ok(text) => Uuid::try_parse(text.trim_end())
            .map_err(|_| JournalError::Damaged { path, reason: "it does not hold an identity" }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Under a new identity the database would take everything that is here once more.
            if !segments(directory)?.is_empty() {
                return Err(JournalError::Damaged { path, reason: "it is missing, and there is usage" });
            }
            let temporary = directory.join("id.new");
            let mut file = private().create(true).truncate(true).open(&temporary).map_err(at(&temporary))?;
            writeln!(file, "{}", new.hyphenated())
                .and_then(|()| file.sync_all())
                .and_then(|()| fs::rename(&temporary, &path))
                .map_err(at(&path))?;
            sync(directory)?;
            Ok(new)
        }
        Err(error) => Err(JournalError::Io(path, error)),
    }
}

/// Where each segment of each lane begins, oldest first.
pub(super) fn segments(directory: &Path) -> Result<BTreeMap<u32, Vec<u64>>, JournalError> {
    let mut lanes = BTreeMap::<u32, Vec<u64>>::new();
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        let path = entry.map_err(at(directory))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.ends_with(SUFFIX) {
            continue;
        }
        let Some((lane, base)) = parse_segment(name) else {
            return Err(JournalError::Damaged { path, reason: "its name is not of a segment" });
        };
        if path != segment(directory, lane, base) || base % LENGTH != 0 {
            return Err(JournalError::Damaged { path, reason: "its name is not of a segment" });
        }
        lanes.entry(lane).or_default().push(base);
    }
    lanes.values_mut().for_each(|bases| bases.sort_unstable());
    Ok(lanes)
}

/// The file of `lane` whose first byte is the lane's byte `base`.
pub(super) fn segment(directory: &Path, lane: u32, base: u64) -> PathBuf {
    directory.join(segment_name(lane, base))
}

pub(super) fn segment_name(lane: u32, base: u64) -> String {
    format!("{lane:02}-{base:016x}{SUFFIX}")
}

/// The lane and the base that a segment's name tells.
pub(super) fn parse_segment(name: &str) -> Option<(u32, u64)> {
    let (lane, base) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    Some((lane.parse().ok()?, u64::from_str_radix(base, 16).ok()?))
}

/// For writing, and where a file is made, for the owner alone.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}
