//! nginx and Caddy, run on the files in `deploy/` as they stand there but for their addresses.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{PATIENCE, collect};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");

/// What stands around the recipe: nothing that decides about a request. One process, so that none is
/// left when it is killed.
const NGINX: &str = "
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include claviger.conf;
}
";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Program {
    Nginx,
    Caddy,
}

/// The addresses that a recipe is about.
#[derive(Clone, Copy)]
struct Addresses {
    listen: SocketAddr,
    claviger: SocketAddr,
    api: SocketAddr,
}

pub(super) struct Proxy {
    child: Child,
    pub(super) address: SocketAddr,
    _directory: TempDir,
}

impl Proxy {
    /// Starts the program and waits until it listens.
    pub(super) fn start(program: Program, claviger: SocketAddr, api: SocketAddr) -> Self {
        let mut logs = String::new();
        // Somebody else may take the port before the program does.
        for _ in 0..5 {
            match Self::try_start(program, Addresses { listen: free(), claviger, api }) {
                Ok(proxy) => return proxy,
                Err(log) => writeln!(logs, "{log}").unwrap(),
            }
        }
        panic!("{program:?} does not start on its recipe in deploy/:\n{logs}")
    }

    /// `Err` is its log, when it ended instead.
    fn try_start(program: Program, addresses: Addresses) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let mut child = program.spawn(directory.path(), addresses);
        let log = collect(child.stderr.take().unwrap());
        let mut proxy = Self { child, address: addresses.listen, _directory: directory };
        proxy.listening(program, &log).map(|()| proxy)
    }

    fn listening(&mut self, program: Program, log: &Arc<Mutex<String>>) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let said = log.lock().unwrap().clone();
            if said.contains(program.word_when_listening()) {
                return Ok(());
            }
            if self.child.try_wait().unwrap().is_some() || begun.elapsed() > PATIENCE {
                return Err(said);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It is gone already when it could not start.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Program {
    fn spawn(self, directory: &Path, addresses: Addresses) -> Child {
        let mut command = match self {
            Self::Nginx => nginx(directory, addresses),
            Self::Caddy => caddy(directory, addresses),
        };
        command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{self:?} cannot be started: {error}");
            panic!(
                "{self:?} is not installed, and its recipe in deploy/ is tested with nothing less than \
                 itself. Install it: apt-get install {}",
                self.package()
            )
        })
    }

    fn package(self) -> &'static str {
        match self {
            Self::Nginx => "nginx-light",
            Self::Caddy => "caddy",
        }
    }

    fn word_when_listening(self) -> &'static str {
        match self {
            // Its sockets are open when it says for how many files there is room.
            Self::Nginx => "getrlimit(RLIMIT_NOFILE)",
            Self::Caddy => "serving initial configuration",
        }
    }
}

/// nginx cannot take addresses from its environment: those of the recipe are replaced. Its example of a
/// location that asks for more is switched on; nothing else is touched.
fn nginx(directory: &Path, addresses: Addresses) -> Command {
    let mut recipe = std::fs::read_to_string(Path::new(DEPLOY).join("nginx/claviger.conf")).unwrap();
    for (line, address) in [
        ("server 127.0.0.1:8080;", addresses.claviger),
        ("server 127.0.0.1:9000;", addresses.api),
        ("listen 127.0.0.1:8000;", addresses.listen),
    ] {
        assert_eq!(recipe.matches(line).count(), 1, "deploy/nginx/claviger.conf: {line}");
        let (word, _) = line.split_once(' ').unwrap();
        recipe = recipe.replace(line, &format!("{word} {address};"));
    }
    let example = recipe.find("    # location /refunds/ {").unwrap();
    let end = example + recipe[example..].find("\n\n").unwrap();
    recipe.replace_range(example..end, &recipe[example..end].replace("    # ", "    "));
    std::fs::write(directory.join("claviger.conf"), recipe).unwrap();
    std::fs::write(directory.join("nginx.conf"), NGINX).unwrap();
    // Debian has it where only root's path looks.
    let elsewhere = Path::new("/usr/sbin/nginx");
    let mut command = Command::new(if elsewhere.exists() { elsewhere } else { Path::new("nginx") });
    command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(directory);
    command
}

fn caddy(directory: &Path, addresses: Addresses) -> Command {
    let recipe = Path::new(DEPLOY).join("caddy/Caddyfile");
    // Its administration has a fixed port, which two tests cannot share.
    let around = format!("{{\n\tadmin off\n}}\n\nimport {}\n", recipe.canonicalize().unwrap().display());
    std::fs::write(directory.join("Caddyfile"), around).unwrap();
    let mut command = Command::new("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"])
        .env("LISTEN", format!("http://{}", addresses.listen))
        .env("CLAVIGER", addresses.claviger.to_string())
        .env("API", addresses.api.to_string())
        .env("HOME", directory)
        .env("XDG_CONFIG_HOME", directory)
        .env("XDG_DATA_HOME", directory);
    command
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
