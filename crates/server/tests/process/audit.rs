//! `claviger audit`: what is exported verifies, and what was touched does not.

use std::io::Write;
use std::process::Stdio;

use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};

use crate::support::{Finished, Installation};

/// An installation whose log has some entries of two organizations.
fn installation() -> Installation {
    let installation = Installation::new();
    installation.run(&["migrate"]).success();
    for entity in ["Acme", "Acme", "Acme", "Other", "Acme"] {
        let permission = "--permission=manage_credentials";
        installation.run(&["admin-key", "create", "--entity-name", entity, permission]).success();
    }
    installation
}

fn sql(installation: &Installation, statement: &str) {
    let url = format!("sqlite://{}", installation.data("claviger.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::connect(url).await.unwrap();
        database.execute_unprepared(statement).await.unwrap();
        database.close().await.unwrap();
    });
}

/// Verifies a file that comes over standard input.
fn verify(installation: &Installation, arguments: &[&str], file: &str) -> Finished {
    let mut command = installation.command(&["audit", "verify", "--file", "-"]);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn what_is_exported_is_what_verifies() {
    let installation = installation();
    let exported = installation.run(&["audit", "export"]).success();
    let entries: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.len() >= 5, "{exported}");
    for entry in &entries {
        assert_eq!(entry.as_object().unwrap().keys().next_back().unwrap(), "mac");
    }
    let whole = verify(&installation, &["--heads"], &exported).success();
    assert!(whole.contains(&format!("{} entries", entries.len())), "{whole}");
    let in_place = installation.run(&["audit", "verify", "--heads"]).success();
    let heads = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix("head ")).map(str::to_owned).collect()
    };
    assert_eq!(heads(&whole), heads(&in_place));
    assert!(heads(&whole).len() >= 2, "{whole}");
    // One tenant's lines verify alone, and in part.
    let organization = entries[entries.len() - 1]["organization_id"].as_str().unwrap();
    let own = installation.run(&["audit", "export", "--organization", organization]).success();
    assert!(exported.contains(&own) && !own.is_empty());
    verify(&installation, &[], &own).success();
    installation.run(&["audit", "verify", "--organization", organization]).success();
    let second = own.lines().skip(1).fold(String::new(), |file, line| file + line + "\n");
    if !second.is_empty() {
        assert!(verify(&installation, &[], &second).success().contains("from entry 2 on"));
    }
    // A kept head is found again, and missed where the end was cut off.
    let head = heads(&whole).into_iter().find(|head| head.starts_with(organization)).unwrap();
    verify(&installation, &["--head", &head], &own).success();
    let cut = own.lines().rev().skip(1).fold(String::new(), |file, line| format!("{line}\n{file}"));
    let missed = verify(&installation, &["--head", &head], &cut);
    assert!(missed.code == Some(1) && missed.out.contains("is not contained"), "{missed:?}");
    // One that is older than what is there cannot be compared: that is no success.
    let beginning =
        |lines: usize| exported.lines().take(lines).map(|line| format!("{line}\n")).collect::<String>();
    let begun = verify(&installation, &["--heads"], &beginning(1)).success();
    let head = heads(&begun).remove(0);
    verify(&installation, &["--head", &head], &exported).success();
    verify(&installation, &["--head", &head], &exported[beginning(1).len()..]).success();
    let missed = verify(&installation, &["--head", &head], &exported[beginning(2).len()..]);
    assert!(missed.code == Some(1) && missed.out.contains("older than what is there"), "{missed:?}");
    let other = format!("00000000-0000-0000-0000-000000000000:{}", head.split_once(':').unwrap().1);
    installation.run(&["audit", "verify", "--organization", organization, "--head", &other]).refused(2);
    let csv = installation.run(&["audit", "export", "--format", "csv"]).success();
    assert_eq!(csv.lines().count(), entries.len() + 1);
}

#[test]
fn what_was_touched_is_named() {
    let installation = installation();
    let exported = installation.run(&["audit", "export"]).success();
    let changed = exported.replacen("Acme", "Acne", 1);
    for (file, words) in [(changed.as_str(), "was changed"), ("{}\n", "line 1 is no entry")] {
        let finished = verify(&installation, &[], file);
        assert!(finished.code == Some(1) && finished.out.contains(words), "{finished:?}");
    }
    // Of a chain with enough entries, in a file.
    let of = |line: &str| serde_json::from_str::<Value>(line).unwrap()["organization_id"].to_string();
    let (first, second) = exported.split_once('\n').unwrap();
    let chain = if of(first) == of(second.lines().next().unwrap()) {
        of(first)
    } else {
        of(second.lines().next().unwrap())
    };
    let lines: Vec<_> = exported.lines().filter(|line| of(line) == chain).collect();
    assert!(lines.len() >= 3, "{exported}");
    let file =
        |places: &[usize]| places.iter().map(|place| format!("{}\n", lines[*place])).collect::<String>();
    for (places, words) in
        [(&[0, 2][..], "entry 2 was removed"), (&[1, 0, 2], "was inserted"), (&[0, 1, 1, 2], "was inserted")]
    {
        let finished = verify(&installation, &[], &file(places));
        assert!(finished.code == Some(1) && finished.out.contains(words), "{places:?}: {finished:?}");
    }
    sql(&installation, "UPDATE audit_log SET request_id = 'x' WHERE sequence = 2");
    let finished = installation.run(&["audit", "verify"]);
    assert!(finished.code == Some(1) && finished.out.contains("entry 2 ("), "{finished:?}");
    assert!(finished.out.contains("was changed"), "{finished:?}");
}

#[test]
fn what_was_removed_or_moved_in_the_database_is_named() {
    for (touch, words) in [
        ("DELETE FROM audit_log WHERE sequence = 2", "entry 2 was removed"),
        ("DELETE FROM audit_log WHERE sequence >= 2", "were removed"),
        ("UPDATE audit_log SET sequence = -sequence WHERE sequence IN (1, 2)", "reordered"),
        ("DELETE FROM audit_chains", "the head was removed"),
        ("UPDATE audit_chains SET sequence = sequence + 1", "the head was forged"),
    ] {
        let installation = installation();
        installation.run(&["audit", "verify"]).success();
        sql(&installation, touch);
        if touch.contains("-sequence") {
            sql(&installation, "UPDATE audit_log SET sequence = 3 + sequence WHERE sequence < 0");
        }
        let finished = installation.run(&["audit", "verify"]);
        assert!(finished.code == Some(1) && finished.out.contains(words), "{touch}: {finished:?}");
    }
}

#[test]
fn what_cannot_be_read_is_not_called_broken() {
    let installation = installation();
    installation.run(&["audit", "verify", "--file", "nowhere"]).refused(2);
    let other = [("CLAVIGER_PEPPERS", "1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")];
    assert!(installation.run_with(&["audit", "verify"], &other).refused(2).contains("pepper 1"));
    Installation::new().run(&["audit", "verify"]).refused(2);
    Installation::new().run(&["audit", "verify", "--file", "-"]).refused(2);
    installation.run(&["audit", "verify", "--head", "nonsense"]).refused(2);
    let exported = installation.run(&["audit", "export"]).success();
    std::fs::write(installation.path("log"), exported).unwrap();
    let strange = installation.run_with(&["audit", "verify", "--file", "log"], &other);
    assert!(strange.code == Some(1) && strange.out.contains("are these the peppers"), "{strange:?}");
}

/// What `GET path` streams, as text.
async fn streamed(address: std::net::SocketAddr, path: &str, key: &str) -> String {
    let answer = reqwest::Client::new().get(format!("http://{address}{path}")).bearer_auth(key).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_over_http_verifies_whole_or_filtered() {
    let installation = Installation::new();
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let (_, made) = server.post("/admin/v1/organizations", &bootstrap, &json!({"name": "Acme"})).await;
    let organization = made["data"]["id"].as_str().unwrap().to_owned();
    let key = json!({"organization_id": organization, "name": "Console", "scopes": ["*"]});
    let (status, made) = server.post("/admin/v1/api-keys", &bootstrap, &key).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let key = made["data"]["key"].as_str().unwrap().to_owned();
    let own = format!("/v1/organizations/{organization}");
    for name in ["Ada", "Bob", "Eve"] {
        server.get(&format!("{own}/users"), &key).await;
        // Reads are written in batches.
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
        server.post(&format!("{own}/users"), &key, &json!({"name": name})).await;
    }
    for (path, key) in [("/admin/v1/audit-logs".to_owned(), &bootstrap), (format!("{own}/audit-logs"), &key)]
    {
        let whole = streamed(server.address, &format!("{path}?format=ndjson"), key).await;
        let said = tokio::task::block_in_place(|| verify(&installation, &[], &whole).success());
        assert!(!said.contains("filtered"), "{said}");
        assert!(whole.contains(".read"), "reads are part of the chain: {whole}");
        let reads = if path.starts_with("/admin") { "include_reads" } else { "includeReads" };
        let filtered = streamed(server.address, &format!("{path}?format=ndjson&{reads}=false"), key).await;
        let said = tokio::task::block_in_place(|| verify(&installation, &[], &filtered).success());
        assert!(said.contains("this export is filtered: {"), "{said}");
        assert!(said.contains("not checked is what the filter left out"), "{said}");
        let mut fewer: Vec<_> = filtered.lines().collect();
        fewer.remove(2);
        let finished = tokio::task::block_in_place(|| verify(&installation, &[], &(fewer.join("\n") + "\n")));
        assert!(finished.code == Some(1) && finished.out.contains("the seal does not hold"), "{finished:?}");
    }
    tokio::task::block_in_place(|| server.stop());
}
