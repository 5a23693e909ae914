//! What can go wrong between a query and its answer.

use claviger_domain::secret::PepperVersion;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// A rule of the schema that a write broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// Another account of the same admin key has this external id.
    ExternalId,
    /// Another organization has this slug.
    Slug,
    /// Another role of the same organization has this name.
    RoleName,
    /// An answer is kept for this caller under this key already.
    KeptAnswer,
    /// A usage report of this organization was counted under this id already.
    UsageReport,
    /// A row that others still refer to, or a reference to nothing.
    Reference,
    /// Any other unique index; those hold random values, so this is not for callers to mend.
    Other,
}

/// What a query answers instead of rows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The write was refused. On PostgreSQL the transaction it was in can do nothing more.
    #[error("the write breaks {0:?}")]
    Conflict(Constraint),
    /// A row cannot be read back: it was damaged, or changed by other means.
    #[error("row {row} of {table} is not what was written there")]
    Corrupt {
        /// The table's name.
        table: &'static str,
        /// The row's primary key, or as much of it as tells the row apart for people.
        row: String,
    },
    /// The row changed between being read and being written, or is gone; or another transaction came first.
    #[error("the row was changed by somebody else meanwhile")]
    Overtaken,
    /// A chain of the audit log is sealed under a pepper that this process does not have, and another process
    /// does: an entry written now would break the chain.
    #[error("pepper {0} is in use by another process and missing here: restart this server with it")]
    MissingPepper(PepperVersion),
    /// A newer build has migrated the database; this one leaves it alone.
    #[error("the database has the schema change {change}, which this build does not know: it is newer")]
    NewerSchema {
        /// The first unknown change, by its file's name.
        change: String,
    },
    /// The database cannot be reached, is too busy, or failed in a way no caller can mend.
    #[error("the database is not available")]
    Unavailable(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(text)) => Self::Conflict(unique(&text)),
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::Conflict(Constraint::Reference),
            _ if is_deadlock(&error) => Self::Overtaken,
            _ => Self::Unavailable(error),
        }
    }
}

/// PostgreSQL has ended one of two transactions that waited for one another (SQLSTATE 40P01), or that cannot both have
/// come first (40001): whoever tries again will not meet the other.
fn is_deadlock(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    let is_of = |code: &str| matches!(code, "40P01" | "40001");
    cause.as_database_error().is_some_and(|error| error.code().as_deref().is_some_and(is_of))
}

/// SQLite names the columns (`user_accounts.external_id`), PostgreSQL the index.
fn unique(text: &str) -> Constraint {
    if text.contains("external_id") {
        Constraint::ExternalId
    } else if text.contains("slug") {
        Constraint::Slug
    } else if text.contains("name_key") {
        Constraint::RoleName
    } else if text.contains("kept_answers") {
        Constraint::KeptAnswer
    } else if text.contains("usage_reports") {
        Constraint::UsageReport
    } else {
        Constraint::Other
    }
}
