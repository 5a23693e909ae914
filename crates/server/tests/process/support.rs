//! An installation in a directory of its own, and the server process that runs on it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// Longer than anything takes on a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Installation {
    directory: tempfile::TempDir,
}

impl Installation {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.path("claviger-data").join(name)
    }

    /// The binary in this directory, with no setting but a free port.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CLAVIGER_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.directory.path()).env("CLAVIGER_LISTEN", "127.0.0.1:0");
        command
    }

    /// Runs a command that answers and ends.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = pid(&child);
        let (ended, waiting) = mpsc::channel::<()>();
        // One that serves where it should refuse would never end.
        let guard = std::thread::spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                kill_process(pid, Signal::KILL).unwrap();
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(ended);
        guard.join().unwrap();
        Finished::from(output)
    }

    pub(crate) fn start(&self) -> Server {
        self.start_with(&[])
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start_with(&self, environment: &[(&str, &str)]) -> Server {
        let mut server = self.spawn(&[], environment);
        server.address = server.wait_for(Server::logged_address);
        server
    }

    /// As [`start_with`](Self::start_with), with arguments, and without waiting: it may also end by itself.
    pub(crate) fn spawn(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let mut command = self.command(arguments);
        command
            .env("CLAVIGER_ADMIN_LIMIT_PER_MINUTE", "0")
            .env("CLAVIGER_ADMIN_LIMIT_PER_ORGANIZATION", "0")
            .env("CLAVIGER_REPORTS_LIMIT_PER_MINUTE", "0")
            .envs(environment.iter().copied());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = collect(child.stdout.take().unwrap());
        let log = collect(child.stderr.take().unwrap());
        Server { child, out, log, address: SocketAddr::from(([0, 0, 0, 0], 0)), client: Client::new() }
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    /// What it said, given that it went well.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Its one sentence, given that it ended with `code`.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        let sentences: Vec<&str> = self.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(sentences.len(), 1, "{self:?}");
        assert!(!self.err.contains("panicked") && !self.err.contains("backtrace"), "{self:?}");
        sentences[0].to_owned()
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

pub(crate) struct Server {
    child: Child,
    out: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
    pub(crate) address: SocketAddr,
    client: Client,
}

impl Server {
    pub(crate) fn out(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The key that was printed on the first start.
    pub(crate) fn bootstrap_key(&self) -> String {
        self.wait_for(|server| {
            server.out().lines().find_map(|line| line.strip_prefix("bootstrap key: ").map(str::to_owned))
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(&self.child), signal).unwrap();
    }

    /// Waits for the process to end by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "still running; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the process is gone.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Stops it as an operator would.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.ended();
        assert!(status.success(), "{status}; log:\n{}", self.log());
    }

    /// Stops it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.ended();
    }

    /// Waits until it listens or has ended; tells whether it listens.
    pub(crate) fn settle(&mut self) -> bool {
        let begun = Instant::now();
        loop {
            if let Some(address) = self.logged_address() {
                self.address = address;
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "neither listens nor ends; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until `look` sees something.
    pub(crate) fn wait_for<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "not seen; out:\n{}\nlog:\n{}", self.out(), self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn logged_address(&self) -> Option<SocketAddr> {
        let line = self.log().lines().find(|line| line.contains("listening on"))?.to_owned();
        let line: Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str()?.parse().ok()
    }

    /// One call; `Err` when no answer came.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        call(&self.client, self.address, method, path, key, body).await
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, key, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, key, Some(body)).await.unwrap()
    }

    /// A new admin key that may do everything a partner's key can.
    pub(crate) async fn admin_key(&self, bootstrap_key: &str, entity: &str) -> String {
        let body = json!({
            "entity_name": entity,
            "permissions": ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"],
        });
        let (status, answer) = self.post("/v1/admin/admin-keys", bootstrap_key, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["data"]["api_key"].as_str().unwrap().to_owned()
    }

    /// Every row of a paged list.
    pub(crate) async fn all(&self, path: &str, key: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        loop {
            let (status, page) = self.get(&format!("{path}?limit=100&offset={}", rows.len()), key).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            rows.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["pagination"]["hasMore"] != true {
                assert_eq!(page["pagination"]["total"], rows.len(), "{path}");
                return rows;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already when the test stopped it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) async fn call(
    client: &Client,
    address: SocketAddr,
    method: Method,
    path: &str,
    key: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), reqwest::Error> {
    let mut request = client.request(method, format!("http://{address}{path}")).bearer_auth(key);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// Where a directory's entries end up after a refusal that must not touch anything.
pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        match directory.join(&name) {
            below if below.is_dir() => {
                names.extend(self::entries(&below).iter().map(|file| format!("{name}/{file}")));
            }
            _ => names.push(name),
        }
    }
    names.sort();
    names
}

fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap()
}

pub(crate) fn collect(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = text.clone();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
            into.lock().unwrap().push_str(&line);
            line.clear();
        }
    });
    text
}
