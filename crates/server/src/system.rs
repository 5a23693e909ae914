//! The machine's clock, randomness and limits: the only place that asks for them. Everything else
//! is handed a [`Clock`] and an [`Entropy`].

use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use claviger_app::{Clock, Entropy, Ports};
use getrandom::SysRng;
use rand_core::{Rng, UnwrapErr};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the application is connected to in production.
pub(crate) fn ports() -> Ports {
    Ports { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) }
}

/// The time of day as the machine knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is handed")]
    fn now(&self) -> DateTime<Utc> {
        SystemTime::now().into()
    }
}

/// The operating system's random generator. A machine that cannot give random bytes can make no
/// key, so that failing is a panic and not an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        random().fill_bytes(bytes);
    }
}

/// The same, as the generator that keys are drawn from.
pub(crate) fn random() -> impl Rng {
    UnwrapErr(SysRng)
}

/// Names this process for operators of others: the command, the host and the process id.
pub(crate) fn process_name(command: &str) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("`claviger {command}` on {host}, process {}", std::process::id())
}

/// Raises the number of files this process may hold open to what it is allowed to, and tells how
/// many that is. The usual soft limit of 1024 would let a thousand idle callers shut the database
/// out.
pub(crate) fn raise_open_files() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let allowed = if raised { maximum } else { current };
    allowed.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_and_is_in_this_century() {
        let before = SystemClock.now();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let after = SystemClock.now();
        assert!(after > before);
        assert!((2024..2100).contains(&chrono::Datelike::year(&after)));
    }

    #[test]
    fn random_bytes_differ_from_call_to_call() {
        let (mut first, mut second) = ([0_u8; 32], [0_u8; 32]);
        OsEntropy.fill(&mut first);
        OsEntropy.fill(&mut second);
        assert_ne!(first, second);
        assert_ne!(first, [0; 32]);
        assert_ne!(random().next_u64(), random().next_u64());
    }

    #[test]
    fn the_limit_of_open_files_is_raised_once_and_stays() {
        let allowed = raise_open_files();
        assert!(allowed >= 256, "{allowed}");
        assert_eq!(raise_open_files(), allowed);
    }
}
