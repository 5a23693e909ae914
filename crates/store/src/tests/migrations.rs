//! The schema is applied once, and a newer one is left alone.

use claviger_migration::Migrator;
use claviger_test_postgres::Database;
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::MigratorTrait;

use super::databases::{File, postgres};
use crate::{Store, StoreError};

const FUTURE: &str = "m29990101_000001_from_the_future";

/// Every table, index and trigger, and every change that was applied.
async fn state(store: &Store) -> Vec<String> {
    let (objects, changes) = match store.is_embedded() {
        true => (
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_schema ORDER BY 1",
            "SELECT version || ' ' || applied_at AS line FROM seaql_migrations ORDER BY 1",
        ),
        false => (
            "SELECT concat_ws(' ', relkind, relname, oid) AS line FROM pg_class \
             WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
            "SELECT version || ' ' || applied_at AS line FROM seaql_migrations ORDER BY 1",
        ),
    };
    let mut lines = Vec::new();
    for sql in [objects, changes] {
        let statement = Statement::from_string(store.writer.get_database_backend(), sql);
        for row in store.writer.query_all_raw(statement).await.unwrap() {
            lines.push(row.try_get("", "line").unwrap());
        }
    }
    lines
}

async fn has_table(store: &Store, table: &str) -> bool {
    store.writer.execute_unprepared(&format!("SELECT 1 FROM {table} LIMIT 1")).await.is_ok()
}

async fn applied_twice(store: Store) {
    assert!(!has_table(&store, "credentials").await);
    // Looking changes nothing, not even the table of changes is made.
    assert!(!store.schema_is_current().await.unwrap());
    assert!(!has_table(&store, "seaql_migrations").await);
    store.migrate().await.unwrap();
    assert!(store.schema_is_current().await.unwrap());
    for table in ["organizations", "credentials", "usage", "audit_log", "tallies"] {
        assert!(has_table(&store, table).await, "{table}");
    }
    let once = state(&store).await;
    assert_eq!(
        once.iter().filter(|line| line.starts_with("m2026")).count(),
        claviger_migration::names().len()
    );
    store.migrate().await.unwrap();
    assert_eq!(state(&store).await, once);
}

async fn refused_when_newer(store: Store) {
    // A database whose history branched off after the first change.
    Migrator::up(&store.writer, Some(1)).await.unwrap();
    assert!(!store.schema_is_current().await.unwrap());
    store
        .writer
        .execute_unprepared(&format!(
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('{FUTURE}', 1)"
        ))
        .await
        .unwrap();
    let before = state(&store).await;
    let answer = store.migrate().await;
    assert!(matches!(&answer, Err(StoreError::NewerSchema { change }) if change == FUTURE), "{answer:?}");
    let answer = store.schema_is_current().await;
    assert!(matches!(&answer, Err(StoreError::NewerSchema { change }) if change == FUTURE), "{answer:?}");
    assert_eq!(state(&store).await, before);
    assert!(!has_table(&store, "credentials").await);
}

/// As when the server starts while a command runs, or several servers start at once.
async fn applied_by_several_at_once(stores: [Store; 3]) {
    let [a, b, c] = &stores;
    let (a, b, c) = tokio::join!(a.migrate(), b.migrate(), c.migrate());
    a.and(b).and(c).unwrap();
    assert!(has_table(&stores[0], "tallies").await);
}

#[tokio::test]
async fn an_empty_database_is_migrated_once() {
    let file = File::new();
    applied_twice(file.store().await).await;
    let database = Database::empty().await;
    applied_twice(postgres(&database).await).await;
    database.remove().await;
}

#[tokio::test]
async fn a_newer_database_is_refused_and_not_touched() {
    let file = File::new();
    refused_when_newer(file.store().await).await;
    let database = Database::empty().await;
    refused_when_newer(postgres(&database).await).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_migrate_one_database_at_once() {
    let file = File::new();
    applied_by_several_at_once([file.store().await, file.store().await, file.store().await]).await;
    let database = Database::empty().await;
    let stores = [postgres(&database).await, postgres(&database).await, postgres(&database).await];
    applied_by_several_at_once(stores).await;
    database.remove().await;
}
