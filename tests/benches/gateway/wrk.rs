//! The load: `wrk`, with requests that are written once before it begins, so that it is not what is measured.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Outcome, keys};

pub(crate) const CONNECTIONS: usize = 64;

/// Picks one of the prepared requests at random, and tells at the end what was measured.
const COMMON: &str = r#"
local requests = {}

local function prepare(file, method, path, headers, body)
  for key in io.lines(file) do
    requests[#requests + 1] = wrk.format(method, path, headers(key), body(key))
  end
end

request = function()
  return requests[math.random(#requests)]
end

done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format("measured %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"#;

const VERIFY: &str = r#"
init = function(arguments)
  prepare(arguments[1], "POST", "/v1/keys/verify",
    function()
      return {["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. arguments[2]}
    end,
    function(key) return string.format('BODY', key) end)
end
"#;

const FORWARD_AUTH: &str = r#"
init = function(arguments)
  prepare(arguments[1], "GET", "/v1/forward-auth",
    function(key) return {["Authorization"] = "Bearer " .. key} end,
    function() return nil end)
end
"#;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Verify,
    ForwardAuth,
}

/// `wrk` with its scripts, and the keys they ask about.
pub(crate) struct Wrk {
    directory: TempDir,
    bootstrap_key: String,
}

/// What one run of it measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) calls: u64,
    pub(crate) calls_a_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Wrk {
    pub(crate) fn new(keys: &[String], bootstrap_key: &str) -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("keys"), keys.join("\n") + "\n")?;
        let verify = format!("{COMMON}{}", VERIFY.replace("BODY", &keys::body("%s")));
        std::fs::write(directory.path().join("verify.lua"), verify)?;
        std::fs::write(directory.path().join("forward_auth.lua"), format!("{COMMON}{FORWARD_AUTH}"))?;
        Ok(Self { directory, bootstrap_key: bootstrap_key.to_owned() })
    }

    /// Asks as fast as the answers come, on one thread.
    pub(crate) fn run(&self, address: SocketAddr, asked: Asked, time: Duration) -> Outcome<Run> {
        let script = match asked {
            Asked::Verify => "verify.lua",
            Asked::ForwardAuth => "forward_auth.lua",
        };
        let file = |name: &str| -> PathBuf { Path::join(self.directory.path(), name) };
        let mut command = Command::new("wrk");
        command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{}s", time.as_secs())]);
        command.arg("-s").arg(file(script)).arg(format!("http://{address}")).arg("--");
        command.arg(file("keys")).arg(&self.bootstrap_key);
        let output = command.output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => "`wrk` is missing: apt-get install wrk".to_owned(),
            _ => format!("wrk: {error}"),
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let failed = || format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
        let line = text.lines().find_map(|line| line.strip_prefix("measured ")).ok_or_else(failed)?;
        let figures: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        let [calls, micros, p50, p99, p999, refused, broken] = figures?[..] else {
            return Err(failed().into());
        };
        if refused + broken > 0 {
            return Err(format!("of {calls} calls {refused} were refused and {broken} broke off").into());
        }
        let milliseconds = |micros: u64| micros as f64 / 1000.0;
        Ok(Run {
            calls,
            calls_a_second: calls as f64 / Duration::from_micros(micros).as_secs_f64(),
            p50: milliseconds(p50),
            p99: milliseconds(p99),
            p999: milliseconds(p999),
        })
    }
}
