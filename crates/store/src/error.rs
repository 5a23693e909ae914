//! What can go wrong between a query and its answer.

use sea_orm::{DbErr, SqlErr};

/// A rule of the schema that a write broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    ExternalId,
    Slug,
    KeptAnswer,
    /// A row that others still refer to, or a reference to nothing.
    Reference,
    /// Any other unique index; those hold random values, so this is not for callers to mend.
    Other,
}

/// What a query answers instead of rows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the write breaks {0:?}")]
    Conflict(Constraint),
    #[error("row {row} of {table} is not what was written there")]
    Corrupt { table: &'static str, row: String },
    /// The row changed between being read and being written.
    #[error("the row was changed by somebody else meanwhile")]
    Overtaken,
    #[error("the database has the schema change {change}, which this build does not know: it is newer")]
    NewerSchema { change: String },
    #[error("the database is not available")]
    Unavailable(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(text)) => Self::Conflict(unique(&text)),
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::Conflict(Constraint::Reference),
            _ => Self::Unavailable(error),
        }
    }
}

/// SQLite names the columns (`user_accounts.external_id`), PostgreSQL the index.
fn unique(text: &str) -> Constraint {
    if text.contains("external_id") {
        Constraint::ExternalId
    } else if text.contains("slug") {
        Constraint::Slug
    } else if text.contains("kept_answers") {
        Constraint::KeptAnswer
    } else {
        Constraint::Other
    }
}
