//! Recognises a database that was lost, mixed up or copied without its write-ahead log, before it is taken
//! for a new installation.
//!
//! The data directory holds the file `installation`: the id that the database holds too, and how far the
//! database was when the file was written last. It is written on the first start, and every few seconds
//! while the server runs and something has changed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claviger_app::{App, Entropy};
use claviger_store::{Installation, Store, StoreError, Tables, Tx};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Config, Embedded};
use crate::database::Missing;
use crate::durable;
use crate::failure::{Failure, with_causes};

mod marker;
mod refusal;

pub(crate) use marker::{Marker, State};

/// What a restore leaves in the data directory until it is complete.
pub(crate) const UNFINISHED_RESTORE: &str = "restore-unfinished";

const WRITE_MARKER_EVERY: Duration = Duration::from_secs(5);

/// What the data directory says before anything is opened.
#[derive(Debug)]
pub(crate) struct Observed {
    marker: Option<Marker>,
    /// Files of an installation that are there although there may be no database.
    remains: Vec<PathBuf>,
    database: Observation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Observation {
    /// It ends with the process: there is nothing to lose.
    InMemory,
    Embedded {
        has_data: bool,
        has_log: bool,
    },
    Elsewhere,
}

/// Looks at the data directory. To be called before the peppers or the database are made.
///
/// # Errors
/// When the database is missing beside files of an installation, or a restore was not finished.
pub(crate) fn observe(config: &Config, missing: Missing, entropy: &dyn Entropy) -> Result<Observed, Failure> {
    let database = match config.database_url().embedded() {
        Some(Embedded::Memory) => Observation::InMemory,
        Some(Embedded::File(file)) => {
            Observation::Embedded { has_data: is_filled(file), has_log: is_filled(&write_ahead_log(file)) }
        }
        None => Observation::Elsewhere,
    };
    must_be_restored(config)?;
    // In this order: whoever makes one of the others has made the marker before.
    let remains: Vec<_> = ["peppers", "journal/id"]
        .iter()
        .map(|name| config.data_dir.join(name))
        .filter(|path| path.exists())
        .collect();
    let marker = marker::read(config)?;
    let observed = Observed { marker, remains, database };
    if let Observation::Embedded { has_data: false, has_log: false } = database {
        if observed.belongs_to_an_installation() {
            return Err(refusal::empty(config, &observed));
        }
        if missing == Missing::Made && observed.marker.is_none() {
            // From now on the peppers may be made: a start that is interrupted here is a first start still.
            let mut id = [0; 16];
            entropy.fill(&mut id);
            let id = uuid::Builder::from_random_bytes(id).into_uuid();
            let fresh = Marker { id, state: State::FirstStart, progress: 0 };
            marker::place(config, &fresh, entropy)?;
            return Ok(Observed { marker: marker::read(config)?, ..observed });
        }
    }
    Ok(observed)
}

/// Refuses where a restore was not finished.
pub(crate) fn must_be_restored(config: &Config) -> Result<(), Failure> {
    let unfinished = config.data_dir.join(UNFINISHED_RESTORE);
    let is_in_memory = matches!(config.database_url().embedded(), Some(Embedded::Memory));
    match !is_in_memory && unfinished.exists() {
        true => Err(refusal::unfinished_restore(config, &unfinished)),
        false => Ok(()),
    }
}

impl Observed {
    fn belongs_to_an_installation(&self) -> bool {
        match &self.marker {
            Some(marker) => marker.state != State::FirstStart,
            None => !self.remains.is_empty(),
        }
    }

    /// Compares the database with the data directory. To be called before anything is written to it.
    ///
    /// # Errors
    /// When the database is empty, belongs to another installation, or has lost something.
    pub(crate) async fn check(&self, config: &Config, store: &Store) -> Result<(), Failure> {
        if self.database == Observation::InMemory {
            return Ok(());
        }
        let unavailable = |error: StoreError| unavailable(config, &error);
        let tables = store.table_names().await.map_err(unavailable)?;
        let known = match tables.iter().any(|table| table == "installation") {
            true => store.installation().find_unscoped().await.map_err(unavailable)?,
            false => None,
        };
        let Some(known) = known else {
            // SQLite makes a file with one page before the first change is in it.
            let has_lost_its_log = matches!(self.database, Observation::Embedded { has_data: true, .. })
                && self.marker.is_none();
            return match tables.is_empty() && (self.belongs_to_an_installation() || has_lost_its_log) {
                true => Err(refusal::empty(config, self)),
                false => Ok(()),
            };
        };
        match &self.marker {
            Some(Marker { state: State::Accepted, id, .. }) if id.is_nil() || *id == known.id => Ok(()),
            Some(marker) if marker.id == known.id => {
                let progress = match self.database {
                    Observation::Embedded { .. } => {
                        store.installation().progress_unscoped().await.map_err(unavailable)?
                    }
                    _ => marker.progress,
                };
                if progress < marker.progress { Err(refusal::older(config)) } else { Ok(()) }
            }
            Some(marker) if matches!(marker.state, State::Complete | State::Accepted) => {
                Err(refusal::another(config, marker.id, known.id))
            }
            Some(_) | None => self.check_copied(config, known),
        }
    }

    /// A database that comes without the data directory's marker: its file must be whole.
    fn check_copied(&self, config: &Config, known: Installation) -> Result<(), Failure> {
        match self.database {
            Observation::Embedded { has_log: false, .. } if known.is_open => {
                Err(refusal::log_missing(config))
            }
            _ => Ok(()),
        }
    }

    /// Gives the database its id if it has none, and lets the data directory know it.
    ///
    /// # Errors
    /// When the database or the data directory cannot be written.
    pub(crate) async fn settle(
        &self,
        config: &Config,
        app: &App,
        entropy: &dyn Entropy,
    ) -> Result<(), Failure> {
        if self.database == Observation::InMemory {
            return Ok(());
        }
        let unavailable = |error: StoreError| unavailable(config, &error);
        let store = app.store();
        let mut known = store.installation().find_unscoped().await.map_err(unavailable)?;
        if known.is_none() {
            let id = match &self.marker {
                Some(marker) => marker.id,
                None => {
                    let mut id = [0; 16];
                    entropy.fill(&mut id);
                    uuid::Builder::from_random_bytes(id).into_uuid()
                }
            };
            store
                .transaction(async |tx: &Tx| tx.installation().insert_missing(id).await)
                .await
                .map_err(unavailable)?;
            known = store.installation().find_unscoped().await.map_err(unavailable)?;
        }
        let Some(known) = known else { return Ok(()) };
        write_marker(config, store, known.id, entropy).await
    }
}

/// Takes the database as it is on the next start, although it is older than the data directory or its
/// write-ahead log is missing.
///
/// # Errors
/// When the data directory cannot be written.
pub(crate) fn accept_older(config: &Config) -> Result<(), Failure> {
    let id = marker::read(config)?.map_or(Uuid::nil(), |marker| marker.id);
    marker::write(config, &Marker { id, state: State::Accepted, progress: 0 }, &crate::system::OsEntropy)
}

/// Writes the marker of a restored installation.
///
/// # Errors
/// When the data directory cannot be written.
pub(crate) fn write_restored(config: &Config, marker: &Marker) -> Result<(), Failure> {
    marker::write(config, marker, &crate::system::OsEntropy)
}

/// A server has the database from here on: its file says so, until it is closed.
///
/// # Errors
/// When the database cannot be written.
pub(crate) async fn opened(config: &Config, store: &Store) -> Result<(), Failure> {
    if !is_in_a_file(config) {
        return Ok(());
    }
    let unavailable = |error: StoreError| unavailable(config, &error);
    set_open(store, true).await.map_err(unavailable)
}

/// The first start is complete: from here on the database's file is never without its tables and its key.
///
/// # Errors
/// When the database cannot be written.
pub(crate) async fn started(config: &Config, app: &App) -> Result<(), Failure> {
    app.store().checkpoint().await.map_err(|error| unavailable(config, &error))
}

/// Writes what is held in memory, merges the write-ahead log into the database's file, and closes it.
///
/// # Errors
/// When something that is held in memory could not be written.
pub(crate) async fn close(config: &Config, app: &App) -> Result<(), Failure> {
    let flushed = app.flush().await;
    let store = app.store();
    if is_in_a_file(config)
        && let Err(error) = merge(config, store).await
    {
        let error = with_causes(&error);
        tracing::warn!(%error, "the write-ahead log was not merged; keep it beside the database");
    }
    crate::database::closed(app, flushed).await
}

async fn merge(config: &Config, store: &Store) -> Result<(), StoreError> {
    set_open(store, false).await?;
    if !store.merge_log().await? {
        tracing::warn!(
            database = config.database_url().shown(),
            "another program has the database open: keep its write-ahead log (-wal) beside it"
        );
    }
    Ok(())
}

async fn set_open(store: &Store, is_open: bool) -> Result<(), StoreError> {
    store.transaction(async |tx: &Tx| tx.installation().set_open(is_open).await).await
}

/// Keeps the data directory's marker current until the server stops.
pub(crate) async fn follow(config: Config, app: App, until: CancellationToken) {
    let mut written = None;
    while until.run_until_cancelled(tokio::time::sleep(WRITE_MARKER_EVERY)).await.is_some() {
        if !is_in_a_file(&config) {
            return;
        }
        let store = app.store();
        let Ok(progress) = store.installation().progress_unscoped().await else { continue };
        if written.is_none_or(|written| written < progress)
            && let Ok(Some(marker)) = marker::read(&config)
        {
            let marker = Marker { progress: marker.progress.max(progress), state: State::Complete, ..marker };
            match marker::write(&config, &marker, &crate::system::OsEntropy) {
                Ok(()) => written = Some(progress),
                Err(error) => tracing::warn!(%error, "the file `installation` cannot be written"),
            }
        }
    }
}

async fn write_marker(
    config: &Config,
    store: &Store,
    id: Uuid,
    entropy: &dyn Entropy,
) -> Result<(), Failure> {
    let progress = match store.is_embedded() {
        true => {
            store.installation().progress_unscoped().await.map_err(|error| unavailable(config, &error))?
        }
        false => 0,
    };
    let wanted = Marker { id, state: State::Complete, progress };
    match marker::read(config)? {
        Some(marker) if marker == wanted => Ok(()),
        _ => marker::write(config, &wanted, entropy),
    }
}

fn unavailable(config: &Config, error: &StoreError) -> Failure {
    let url = config.database_url();
    Failure::operation(format!("cannot use the database {}: {}", url.shown(), with_causes(error)))
}

/// Whether the database is a file that can be lost or copied.
fn is_in_a_file(config: &Config) -> bool {
    matches!(config.database_url().embedded(), Some(Embedded::File(_)))
}

fn is_filled(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.len() > 0)
}

/// The file in which SQLite collects changes before they are merged into the database's file.
pub(crate) fn write_ahead_log(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
