//! docs/peppers.md: its commands, run as a reader runs them.

use std::process::Command;

use crate::support::{Finished, Installation};

/// Every shell block of the page.
fn blocks() -> Vec<String> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/peppers.md")).unwrap();
    assert!(page.lines().count() < 200);
    let mut blocks = Vec::new();
    let mut rest = page.as_str();
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (block, after) = after.split_once("```").unwrap();
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

fn run(installation: &Installation, script: &str) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", script]).current_dir(installation.path(""));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_claviger")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    shell.env("PATH", format!("{}:{path}", program.display()));
    Finished::from(shell.output().unwrap()).success()
}

#[test]
fn the_commands_of_the_page_work_one_after_the_other() {
    let blocks = blocks();
    let [status, rotate, check, retire, files] = &blocks[..] else { panic!("{blocks:#?}") };
    let installation = Installation::new();
    installation.run(&["migrate"]).success();
    assert!(run(&installation, status).starts_with("pepper 1: new keys are made under it\n"));
    assert!(run(&installation, rotate).contains("pepper 2 was added to"));
    // "Restart every server."
    installation.start().stop();
    let checked = run(&installation, check);
    assert!(checked.contains("pepper 2: new keys are made under it") && checked.contains("pepper 1: may go"));
    let retired = run(&installation, retire);
    assert!(retired.contains("bootstrap key: iiak_bootstrap_") && retired.contains("pepper 1 was removed"));
    installation.start().stop();

    let shown = run(&installation, files);
    for (variable, file) in [
        ("CLAVIGER_PEPPERS ", "secrets/peppers"),
        ("CLAVIGER_BOOTSTRAP_KEY ", "secrets/bootstrap-key"),
        ("CLAVIGER_DATABASE_URL ", "secrets/database-url"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(variable)).unwrap_or_else(|| panic!("{shown}"));
        assert!(line.contains("environment, the file ") && line.ends_with(file), "{line}");
    }
    assert!(shown.contains("is up to date") && !shown.contains("iiak_bootstrap_"), "{shown}");
    assert!(installation.path("other/claviger.db").exists());
}
