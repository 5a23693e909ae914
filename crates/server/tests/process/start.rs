//! Starting: on nothing, again, and where it must not.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, Database};

use crate::support::{Installation, entries};

#[tokio::test]
async fn the_first_start_prints_the_key_once_and_the_second_does_not() {
    let installation = Installation::new();
    let server = installation.start();
    let key = server.bootstrap_key();
    assert_eq!(server.out().matches("bootstrap key: ").count(), 1);
    assert!(server.out().contains(&format!("curl -sS http://{}/v1/admin/admin-keys", server.address)));
    let (status, answer) = server.get("/v1/admin/admin-keys", &key).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    server.stop();

    let server = installation.start();
    let (status, answer) = server.get("/v1/admin/admin-keys", &key).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(server.out(), "");
    server.stop();
}

#[test]
fn what_is_made_is_the_owners_alone() {
    let installation = Installation::new();
    let server = installation.start();
    let mode = |name: &str| fs::metadata(installation.data(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("journal")), (0o700, 0o700));
    for file in entries(&installation.data("")) {
        assert_eq!(mode(&file), 0o600, "{file}");
    }
    server.stop();
}

#[test]
fn a_database_that_is_open_to_others_is_told_and_left_to_its_owner() {
    let installation = Installation::new();
    let server = installation.start();
    assert!(!server.log().contains("open to others"), "{}", server.log());
    server.stop();
    let file = installation.data("claviger.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let server = installation.start();
    let log = server.log();
    let line = log.lines().find(|line| line.contains("open to others")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("WARN") && line.contains("0644") && line.contains("chmod 600"), "{line}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    server.stop();
}

#[test]
fn a_taken_port_is_told_before_anything_is_made() {
    let installation = Installation::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let sentence = installation.run_with(&["serve"], &[("CLAVIGER_LISTEN", &address)]).refused(1);
    assert!(sentence.contains(&address) && sentence.contains("CLAVIGER_LISTEN"), "{sentence}");
    assert_eq!(entries(&installation.path("")), Vec::<String>::new());
}

#[test]
fn a_wrong_setting_is_told_before_anything_is_made() {
    let installation = Installation::new();
    for command in
        [&["serve"][..], &["migrate"], &["config"], &["admin-key", "list"], &["bootstrap-key", "rotate"]]
    {
        let sentence = installation.run_with(command, &[("CLAVIGER_LISTEN", "nowhere")]).refused(2);
        assert!(sentence.contains("CLAVIGER_LISTEN") && sentence.contains("0.0.0.0:8080"), "{sentence}");
    }
    let sentence = installation.run(&["--config", "missing.toml"]).refused(2);
    assert!(sentence.contains("missing.toml"), "{sentence}");
    assert_eq!(entries(&installation.path("")), Vec::<String>::new());
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_as_it_is() {
    let installation = Installation::new();
    installation.start().stop();
    let url = format!("sqlite://{}", installation.data("claviger.db").display());
    let database = Database::connect(url).await.unwrap();
    let row =
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_from_the_future', 1)";
    database.execute_unprepared(row).await.unwrap();
    database.close().await.unwrap();

    let state = || {
        let files = entries(&installation.data("")).into_iter();
        files.map(|file| (fs::read(installation.data(&file)).unwrap(), file)).collect::<Vec<_>>()
    };
    let before = state();
    for command in [&["serve"][..], &["migrate"], &["admin-key", "list"]] {
        let sentence = installation.run(command).refused(1);
        assert!(
            sentence.contains("m29990101_000001_from_the_future") && sentence.contains("newer"),
            "{sentence}"
        );
    }
    let after = state();
    let names = |state: &[(Vec<u8>, String)]| state.iter().map(|(_, file)| file.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    assert!(before == after, "the database was touched");
}

#[test]
fn lost_peppers_are_not_made_again() {
    let installation = Installation::new();
    installation.start().stop();
    fs::remove_file(installation.data("peppers")).unwrap();
    let sentence = installation.run(&["serve"]).refused(1);
    assert!(sentence.contains("peppers") && sentence.contains("backup"), "{sentence}");
    assert!(!installation.data("peppers").exists());
}

#[tokio::test]
async fn a_given_bootstrap_key_is_in_force_and_not_printed() {
    let installation = Installation::new();
    let given = installation.run(&["bootstrap-key", "generate"]).success().trim().to_owned();
    let server = installation.start_with(&[("CLAVIGER_BOOTSTRAP_KEY", &given)]);
    assert_eq!(server.out(), "");
    let (status, answer) = server.get("/v1/admin/admin-keys", &given).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    server.stop();

    let other = installation.run(&["bootstrap-key", "generate"]).success().trim().to_owned();
    let server = installation.start_with(&[("CLAVIGER_BOOTSTRAP_KEY", &other)]);
    assert_eq!(server.get("/v1/admin/admin-keys", &other).await.0, StatusCode::OK);
    assert_eq!(server.get("/v1/admin/admin-keys", &given).await.0, StatusCode::FORBIDDEN);
    server.stop();
}
