//! How SQLite goes about what was measured: the statements that the store really runs are overheard
//! and explained on the large database.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use claviger_domain::actor::Owner;
use claviger_domain::ids::{AdminKeyId, CredentialId};
use claviger_domain::page::Window;
use claviger_domain::secret::Digest;
use claviger_store::{CredentialFilter, StoreError, Tables};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, Statement,
};

use crate::Outcome;
use crate::rows::{Rows, connect};

pub(crate) async fn explain(database: &Path, rows: &Rows) -> Outcome<String> {
    let overheard =
        Overheard { connection: connect(database, "FULL").await?, statements: Mutex::new(Vec::new()) };
    let mut text = "Query plans in the large database\n".to_owned();
    let credential = &rows.credential;
    let owner = Owner::AdminKey(AdminKeyId::from_uuid(credential.admin_key_id.ok_or("no admin key")?));
    let page = async |offset| {
        let window = Window::new(20, offset).map_err(|_| "no window")?;
        overheard.credentials().list(owner, &CredentialFilter::default(), window).await?;
        Outcome::Ok(())
    };
    overheard.admin_keys().find_by_digest_unscoped(&[Digest::from_bytes([0; 32])]).await?;
    overheard.explained("who calls", &mut text).await?;
    page(0).await?;
    overheard.explained("20 credentials, first page", &mut text).await?;
    page(10_000).await?;
    overheard.explained("20 credentials, offset 10000", &mut text).await?;
    overheard.credentials().find(owner, CredentialId::from_uuid(credential.id)).await?;
    overheard.explained("one credential by id", &mut text).await?;
    overheard.connection.close().await?;
    Ok(text)
}

/// A connection that remembers what is asked of it.
struct Overheard {
    connection: DatabaseConnection,
    statements: Mutex<Vec<Statement>>,
}

impl Overheard {
    fn note(&self, statement: &Statement) {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).push(statement.clone());
    }

    /// Adds the plans of what was asked since the last time.
    async fn explained(&self, what: &str, text: &mut String) -> Result<(), StoreError> {
        let statements = std::mem::take(&mut *self.statements.lock().unwrap_or_else(PoisonError::into_inner));
        *text += &format!("  {what}\n");
        for mut statement in statements {
            // Before that stands every column of the table.
            let from = statement.sql.find(" FROM ").map_or(0, |place| place + 1);
            *text += &format!("    SELECT … {}\n", statement.sql[from..].replace('"', ""));
            statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
            for step in self.connection.query_all_raw(statement).await? {
                *text += &format!("      {}\n", step.try_get::<String>("", "detail")?);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ConnectionTrait for Overheard {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.note(&statement);
        self.connection.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.note(&Statement::from_string(self.get_database_backend(), sql));
        self.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.note(&statement);
        self.connection.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.note(&statement);
        self.connection.query_all_raw(statement).await
    }
}

impl Tables for Overheard {
    type Connection = Self;

    fn connection(&self) -> &Self {
        self
    }
}
