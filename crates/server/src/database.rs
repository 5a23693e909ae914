//! Opening the database for a command: its directory, its peppers, its tables, and the application
//! on top.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use claviger_app::{App, Settings};
use claviger_store::{Store, StoreError, StoreOptions};

use crate::config::{Config, Embedded};
use crate::failure::{Failure, with_causes};
use crate::{durable, output, peppers, runtime, system};

/// What to do about an embedded database that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Made,
    /// A command that works on what is there would otherwise make an empty installation of a
    /// mistyped path.
    Refused,
}

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

/// Brings the tables up to date.
pub(crate) fn migrate(config: &Config) -> Result<(), Failure> {
    with(config, Missing::Made, async |_| Ok(()))?;
    output::print(&format!("{} is up to date", config.database_url().shown()))
}

/// Writes what is held in memory, and closes the database.
pub(crate) async fn close(app: &App) -> Result<(), Failure> {
    let flushed = app.flush().await;
    app.store().clone().close().await;
    flushed.map_err(|error| {
        let error = with_causes(&error);
        Failure::operation(format!("the last reads and refusals are missing from the audit log: {error}"))
    })
}

/// The application on its database, whose tables are those of this version.
pub(crate) async fn open(config: &Config, missing: Missing) -> Result<App, Failure> {
    let ports = system::ports();
    let url = config.database_url();
    if let Some(Embedded::File(file)) = url.embedded() {
        if missing == Missing::Refused && !file.exists() {
            return Err(Failure::operation(format!(
                "there is no database at {}; `claviger serve` makes one, CLAVIGER_DATA_DIR and CLAVIGER_DATABASE_URL say \
                 where it is",
                file.display()
            )));
        }
        durable::create_directory(&config.data_dir).map_err(|error| {
            Failure::operation(format!(
                "cannot make the data directory {}: {error}",
                config.data_dir.display()
            ))
        })?;
    }
    let peppers = peppers::of(config, &*ports.entropy)?;
    if let Some(Embedded::File(file)) = url.embedded() {
        keep_private(file)?;
    }
    let cannot = |error: StoreError| {
        Failure::operation(format!("cannot open the database {}: {}", url.shown(), with_causes(&error)))
    };
    let store = Store::connect(url.expose(), &StoreOptions::default()).await.map_err(cannot)?;
    if let Err(error) = store.migrate().await {
        // Left open, SQLite's log would stay beside a database that was only looked at.
        store.close().await;
        return Err(cannot(error));
    }
    let settings = Settings { peppers, admin_limit_per_minute: config.limits.admin_per_minute };
    Ok(App::new(store, ports, settings))
}

/// SQLite would make its files readable by everybody; they take the mode of the first one.
fn keep_private(file: &Path) -> Result<(), Failure> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Failure::operation(format!("cannot make the database {}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}
