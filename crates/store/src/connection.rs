//! Opens the database, and keeps connections out of use whose transaction did not end properly.
//!
//! SQLite rolls a transaction back by itself when a statement or commit meets a full disk or an I/O error. The
//! driver's own ROLLBACK then fails and its count of open transactions stays at one, so that the next "transaction"
//! would be a savepoint inside one that nobody commits. Such a connection is closed, and the pool opens another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::sqlite::{Sqlite, SqliteConnection};
use sea_orm::sqlx::{Connection, Error as SqlxError, Postgres};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

use crate::database_file::DatabaseFile;
use crate::{Store, StoreError, StoreOptions};

/// Whether the embedded database's one writing connection has failed to begin, commit or roll back: it is closed
/// then before anybody uses it again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suspect(Arc<AtomicBool>);

impl Suspect {
    pub(crate) fn mark(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl Store {
    /// Opens the database at `url`: `sqlite:PATH` (made when missing), `sqlite::memory:` or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be opened.
    pub async fn connect(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let mut connect = ConnectOptions::new(url);
        connect
            .sqlx_logging(false)
            .acquire_timeout(options.acquire_timeout)
            .connect_timeout(options.acquire_timeout)
            .test_before_acquire(false);
        let suspect = Suspect::default();
        if !url.starts_with("sqlite:") {
            let pool = connect_postgres(connect, options).await?;
            return Ok(Self { writer: pool.clone(), reader: pool, suspect, file: None });
        }
        connect.max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        let busy_timeout = options.acquire_timeout;
        connect.map_sqlx_sqlite_opts(move |sqlite| {
            // FULL: what was answered survives a power cut. The pause only ever meets other processes.
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(busy_timeout)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", "-65536")
        });
        if url.contains(":memory:") {
            // It is gone with its connection, which is therefore never replaced; there is no disk that could fail.
            let writer = Database::connect(connect).await?;
            return Ok(Self { reader: writer.clone(), writer, suspect, file: None });
        }
        let mut writing = connect.clone();
        let watched = suspect.clone();
        writing.map_sqlx_sqlite_pool_opts(move |pool| replace_unclean(pool, &watched));
        let writer = Database::connect(writing).await?;
        connect.max_connections(options.connections).min_connections(0);
        connect.map_sqlx_sqlite_pool_opts(|pool| replace_unclean(pool, &Suspect::default()));
        connect.map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .foreign_keys(true)
                .busy_timeout(busy_timeout)
                .pragma("query_only", "ON")
                .pragma("temp_store", "MEMORY")
        });
        let reader = Database::connect(connect).await?;
        // A connection that replaces the first one must not make an empty database where the file was deleted.
        let pool = writer.get_sqlite_connection_pool();
        let opened = (*pool.connect_options()).clone().create_if_missing(false);
        let file = DatabaseFile::observe(opened.get_filename().to_owned())
            .map_err(|error| DbErr::Custom(error.to_string()))?;
        pool.set_connect_options(opened);
        Ok(Self { writer, reader, suspect, file: Some(file) })
    }
}

async fn connect_postgres(
    mut connect: ConnectOptions,
    options: &StoreOptions,
) -> Result<DatabaseConnection, StoreError> {
    connect
        .max_connections(options.connections)
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        // A change that hangs must not hold its locks for ever.
        .map_sqlx_postgres_opts(|postgres| {
            postgres.options([
                ("lock_timeout", "15s"),
                ("statement_timeout", "30s"),
                ("idle_in_transaction_session_timeout", "30s"),
            ])
        })
        // The pool itself waits for the ROLLBACK of an abandoned transaction, and closes a connection that fails it.
        .map_sqlx_postgres_pool_opts(|pool: PoolOptions<Postgres>| {
            pool.after_release(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        });
    Ok(Database::connect(connect).await?)
}

/// Closes a connection that is still inside a transaction, or that is suspect, instead of using it again.
fn replace_unclean(pool: PoolOptions<Sqlite>, suspect: &Suspect) -> PoolOptions<Sqlite> {
    let (released, acquired) = (suspect.clone(), suspect.clone());
    pool.after_release(move |connection, _| {
        let suspect = released.clone();
        Box::pin(async move { Ok(is_clean(connection).await? && !suspect.take()) })
    })
    // The transaction that failed may have told so only after its connection was released.
    .before_acquire(move |connection, _| {
        let is_usable = !connection.is_in_transaction() && !acquired.take();
        Box::pin(async move { Ok(is_usable) })
    })
}

/// Whether every transaction of the connection has ended, as far as the driver knows. That SQLite agrees is checked
/// by the next `BEGIN IMMEDIATE`, which fails inside a transaction.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, SqlxError> {
    // The ROLLBACK of an abandoned transaction may still be queued: this is answered after it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}
