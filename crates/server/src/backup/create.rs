//! `claviger backup`: while the server runs, or while it does not.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use chrono::SecondsFormat;
use claviger_app::engine::journal::HeldSegments;
use claviger_store::{Store, StoreOptions, Tables};

use super::archive::Writer;
use super::manifest::Manifest;
use super::{Backup, DatabaseKind, PEPPERS, USAGE_LOG, postgres};
use crate::config::{Config, Embedded};
use crate::database::{self, Missing};
use crate::durable::{self, Placed};
use crate::failure::{Failure, with_causes};
use crate::{installation, output, runtime, system};

/// A segment of the usage log exists for seconds at least: none comes and goes unseen.
const LOOK_FOR_SEGMENTS_EVERY: Duration = Duration::from_millis(100);

pub(crate) fn run(arguments: &Backup, config: &Config) -> Result<(), Failure> {
    let kind = DatabaseKind::of(config)?;
    // Every segment of the usage log is held open.
    system::raise_open_files();
    let summary = runtime::start(config)?.block_on(back_up(arguments, config, kind))?;
    output::print(&summary)
}

async fn back_up(arguments: &Backup, config: &Config, kind: DatabaseKind) -> Result<String, Failure> {
    let ports = system::ports();
    database::must_be_there(config)?;
    let observed = installation::observe(config, Missing::Refused, &*ports.entropy)?;
    let unusable = |error: &dyn std::error::Error| {
        let url = config.database_url();
        Failure::operation(format!("cannot back up the database {}: {}", url.shown(), with_causes(error)))
    };
    let store = Store::connect(config.database_url().expose(), &StoreOptions::default())
        .await
        .map_err(|error| unusable(&error))?;
    let described = async {
        observed.check(config, &store).await?;
        if !arguments.without_peppers {
            database::peppers_fit(config, &store).await?;
        }
        describe(&store, kind, &*ports.clock).await.map_err(|error| unusable(&error))
    };
    let described = described.await;
    if described.is_err() {
        store.clone().close().await;
    }
    let mut manifest = described?.ok_or_else(|| {
        Failure::operation(format!(
            "there is nothing to back up in {}: no server was started on it yet",
            config.database_url().shown()
        ))
    })?;
    let target = Target::begin(arguments)?;
    // In this order: what the copy of the database lacks was in a segment that is held.
    let usage_log = config.data_dir.join("journal");
    let mut held = HeldSegments::of(&usage_log).map_err(|error| cannot_read_usage(&error))?;
    let copied = copy_database(config, kind, &target.database, held.as_mut()).await;
    store.close().await;
    copied?;
    let summary = target.write(arguments, config, kind, &mut manifest, held.as_ref())?;
    target.publish(arguments)?;
    Ok(summary)
}

/// What the manifest says of the database; `None` when it belongs to no installation yet.
async fn describe(
    store: &Store,
    database: DatabaseKind,
    clock: &dyn claviger_app::Clock,
) -> Result<Option<Manifest>, claviger_store::StoreError> {
    let has_record = store.table_names().await?.iter().any(|table| table == "installation");
    let known = if has_record { store.installation().find_unscoped().await? } else { None };
    let Some(known) = known else { return Ok(None) };
    let checks = store.pepper_checks().list_unscoped().await?;
    Ok(Some(Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: clock.now().to_rfc3339_opts(SecondsFormat::Secs, true),
        database,
        schema_changes: store.schema_changes().await?,
        installation: known.id,
        pepper_versions: checks.iter().map(|check| u64::from(check.pepper)).collect(),
        parts: Vec::new(),
    }))
}

/// Copies the database, and holds the segments that are begun meanwhile.
async fn copy_database(
    config: &Config,
    kind: DatabaseKind,
    into: &Path,
    mut held: Option<&mut HeldSegments>,
) -> Result<(), Failure> {
    let copy = async {
        match kind {
            DatabaseKind::Sqlite => {
                Store::copy_embedded(config.database_url().expose(), into).await.map_err(|error| {
                    Failure::operation(format!("cannot copy the database: {}", with_causes(&error)))
                })
            }
            DatabaseKind::Postgres => postgres::dump(config, into).await,
        }
    };
    let mut copy = pin!(copy);
    let mut ticks = tokio::time::interval(LOOK_FOR_SEGMENTS_EVERY);
    loop {
        tokio::select! {
            copied = &mut copy => {
                copied?;
                break;
            }
            _ = ticks.tick() => {
                if let Some(held) = held.as_deref_mut() {
                    held.hold_new().map_err(|error| cannot_read_usage(&error))?;
                }
            }
        }
    }
    held.map_or(Ok(()), HeldSegments::hold_new).map_err(|error| cannot_read_usage(&error))
}

fn cannot_read_usage(error: &dyn std::error::Error) -> Failure {
    Failure::operation(format!("cannot read the usage log: {}", with_causes(error)))
}

/// The file that becomes the backup, under another name until it is complete.
struct Target {
    partial: PathBuf,
    file: File,
    /// A copy of the database, until it is in the backup.
    database: PathBuf,
    is_published: bool,
}

impl Target {
    fn begin(arguments: &Backup) -> Result<Self, Failure> {
        let path = &arguments.file;
        if !arguments.overwrite && path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let name = path
            .file_name()
            .ok_or_else(|| Failure::configuration(format!("{} is not the name of a file", path.display())))?;
        let beside = |suffix: &str| {
            let mut name = name.to_owned();
            name.push(suffix);
            path.with_file_name(name)
        };
        let (partial, database) = (beside(".partial"), beside(".partial-database"));
        let cannot = |error: &io::Error| cannot_write(&partial, error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&partial)
            .map_err(|error| cannot(&error))?;
        let busy = || {
            Failure::operation(format!("another backup is being written to {}; wait for it", path.display()))
        };
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => busy(),
            TryLockError::Error(error) => cannot(&error),
        })?;
        // The other one may have finished in between: then the file that was opened is a backup already.
        let is_same = |named: fs::Metadata| {
            file.metadata().is_ok_and(|opened| (opened.dev(), opened.ino()) == (named.dev(), named.ino()))
        };
        if !fs::symlink_metadata(&partial).is_ok_and(is_same) {
            return Err(busy());
        }
        // A file that somebody else has prepared would hand them the database and the peppers.
        let opened = file.metadata().map_err(|error| cannot(&error))?;
        if !opened.is_file() || opened.nlink() != 1 || opened.uid() != rustix::process::geteuid().as_raw() {
            return Err(Failure::operation(format!(
                "{} is not a file of this user alone; remove it and try again",
                partial.display()
            )));
        }
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(|error| cannot(&error))?;
        file.set_len(0).map_err(|error| cannot(&error))?;
        // What an interrupted backup left; its `pg_dump` may be writing to it still.
        remove(&database)
            .and_then(|()| private(&database).map(drop))
            .map_err(|error| cannot_write(&database, &error))?;
        Ok(Self { partial, file, database, is_published: false })
    }

    /// Writes everything into the partial file and to disk; answers what to tell the operator.
    fn write(
        &self,
        arguments: &Backup,
        config: &Config,
        kind: DatabaseKind,
        manifest: &mut Manifest,
        held: Option<&HeldSegments>,
    ) -> Result<String, Failure> {
        let peppers = Peppers::find(arguments, config)?;
        let cannot = |error: &io::Error| cannot_write(&self.partial, error);
        let modified =
            fs::metadata(&self.database).map_or(0, |file| u64::try_from(file.mtime()).unwrap_or(0));
        let mut archive = Writer::new(BufWriter::with_capacity(1 << 20, &self.file), modified);
        let mut add_file = |name: &str, path: &Path| -> io::Result<()> {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            archive.add(name, file, bytes)
        };
        add_file(kind.part(), &self.database).map_err(|error| cannot(&error))?;
        if let Peppers::Included(file) = &peppers {
            add_file(PEPPERS, file).map_err(|error| cannot(&error))?;
        }
        if let Some(held) = held {
            let identity = held.identity();
            let name = identity.file_name().unwrap_or_default().to_string_lossy();
            add_file(&format!("{USAGE_LOG}{name}"), &identity).map_err(|error| cannot(&error))?;
            for segment in held.files() {
                let (name, file, bytes) = segment.map_err(|error| cannot_read_usage(&error))?;
                archive.add(&format!("{USAGE_LOG}{name}"), file, bytes).map_err(|error| cannot(&error))?;
            }
        }
        manifest.parts = archive.parts().to_vec();
        archive
            .finish(manifest)
            .and_then(|buffered| buffered.into_inner().map_err(io::IntoInnerError::into_error))
            .and_then(File::sync_all)
            .map_err(|error| cannot(&error))?;
        Ok(summary(&arguments.file, config, manifest, &peppers))
    }

    fn publish(mut self, arguments: &Backup) -> Result<(), Failure> {
        let path = &arguments.file;
        drop(remove(&self.database));
        match durable::publish(&self.partial, path, arguments.overwrite) {
            Ok(Placed::New) => {
                self.is_published = true;
                Ok(())
            }
            Ok(Placed::AlreadyThere) => Err(exists(path)),
            Err(error) => Err(cannot_write(path, &error)),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.is_published {
            return;
        }
        // What cannot be removed is reused by the next backup to the same file.
        drop(remove(&self.database));
        drop(remove(&self.partial));
    }
}

/// Whether the peppers are in the backup, and if not, why.
enum Peppers {
    Included(PathBuf),
    LeftOut,
    /// They are given by the environment or the configuration file, and kept where those are.
    Given,
}

impl Peppers {
    fn find(arguments: &Backup, config: &Config) -> Result<Self, Failure> {
        let file = config.data_dir.join("peppers");
        match &config.keys.peppers {
            _ if arguments.without_peppers => Ok(Self::LeftOut),
            Some(_) => Ok(Self::Given),
            None if file.exists() => Ok(Self::Included(file)),
            // They were there when they were compared with the database.
            None => Err(Failure::operation(format!("the peppers file {} has vanished", file.display()))),
        }
    }
}

fn summary(path: &Path, config: &Config, manifest: &Manifest, peppers: &Peppers) -> String {
    let versions = manifest.pepper_versions();
    let peppers = match peppers {
        Peppers::Included(_) => format!("included (version {versions}); keep this file as secret as a key"),
        Peppers::LeftOut => format!("NOT included; a restore needs version {versions}"),
        Peppers::Given => format!(
            "NOT included, because they are given by CLAVIGER_PEPPERS; back them up where they are kept: a restore \
             needs version {versions}"
        ),
    };
    let bytes = |prefix: &str| -> u64 {
        manifest.parts.iter().filter(|part| part.name.starts_with(prefix)).map(|part| part.bytes).sum()
    };
    format!(
        "backup written to {}\ndatabase:  {}, {} bytes\nusage log: {} bytes\npeppers:   {peppers}",
        path.display(),
        match config.database_url().embedded() {
            Some(Embedded::File(file)) => file.display().to_string(),
            _ => config.database_url().shown().to_owned(),
        },
        bytes(manifest.database.part()),
        bytes(USAGE_LOG),
    )
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::operation(format!("{} is there already; give another name, or --overwrite", path.display()))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::operation(format!("cannot write {}: {error}", path.display()))
}
