//! A database that is missing, empty or without its write-ahead log is not taken for a new installation.

use std::fs;
use std::path::Path;

use claviger_test_postgres::Database;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Installation, Server, entries};

/// A refusal that says how to restore, and touches nothing.
#[track_caller]
fn refused(installation: &Installation, environment: &[(&str, &str)], words: &[&str]) {
    let before = entries(&installation.data(""));
    for command in [&["serve"][..], &["migrate"]] {
        let sentence = installation.run_with(command, environment).refused(1);
        for word in words.iter().chain(&["claviger restore"]) {
            assert!(sentence.contains(word), "{command:?}: {word} is not in: {sentence}");
        }
    }
    assert_eq!(entries(&installation.data("")), before);
}

fn copy(from: &Installation, to: &Installation, names: &[&str]) {
    fs::create_dir_all(to.data("journal")).unwrap();
    for name in names {
        fs::copy(from.data(name), to.data(name)).unwrap();
    }
    if fs::read_dir(to.data("journal")).unwrap().next().is_none() {
        fs::remove_dir(to.data("journal")).unwrap();
    }
}

/// Waits until the data directory knows what the database has by now.
fn marker_is_current(installation: &Installation, before: &str) {
    let marker = installation.data("installation");
    let begun = std::time::Instant::now();
    while fs::read_to_string(&marker).unwrap() == before {
        assert!(begun.elapsed() < crate::support::PATIENCE, "the marker is not written");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// A server that has made an admin key since its write-ahead log was merged last.
async fn with_changes(installation: &Installation) -> (Server, String) {
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let before = fs::read_to_string(installation.data("installation")).unwrap();
    server.admin_key(&bootstrap, "Acme").await;
    marker_is_current(installation, &before);
    (server, bootstrap)
}

#[tokio::test]
async fn the_database_file_of_a_running_server_alone_is_refused() {
    let installation = Installation::new();
    let (server, bootstrap) = with_changes(&installation).await;
    let peppers = fs::read_to_string(installation.data("peppers")).unwrap();
    let given = [("CLAVIGER_PEPPERS", peppers.trim())];
    for names in [
        &["claviger.db", "peppers"][..],
        &["claviger.db", "peppers", "journal/id"],
        &["claviger.db", "peppers", "journal/id", "installation"],
    ] {
        let copied = Installation::new();
        copy(&installation, &copied, names);
        refused(&copied, &[], &["write-ahead log", "claviger backup"][..if names.len() < 4 { 2 } else { 1 }]);
    }
    let copied = Installation::new();
    copy(&installation, &copied, &["claviger.db"]);
    let sentence = copied.run(&["serve"]).refused(1);
    assert!(sentence.contains("peppers"), "{sentence}");
    refused(&copied, &given, &["write-ahead log", "claviger backup"]);

    // With its write-ahead log it is whole, and so it is alone after a clean stop.
    let copied = Installation::new();
    copy(&installation, &copied, &["claviger.db", "claviger.db-wal", "peppers"]);
    let whole = copied.start();
    assert_eq!(whole.all("/v1/admin/admin-keys", &bootstrap).await.len(), 1);
    whole.stop();
    server.stop();
    let copied = Installation::new();
    copy(&installation, &copied, &["claviger.db", "peppers"]);
    let whole = copied.start();
    assert_eq!(whole.out(), "");
    assert_eq!(whole.all("/v1/admin/admin-keys", &bootstrap).await.len(), 1);
    whole.stop();
}

#[tokio::test]
async fn who_accepts_an_older_database_goes_on_with_it() {
    let installation = Installation::new();
    let (server, bootstrap) = with_changes(&installation).await;
    for names in [&["claviger.db", "peppers"][..], &["claviger.db", "peppers", "installation"]] {
        let copied = Installation::new();
        copy(&installation, &copied, names);
        refused(&copied, &[], &["--accept-older-database"]);
        copied.run(&["migrate", "--accept-older-database"]).success();
        let older = copied.start();
        assert_eq!(older.out(), "");
        assert_eq!(older.all("/v1/admin/admin-keys", &bootstrap).await.len(), 0);
        older.stop();
    }
    server.stop();
}

#[tokio::test]
async fn a_deleted_or_emptied_database_is_no_first_start() {
    let installation = Installation::new();
    let (mut server, bootstrap) = with_changes(&installation).await;
    server.kill();
    let database = fs::read(installation.data("claviger.db")).unwrap();
    let log = fs::read(installation.data("claviger.db-wal")).unwrap();
    let remove = |names: &[&str]| {
        for name in names {
            fs::remove_file(installation.data(name)).unwrap();
        }
    };
    remove(&["claviger.db", "claviger.db-wal", "claviger.db-shm"]);
    refused(&installation, &[], &["claviger.db is missing", "peppers", "move"]);
    fs::write(installation.data("claviger.db"), "").unwrap();
    refused(&installation, &[], &["claviger.db is empty", "peppers", "move"]);
    // The page that SQLite writes before the first change is in the write-ahead log.
    let marker = fs::read(installation.data("installation")).unwrap();
    remove(&["installation"]);
    refused(&installation, &[], &["claviger.db is empty", "peppers", "move"]);

    // Put back, it goes on as if nothing had been.
    fs::write(installation.data("installation"), marker).unwrap();
    fs::write(installation.data("claviger.db"), database).unwrap();
    fs::write(installation.data("claviger.db-wal"), log).unwrap();
    let server = installation.start();
    assert_eq!(server.out(), "");
    assert_eq!(server.all("/v1/admin/admin-keys", &bootstrap).await.len(), 1);
    server.stop();

    // The way out that the refusal names.
    remove(&["claviger.db"]);
    fs::rename(installation.path("claviger-data"), installation.path("old")).unwrap();
    let server = installation.start();
    assert_ne!(server.bootstrap_key(), bootstrap);
    server.stop();
}

#[tokio::test]
async fn a_lost_or_damaged_write_ahead_log_is_refused() {
    for is_lost in [true, false] {
        let installation = Installation::new();
        let (mut server, bootstrap) = with_changes(&installation).await;
        server.kill();
        let log = installation.data("claviger.db-wal");
        let whole = fs::read(&log).unwrap();
        if is_lost {
            fs::remove_file(&log).unwrap();
            fs::remove_file(installation.data("claviger.db-shm")).unwrap();
        } else {
            // In the first page, behind the header of the log and that of the page.
            let mut flipped = whole.clone();
            flipped[32 + 24 + 100] ^= 1;
            fs::write(&log, flipped).unwrap();
        }
        let sentence = installation.run(&["serve"]).refused(1);
        assert!(sentence.contains("write-ahead log") && sentence.contains("claviger restore"), "{sentence}");
        // The log that was found again is taken up.
        fs::write(&log, whole).unwrap();
        let server = installation.start();
        assert_eq!(server.all("/v1/admin/admin-keys", &bootstrap).await.len(), 1);
        server.stop();
    }
}

#[tokio::test]
async fn a_first_start_that_was_interrupted_is_one_still() {
    let installation = Installation::new();
    installation.start().stop();
    // As a kill between the peppers and the first table leaves it.
    let marker = fs::read_to_string(installation.data("installation")).unwrap();
    fs::write(installation.data("installation"), marker.replace("state=complete", "state=first-start"))
        .unwrap();
    fs::remove_file(installation.data("claviger.db")).unwrap();
    let server = installation.start();
    let key = server.bootstrap_key();
    assert_eq!(server.get("/v1/admin/admin-keys", &key).await.0, StatusCode::OK);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_or_foreign_postgresql_is_refused_beside_a_data_directory() {
    let (first, empty, other) = (Database::empty().await, Database::empty().await, Database::empty().await);
    let peppers = format!("1:{}", "5a".repeat(32));
    let of = |database: &Database| {
        [("CLAVIGER_DATABASE_URL", database.url()), ("CLAVIGER_PEPPERS", peppers.clone())]
    };
    let (first_url, empty_url, other_url) = (of(&first), of(&empty), of(&other));
    fn plain<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
    tokio::task::block_in_place(|| {
        let installation = Installation::new();
        installation.start_with(&plain(&first_url)).stop();
        refused(&installation, &plain(&empty_url), &["is empty", "journal"]);
        let foreign = Installation::new();
        foreign.start_with(&plain(&other_url)).stop();
        refused(&installation, &plain(&other_url), &["belongs to"]);
        // Another data directory on the same database is another server of the same installation.
        let second = Installation::new();
        let server = second.start_with(&plain(&first_url));
        assert_eq!(server.out(), "");
        server.stop();
        installation.start_with(&plain(&first_url)).stop();
    });
    for database in [first, empty, other] {
        database.remove().await;
    }
}

#[tokio::test]
async fn after_a_clean_stop_the_file_alone_is_whole() {
    let installation = Installation::new();
    let (server, _) = with_changes(&installation).await;
    let size = |name: &str| fs::metadata(installation.data(name)).map_or(0, |file| file.len());
    assert!(size("claviger.db-wal") > 0);
    server.stop();
    assert!(size("claviger.db") > 0);
    assert_eq!(size("claviger.db-wal"), 0);
    assert!(!Path::new(&installation.data("claviger.db-wal")).exists());
    let listed = installation.run(&["admin-key", "list", "--json"]).success();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_ne!(listed, json!({"admin_keys": []}));
}
