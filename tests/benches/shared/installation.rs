//! Installations of the binary under test, each in a directory of its own on the disk that the build
//! is on: a temporary directory may be in memory, where durability costs nothing.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Outcome;
use crate::client::Client;
use crate::figures::{mebibytes, median};
use crate::process;

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const NEW_CREDENTIAL: &str = r#"{"name":"Production","network_id":0}"#;
pub(crate) const CREDENTIALS: &str = "/v1/admin/credentials";

/// The binary under test: `CLAVIGER_BENCH_BINARY`, or what `cargo build --release` made.
pub(crate) fn binary() -> Outcome<PathBuf> {
    let built = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("release").join("claviger");
    let file = std::env::var_os("CLAVIGER_BENCH_BINARY").map_or_else(built, PathBuf::from);
    if file.is_file() {
        Ok(file)
    } else {
        Err(format!("there is no {}; run `cargo build --release` first", file.display()).into())
    }
}

/// A directory with a database, its pepper, and one admin key that has made one credential.
pub(crate) struct Installation {
    directory: TempDir,
    pub(crate) key: String,
    /// Of the operator, who may verify every organization's keys.
    pub(crate) bootstrap_key: String,
}

impl Installation {
    pub(crate) fn new() -> Outcome<Self> {
        let mut new = Self { directory: directory()?, key: String::new(), bootstrap_key: String::new() };
        let made = output(new.command()?.args(["bootstrap-key", "generate"]))?;
        new.bootstrap_key = String::from_utf8(made)?.trim().to_owned();
        output(new.command()?.arg("migrate"))?;
        let made = output(new.command()?.args(["admin-key", "create", "--json"]).args([
            "--entity-name=Benchmark",
            "--permission=manage_credentials,manage_users,view_audit_logs,view_usage",
        ]))?;
        let made: Value = serde_json::from_slice(&made)?;
        new.key = made["api_key"].as_str().ok_or("no key was made")?.to_owned();
        let server = new.start()?;
        server.client(&new.key)?.post(CREDENTIALS, NEW_CREDENTIAL)?;
        server.stop()?;
        Ok(new)
    }

    /// The same once more, to go its own way; whoever runs on it must have stopped.
    pub(crate) fn copy(&self) -> Outcome<Self> {
        let directory = directory()?;
        for entry in fs::read_dir(self.directory.path())? {
            let entry = entry?;
            // Whoever has stopped has left nothing in the journal; each server makes its own.
            if entry.file_type()?.is_dir() {
                continue;
            }
            fs::copy(entry.path(), directory.path().join(entry.file_name()))?;
        }
        Ok(Self { directory, key: self.key.clone(), bootstrap_key: self.bootstrap_key.clone() })
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("claviger.db")
    }

    /// Runs a server on it, with no limit on calls but otherwise as delivered: its log goes to a file.
    pub(crate) fn start(&self) -> Outcome<Server> {
        self.start_with(&[])
    }

    /// As [`Self::start`], with these settings.
    pub(crate) fn start_with(&self, settings: &[(&str, &str)]) -> Outcome<Server> {
        let mut command = self.command()?;
        command.env("CLAVIGER_BOOTSTRAP_KEY", &self.bootstrap_key).envs(settings.iter().copied());
        start(command, self.directory.path())
    }

    pub(crate) fn command(&self) -> Outcome<Command> {
        command(self.directory.path())
    }

    /// How long the disk takes to have four kibibytes for certain: the median of many.
    pub(crate) fn synced_write(&self) -> Outcome<Duration> {
        let mut file = File::create(self.directory.path().join("synced"))?;
        let mut took = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            took.push(begun.elapsed().as_secs_f64());
        }
        fs::remove_file(self.directory.path().join("synced"))?;
        Ok(Duration::from_secs_f64(median(&took)))
    }
}

/// How long the very first start takes, in an empty directory.
pub(crate) fn first_start() -> Outcome<Duration> {
    let directory = directory()?;
    let server = start(command(directory.path())?, directory.path())?;
    let ready_after = server.ready_after;
    server.stop()?;
    Ok(ready_after)
}

fn directory() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

fn command(directory: &Path) -> Outcome<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLAVIGER_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(directory)
        .env("CLAVIGER_DATA_DIR", directory)
        .env("CLAVIGER_ADMIN_LIMIT_PER_MINUTE", "0")
        .env("CLAVIGER_ADMIN_LIMIT_PER_ORGANIZATION", "0")
        .env("CLAVIGER_REPORTS_LIMIT_PER_MINUTE", "0")
        .stdin(Stdio::null());
    Ok(command)
}

fn output(command: &mut Command) -> Outcome<Vec<u8>> {
    let output = command.output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn start(mut command: Command, directory: &Path) -> Outcome<Server> {
    // Whoever else takes the port in between makes this fail, and nothing worse.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    command.env("CLAVIGER_LISTEN", address.to_string());
    command.stdout(Stdio::null()).stderr(File::create(directory.join("log"))?);
    let begun = Instant::now();
    let mut server = Server { child: command.spawn()?, address, ready_after: Duration::ZERO };
    loop {
        if server.client("").is_ok_and(|mut client| client.get("/health/ready").is_ok()) {
            server.ready_after = begun.elapsed();
            return Ok(server);
        }
        if server.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
            return Err(fs::read_to_string(directory.join("log"))?.into());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// A server at work.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer that it is ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    pub(crate) fn client(&self, key: &str) -> std::io::Result<Client> {
        Client::connect(self.address, key)
    }

    /// Its resident memory in MiB.
    pub(crate) fn memory(&self) -> Outcome<f64> {
        Ok(mebibytes(process::memory(self.child.id())?))
    }

    /// The processor time it has used so far.
    pub(crate) fn processor(&self) -> Outcome<Duration> {
        process::processor(self.child.id())
    }

    /// The figures it publishes.
    pub(crate) fn figures(&self) -> Outcome<String> {
        Ok(String::from_utf8(self.client("")?.get("/metrics")?.to_vec())?)
    }

    /// One of them, by its name and labels.
    pub(crate) fn figure(&self, name: &str) -> Outcome<f64> {
        let figures = self.figures()?;
        let value = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.ok_or_else(|| format!("no {name} is published"))?.parse()?)
    }

    /// Stops it as an operator would, and waits until it has.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        output(Command::new("kill").arg(self.child.id().to_string()))?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { Err(status.to_string().into()) };
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err("the server does not stop".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already, unless the benchmark failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
