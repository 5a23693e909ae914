//! `docs/operations.md`, followed from top to bottom: every command of it, on SQLite and on PostgreSQL.

use std::process::Command;

use claviger_test_postgres::Database;
use reqwest::StatusCode;

use crate::support::{Installation, Server};

/// What the page has its reader do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Start,
    Stop,
    /// A shell block, and whether it is for PostgreSQL only.
    Run(String, bool),
}

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md")).unwrap()
}

fn steps(page: &str) -> Vec<Step> {
    let mut parts = page.split("<!-- test: ");
    parts.next();
    let steps = parts.map(|part| {
        let (kind, rest) = part.split_once(" -->").unwrap();
        let block = || rest.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0.to_owned();
        match kind {
            "stop" => Step::Stop,
            "start" => {
                assert_eq!(block(), "claviger serve\n");
                Step::Start
            }
            "both" | "postgresql" => Step::Run(block(), kind == "postgresql"),
            other => panic!("{other}"),
        }
    });
    steps.collect()
}

/// Follows the page; `databases` are PostgreSQL's, in the order in which the page asks for new ones.
async fn follow(databases: &[Database]) {
    let installation = Installation::new();
    let is_postgres = !databases.is_empty();
    let mut databases = databases.iter();
    let mut environment: Vec<(String, String)> = Vec::new();
    let mut server: Option<Server> = None;
    let mut bootstrap = None;
    let mut answers = String::new();
    for step in steps(&page()) {
        match step {
            Step::Start => {
                let given: Vec<_> =
                    environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let started = tokio::task::block_in_place(|| installation.start_with(&given));
                let key = bootstrap.get_or_insert_with(|| started.bootstrap_key()).clone();
                let (status, keys) = started.get("/v1/admin/admin-keys", &key).await;
                assert_eq!(status, StatusCode::OK, "{keys}");
                if keys["data"].as_array().unwrap().is_empty() {
                    started.admin_key(&key, "Made before the backup").await;
                }
                server = Some(started);
            }
            Step::Stop => tokio::task::block_in_place(|| server.take().unwrap().stop()),
            Step::Run(_, true) if !is_postgres => {}
            Step::Run(block, _) => {
                let mut block = block;
                if let Some(server) = &server {
                    block = block.replace("127.0.0.1:8080", &server.address.to_string());
                }
                if let Some((before, rest)) = block.split_once("postgres://") {
                    let url = databases.next().unwrap().url();
                    let rest = rest.split_once('\n').unwrap().1;
                    block = format!("{before}{url}\n{rest}");
                }
                let (out, exported) = run(&installation, &block, &environment);
                answers += &out;
                environment = exported;
            }
        }
    }
    assert!(databases.next().is_none());
    for said in
        ["\"claviger_backup\": 1", "claviger_journal_undrained_bytes ", "restored claviger-backup.tar of 2"]
    {
        assert!(answers.contains(said), "{said} is not in:\n{answers}");
    }
    let server = server.unwrap();
    // After two restores there is what was made before the first one, and the first start was the only one.
    assert_eq!(server.all("/v1/admin/admin-keys", &bootstrap.unwrap()).await.len(), 1);
    assert_eq!(server.out(), "");
    tokio::task::block_in_place(|| server.stop());
}

/// Runs a block as pasted into a shell; answers what it printed, and the settings that it exported.
fn run(
    installation: &Installation,
    block: &str,
    environment: &[(String, String)],
) -> (String, Vec<(String, String)>) {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_claviger")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let script = format!("{block}\necho; echo 'exported:'; env | grep '^CLAVIGER_' || true");
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLAVIGER_") {
            shell.env_remove(name);
        }
    }
    let shell = shell
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(installation.path(""))
        .env("PATH", path)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    let ended = tokio::task::block_in_place(|| shell.output().unwrap());
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{block}\n{out}{}", String::from_utf8_lossy(&ended.stderr));
    let (out, exported) = out.rsplit_once("exported:\n").unwrap();
    let exported = exported.lines().filter_map(|line| line.split_once('='));
    (out.to_owned(), exported.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_operations_page_works_on_sqlite() {
    follow(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_operations_page_works_on_postgresql() {
    let databases = [Database::empty().await, Database::empty().await, Database::empty().await];
    follow(&databases).await;
    for database in databases {
        database.remove().await;
    }
}

#[test]
fn no_block_of_the_operations_page_goes_untested() {
    let page = page();
    assert!(page.lines().count() < 240);
    let blocks = steps(&page).iter().filter(|step| **step != Step::Stop).count();
    assert_eq!(page.matches("```sh\n").count(), blocks);
    assert_eq!(page.matches("```").count(), blocks * 2);
}
