//! Commands that work on the database while no server runs.

use std::fs;

use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, Database};
use serde_json::Value;

use crate::support::{Installation, entries};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn an_admin_key_is_made_shown_used_and_revoked() {
    let installation = Installation::new();
    installation.run(&["migrate"]).success();
    let create = [
        "admin-key",
        "create",
        "--entity-name",
        "Acme",
        "--permission",
        "manage_users,view_usage",
        "--name",
        "CI",
    ];
    let made = json(
        &installation
            .run(&[&create[..], &["--expires-at", "2999-01-01T00:00:00Z", "--json"]].concat())
            .success(),
    );
    let key = made["api_key"].as_str().unwrap();
    assert_eq!(made["admin_key"]["entity_name"], "Acme");
    assert_eq!(made["admin_key"]["permissions"], serde_json::json!(["manage_users", "view_usage"]));
    assert_eq!(made["admin_key"]["expires_at"], "2999-01-01T00:00:00Z");
    let id = made["admin_key"]["id"].as_str().unwrap();

    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let (status, me) = server.get("/v1/admin/me", key).await;
    assert_eq!(status, StatusCode::OK, "{me}");
    server.stop();

    let listed = installation.run(&["admin-key", "list", "--json"]).success();
    assert!(!listed.contains(key));
    let listed = json(&listed);
    assert_eq!(listed["admin_keys"][0]["id"], id);
    assert_eq!(listed["admin_keys"][0]["name"], "CI");
    assert!(installation.run(&["admin-key", "list"]).success().contains(id));

    let revoked = json(&installation.run(&["admin-key", "revoke", id, "--json"]).success());
    assert_eq!(
        (&revoked["admin_key"]["id"], &revoked["admin_key"]["revoked"]),
        (&Value::from(id), &Value::from(true))
    );
    assert_eq!(
        json(&installation.run(&["admin-key", "list", "--json"]).success())["admin_keys"],
        serde_json::json!([])
    );
    let all = json(&installation.run(&["admin-key", "list", "--include-revoked", "--json"]).success());
    assert_eq!(all["admin_keys"][0]["revoked"], true);
    installation.run(&["admin-key", "revoke", id]).refused(1);

    let server = installation.start();
    assert_eq!(server.get("/v1/admin/me", key).await.0, StatusCode::FORBIDDEN);
    // What was done at the machine is in the audit log too.
    let log = server.all("/v1/admin/audit-logs", &bootstrap).await;
    for action in ["admin_key.created", "admin_key.revoked"] {
        assert_eq!(
            log.iter().filter(|entry| entry["action"] == action && entry["target_id"] == id).count(),
            1,
            "{log:?}"
        );
    }
    server.stop();
}

#[test]
fn without_json_the_key_stands_on_a_line_of_its_own() {
    let installation = Installation::new();
    installation.run(&["migrate"]).success();
    let text = installation
        .run(&["admin-key", "create", "--entity-name", "Acme", "--permission", "view_usage"])
        .success();
    assert!(text.lines().any(|line| line.starts_with("api key: iiak_admin_")), "{text}");
}

#[test]
fn wrong_words_are_refused_with_the_right_ones() {
    let installation = Installation::new();
    installation.run(&["migrate"]).success();
    let wrong =
        installation.run(&["admin-key", "create", "--entity-name", "Acme", "--permission", "everything"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("manage_credentials"), "{}", wrong.err);
    for arguments in [
        &["admin-key", "create", "--entity-name", " ", "--permission", "view_usage"][..],
        &[
            "admin-key",
            "create",
            "--entity-name",
            "Acme",
            "--permission",
            "view_usage",
            "--expires-at",
            "tomorrow",
        ],
        &["admin-key", "revoke", "seven"],
    ] {
        assert_eq!(installation.run(arguments).code, Some(2), "{arguments:?}");
    }
    let unknown =
        installation.run(&["admin-key", "revoke", "01940000-0000-7000-8000-000000000000"]).refused(1);
    assert!(unknown.contains("no admin key"), "{unknown}");
}

#[tokio::test]
async fn rotating_replaces_the_bootstrap_key() {
    let installation = Installation::new();
    let server = installation.start();
    let old = server.bootstrap_key();
    server.stop();
    let printed = installation.run(&["bootstrap-key", "rotate"]).success();
    let new = printed.trim().strip_prefix("bootstrap key: ").unwrap();
    let server = installation.start();
    assert_eq!(server.get("/v1/admin/admin-keys", new).await.0, StatusCode::OK);
    assert_eq!(server.get("/v1/admin/admin-keys", &old).await.0, StatusCode::FORBIDDEN);
    server.stop();
    let sentence =
        installation.run_with(&["bootstrap-key", "rotate"], &[("CLAVIGER_BOOTSTRAP_KEY", new)]).refused(2);
    assert!(sentence.contains("CLAVIGER_BOOTSTRAP_KEY") && !sentence.contains(new), "{sentence}");
}

#[test]
fn a_mistyped_path_makes_no_installation() {
    let installation = Installation::new();
    let commands = [&["admin-key", "list"][..], &["bootstrap-key", "rotate"]];
    for command in commands {
        let sentence = installation.run(command).refused(1);
        assert!(sentence.contains("there is no database at"), "{sentence}");
        let memory = [("CLAVIGER_DATABASE_URL", "sqlite::memory:")];
        let sentence = installation.run_with(command, &memory).refused(1);
        assert!(sentence.contains("sqlite::memory:"), "{sentence}");
    }
    assert_eq!(entries(&installation.path("")), Vec::<String>::new());
    // Nor does an empty file become one.
    fs::create_dir(installation.data("")).unwrap();
    fs::write(installation.data("claviger.db"), "").unwrap();
    for command in commands {
        let sentence = installation.run(command).refused(1);
        assert!(sentence.contains("there is no database at"), "{sentence}");
    }
    assert_eq!(entries(&installation.data("")), ["claviger.db"]);
}

#[tokio::test]
async fn tables_of_another_version_are_left_alone() {
    let installation = Installation::new();
    installation.start().stop();
    let url = format!("sqlite://{}", installation.data("claviger.db").display());
    let database = Database::connect(url).await.unwrap();
    // As if the last change were not made yet.
    let newest = "DELETE FROM seaql_migrations WHERE version = (SELECT max(version) FROM seaql_migrations)";
    database.execute_unprepared(newest).await.unwrap();
    database.close().await.unwrap();
    let state = || fs::read(installation.data("claviger.db")).unwrap();
    let before = state();
    let id = "01940000-0000-7000-8000-000000000000";
    for command in [
        &["admin-key", "list"][..],
        &["admin-key", "create", "--entity-name", "Acme", "--permission", "view_usage"],
        &["admin-key", "revoke", id],
        &["bootstrap-key", "rotate"],
    ] {
        let sentence = installation.run(command).refused(1);
        assert!(sentence.contains("run `claviger migrate`"), "{sentence}");
    }
    assert!(before == state(), "the database was touched");
}

#[tokio::test]
async fn what_is_shown_is_what_the_server_shows() {
    let installation = Installation::new();
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let create =
        ["admin-key", "create", "--entity-name", "Acme", "--permission", "view_usage,manage_users", "--json"];
    let full = ["--name", "CI", "--expires-at", "2999-01-01T00:00:00.9Z"];
    let made = json(&installation.run(&[&create[..], &full[..]].concat()).success());
    let revoked = json(&installation.run(&create).success());
    // Used once, so that it is shown when; that is written with the next batch.
    server.get("/v1/admin/me", made["api_key"].as_str().unwrap()).await;
    server.stop();
    let id = revoked["admin_key"]["id"].as_str().unwrap();
    let revoked = json(&installation.run(&["admin-key", "revoke", id, "--json"]).success());
    let listed = json(&installation.run(&["admin-key", "list", "--include-revoked", "--json"]).success());

    let server = installation.start();
    let (_, page) = server.get("/v1/admin/admin-keys?includeRevoked=true", &bootstrap).await;
    // As text: the names' order counts as well.
    let [page, shown] = [&page["data"], &listed["admin_keys"]].map(ToString::to_string);
    assert_eq!(shown, page);
    let (_, one) = server.get(&format!("/v1/admin/admin-keys/{id}"), &bootstrap).await;
    assert_eq!(revoked["admin_key"].to_string(), one["data"].to_string());
    assert!(page.contains("\"last_used_at\":\"2"), "{page}");
    assert!(page.contains("\"revoked_at\":\"2") && page.contains("2999-01-01T00:00:00Z"), "{page}");
    server.stop();
}
