//! `claviger backup` and `claviger restore`: the whole installation in one file, and back.
//!
//! The file is a tar archive: the database, the usage log, the peppers, and last a manifest with the length
//! and the BLAKE3 hash of each. A file that was cut off has no manifest and is not taken for a backup.

mod archive;
mod create;
mod manifest;
mod postgres;
mod restore;

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Embedded};
use crate::failure::Failure;

pub(crate) use create::run as create;
pub(crate) use restore::run as restore;

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Where to write the backup; the directory must be there
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leave the peppers out: keep them elsewhere, because a restore needs them
    #[arg(long)]
    without_peppers: bool,
    /// Replace FILE if it is there
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A file that `claviger backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Names in the archive.
const MANIFEST: &str = "manifest.json";
const PEPPERS: &str = "peppers";
const USAGE_LOG: &str = "usage-log/";

/// Which database a backup is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DatabaseKind {
    Sqlite,
    Postgres,
}

impl DatabaseKind {
    fn of(config: &Config) -> Result<Self, Failure> {
        match config.database_url().embedded() {
            Some(Embedded::File(_)) => Ok(Self::Sqlite),
            None => Ok(Self::Postgres),
            Some(Embedded::Memory) => Err(Failure::operation(format!(
                "{} cannot be backed up or restored: such a database ends with the server's process",
                config.database_url().shown()
            ))),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }

    /// The database's name in the archive.
    fn part(self) -> &'static str {
        match self {
            Self::Sqlite => "database.sqlite",
            Self::Postgres => "database.pgdump",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Sqlite, Self::Postgres].into_iter().find(|kind| kind.word() == word)
    }
}
