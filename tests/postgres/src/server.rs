//! The server: made in a new directory, and gone with the process that started it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::installation::Installation;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    password: String,
    /// The watchdog reads from the other end. Only this process holds this one: however it ends, the
    /// watchdog sees the pipe close.
    _life_line: ChildStdin,
}

/// Waits for the end of its input, then ends the server whose directory it is given, and removes it.
/// A server too young to have written its number ends by itself when its directory is gone.
const WATCHDOG: &str = r#"
    read -r _
    server=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -s QUIT "$server"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.2
    done
    rm -rf -- "$1"
"#;

const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let installation = Installation::find()?;
        let directory = std::env::temp_dir().join(format!("claviger-postgres-{}", random_word()?));
        DirBuilder::new().mode(0o700).create(&directory)?;
        installation.hand_over(&directory)?;
        let life_line = watch(&directory)?;
        let password = random_word()?;
        make_cluster(&installation, &directory, &password)?;
        let port = start(&installation, &directory)?;
        Ok(Self { port, password, _life_line: life_line })
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }
}

/// Sixteen hexadecimal characters that nobody has had before.
pub(crate) fn random_word() -> io::Result<String> {
    let mut bytes = [0_u8; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

fn watch(directory: &Path) -> io::Result<ChildStdin> {
    let watchdog = Command::new("sh")
        .args(["-c", WATCHDOG, "claviger-test-postgres"])
        .arg(directory)
        .stdin(Stdio::piped())
        // With our output it would keep whoever reads that waiting.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // An interrupt from the keyboard is not for it.
        .process_group(0)
        .spawn()?;
    watchdog.stdin.ok_or_else(|| io::Error::other("the watchdog has no input"))
}

fn make_cluster(installation: &Installation, directory: &Path, password: &str) -> io::Result<()> {
    let password_file = directory.join("password");
    {
        let mut options = fs::OpenOptions::new();
        io::Write::write_all(
            &mut options.write(true).create_new(true).mode(0o600).open(&password_file)?,
            password.as_bytes(),
        )?;
    }
    installation.hand_over(&password_file)?;
    let made = installation
        .program("initdb")
        .args(["--username=postgres", "--auth=password", "--encoding=UTF8", "--no-locale", "--no-sync"])
        .arg(option("--pwfile=", &password_file))
        .arg(option("--pgdata=", &directory.join("data")))
        .current_dir(directory)
        .output()
        .map_err(|problem| io::Error::other(format!("initdb cannot be run: {problem}")))?;
    if made.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr))))
}

/// Answers the port. A port that was free may be taken by the time the server asks for it.
fn start(installation: &Installation, directory: &Path) -> io::Result<u16> {
    let log = directory.join("log");
    let mut tries = 5;
    loop {
        tries -= 1;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut server = installation
            .program("postgres")
            .arg("-D")
            .arg(directory.join("data"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
            .arg("-c")
            .arg(option("unix_socket_directories=", directory))
            .args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"])
            .args(["-c", "max_connections=200", "-c", "shared_buffers=32MB"])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .process_group(0)
            .spawn()?;
        match wait_until_ready(&mut server, port, &directory.join("data/postmaster.pid")) {
            Ok(()) => return Ok(port),
            Err(_) if tries > 0 && said(&log).contains("could not bind") => {}
            Err(problem) => return Err(io::Error::other(format!("{problem}: {}", said(&log)))),
        }
    }
}

fn wait_until_ready(server: &mut Child, port: u16, status: &Path) -> io::Result<()> {
    let started = Instant::now();
    while started.elapsed() < START_TIMEOUT {
        if let Some(status) = server.try_wait()? {
            return Err(io::Error::other(format!("postgres ended at once, {status}")));
        }
        // The eighth line of its file tells the server's state.
        let ready = said(status).lines().nth(7).is_some_and(|state| state.trim() == "ready");
        if ready && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other("postgres did not become ready"))
}

fn said(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

fn option(name: &str, path: &Path) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(name);
    option.push(PathBuf::from(path));
    option
}
