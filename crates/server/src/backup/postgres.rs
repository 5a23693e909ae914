//! PostgreSQL's own `pg_dump` and `pg_restore`: they know every kind of object and every version.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::Config;
use crate::failure::Failure;

/// Where Debian and its relatives keep each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// What `libpq` understands of the parameters that the server's own driver does.
const PARAMETERS: [(&str, &str); 11] = [
    ("application_name", "application_name"),
    ("host", "host"),
    ("hostaddr", "hostaddr"),
    ("port", "port"),
    ("sslcert", "sslcert"),
    ("ssl-cert", "sslcert"),
    ("sslkey", "sslkey"),
    ("sslmode", "sslmode"),
    ("ssl-mode", "sslmode"),
    ("sslrootcert", "sslrootcert"),
    ("ssl-root-cert", "sslrootcert"),
];

/// Writes the whole database as it is at one moment into the file `into`, which must be there.
pub(super) async fn dump(config: &Config, into: &Path) -> Result<(), Failure> {
    let mut command = program("pg_dump", config)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges", "--no-password"]);
    let out = OpenOptions::new()
        .write(true)
        .open(into)
        .map_err(|error| Failure::operation(format!("cannot write {}: {error}", into.display())))?;
    command.stdin(Stdio::null()).stdout(out);
    run("pg_dump", command).await
}

/// Fills the empty database from the file `from`: wholly, or not at all.
pub(super) async fn restore(config: &Config, from: &Path) -> Result<(), Failure> {
    let mut command = program("pg_restore", config)?;
    command.args([
        "--no-owner",
        "--no-privileges",
        "--no-password",
        "--exit-on-error",
        "--single-transaction",
    ]);
    let file = File::open(from)
        .map_err(|error| Failure::operation(format!("cannot read {}: {error}", from.display())))?;
    command.stdin(file).stdout(Stdio::null());
    run("pg_restore", command).await
}

/// That the program is there, before anything is begun that needs it.
pub(super) fn must_be_installed(name: &str) -> Result<PathBuf, Failure> {
    find(name, Path::new(VERSIONS), &std::env::var_os("PATH").unwrap_or_default()).ok_or_else(|| {
        Failure::operation(format!(
            "{name} is needed for a PostgreSQL database and is neither in {VERSIONS}/*/bin nor on the PATH; install \
             PostgreSQL's client programs (`apt-get install postgresql-client`), not older than the server"
        ))
    })
}

/// The newest version: it can read every older server.
fn find(name: &str, versions: &Path, path: &OsStr) -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin").join(name)))
        })
        .filter(|(_, program)| program.is_file())
        .collect();
    found.sort();
    found.pop().map(|(_, program)| program).or_else(|| {
        std::env::split_paths(path).map(|directory| directory.join(name)).find(|program| program.is_file())
    })
}

/// The program with the database's address. The password is in its environment, which others cannot read.
fn program(name: &str, config: &Config) -> Result<Command, Failure> {
    let mut command = Command::new(must_be_installed(name)?);
    let (address, password) = address(config.database_url().expose()).ok_or_else(|| {
        Failure::configuration(format!(
            "CLAVIGER_DATABASE_URL is not an address that {name} can be given: {}",
            config.database_url().shown()
        ))
    })?;
    command.arg("--dbname").arg(address);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    Ok(command)
}

/// The address without its password, and the password.
fn address(url: &str) -> Option<(String, Option<String>)> {
    let mut url = Url::parse(url).ok()?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let mut password = url.password().and_then(decoded);
    url.set_password(None).ok()?;
    let given: Vec<_> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    url.set_query(None);
    for (name, value) in given {
        if name == "password" {
            password = Some(value);
        } else if name == "user" {
            url.set_username(&value).ok()?;
        } else if name == "dbname" {
            url.set_path(&value);
        } else if let Some((_, known)) = PARAMETERS.iter().find(|(given, _)| *given == name) {
            url.query_pairs_mut().append_pair(known, &value);
        }
    }
    // Spaces as `libpq` reads them.
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
    Some((url.into(), password))
}

async fn run(name: &'static str, mut command: Command) -> Result<(), Failure> {
    let running = move || command.stderr(Stdio::piped()).spawn()?.wait_with_output();
    let ended = tokio::task::spawn_blocking(running)
        .await
        .map_err(std::io::Error::other)
        .and_then(|ended| ended)
        .map_err(|error| Failure::operation(format!("cannot run {name}: {error}")))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let said: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(Failure::operation(format!("{name} failed ({}): {}", ended.status, said.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_leaves_the_address() {
        for (given, wanted, password) in [
            ("postgres://me:p%40ss@db:5433/keys", "postgres://me@db:5433/keys", Some("p@ss")),
            (
                "postgres://db/keys?password=p%20w&sslmode=require",
                "postgres://db/keys?sslmode=require",
                Some("p w"),
            ),
            ("postgresql://me@db/keys?statement-cache-capacity=9&user=you", "postgresql://you@db/keys", None),
            (
                "postgres://me@db/keys?ssl-mode=disable&host=/tmp",
                "postgres://me@db/keys?sslmode=disable&host=%2Ftmp",
                None,
            ),
        ] {
            let (address, found) = address(given).unwrap();
            assert_eq!((address.as_str(), found.as_deref()), (wanted, password), "{given}");
        }
    }

    #[test]
    fn the_newest_version_comes_before_the_path() {
        let place = tempfile::tempdir().unwrap();
        for directory in ["9/bin", "15/bin", "16/bin", "elsewhere"] {
            std::fs::create_dir_all(place.path().join(directory)).unwrap();
        }
        for file in ["9/bin/pg_dump", "15/bin/pg_dump", "elsewhere/pg_dump"] {
            std::fs::write(place.path().join(file), "").unwrap();
        }
        let elsewhere = place.path().join("elsewhere");
        let found = |versions: &Path| find("pg_dump", versions, elsewhere.as_os_str());
        assert_eq!(found(place.path()), Some(place.path().join("15/bin/pg_dump")));
        assert_eq!(found(&elsewhere), Some(elsewhere.join("pg_dump")));
        assert_eq!(find("pg_dump", &elsewhere, OsStr::new("")), None);
    }
}
