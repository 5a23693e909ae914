//! The file of the embedded database. SQLite keeps writing to a file that was deleted or replaced, and everything
//! written is lost when the process ends.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sea_orm::DbErr;

use crate::{Store, StoreError};

/// The path of the database, and which file was there when it was opened.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseFile {
    path: Arc<Path>,
    /// The write-ahead log: beside the file itself where `path` is a symbolic link.
    log: Arc<Path>,
    identity: (u64, u64),
}

impl DatabaseFile {
    /// The file that is at `path` now.
    pub(crate) fn observe(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&fs::metadata(&path)?);
        let mut log = fs::canonicalize(&path)?.into_os_string();
        log.push("-wal");
        Ok(Self { path: path.into(), log: PathBuf::from(log).into(), identity })
    }

    /// Answers what is wrong with the file, if anything. It must not be opened for that: closing it again would
    /// release the locks that SQLite holds on it.
    fn problem(&self) -> Option<String> {
        let path = self.path.display();
        match fs::metadata(&self.path) {
            Ok(found) if identity(&found) != self.identity => {
                return Some(format!(
                    "another file was put in the place of {path}; the server must be restarted"
                ));
            }
            Ok(found) if found.permissions().readonly() => return Some(format!("{path} is read-only")),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Some(format!("{path} was deleted or moved away"));
            }
            Err(error) => return Some(format!("{path}: {error}")),
        }
        let log = self.log.display();
        match fs::metadata(&self.log) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Some(format!("{log} was deleted or moved away"))
            }
            Err(error) => Some(format!("{log}: {error}")),
            Ok(_) => None,
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Store {
    /// Checks that the embedded database's file, and after a write its write-ahead log, are where they were when it
    /// was opened.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when they are not, or when the file was made read-only.
    pub async fn check_file(&self) -> Result<(), StoreError> {
        let Some(file) = self.file.clone() else { return Ok(()) };
        let problem = tokio::task::spawn_blocking(move || file.problem()).await;
        match problem.map_err(|error| DbErr::Custom(error.to_string()))? {
            Some(problem) => Err(StoreError::Unavailable(DbErr::Custom(problem))),
            None => Ok(()),
        }
    }
}
