//! What Claviger remembers. The only crate that names SeaORM; SQLite and PostgreSQL differ in this crate's root,
//! connection, transaction and snapshot modules and in the migrations, never in a query of a table.
//!
//! Whatever finds or lists takes an [`Owner`](claviger_domain::actor::Owner), or ends in `_unscoped`.
//! What writes, and what hangs on one thing (its secrets, its counters, its usage), is given the thing
//! or its id after it was found with its owner.
//!
//! What is not there and what is another owner's are one answer: `None`, or left out of a list. Any query
//! may answer [`StoreError::Unavailable`], and any that reads rows [`StoreError::Corrupt`]; methods name
//! only what else goes wrong. The order of every list ends in the primary key, so that no two rows are
//! equal in it.

#![expect(unreachable_pub, reason = "SeaORM's derive wants its row types public in their private modules")]

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, EntityName,
    EntityTrait, Statement,
};
use sea_orm_migration::{MigratorTrait, SchemaManager, seaql_migrations};

mod account;
mod admin_key;
mod audit;
mod bootstrap_key;
mod connection;
mod counter;
mod credential;
mod database_file;
mod error;
mod installation;
mod journal_position;
mod kept_answer;
mod organization;
mod owned;
mod page;
mod pepper_check;
mod pepper_use;
mod role;
mod secret;
mod settings;
mod snapshot;
mod tally;
mod transaction;
mod usage;
mod usage_outcome;
mod usage_report;
mod value;

pub use account::{UserAccounts, UserFilter};
pub use admin_key::AdminKeys;
pub use audit::{AuditFilter, AuditLog, AuditSearch, ChainPlace, Chained, Change, Changed};
pub use bootstrap_key::BootstrapKeys;
pub use counter::{Counters, Spent};
pub use credential::{CredentialFilter, Credentials, Left};
pub use error::{Constraint, StoreError};
pub use installation::{Installation, InstallationRecord};
pub use journal_position::JournalPositions;
pub use kept_answer::{KeptAnswer, KeptAnswers};
pub use organization::{OrganizationFilter, Organizations};
pub use pepper_check::PepperChecks;
pub use pepper_use::{EntriesUnder, KeysUnder, PepperUse};
pub use role::Roles;
pub use secret::Secrets;
pub use settings::InstallationSettings;
pub use usage::{CredentialUsage, Usage, UsageOf, UserUsage};
pub use usage_outcome::UsageOutcomes;
pub use usage_report::{ReportId, UsageReports};

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Connections for reading (SQLite), or in all (PostgreSQL).
    pub connections: u32,
    /// How long a query waits for a connection, and on SQLite for the lock of another process, before the database
    /// counts as unavailable.
    pub acquire_timeout: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { connections: 8, acquire_timeout: Duration::from_secs(20) }
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    /// On SQLite the one connection that writes: writers queue here, and none ever meets `SQLITE_BUSY`.
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    suspect: connection::Suspect,
    /// Of the embedded database, unless it is in memory.
    file: Option<database_file::DatabaseFile>,
}

/// A transaction under way.
#[derive(Debug)]
pub struct Tx(DatabaseTransaction);

/// Any number that nothing else on the database is likely to use.
const MIGRATING: i64 = 4_807_234_166_571_263;

impl Store {
    /// Applies the schema changes that are missing.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when the database knows changes this build does not; nothing is
    /// touched then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.transaction(async |tx| {
            // Several processes may start on one database at once.
            tx.alone(MIGRATING).await?;
            let applied = claviger_migration::Migrator::get_migration_models(&tx.0).await?;
            missing_changes(applied)?;
            claviger_migration::Migrator::up(&tx.0, None).await?;
            Ok(())
        })
        .await
    }

    /// Whether the schema is that of this build. Only looks.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when the database knows changes this build does not.
    pub async fn schema_is_current(&self) -> Result<bool, StoreError> {
        let table = seaql_migrations::Entity.table_name();
        let applied = match SchemaManager::new(&self.reader).has_table(table).await? {
            true => seaql_migrations::Entity::find().all(&self.reader).await?,
            false => Vec::new(),
        };
        Ok(missing_changes(applied)? == 0)
    }

    /// Closes every connection.
    pub async fn close(self) {
        // The process is going away: a connection that fails to close is closed by that.
        let _ = self.reader.close().await;
        let _ = self.writer.close().await;
    }

    /// The id of the newest transaction: every transaction that has written something by now has this id or a lower
    /// one. 0 on the embedded database, where transactions run one after the other.
    pub async fn newest_transaction(&self) -> Result<i64, StoreError> {
        // `pg_snapshot_xmax` would be too low: it is past the highest id that has *ended*.
        self.transaction_id("SELECT pg_current_xact_id()::text::bigint AS id").await
    }

    /// The id below which every transaction has ended. Compared with an earlier
    /// [`newest_transaction`](Self::newest_transaction), it tells a reader of the change feed that no entry with a
    /// revision it has passed can appear any more. 0 on the embedded database.
    pub async fn oldest_running_transaction(&self) -> Result<i64, StoreError> {
        self.transaction_id("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS id").await
    }

    async fn transaction_id(&self, postgres: &str) -> Result<i64, StoreError> {
        if self.is_embedded() {
            return Ok(0);
        }
        let row =
            self.reader.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, postgres)).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("a transaction id".to_owned()))?;
        Ok(row.try_get("", "id")?)
    }

    /// How many transactions the database takes at once.
    #[must_use]
    pub fn writers(&self) -> usize {
        match self.is_embedded() {
            true => 1,
            false => self.writer.get_postgres_connection_pool().options().get_max_connections() as usize,
        }
    }

    /// Whether the database is the embedded one.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.writer.get_database_backend() == DatabaseBackend::Sqlite
    }
}

/// How many schema changes this build knows beyond those that were applied.
fn missing_changes(applied: Vec<seaql_migrations::Model>) -> Result<usize, StoreError> {
    let known = claviger_migration::names();
    let missing = known.len().saturating_sub(applied.len());
    match applied.into_iter().find(|row| !known.contains(&row.version)) {
        Some(row) => Err(StoreError::NewerSchema { change: row.version }),
        None => Ok(missing),
    }
}

impl Tx {
    /// Waits until no other transaction, of any process, has asked for the same `name`, and keeps others
    /// waiting until this one ends. On the embedded database every transaction is alone anyway.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the others take too long.
    pub async fn alone(&self, name: i64) -> Result<(), StoreError> {
        if self.0.get_database_backend() == DatabaseBackend::Postgres {
            self.0.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({name})")).await?;
        }
        Ok(())
    }
}

/// Where queries run: straight on the database, which is for reading, or inside a [`Tx`].
pub trait Tables {
    /// SeaORM's side of it.
    type Connection: ConnectionTrait;

    #[doc(hidden)]
    fn connection(&self) -> &Self::Connection;

    /// The tenants.
    fn organizations(&self) -> Organizations<'_, Self::Connection> {
        Organizations(self.connection())
    }
    /// The root keys.
    fn bootstrap_keys(&self) -> BootstrapKeys<'_, Self::Connection> {
        BootstrapKeys(self.connection())
    }
    /// What tells whether the peppers are those of the stored keys.
    fn pepper_checks(&self) -> PepperChecks<'_, Self::Connection> {
        PepperChecks(self.connection())
    }
    /// What depends on each pepper.
    fn pepper_use(&self) -> PepperUse<'_, Self::Connection> {
        PepperUse(self.connection())
    }
    /// Which installation the database belongs to.
    fn installation(&self) -> InstallationRecord<'_, Self::Connection> {
        InstallationRecord(self.connection())
    }
    /// The partners' keys.
    fn admin_keys(&self) -> AdminKeys<'_, Self::Connection> {
        AdminKeys(self.connection())
    }
    /// The customers.
    fn user_accounts(&self) -> UserAccounts<'_, Self::Connection> {
        UserAccounts(self.connection())
    }
    /// The roles organizations made themselves.
    fn roles(&self) -> Roles<'_, Self::Connection> {
        Roles(self.connection())
    }
    /// What holds for the whole installation.
    fn settings(&self) -> InstallationSettings<'_, Self::Connection> {
        InstallationSettings(self.connection())
    }
    /// What is verified.
    fn credentials(&self) -> Credentials<'_, Self::Connection> {
        Credentials(self.connection())
    }
    /// What is kept of credentials' keys.
    fn secrets(&self) -> Secrets<'_, Self::Connection> {
        Secrets(self.connection())
    }
    /// What was spent of credentials' limits.
    fn counters(&self) -> Counters<'_, Self::Connection> {
        Counters(self.connection())
    }
    /// How often credentials were used.
    fn usage(&self) -> Usage<'_, Self::Connection> {
        Usage(self.connection())
    }
    /// What came of organizations' calls.
    fn usage_outcomes(&self) -> UsageOutcomes<'_, Self::Connection> {
        UsageOutcomes(self.connection())
    }
    /// Which reports of usage were counted.
    fn usage_reports(&self) -> UsageReports<'_, Self::Connection> {
        UsageReports(self.connection())
    }
    /// Up to where journals have been moved here.
    fn journal_positions(&self) -> JournalPositions<'_, Self::Connection> {
        JournalPositions(self.connection())
    }
    /// Who did what.
    fn audit_log(&self) -> AuditLog<'_, Self::Connection> {
        AuditLog(self.connection())
    }
    /// The answers that repeated requests get again.
    fn kept_answers(&self) -> KeptAnswers<'_, Self::Connection> {
        KeptAnswers(self.connection())
    }
}

impl Tables for Store {
    type Connection = DatabaseConnection;

    fn connection(&self) -> &DatabaseConnection {
        &self.reader
    }
}

impl Tables for Tx {
    type Connection = DatabaseTransaction;

    fn connection(&self) -> &DatabaseTransaction {
        &self.0
    }
}

#[cfg(test)]
mod tests;
