//! `claviger restore`: into nothing, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use claviger_store::{Store, StoreError, StoreOptions, Tables};

use super::manifest::Manifest;
use super::{DatabaseKind, PEPPERS, Restore, USAGE_LOG, archive, postgres};
use crate::config::{Config, Embedded};
use crate::durable;
use crate::failure::{Failure, with_causes};
use crate::installation::{self, Marker, State, UNFINISHED_RESTORE};
use crate::{output, runtime, system};

/// Names of tables that a refusal shows.
const SHOWN: usize = 5;

pub(crate) fn run(arguments: &Restore, config: &Config) -> Result<(), Failure> {
    let kind = DatabaseKind::of(config)?;
    let file = &arguments.file;
    let manifest = archive::verify(file).map_err(|reason| unusable(file, &reason))?;
    fits(file, config, kind, &manifest)?;
    directory_is_empty(config)?;
    runtime::start(config)?.block_on(async {
        if kind == DatabaseKind::Postgres {
            postgres::must_be_installed("pg_restore")?;
            database_is_empty(config).await?;
        }
        restore(file, config, kind, &manifest).await
    })?;
    output::print(&advice(file, config, &manifest))
}

/// Whether this build and this configuration can take the backup.
fn fits(file: &Path, config: &Config, kind: DatabaseKind, manifest: &Manifest) -> Result<(), Failure> {
    if manifest.database != kind {
        return Err(Failure::operation(format!(
            "{} is a backup of a {} database, and CLAVIGER_DATABASE_URL is {}; a backup is restored into the same kind",
            file.display(),
            manifest.database.word(),
            config.database_url().shown()
        )));
    }
    let known = Store::known_schema_changes();
    match manifest.schema_changes.iter().find(|change| !known.contains(change)) {
        Some(change) => Err(Failure::operation(format!(
            "{} was made by a newer build (claviger {}, schema change {change}); restore it with that one",
            file.display(),
            manifest.version
        ))),
        None => Ok(()),
    }
}

/// Nothing may be in the way: neither in the data directory nor where the database belongs.
fn directory_is_empty(config: &Config) -> Result<(), Failure> {
    let directory = &config.data_dir;
    let unreadable =
        |error: io::Error| Failure::operation(format!("cannot read {}: {error}", directory.display()));
    let mut there = Vec::new();
    installation::must_be_restored(config)?;
    if directory.exists() {
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // The root of a file system has this.
            if entry.file_name() != "lost+found" {
                there.push(entry.path());
            }
        }
    }
    if let Some(Embedded::File(database)) = config.database_url().embedded() {
        let log = installation::write_ahead_log(database);
        there.extend([database.clone(), log].into_iter().filter(|file| file.exists()));
    }
    there.sort();
    there.dedup();
    if there.is_empty() {
        return Ok(());
    }
    let there: Vec<_> = there.iter().map(|path| path.display().to_string()).collect();
    Err(Failure::operation(format!(
        "a backup is restored into an empty data directory only, and there is {}; stop the server, move {} away, and \
         run this again",
        there.join(", "),
        if there.len() == 1 { "it" } else { "them" },
    )))
}

async fn database_is_empty(config: &Config) -> Result<(), Failure> {
    let store = open(config).await?;
    let tables = store.table_names().await;
    store.close().await;
    let tables = tables.map_err(|error| cannot_open(config, &error))?;
    if tables.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = tables.iter().take(SHOWN).map(String::as_str).collect();
    Err(Failure::operation(format!(
        "a backup is restored into an empty database only, and {} has {} tables ({}{}); create a new database and set \
         CLAVIGER_DATABASE_URL to it",
        config.database_url().shown(),
        tables.len(),
        shown.join(", "),
        if tables.len() > SHOWN { ", …" } else { "" },
    )))
}

async fn restore(
    file: &Path,
    config: &Config,
    kind: DatabaseKind,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let cannot = |path: &Path, error: &dyn std::error::Error| {
        Failure::operation(format!("cannot write {}: {}", path.display(), with_causes(error)))
    };
    let directory = &config.data_dir;
    let unfinished = directory.join(UNFINISHED_RESTORE);
    let text = format!("A restore of {} was begun and is not finished.\n", file.display());
    // From here to the end nothing starts on what is there.
    durable::create_directory(directory)
        .and_then(|()| durable::place(&unfinished, text.as_bytes(), &system::OsEntropy))
        .map_err(|error| cannot(&unfinished, &error))?;
    let usage_log = directory.join("journal");
    let database = match config.database_url().embedded() {
        Some(Embedded::File(database)) => database.clone(),
        _ => directory.join("restore-database"),
    };
    durable::create_directory(&usage_log).map_err(|error| cannot(&usage_log, &error))?;
    let place = |name: &str| -> Option<PathBuf> {
        match name {
            PEPPERS => Some(directory.join("peppers")),
            name if name == kind.part() => Some(database.clone()),
            name => name.strip_prefix(USAGE_LOG).map(|name| usage_log.join(name)),
        }
    };
    archive::extract(file, manifest, |name, from| {
        let Some(path) = place(name) else { return Ok(()) };
        write(&path, from).map_err(|error| format!("cannot write {}: {error}", path.display()))
    })
    .map_err(|reason| unusable(file, &reason))?;
    if kind == DatabaseKind::Postgres {
        postgres::restore(config, &database).await?;
        fs::remove_file(&database).map_err(|error| cannot(&database, &error))?;
    }
    is_whole(file, config, manifest).await?;
    let marker = Marker { id: manifest.installation, state: State::Complete, progress: 0 };
    installation::write_restored(config, &marker)?;
    for directory in [&usage_log, directory].into_iter().map(PathBuf::as_path).chain(database.parent()) {
        durable::sync_directory(directory).map_err(|error| cannot(directory, &error))?;
    }
    fs::remove_file(&unfinished)
        .and_then(|()| durable::sync_directory(directory))
        .map_err(|error| cannot(&unfinished, &error))
}

fn write(path: &Path, from: &mut dyn Read) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(from, &mut file)?;
    file.sync_all()
}

/// Looks whether the database is the one that was backed up.
async fn is_whole(file: &Path, config: &Config, manifest: &Manifest) -> Result<(), Failure> {
    let store = open(config).await?;
    let found = async {
        let damage = match store.is_embedded() {
            true => store.find_damage().await?,
            false => None,
        };
        let known = store.installation().find_unscoped().await?;
        Ok::<_, StoreError>((damage, known.map(|known| known.id), store.schema_changes().await?))
    };
    let found = found.await;
    store.close().await;
    let (damage, known, changes) = found.map_err(|error| cannot_open(config, &error))?;
    if let Some(damage) = damage {
        return Err(unusable(file, &format!("its database is damaged: {damage}")));
    }
    if known != Some(manifest.installation) || changes != manifest.schema_changes {
        return Err(unusable(file, "its database is not the one that its manifest describes"));
    }
    Ok(())
}

async fn open(config: &Config) -> Result<Store, Failure> {
    Store::connect(config.database_url().expose(), &StoreOptions::default())
        .await
        .map_err(|error| cannot_open(config, &error))
}

fn cannot_open(config: &Config, error: &StoreError) -> Failure {
    let url = config.database_url();
    Failure::operation(format!("cannot open the database {}: {}", url.shown(), with_causes(error)))
}

fn unusable(file: &Path, reason: &str) -> Failure {
    Failure::operation(format!("{} cannot be restored: {reason}", file.display()))
}

/// What to do next.
fn advice(file: &Path, config: &Config, manifest: &Manifest) -> String {
    let versions = manifest.pepper_versions();
    let peppers_file = config.data_dir.join("peppers");
    let peppers_file = peppers_file.display();
    let peppers = match (manifest.has_part(PEPPERS), manifest.database) {
        (true, DatabaseKind::Sqlite) => String::new(),
        (true, DatabaseKind::Postgres) => format!(
            "\nThe peppers are in {peppers_file}; the server needs them in CLAVIGER_PEPPERS on a PostgreSQL database.\n"
        ),
        (false, _) => format!(
            "\nThe peppers are not in this backup. Before anything else, provide version {versions}: in CLAVIGER_PEPPERS, \
             or on SQLite in {peppers_file} with mode 0600.\n"
        ),
    };
    format!(
        "restored {} of {} (claviger {}) into {}\n{peppers}\n\
         Next:\n  claviger migrate        # only after an upgrade: brings the tables up to date\n  \
         claviger audit verify   # the audit log is whole\n  claviger serve          # counts what is left in the usage log\n",
        file.display(),
        manifest.created_at,
        manifest.version,
        config.data_dir.display(),
    )
}
