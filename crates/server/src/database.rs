//! Opening the database for a command: its directory, its peppers, its tables, and the application
//! on top.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use claviger_app::peppers::Unfit;
use claviger_app::{App, Ports, Settings};
use claviger_store::{Store, StoreError, StoreOptions, Tables};

use crate::config::{Config, Embedded};
use crate::failure::{Failure, with_causes};
use crate::{durable, installation, journal, output, peppers, runtime, system};

/// What to do about a database, or tables of this version, that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Made,
    /// A command that works on what is there would otherwise make an empty installation of a
    /// mistyped path, or change the tables under a server of another version.
    Refused,
}

/// How long a server's query waits for a connection or a lock. Its callers have waited for their turn before.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Runs `work` on the database, and closes it.
pub(crate) fn with<T>(
    config: &Config,
    missing: Missing,
    work: impl AsyncFnOnce(&App) -> Result<T, Failure>,
) -> Result<T, Failure> {
    runtime::start(config)?.block_on(async {
        let app = open(config, missing).await?;
        let outcome = work(&app).await;
        let closed = close(&app).await;
        let outcome = outcome?;
        closed.map(|()| outcome)
    })
}

/// As [`with`], also when peppers are missing that something stored depends on: only for looking.
pub(crate) fn with_any_peppers<T>(
    config: &Config,
    work: impl AsyncFnOnce(&App) -> Result<T, Failure>,
) -> Result<T, Failure> {
    runtime::start(config)?.block_on(async {
        let (store, ports, settings) = connect(config, Missing::Refused, false).await?;
        let app = App::new(store, ports, settings);
        let outcome = work(&app).await;
        close(&app).await?;
        outcome
    })
}

/// Brings the tables up to date.
pub(crate) fn migrate(config: &Config) -> Result<(), Failure> {
    with(config, Missing::Made, async |_| Ok(()))?;
    output::print(&format!("{} is up to date", config.database_url().shown()))
}

/// Writes what is held in memory, and closes the database. Decided calls stay in the journal when they cannot
/// be drained; `background::run` has tried.
pub(crate) async fn close(app: &App) -> Result<(), Failure> {
    let flushed = app.flush().await;
    closed(app, flushed).await
}

/// Closes the database after what was held in memory was written.
pub(crate) async fn closed(app: &App, flushed: Result<(), StoreError>) -> Result<(), Failure> {
    app.store().clone().close().await;
    flushed.map_err(|error| {
        let error = with_causes(&error);
        Failure::operation(format!("the last reads and refusals are missing from the audit log: {error}"))
    })
}

/// The application on its database, for a command.
pub(crate) async fn open(config: &Config, missing: Missing) -> Result<App, Failure> {
    let (store, ports, settings) = connect(config, missing, true).await?;
    Ok(App::new(store, ports, settings))
}

/// The application on its database, for serving: it decides about keys, and counts calls in its journal.
pub(crate) async fn open_deciding(config: &Config) -> Result<App, Failure> {
    let (store, ports, settings) = connect(config, Missing::Made, true).await?;
    let journal = journal::find(config, &ports)?;
    installation::opened(config, &store).await?;
    let opened = App::deciding(store.clone(), ports, settings, journal).await;
    if opened.is_err() {
        store.close().await;
    }
    opened.map_err(|error| {
        Failure::operation(format!("cannot take up the usage journal: {}", with_causes(&error)))
    })
}

/// The database. Its tables are those of this version, its peppers are not others than ours, and when
/// `demand_all`, none that it needs is missing here.
async fn connect(
    config: &Config,
    missing: Missing,
    demand_all: bool,
) -> Result<(Store, Ports, Settings), Failure> {
    let ports = system::ports();
    let url = config.database_url();
    match url.embedded() {
        Some(Embedded::Memory) if missing == Missing::Refused => {
            return Err(Failure::operation(format!(
                "no command reaches {}: such a database lives in the server's process alone",
                url.shown()
            )));
        }
        Some(Embedded::File(_)) => prepare(config, missing)?,
        Some(Embedded::Memory) | None => {}
    }
    let observed = installation::observe(config, missing, &*ports.entropy)?;
    let peppers = peppers::of(config, &*ports.entropy)?;
    if let Some(Embedded::File(file)) = url.embedded() {
        keep_private(file)?;
    }
    let options = match missing {
        // A server's callers are told soon that the database is away.
        Missing::Made => StoreOptions { acquire_timeout: LONGEST_WAIT, ..StoreOptions::default() },
        Missing::Refused => StoreOptions::default(),
    };
    let store = Store::connect(url.expose(), &options).await.map_err(|error| cannot_open(config, &error))?;
    let settings = Settings {
        peppers,
        admin_limit_per_minute: config.limits.admin_per_minute,
        admin_limit_of_organization: config.limits.admin_per_organization,
        reports_per_minute: config.limits.reports_per_minute,
        durability: config.journal.durability,
        retention: config.retention,
    };
    let app = App::new(store.clone(), ports.clone(), settings.clone());
    let fitting = async {
        observed.check(config, &store).await?;
        tables_fit(config, &app, missing).await?;
        check_peppers(config, &app, demand_all).await?;
        match missing {
            Missing::Made => observed.settle(config, &app, &*ports.entropy).await,
            Missing::Refused => Ok(()),
        }
    };
    if let Err(failure) = fitting.await {
        // Left open, SQLite's log would stay beside a database that was only looked at.
        app.store().clone().close().await;
        return Err(failure);
    }
    Ok((store, ports, settings))
}

/// Sees to the directory of an embedded database.
fn prepare(config: &Config, missing: Missing) -> Result<(), Failure> {
    if missing == Missing::Refused {
        must_be_there(config)?;
    }
    durable::create_directory(&config.data_dir).map_err(|error| {
        Failure::operation(format!("cannot make the data directory {}: {error}", config.data_dir.display()))
    })
}

/// Refuses where the embedded database is missing.
pub(crate) fn must_be_there(config: &Config) -> Result<(), Failure> {
    installation::must_be_restored(config)?;
    match config.database_url().embedded() {
        Some(Embedded::File(database)) if !peppers::holds_data(database) => Err(Failure::operation(format!(
            "there is no database at {}; `claviger serve` makes one, CLAVIGER_DATA_DIR and CLAVIGER_DATABASE_URL say where \
             it is",
            database.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses where the peppers are not those of the database. Only looks.
pub(crate) async fn peppers_fit(config: &Config, store: &Store) -> Result<(), Failure> {
    let given = peppers::given(config)?.checks();
    let known = store.pepper_checks().list_unscoped().await.map_err(|error| cannot_open(config, &error))?;
    for given in &given {
        let same_version = known.iter().find(|known| known.pepper == given.pepper);
        if same_version.is_some_and(|known| known != given) {
            return Err(peppers::different(config, given.pepper));
        }
    }
    Ok(())
}

/// SQLite would make its files readable by everybody; they take the mode of the first one. One that is
/// open to others already stays so and is only told: a backup's account may need it, and without the
/// peppers no key can be made of what is in it.
fn keep_private(file: &Path) -> Result<(), Failure> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(Failure::operation(format!("cannot make the database {}: {error}", file.display())));
        }
    }
    let mode = fs::metadata(file).map_or(0, |file| file.mode() & 0o777);
    if mode & 0o077 != 0 {
        let mode = format!("{mode:04o}");
        tracing::warn!(database = %file.display(), mode, "the database is open to others; `chmod 600` closes it");
    }
    Ok(())
}

/// Makes sure that the tables are those of this version, before anything else is read or written.
async fn tables_fit(config: &Config, app: &App, missing: Missing) -> Result<(), Failure> {
    let cannot = |error: StoreError| cannot_open(config, &error);
    match missing {
        Missing::Made => app.store().migrate().await.map_err(cannot),
        Missing::Refused if app.store().schema_is_current().await.map_err(cannot)? => Ok(()),
        Missing::Refused => Err(Failure::operation(format!(
            "the tables in {} are not those of this version; stop the server if one runs, and run `claviger migrate`",
            config.database_url().shown()
        ))),
    }
}

/// Makes sure that the peppers are those of the database and, when `demand_all`, that all it needs are here.
async fn check_peppers(config: &Config, app: &App, demand_all: bool) -> Result<(), Failure> {
    match claviger_app::peppers::check(app).await {
        Ok(()) => Ok(()),
        Err(Unfit::Missing(..)) if !demand_all => Ok(()),
        Err(Unfit::Missing(version, dependents)) => Err(peppers::absent(config, version, &dependents)),
        Err(Unfit::Different(version)) => Err(peppers::different(config, version)),
        Err(Unfit::Unavailable(error)) => Err(cannot_open(config, &error)),
    }
}

fn cannot_open(config: &Config, error: &StoreError) -> Failure {
    let url = config.database_url();
    Failure::operation(format!("cannot open the database {}: {}", url.shown(), with_causes(error)))
}
