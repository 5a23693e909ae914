//! What is said when the database is not the one that belongs here, and what to do about it.

use super::*;

/// The end of every refusal that a backup helps against.
const RESTORE: &str =
    "restore a backup into an empty data directory with `claviger restore FILE` (docs/operations.md)";

/// The database has nothing in it, and other files of an installation are there.
pub(super) fn empty(config: &Config, observed: &Observed) -> Failure {
    let url = config.database_url();
    let what = match url.embedded() {
        Some(Embedded::File(file)) if !file.exists() => format!("the database {} is missing", file.display()),
        Some(Embedded::File(file)) => format!(
            "the database {} is empty; its write-ahead log {} is missing or damaged",
            file.display(),
            write_ahead_log(file).display()
        ),
        _ => format!("the database {} is empty", url.shown()),
    };
    let mut remains: Vec<_> = observed.remains.iter().map(|path| path.display().to_string()).collect();
    remains.extend(observed.marker.map(|_| config.data_dir.join("installation").display().to_string()));
    let (because, away) = match (&remains[..], url.embedded()) {
        ([], Some(Embedded::File(file))) => (String::new(), file.display().to_string()),
        (remains, _) => (format!(" although {} belongs to it", remains.join(", ")), remains.join(", ")),
    };
    Failure::operation(format!(
        "{what}{because}: this is not a first start, and nothing was changed. Put the missing file back, or {RESTORE}. \
         To begin a new installation, move {away} away"
    ))
}

/// The database holds less than it did before.
pub(super) fn older(config: &Config) -> Failure {
    let database = config.database_url();
    Failure::operation(format!(
        "the database {} lacks changes that were in it before: it was replaced by an older copy, or its write-ahead log \
         (the file ending in -wal) was lost or damaged. Put the right files back, or {RESTORE}. To go on with what is \
         in it, run `claviger migrate --accept-older-database`",
        database.shown()
    ))
}

/// The file was taken from a running server, without the write-ahead log.
pub(super) fn log_missing(config: &Config) -> Failure {
    let database = config.database_url();
    Failure::operation(format!(
        "the database {} is a copy of a running server's file without its write-ahead log (the file ending in -wal): the \
         last changes are missing. Copy both while the server is stopped, or use `claviger backup FILE`, which works \
         while it runs, and {RESTORE}. To go on with what is in it, run `claviger migrate --accept-older-database`",
        database.shown()
    ))
}

/// The data directory's marker names another installation than the database.
pub(super) fn another(config: &Config, here: Uuid, there: Uuid) -> Failure {
    let (database, directory) = (config.database_url(), config.data_dir.display());
    Failure::operation(format!(
        "the database {} belongs to the installation {there}, and the data directory {directory} to {here}: set \
         CLAVIGER_DATABASE_URL or CLAVIGER_DATA_DIR to what belongs together, or {RESTORE}",
        database.shown()
    ))
}

pub(super) fn unfinished_restore(config: &Config, marker: &Path) -> Failure {
    let directory = config.data_dir.display();
    Failure::operation(format!(
        "a restore into {directory} was not finished ({} is there): what is in it is incomplete. Remove {directory} and \
         empty the database it was restored into, then run `claviger restore FILE` again",
        marker.display()
    ))
}
