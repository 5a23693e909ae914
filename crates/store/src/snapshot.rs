//! The database as a whole: what is in it, a copy of it while it is used, and its write-ahead log.

use std::path::Path;
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, EntityName, EntityTrait, Statement,
};
use sea_orm_migration::{SchemaManager, seaql_migrations};

use crate::{Store, StoreError};

impl Store {
    /// The names of all tables in the database, whoever made them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn table_names(&self) -> Result<Vec<String>, StoreError> {
        let backend = self.reader.get_database_backend();
        let query = match backend {
            DatabaseBackend::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            }
            _ => {
                "SELECT tables.relname::text AS name FROM pg_catalog.pg_class tables \
                 JOIN pg_catalog.pg_namespace schemas ON schemas.oid = tables.relnamespace \
                 WHERE tables.relkind IN ('r', 'p', 'v', 'm', 'f') \
                 AND schemas.nspname NOT LIKE 'pg\\_%' AND schemas.nspname <> 'information_schema' ORDER BY 1"
            }
        };
        let rows = self.reader.query_all_raw(Statement::from_string(backend, query)).await?;
        rows.iter().map(|row| Ok(row.try_get("", "name")?)).collect()
    }

    /// The schema changes that were applied, oldest first. Only looks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn schema_changes(&self) -> Result<Vec<String>, StoreError> {
        let table = seaql_migrations::Entity.table_name();
        let applied = match SchemaManager::new(&self.reader).has_table(table).await? {
            true => seaql_migrations::Entity::find().all(&self.reader).await?,
            false => Vec::new(),
        };
        let mut names: Vec<_> = applied.into_iter().map(|change| change.version).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The schema changes that this build knows, oldest first.
    #[must_use]
    pub fn known_schema_changes() -> Vec<String> {
        claviger_migration::names()
    }

    /// Copies the embedded database at `url` as it is at this moment into the file `into`, which must be
    /// empty or missing, while others read and write. Nobody waits for it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database cannot be read or the file not be written.
    pub async fn copy_embedded(url: &str, into: &Path) -> Result<(), StoreError> {
        let mut connect = ConnectOptions::new(url);
        connect.max_connections(1).sqlx_logging(false);
        connect.map_sqlx_sqlite_opts(|sqlite| {
            sqlite.create_if_missing(false).busy_timeout(Duration::from_secs(20))
        });
        let connection = Database::connect(connect).await?;
        let into = into.to_string_lossy().replace('\'', "''");
        let copied = connection.execute_unprepared(&format!("VACUUM INTO '{into}'")).await;
        let closed = connection.close().await;
        copied?;
        Ok(closed?)
    }

    /// Looks for damage in the embedded database, page by page; answers the first that was found.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn find_damage(&self) -> Result<Option<String>, StoreError> {
        let check = Statement::from_string(DatabaseBackend::Sqlite, "PRAGMA quick_check(1)");
        let row = self.reader.query_one_raw(check).await?;
        let found: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(found.filter(|found| found != "ok"))
    }

    /// Moves the write-ahead log of the embedded database into its file, as far as nobody reads what is older.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be written.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        if self.is_embedded() {
            self.writer.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await?;
        }
        Ok(())
    }

    /// Moves all of the write-ahead log of the embedded database into its file, so that the file alone is
    /// whole. Waits for readers, and answers whether it was done: another program can keep it from being.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be written.
    pub async fn merge_log(&self) -> Result<bool, StoreError> {
        if !self.is_embedded() {
            return Ok(true);
        }
        let checkpoint = Statement::from_string(DatabaseBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let row = self.writer.query_one_raw(checkpoint).await?;
        let busy: Option<i32> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(busy == Some(0))
    }
}
