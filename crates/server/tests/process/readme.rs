//! README's tour, run as a reader runs it: pasted into a shell.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::Installation;

/// The shell block behind the marker that names this test.
fn tour() -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let (_, rest) = text.split_once("<!-- the next block is run by").unwrap();
    let (_, rest) = rest.split_once("```sh\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_readme_tour_works_when_pasted() {
    let installation = Installation::new();
    let server = installation.start();
    let script = tour().replace("127.0.0.1:8080", &server.address.to_string());
    assert!(script.contains(&server.address.to_string()));
    let shell = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("BOOTSTRAP_KEY", server.bootstrap_key())
        .output()
        .unwrap();
    let out = String::from_utf8(shell.stdout).unwrap();
    assert!(shell.status.success(), "{out}{}", String::from_utf8_lossy(&shell.stderr));
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [list, first, passed, reported, rotated, revoked, gone, ended, usage, summary, audit] = &answers[..]
    else {
        panic!("{answers:#?}")
    };
    assert_eq!(list["pagination"]["total"], 1);
    assert_eq!(first["code"], "VALID");
    assert_eq!(passed, &json!({"status": 200, "for": first["credential"]["id"]}));
    assert_eq!(reported["results"][0]["outcome"], "recorded");
    assert_eq!(rotated["code"], "VALID");
    assert_eq!(rotated["credential"], first["credential"]);
    assert_eq!(revoked["data"]["revoked"], true);
    assert_eq!(gone["code"], "REVOKED");
    assert_eq!(ended, &json!({}));
    assert_eq!(usage["data"]["total_requests"], 4);
    assert_eq!(usage["data"]["avg_response_time_ms"], 41);
    assert_eq!(usage["data"]["failed_requests"], 1);
    assert_eq!(summary["data"][0]["total_requests"], 4);
    let actions: Vec<_> = audit["data"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(
        actions,
        ["credential.revoked", "credential.rotated", "credential.created", "user_account.created"]
    );
    server.stop();
}
