//! However a test process ends, its server ends with it, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so does what it calls")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Held {
    process: Child,
    address: String,
    directory: PathBuf,
}

/// A process of its own that holds a server, whose directory is made in `place`.
fn hold(place: &Path) -> Held {
    let mut process = Command::new(env!("CARGO_BIN_EXE_claviger-test-postgres"))
        .env_remove("TEST_DATABASE_URL")
        .env("TMPDIR", place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    let address = url.split(['@', '/']).nth(3).unwrap_or_else(|| panic!("no URL: {url:?}")).to_owned();
    let directory = place.read_dir().unwrap().next().unwrap().unwrap().path();
    Held { process, address, directory }
}

fn leaves_nothing_after(end: impl FnOnce(&mut Child)) {
    let place = std::env::temp_dir().join(format!("claviger-leftovers-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let mut held = hold(&place);
    TcpStream::connect(&held.address).unwrap();
    assert!(held.directory.join("data/postmaster.pid").exists());
    end(&mut held.process);
    held.process.wait().unwrap();
    let ended = Instant::now();
    while held.directory.exists() || TcpStream::connect(&held.address).is_ok() {
        assert!(ended.elapsed() < Duration::from_secs(20), "{} is still there", held.address);
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn nothing_is_left_behind() {
    leaves_nothing_after(|process| process.kill().unwrap());
    leaves_nothing_after(|process| drop(process.stdin.take()));
}
