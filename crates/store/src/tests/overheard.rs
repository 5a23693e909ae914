//! Overhears the statements that the store really runs, and has SQLite explain them.

use std::sync::Mutex;

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, Statement,
};

use super::databases::memory;
use crate::{Store, StoreError, Tables};

/// A connection that remembers what is asked of it.
pub(super) struct Overheard {
    connection: DatabaseConnection,
    statements: Mutex<Vec<Statement>>,
}

impl Overheard {
    fn note(&self, statement: &Statement) {
        self.statements.lock().unwrap().push(statement.clone());
    }
}

#[async_trait::async_trait]
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

/// The plan of each statement that `ask` runs, one step a line.
pub(super) async fn plans<T>(
    store: &Store,
    ask: &impl AsyncFn(&Overheard) -> Result<T, StoreError>,
) -> Vec<String> {
    let overheard = Overheard { connection: store.reader.clone(), statements: Mutex::new(Vec::new()) };
    ask(&overheard).await.unwrap();
    let mut steps = Vec::new();
    for mut statement in overheard.statements.into_inner().unwrap() {
        statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
        for row in store.reader.query_all_raw(statement).await.unwrap() {
            steps.push(row.try_get::<String>("", "detail").unwrap());
        }
    }
    assert!(!steps.is_empty());
    steps
}

/// These steps are the query's whole plan, and without the index it would have another: no step can
/// be lost unnoticed.
pub(super) async fn expect<T>(
    ask: impl AsyncFn(&Overheard) -> Result<T, StoreError>,
    expected: &[&str],
    without: Option<&str>,
) {
    for step in expected {
        assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{step}");
    }
    let store = memory().await;
    assert_eq!(plans(&store, &ask).await, expected);
    if let Some(index) = without {
        // A statement that was explained before is not explained anew.
        let store = memory().await;
        store.writer.execute_unprepared(&format!("DROP INDEX {index}")).await.unwrap();
        assert_ne!(plans(&store, &ask).await, expected, "without {index}");
    }
}
