//! Peppers that are not those of the database: refused before anything comes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reqwest::StatusCode;
use serde_json::{Value, json};

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
    let all = ["the bootstrap key", "admin keys", "audit entries", "ends of audit chains"];
    refused(&installation, &[], &[&["pepper 1 ", named][..], &all].concat());

    fs::write(&file, right).unwrap();
    let server = installation.start();
    for (path, key) in [("/v1/admin/admin-keys", &bootstrap), ("/v1/admin/me", &admin)] {
        assert_eq!(server.get(path, key).await.0, StatusCode::OK);
    }
    assert_eq!(server.get("/v1/admin/me", &given).await.0, StatusCode::FORBIDDEN);
    assert_eq!(server.all("/v1/admin/admin-keys", &bootstrap).await.len(), 1);
    server.stop();
}

/// A setting of both peppers, of one, and of two.
fn settings() -> [(&'static str, String); 3] {
    [format!("{ONE},{TWO}"), ONE.to_owned(), TWO.to_owned()].map(|value| ("CLAVIGER_PEPPERS", value))
}

fn given<'a>(setting: &'a (&'static str, String)) -> [(&'static str, &'a str); 1] {
    [(setting.0, setting.1.as_str())]
}

/// What `claviger peppers status --json` says of a version.
#[track_caller]
fn status(installation: &Installation, environment: &[(&str, &str)], version: u32) -> Value {
    let finished = installation.run_with(&["peppers", "status", "--json"], environment);
    let all: Value = serde_json::from_str(&finished.out).unwrap_or_else(|_| panic!("{finished:?}"));
    let mut all = all["peppers"].as_array().unwrap().iter();
    all.find(|pepper| pepper["version"] == version).unwrap_or_else(|| panic!("{finished:?}")).clone()
}

#[tokio::test]
async fn a_pepper_may_go_when_nothing_needs_it() {
    let installation = Installation::new();
    let [both, one, two] = settings();
    let (both, one, two) = (given(&both), given(&one), given(&two));
    let server = installation.start_with(&one);
    let bootstrap = server.bootstrap_key();
    let admin = server.admin_key(&bootstrap, "Acme").await;
    let (status_code, made) =
        server.post("/v1/admin/credentials", &admin, &json!({"name": "x", "network_id": 0})).await;
    assert_eq!(status_code, StatusCode::CREATED, "{made}");
    let credential = made["data"]["credential"]["id"].as_str().unwrap().to_owned();
    server.stop();
    let now = status(&installation, &one, 1);
    assert_eq!((&now["signs"], &now["needed"], &now["may_go"]), (&json!(true), &json!(true), &json!(false)));
    assert_eq!(
        (&now["bootstrap_key"], &now["admin_keys"]["in_force"], &now["keys"]["in_force"]),
        (&json!(true), &json!(1), &json!(1))
    );

    // With the new one beside it, every key still works; without it, each kind of thing alone keeps it.
    refused(&installation, &two, &["pepper 1 ", "CLAVIGER_PEPPERS", "the bootstrap key", "keys in force"]);
    let printed = installation.run_with(&["bootstrap-key", "rotate"], &both).success();
    let bootstrap = printed.trim().strip_prefix("bootstrap key: ").unwrap();
    refused(&installation, &two, &["pepper 1 ", "CLAVIGER_PEPPERS", "admin keys, keys in force"]);
    let server = installation.start_with(&both);
    let (code, me) = server.get("/v1/admin/me", &admin).await;
    assert_eq!(code, StatusCode::OK, "{me}");
    let id = me["data"]["id"].as_str().unwrap();
    let rotate = format!("/v1/admin/credentials/{credential}/rotate");
    let (code, rotated) = server.post(&rotate, &admin, &json!({"overlap_seconds": 0})).await;
    assert_eq!(code, StatusCode::OK, "{rotated}");
    let key = rotated["data"]["api_key"].as_str().unwrap().to_owned();
    server.stop();
    refused(&installation, &two, &["pepper 1 ", "on it: admin keys, audit entries"]);
    installation.run_with(&["admin-key", "revoke", id], &both).success();
    // The log is kept for ever: so is what verifies it.
    refused(&installation, &two, &["pepper 1 ", "on it: audit entries;"]);
    let now = status(&installation, &both, 1);
    assert_eq!((&now["audit_entries_leave"], &now["free_from"]), (&json!("never"), &Value::Null));
    let sentence = installation.run_with(&["peppers", "retire", "1"], &both).refused(1);
    assert!(sentence.contains("kept for ever"), "{sentence}");

    let sentence = installation.run_with(&["peppers", "retire", "2"], &both).refused(1);
    assert!(sentence.contains("is the newest one"), "{sentence}");
    let server = installation.start_with(&both);
    let (_, verdict) = server.post("/v1/keys/verify", bootstrap, &json!({"key": key})).await;
    assert_eq!(verdict["code"], "VALID", "{verdict}");
    server.stop();
    refused(&installation, &[("CLAVIGER_PEPPERS", &format!("{ONE},{OTHER_TWO}"))], &["pepper 2 "]);
    refused(&installation, &one, &["pepper 2 ", "keys in force"]);
}

#[tokio::test]
async fn going_back_after_an_additional_pepper_is_refused_and_the_log_stays_whole() {
    let installation = Installation::new();
    let [both, one, _] = settings();
    let (both, one) = (given(&both), given(&one));
    let server = installation.start_with(&one);
    let bootstrap = server.bootstrap_key();
    server.admin_key(&bootstrap, "Acme").await;
    server.stop();
    // Nobody asks anything: the ends of the log's chains alone are sealed under the new one.
    let server = installation.start_with(&both);
    let sealed = || (status(&installation, &both, 1)["audit_chains"] == 0).then_some(());
    server.wait_for(|_| sealed());
    server.stop();
    let words = ["pepper 2 is missing", "CLAVIGER_PEPPERS", "ends of audit chains", "peppers status"];
    refused(&installation, &one, &words);
    let finished = installation.run_with(&["audit", "verify"], &one);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.err.contains("pepper 2 is missing"), "{finished:?}");
    let finished = installation.run_with(&["peppers", "status"], &one);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.out.contains("pepper 2: MISSING, and needed"), "{finished:?}");

    installation.run_with(&["audit", "verify"], &both).success();
    let server = installation.start_with(&both);
    server.admin_key(&bootstrap, "After").await;
    server.stop();
    installation.run_with(&["audit", "verify"], &both).success();
}

#[tokio::test]
async fn a_server_without_a_pepper_that_others_use_breaks_no_chain() {
    let installation = Installation::new();
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let added = installation.run(&["peppers", "rotate"]).success();
    assert!(added.contains("pepper 2 was added to") && added.contains("Restart every server"), "{added}");
    // A command already seals the log under the new pepper, which the running server lacks.
    let create = ["admin-key", "create", "--entity-name", "Acme", "--permission", "view_usage"];
    installation.run(&create).success();
    let body = json!({"entity_name": "Acme", "permissions": ["view_usage"]});
    let (code, answer) = server.post("/v1/admin/admin-keys", &bootstrap, &body).await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    assert!(server.log().contains("another process seals the audit log with a pepper"), "{}", server.log());
    server.stop();
    installation.run(&["audit", "verify"]).success();
    let server = installation.start();
    assert_eq!(server.post("/v1/admin/admin-keys", &bootstrap, &body).await.0, StatusCode::CREATED);
    server.stop();
    installation.run(&["audit", "verify"]).success();
}

#[tokio::test]
async fn a_pepper_is_rotated_and_retired_in_its_file() {
    for named in [false, true] {
        let installation = Installation::new();
        let file = if named { installation.path("secret") } else { installation.data("peppers") };
        if named {
            fs::write(&file, format!("{ONE}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let variable = [("CLAVIGER_PEPPERS_FILE", "secret")];
        let environment: &[(&str, &str)] = if named { &variable } else { &[] };
        installation.run_with(&["migrate"], environment).success();
        let before = fs::read_to_string(&file).unwrap();
        // Several at once take turns, and each adds one.
        let added = std::thread::scope(|scope| {
            let runs = [0, 1, 2].map(|_| {
                scope.spawn(|| installation.run_with(&["peppers", "rotate", "--json"], environment))
            });
            runs.map(|run| run.join().unwrap())
                .into_iter()
                .filter(|finished| finished.code == Some(0))
                .count()
        });
        assert!(added > 0);
        let after = fs::read_to_string(&file).unwrap();
        assert!(after.starts_with(before.trim()), "what was there stays");
        assert_eq!(after.lines().count(), 1 + added);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let finished = installation.run_with(&["peppers", "status"], environment);
        let shown = finished.success();
        for line in after.lines() {
            assert!(!shown.contains(&line[2..20]), "{shown}");
        }

        // Nothing was made under the first one but the log of nothing: it may go at once.
        let server = installation.start_with(environment);
        let bootstrap = server.bootstrap_key();
        server.stop();
        assert!(shown.contains("pepper 1: may go"), "{shown}");
        let newest = u32::try_from(added).unwrap() + 1;
        let removed = installation.run_with(&["peppers", "retire", "1", "--json"], environment).success();
        let removed: Value = serde_json::from_str(&removed).unwrap();
        assert_eq!(removed["version"], 1);
        assert!(!fs::read_to_string(&file).unwrap().contains(before.trim()));
        for (version, words) in
            [("1", "is not in"), ("99", "is not in"), (&*newest.to_string(), "is the newest one")]
        {
            let sentence = installation.run_with(&["peppers", "retire", version], environment).refused(1);
            assert!(sentence.contains(words), "{sentence}");
        }
        let server = installation.start_with(environment);
        assert_eq!(server.get("/v1/admin/admin-keys", &bootstrap).await.0, StatusCode::OK);
        server.stop();
    }
}

#[test]
fn peppers_in_a_variable_are_changed_by_hand() {
    let installation = Installation::new();
    let [both, one, _] = settings();
    let (both, one) = (given(&both), given(&one));
    installation.run_with(&["migrate"], &one).success();
    let sentence = installation.run_with(&["peppers", "rotate"], &one).refused(2);
    assert!(sentence.contains("add `2:`") && sentence.contains("openssl rand -hex 32"), "{sentence}");
    assert!(!sentence.contains(&ONE[2..20]), "{sentence}");
    let sentence = installation.run_with(&["peppers", "retire", "1"], &both).refused(2);
    assert!(sentence.contains("nothing depends on pepper 1"), "{sentence}");
}

#[tokio::test]
async fn keys_that_expire_and_entries_that_leave_say_when_a_pepper_may_go() {
    let installation = Installation::new();
    let [both, one, two] = settings();
    let (both, one, two) = (given(&both), given(&one), given(&two));
    let days = ("CLAVIGER_AUDIT_RETENTION_DAYS", "30");
    installation.run_with(&["migrate"], &one).success();
    let create = ["admin-key", "create", "--entity-name", "Acme", "--permission", "view_usage"];
    let ending = ["--expires-at", "2999-01-01T00:00:00Z"];
    installation.run_with(&[&create[..], &ending].concat(), &one).success();
    let now = status(&installation, &[both[0], days], 1);
    assert_eq!(now["free_from"], "2999-01-01T00:00:00Z", "{now}");
    let leave = |days: &str| {
        let environment = [both[0], ("CLAVIGER_AUDIT_RETENTION_DAYS", days)];
        let leave = status(&installation, &environment, 1)["audit_entries_leave"].clone();
        leave.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    assert_eq!((leave("40") - leave("30")).num_days(), 10);
    let text = installation.run_with(&["peppers", "status"], &[both[0], days]).success();
    assert!(text.contains("needed, until 2999-01-01T00:00:00Z") && !text.contains("CLAVIGER"), "{text}");

    // A pepper that is lost for good can be given up, and not by accident.
    let sentence = installation.run_with(&["peppers", "retire", "1", "--lost"], &both).refused(1);
    assert!(sentence.contains("it is not lost"), "{sentence}");
    installation.run_with(&["admin-key", "list"], &two).refused(1);
    let lost = installation.run_with(&["peppers", "retire", "1", "--lost"], &two).success();
    assert!(lost.contains("pepper 1 is given up") && lost.contains("admin keys: 1"), "{lost}");
    installation.run_with(&["admin-key", "list"], &two).success();
    let finished = installation.run_with(&["audit", "verify"], &two);
    assert_eq!(finished.code, Some(1), "{finished:?}");
}
