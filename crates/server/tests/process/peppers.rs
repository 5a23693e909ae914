//! Peppers that are not those of the database: refused before anything comes of it.

use std::fs;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::Installation;

const ONE: &str = "1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER_ONE: &str = "1:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const TWO: &str = "2:2222222222222222222222222222222222222222222222222222222222222222";
const OTHER_TWO: &str = "2:3333333333333333333333333333333333333333333333333333333333333333";

const COMMANDS: [&[&str]; 5] = [
    &["serve"],
    &["migrate"],
    &["admin-key", "list"],
    &["admin-key", "create", "--entity-name", "Acme", "--permission", "view_usage"],
    &["bootstrap-key", "rotate"],
];

/// Every command is refused with one sentence that has these words.
#[track_caller]
fn refused(installation: &Installation, environment: &[(&str, &str)], words: &[&str]) {
    for command in COMMANDS {
        let sentence = installation.run_with(command, environment).refused(1);
        assert!(words.iter().all(|word| sentence.contains(word)), "{command:?}: {sentence}");
        for (_, secret) in environment {
            assert!(!sentence.contains(&secret[2..20]), "{command:?}: {sentence}");
        }
    }
}

#[tokio::test]
async fn others_are_refused_and_leave_every_key_as_it_was() {
    let installation = Installation::new();
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let admin = server.admin_key(&bootstrap, "Acme").await;
    server.stop();

    refused(&installation, &[("CLAVIGER_PEPPERS", OTHER_ONE)], &["pepper 1 ", "CLAVIGER_PEPPERS"]);
    // A given bootstrap key would have taken the place of the one that nobody could find any more.
    let given = installation.run(&["bootstrap-key", "generate"]).success().trim().to_owned();
    let environment = [("CLAVIGER_PEPPERS", OTHER_ONE), ("CLAVIGER_BOOTSTRAP_KEY", given.as_str())];
    installation.run_with(&["serve"], &environment).refused(1);

    let file = installation.data("peppers");
    let named = "claviger-data/peppers";
    let right = fs::read(&file).unwrap();
    fs::write(&file, OTHER_ONE).unwrap();
    refused(&installation, &[], &["pepper 1 ", named]);
    fs::write(&file, TWO).unwrap();
    refused(&installation, &[], &["pepper 1 ", named, "in force"]);

    fs::write(&file, right).unwrap();
    let server = installation.start();
    for (path, key) in [("/v1/admin/admin-keys", &bootstrap), ("/v1/admin/me", &admin)] {
        assert_eq!(server.get(path, key).await.0, StatusCode::OK);
    }
    assert_eq!(server.get("/v1/admin/me", &given).await.0, StatusCode::FORBIDDEN);
    assert_eq!(server.all("/v1/admin/admin-keys", &bootstrap).await.len(), 1);
    server.stop();
}

#[tokio::test]
async fn a_pepper_may_go_when_no_key_in_force_needs_it() {
    let installation = Installation::new();
    let both = format!("{ONE},{TWO}");
    let (one, both, two) =
        ([("CLAVIGER_PEPPERS", ONE)], [("CLAVIGER_PEPPERS", both.as_str())], [("CLAVIGER_PEPPERS", TWO)]);
    let server = installation.start_with(&one);
    let bootstrap = server.bootstrap_key();
    let admin = server.admin_key(&bootstrap, "Acme").await;
    let (status, made) =
        server.post("/v1/admin/credentials", &admin, &json!({"name": "x", "network_id": 0})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let credential = made["data"]["credential"]["id"].as_str().unwrap().to_owned();
    server.stop();

    // With the new one beside it, every key still works; without it, each kind of key alone keeps it.
    let words = ["pepper 1 ", "CLAVIGER_PEPPERS", "in force"];
    refused(&installation, &two, &words);
    let printed = installation.run_with(&["bootstrap-key", "rotate"], &both).success();
    let bootstrap = printed.trim().strip_prefix("bootstrap key: ").unwrap();
    refused(&installation, &two, &words);
    let server = installation.start_with(&both);
    let (status, me) = server.get("/v1/admin/me", &admin).await;
    assert_eq!(status, StatusCode::OK, "{me}");
    let id = me["data"]["id"].as_str().unwrap();
    let rotate = format!("/v1/admin/credentials/{credential}/rotate");
    let (status, rotated) = server.post(&rotate, &admin, &json!({"overlap_seconds": 0})).await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let key = rotated["data"]["api_key"].as_str().unwrap().to_owned();
    server.stop();
    refused(&installation, &two, &words);
    installation.run_with(&["admin-key", "revoke", id], &both).success();

    let server = installation.start_with(&two);
    let (_, verdict) = server.post("/v1/keys/verify", bootstrap, &json!({"key": key})).await;
    assert_eq!(verdict["code"], "VALID", "{verdict}");
    server.stop();
    refused(&installation, &[("CLAVIGER_PEPPERS", OTHER_TWO)], &["pepper 2 "]);
    refused(&installation, &[("CLAVIGER_PEPPERS", ONE)], &["pepper 2 ", "in force"]);
}
