//! Files and directories that survive a crash: after one they are there whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use claviger_app::Entropy;

/// What became of a file that was to be put in place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    New,
    /// Somebody else's was there first, and was left as it is.
    AlreadyThere,
}

/// Makes `directory`, and what is missing above it, readable by the owner alone.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let absolute = std::path::absolute(directory)?;
    let existing: PathBuf =
        absolute.ancestors().find(|above| above.is_dir()).map_or_else(PathBuf::new, Path::to_owned);
    DirBuilder::new().recursive(true).mode(0o700).create(&absolute)?;
    for above in absolute.ancestors().skip(1) {
        sync_directory(above)?;
        if above == existing {
            break;
        }
    }
    Ok(())
}

/// Puts a new file with mode 0600 at `path`, and never replaces one. Two processes that start at
/// once end up with the same file.
pub(crate) fn place(path: &Path, contents: &[u8], entropy: &dyn Entropy) -> io::Result<Placed> {
    let directory = parent(path);
    let temporary = temporary_in(directory, entropy);
    let placed = write_private(&temporary, contents).and_then(|()| link_or_rename(&temporary, path));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let placed = placed?;
    sync_directory(directory)?;
    Ok(placed)
}

/// Puts a file at `path`, in the place of any that is there, whose owner and mode it keeps; a new one has mode 0600.
/// A reader finds the old or the new one, whole.
pub(crate) fn replace(path: &Path, contents: &[u8], entropy: &dyn Entropy) -> io::Result<()> {
    let directory = parent(path);
    let before = fs::metadata(path);
    let temporary = temporary_in(directory, entropy);
    let replaced = write_private(&temporary, contents)
        .and_then(|()| match before {
            Ok(before) => chown(&temporary, Some(before.uid()), Some(before.gid()))
                .and_then(|()| fs::set_permissions(&temporary, before.permissions())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
        .and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        // The first error is the one to tell.
        drop(fs::remove_file(&temporary));
    }
    replaced?;
    sync_directory(directory)
}

/// Gives a finished file its name. Without `replace` it does not take the place of one that is there.
pub(crate) fn publish(temporary: &Path, path: &Path, replace: bool) -> io::Result<Placed> {
    let placed = match replace {
        true => fs::rename(temporary, path).map(|()| Placed::New)?,
        false => link_or_rename(temporary, path)?,
    };
    if placed == Placed::New {
        match fs::remove_file(temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory(parent(path))?;
    Ok(placed)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary_in(directory: &Path, entropy: &dyn Entropy) -> PathBuf {
    let mut suffix = [0_u8; 8];
    entropy.fill(&mut suffix);
    directory.join(format!(".{:016x}.new", u64::from_le_bytes(suffix)))
}

/// A directory that may be written but not read cannot be opened, and then not be synced either.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        opened => opened?.sync_all(),
    }
}

fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// A link refuses to replace what is there, a rename does not; some file systems have no links.
fn link_or_rename(temporary: &Path, path: &Path) -> io::Result<Placed> {
    match fs::hard_link(temporary, path) {
        Ok(()) => Ok(Placed::New),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Placed::AlreadyThere),
        Err(_) if path.try_exists()? => Ok(Placed::AlreadyThere),
        Err(_) => fs::rename(temporary, path).map(|()| Placed::New),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::system::OsEntropy;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn directories_are_the_owners_alone() {
        let root = tempfile::tempdir().unwrap();
        let wanted = root.path().join("a/b");
        create_directory(&wanted).unwrap();
        assert_eq!((mode(&wanted), mode(&root.path().join("a"))), (0o700, 0o700));
        create_directory(&wanted).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        assert!(create_directory(&root.path().join("file")).is_err());
        assert!(create_directory(&root.path().join("file/under")).is_err());
    }

    #[test]
    fn a_file_is_placed_once_and_nothing_is_left_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("peppers");
        assert_eq!(place(&path, b"first", &OsEntropy).unwrap(), Placed::New);
        assert_eq!(place(&path, b"second", &OsEntropy).unwrap(), Placed::AlreadyThere);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(place(&root.path().join("missing/peppers"), b"x", &OsEntropy).is_err());
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_nothing_is_left_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("peppers");
        assert!(replace(&path, b"x", &OsEntropy).is_err());
        place(&path, b"first", &OsEntropy).unwrap();
        for wanted in [0o600, 0o400, 0o640] {
            fs::set_permissions(&path, fs::Permissions::from_mode(wanted)).unwrap();
            replace(&path, format!("{wanted}").as_bytes(), &OsEntropy).unwrap();
            assert_eq!((fs::read_to_string(&path).unwrap(), mode(&path)), (wanted.to_string(), wanted));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_at_once_one_wins_and_all_read_the_same() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("peppers");
        let outcomes: Vec<(Placed, Vec<u8>)> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8_u8)
                .map(|racer| {
                    let path = &path;
                    scope.spawn(move || {
                        (place(path, &[racer; 64], &OsEntropy).unwrap(), fs::read(path).unwrap())
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|(placed, _)| *placed == Placed::New).count(), 1);
        assert!(outcomes.iter().all(|(_, contents)| *contents == outcomes[0].1));
    }
}
