//! Finds PostgreSQL's programs, and the account to run them as: they refuse to be run by root.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of one version of PostgreSQL.
#[derive(Debug)]
pub(crate) struct Installation {
    programs: PathBuf,
    /// Whom to run them as; `None` as ourselves.
    account: Option<Account>,
}

#[derive(Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl Installation {
    /// The newest version in Debian's place for them, or whatever is on the `PATH`.
    pub(crate) fn find() -> io::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = programs(Path::new("/usr/lib/postgresql"), &path)?;
        let account = if rustix::process::geteuid().is_root() { Some(Account::find()?) } else { None };
        Ok(Self { programs, account })
    }

    /// A call of one of the programs, as the account that may run it.
    pub(crate) fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let Some(Account { user, group }) = self.account else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command
            .args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--"])
            .arg(program);
        command
    }

    /// Gives a path to the account that runs the programs.
    pub(crate) fn hand_over(&self, path: &Path) -> io::Result<()> {
        match self.account {
            Some(Account { user, group }) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

fn programs(versions: &Path, path: &OsStr) -> io::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .filter(|(_, programs)| has_programs(programs))
        .collect();
    found.sort();
    found
        .pop()
        .map(|(_, programs)| programs)
        .or_else(|| std::env::split_paths(path).find(|programs| has_programs(programs)))
        .ok_or_else(|| {
            io::Error::other(
                "PostgreSQL is not installed; run `apt-get install postgresql`, \
                 or set TEST_DATABASE_URL to the URL of a server whose role may create databases",
            )
        })
}

fn has_programs(directory: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file())
}

impl Account {
    /// The package's own account, or else the one that owns nothing.
    fn find() -> io::Result<Self> {
        let accounts = std::fs::read_to_string("/etc/passwd")?;
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| accounts.lines().find_map(|line| Self::read(line, name)))
            .ok_or_else(|| io::Error::other("root cannot run PostgreSQL, and there is no account `postgres`"))
    }

    fn read(line: &str, name: &str) -> Option<Self> {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let mut numbers = fields.skip(1).map(str::parse);
        Some(Self { user: numbers.next()?.ok()?, group: numbers.next()?.ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_taken_before_the_path() {
        let place = std::env::temp_dir().join(format!("claviger-installation-{}", std::process::id()));
        for folder in ["9/bin", "15/bin", "16/bin", "elsewhere"] {
            std::fs::create_dir_all(place.join(folder)).unwrap();
        }
        for file in ["9/bin/initdb", "9/bin/postgres", "15/bin/initdb", "15/bin/postgres", "16/bin/initdb"] {
            std::fs::write(place.join(file), "").unwrap();
        }
        assert_eq!(programs(&place, OsStr::new("")).unwrap(), place.join("15/bin"));
        let path = place.join("9/bin");
        assert_eq!(programs(&place.join("elsewhere"), path.as_os_str()).unwrap(), path);
        let missing = programs(&place.join("elsewhere"), place.as_os_str()).unwrap_err();
        assert!(missing.to_string().contains("apt-get install postgresql"), "{missing}");
        std::fs::remove_dir_all(place).unwrap();
    }
}
