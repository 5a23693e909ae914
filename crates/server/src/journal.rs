//! Where decided calls wait for the database.

use std::fs;
use std::thread::available_parallelism;

use claviger_app::Ports;
use claviger_app::engine::journal::{Found, Journal, JournalError, JournalSettings};

use crate::config::{Config, Embedded};
use crate::durable;
use crate::failure::{Failure, with_causes};

/// A file that is drained is deleted: so large is what waits for that.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Threads beyond so many share lanes.
const MOST_LANES: usize = 64;

/// Takes the journal in the data directory. It belongs to one process at a time.
pub(crate) fn find(config: &Config, ports: &Ports) -> Result<Found, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::operation(format!("cannot open the usage journal: {}", with_causes(error)))
    };
    durable::create_directory(&config.data_dir).map_err(|error| cannot(&error))?;
    let is_forgotten = matches!(config.database_url().embedded(), Some(Embedded::Memory));
    let directory = config.data_dir.join(if is_forgotten { "journal-of-memory" } else { "journal" });
    let mut id = [0; 16];
    ports.entropy.fill(&mut id);
    let lanes = match config.runtime.worker_threads {
        0 => available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let settings = JournalSettings {
        directory: directory.clone(),
        max_bytes: config.journal.max_mib << 20,
        segment_bytes: SEGMENT_BYTES,
        lanes: lanes.clamp(1, MOST_LANES),
    };
    let find = || {
        let id = uuid::Builder::from_random_bytes(id).into_uuid();
        Journal::find(settings.clone(), id).map_err(|error| match error {
            JournalError::InUse(directory) => Failure::operation(format!(
                "another server uses {}; each server needs a data directory of its own (CLAVIGER_DATA_DIR)",
                directory.display()
            )),
            error => cannot(&error),
        })
    };
    let found = find()?;
    if !is_forgotten {
        return Ok(found);
    }
    // A database that lives in a process' memory knows nothing of what an earlier process has decided. That one is
    // gone: its journal could be taken.
    drop(found);
    fs::remove_dir_all(&directory).map_err(|error| cannot(&error))?;
    find()
}
