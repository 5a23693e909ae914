//! Runs one test on each database.

use claviger_test_postgres::Database;
use tempfile::TempDir;

use crate::{Store, StoreOptions};

/// For each function named, a module of its name with one test for each database.
macro_rules! on_each_database {
    ($($test:ident),* $(,)?) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_file() {
                let place = crate::tests::databases::File::new();
                let store = place.store().await;
                store.migrate().await.unwrap();
                super::$test(store.clone()).await;
                store.close().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_memory() {
                let store = crate::tests::databases::memory().await;
                super::$test(store.clone()).await;
                store.close().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let place = claviger_test_postgres::Database::migrated().await;
                let store = crate::tests::databases::postgres(&place).await;
                super::$test(store.clone()).await;
                store.close().await;
                place.remove().await;
            }
        }
    )*};
}

/// A place for an SQLite database, gone when dropped.
pub(super) struct File(TempDir);

impl File {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A connection to the database, whatever is in it.
    pub(super) async fn store(&self) -> Store {
        Store::connect(&self.url(), &StoreOptions::default()).await.unwrap()
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("store.db")
    }

    /// How long the write-ahead log is.
    pub(super) fn write_ahead_log(&self) -> u64 {
        std::fs::metadata(self.0.path().join("store.db-wal")).map_or(0, |log| log.len())
    }
}

/// A migrated database that exists only here.
pub(super) async fn memory() -> Store {
    let store = Store::connect("sqlite::memory:", &StoreOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    store
}

pub(super) async fn postgres(database: &Database) -> Store {
    Store::connect(&database.url(), &StoreOptions::default()).await.unwrap()
}
