//! `/health/ready` answers 503 while the server cannot do its work, and tells why; `/health/live` stays 200.

use std::time::{Duration, Instant};
use std::{fs, os::unix::fs::PermissionsExt};

use reqwest::StatusCode;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};

use crate::support::{Installation, PATIENCE, Server};

/// Waits until readiness names exactly these components; answers the details.
async fn becomes(server: &Server, codes: &[&str]) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        let (status, body) = server.get("/health/ready", "").await;
        assert!(asked.elapsed() < Duration::from_secs(4), "the answer took {:?}", asked.elapsed());
        let text = |problem: &Value, name: &str| problem[name].as_str().unwrap().to_owned();
        let problems = body["problems"].as_array().cloned().unwrap_or_default();
        let expected = match problems.is_empty() {
            true => (StatusCode::OK, "ready"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
        };
        assert_eq!((status, body["status"].as_str().unwrap()), expected, "{body}");
        assert_eq!(server.get("/health/live", "").await.0, StatusCode::OK);
        if problems.iter().map(|problem| text(problem, "code")).eq(codes.iter().copied()) {
            return problems.iter().map(|problem| text(problem, "detail")).collect();
        }
        assert!(begun.elapsed() < PATIENCE, "{body}, not {codes:?}; log:\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for a line with this text in the log, and checks that there is only one.
fn one_line(server: &Server, text: &str) {
    let lines = |server: &Server| server.log().lines().filter(|line| line.contains(text)).count();
    server.wait_for(|server| (lines(server) > 0).then_some(()));
    assert_eq!(lines(server), 1, "{}", server.log());
}

/// A connection of another program.
async fn open(installation: &Installation) -> DatabaseConnection {
    let url = format!("sqlite://{}", installation.data("claviger.db").display());
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).min_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

#[tokio::test]
async fn while_another_program_locks_the_database_the_server_is_not_ready_and_writes_are_refused_soon() {
    let installation = Installation::new();
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    assert!(becomes(&server, &[]).await.is_empty());
    let other = open(&installation).await;
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();

    let begun = Instant::now();
    let body = json!({"entity_name": "Acme", "permissions": ["view_usage"]});
    let url = format!("http://{}/v1/admin/admin-keys", server.address);
    let answer = reqwest::Client::new().post(url).bearer_auth(&bootstrap).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"), "{:?}", answer.headers());
    assert!(begun.elapsed() < Duration::from_secs(8), "a write waited {:?}", begun.elapsed());

    becomes(&server, &["database"]).await;
    becomes(&server, &["database"]).await;
    other.execute_unprepared("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    becomes(&server, &[]).await;
    assert_eq!(server.post("/v1/admin/admin-keys", &bootstrap, &body).await.0, StatusCode::CREATED);
    one_line(&server, "works again");
    server.stop();
}

#[tokio::test]
async fn a_database_file_that_was_moved_away_replaced_or_made_read_only_is_noticed() {
    let installation = Installation::new();
    let server = installation.start();
    server.bootstrap_key();
    becomes(&server, &[]).await;
    let (file, elsewhere) = (installation.data("claviger.db"), installation.path("elsewhere"));

    fs::rename(&file, &elsewhere).unwrap();
    becomes(&server, &["database"]).await;
    one_line(&server, "claviger.db was deleted or moved away");
    fs::copy(&elsewhere, &file).unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    becomes(&server, &["database"]).await;
    fs::rename(&elsewhere, &file).unwrap();
    becomes(&server, &[]).await;

    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    becomes(&server, &["database"]).await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    becomes(&server, &[]).await;

    let log = installation.data("claviger.db-wal");
    fs::rename(&log, &elsewhere).unwrap();
    becomes(&server, &["database"]).await;
    fs::rename(&elsewhere, &log).unwrap();
    becomes(&server, &[]).await;

    // There is no way back from this.
    fs::remove_file(&file).unwrap();
    becomes(&server, &["database"]).await;
}

#[tokio::test]
async fn a_usage_log_whose_directory_was_moved_away_or_replaced_is_noticed() {
    let installation = Installation::new();
    let server = installation.start();
    server.bootstrap_key();
    becomes(&server, &[]).await;
    let (directory, elsewhere) = (installation.data("journal"), installation.path("elsewhere"));
    fs::rename(&directory, &elsewhere).unwrap();
    let details = becomes(&server, &["usage_log"]).await;
    assert_eq!(details, ["The usage log cannot be written"]);
    fs::create_dir(&directory).unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    becomes(&server, &["usage_log"]).await;
    one_line(&server, "not ready");
    fs::remove_dir(&directory).unwrap();
    fs::rename(&elsewhere, &directory).unwrap();
    becomes(&server, &[]).await;
    one_line(&server, "works again");
    server.stop();
}

#[tokio::test]
async fn a_full_usage_log_is_noticed_until_the_database_has_taken_its_calls() {
    let installation = Installation::new();
    let server = installation.start_with(&[("CLAVIGER_JOURNAL_MAX_MIB", "1")]);
    let bootstrap = server.bootstrap_key();
    let admin = server.admin_key(&bootstrap, "Acme").await;
    let body = json!({"name": "Billing", "network_id": 0});
    let (status, made) = server.post("/v1/admin/credentials", &admin, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let batch = json!({"requests": vec![json!({"key": made["data"]["api_key"], "network_id": 0}); 100]});
    let verify = async || server.post("/v1/keys/verify-batch", &bootstrap, &batch).await;
    becomes(&server, &[]).await;

    let other = open(&installation).await;
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let mut answered = 0;
    while verify().await.0 == StatusCode::OK {
        answered += 100;
        assert!(answered < 30_000, "the log takes more than it may");
    }
    // What is left has room for less than a batch.
    let one = json!({"key": made["data"]["api_key"], "network_id": 0});
    while server.post("/v1/keys/verify", &bootstrap, &one).await.0 == StatusCode::OK {}
    let details = becomes(&server, &["database", "usage_log"]).await;
    assert_eq!(details[1], "The usage log is full: calls wait for the database");

    other.execute_unprepared("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    becomes(&server, &[]).await;
    assert_eq!(verify().await.0, StatusCode::OK);
    server.stop();
}
