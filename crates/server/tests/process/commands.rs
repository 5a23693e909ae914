//! Commands that need no database.

use serde_json::Value;

use crate::support::{Installation, entries};

const PEPPER: &str = "1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn config_shows_where_each_value_comes_from_and_hides_secrets() {
    let installation = Installation::new();
    let key = installation.run(&["bootstrap-key", "generate"]).success().trim().to_owned();
    std::fs::write(installation.path("claviger.toml"), format!("[keys]\nbootstrap = '{key}'\n")).unwrap();
    let environment =
        [("CLAVIGER_PEPPERS", PEPPER), ("CLAVIGER_DATABASE_URL", "postgres://claviger:hunter2@db/claviger")];
    let text = installation.run_with(&["config"], &environment).success();
    let json = installation.run_with(&["config", "--json"], &environment).success();
    for shown in [&text, &json] {
        assert!(
            !shown.contains(&key) && !shown.contains(&PEPPER[2..]) && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(shown.contains("postgres://claviger:***@db/claviger"), "{shown}");
    }
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(
        line("CLAVIGER_BOOTSTRAP_KEY").contains("(hidden)")
            && line("CLAVIGER_BOOTSTRAP_KEY").ends_with("claviger.toml")
    );
    assert!(
        line("CLAVIGER_PEPPERS").contains("(hidden)") && line("CLAVIGER_PEPPERS").ends_with("environment")
    );
    assert!(line("CLAVIGER_LOG ").ends_with("default"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(
        json["settings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["secret"] == true && one["value"].is_null())
    );
    assert_eq!(entries(&installation.path("")), ["claviger.toml"]);
}

#[test]
fn documents_are_printed_and_written() {
    let installation = Installation::new();
    let printed = installation.run(&["openapi", "partner"]).success();
    let document: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(document["openapi"].as_str().map(|version| version.starts_with("3.1")), Some(true));
    installation.run(&["openapi", "--dir", "documents"]).success();
    assert_eq!(std::fs::read_to_string(installation.path("documents/partner.json")).unwrap(), printed);
    let sentence = installation.run(&["openapi", "nobody"]).refused(2);
    assert!(sentence.contains("partner"), "{sentence}");
}

#[test]
fn the_small_commands_answer_without_a_setting_or_a_trace() {
    let installation = Installation::new();
    let broken = [("CLAVIGER_LISTEN", "nowhere")];
    for shell in ["bash", "zsh", "fish"] {
        assert!(installation.run_with(&["completions", shell], &broken).success().contains("bootstrap-key"));
    }
    let version = installation.run_with(&["--version"], &broken).success();
    assert_eq!(version, format!("claviger {}\n", env!("CARGO_PKG_VERSION")));
    assert!(installation.run_with(&["--help"], &broken).success().contains("CLAVIGER_PEPPERS"));
    assert!(
        installation
            .run_with(&["config", "--reference"], &broken)
            .success()
            .contains("| `CLAVIGER_PEPPERS` |")
    );
    assert!(
        installation
            .run_with(&["bootstrap-key", "generate"], &broken)
            .success()
            .starts_with("iiak_bootstrap_")
    );
    assert_eq!(entries(&installation.path("")), Vec::<String>::new());
}

#[test]
fn unknown_usage_ends_with_two() {
    let installation = Installation::new();
    for wrong in [&["sevre"][..], &["openapi"], &["--no"], &["admin-key", "create"]] {
        assert_eq!(installation.run(wrong).code, Some(2), "{wrong:?}");
    }
}
