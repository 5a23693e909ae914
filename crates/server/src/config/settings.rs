//! The one list of settings. Parsing, `claviger config`, `--help` and README's table are read off
//! it, so that a setting is added by adding an entry here and a field in [`Config`].

use std::fmt::Display;

use claviger_app::Durability;

use super::value::{self, Reason};
use super::{Config, DatabaseUrl, LogFormat};
use crate::peppers;

/// One thing to decide.
pub(crate) struct Setting {
    pub(crate) variable: &'static str,
    /// Its place in `claviger.toml`.
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// What holds when nobody decides, where [`Config::default`] does not say it.
    pub(crate) otherwise: Option<&'static str>,
    pub(crate) form: &'static str,
    pub(crate) example: &'static str,
    pub(crate) secrecy: Secrecy,
    pub(crate) meaning: &'static str,
    pub(crate) set: fn(&mut Config, &str) -> Result<(), Reason>,
    /// Its value as text that `set` would take; of a secret, only what may be seen.
    pub(crate) get: fn(&Config) -> Option<String>,
}

/// Which TOML value is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    /// An array of strings, or one string with commas as in the environment.
    List,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Open,
    /// Part of it must not be seen: a wrong value is not repeated, a right one is shown without.
    Partly,
    Hidden,
}

/// A century: whoever wants more wants all.
const DAYS: std::ops::RangeInclusive<u32> = 0..=36_500;

fn some_days(days: u32) -> Option<u32> {
    (days > 0).then_some(days)
}

const SECONDS: std::ops::RangeInclusive<u64> = 1..=3600;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        variable: "CLAVIGER_LISTEN",
        key: "http.listen",
        kind: Kind::Text,
        otherwise: None,
        form: "an IP address and a port",
        example: "0.0.0.0:8080",
        secrecy: Secrecy::Open,
        meaning: "Where the server listens. Port 0 takes any free one",
        set: |config, text| store(&mut config.http.listen, value::address(text)),
        get: |config| shown(config.http.listen),
    },
    Setting {
        variable: "CLAVIGER_DATA_DIR",
        key: "data_dir",
        kind: Kind::Text,
        otherwise: None,
        form: "the path of a directory",
        example: "/var/lib/claviger",
        secrecy: Secrecy::Open,
        meaning: "Holds the embedded database, its peppers and the journal of decided calls, for one server; made with mode 0700 \
                  when missing",
        set: |config, text| store(&mut config.data_dir, value::path(text)),
        get: |config| shown(config.data_dir.display()),
    },
    Setting {
        variable: "CLAVIGER_DATABASE_URL",
        key: "database.url",
        kind: Kind::Text,
        otherwise: Some("SQLite, `claviger.db` in the data directory"),
        form: "sqlite://<path>, sqlite::memory: or postgres://<user>:<password>@<host>/<database>",
        example: "sqlite:///var/lib/claviger/claviger.db",
        secrecy: Secrecy::Partly,
        meaning: "Where the database is",
        set: |config, text| store(&mut config.database.url, DatabaseUrl::parse(text).map(Some)),
        get: |config| shown(config.database_url().shown()),
    },
    Setting {
        variable: "CLAVIGER_BOOTSTRAP_KEY",
        key: "keys.bootstrap",
        kind: Kind::Text,
        otherwise: Some("made on the first start and printed once"),
        form: "iiak_bootstrap_ and 40 hexadecimal characters, the last eight of which are a checksum",
        example: "$(claviger bootstrap-key generate)",
        secrecy: Secrecy::Hidden,
        meaning: "The root key of the installation; replaces the one in force when it differs",
        set: |config, text| store(&mut config.keys.bootstrap, value::bootstrap_key(text).map(Some)),
        get: |config| config.keys.bootstrap.as_ref().map(|_| HIDDEN.to_owned()),
    },
    Setting {
        variable: "CLAVIGER_BOOTSTRAP_KEY_OUTPUT",
        key: "keys.bootstrap_output",
        kind: Kind::Text,
        otherwise: Some("standard output"),
        form: "the path of a file that does not exist yet",
        example: "/var/lib/claviger/bootstrap-key",
        secrecy: Secrecy::Open,
        meaning: "Where the first start writes the bootstrap key it makes, with mode 0600, so that no service log \
                  has it. `claviger serve --quiet-first-start` is this with `bootstrap-key` in the data directory",
        set: |config, text| store(&mut config.keys.bootstrap_output, value::path(text).map(Some)),
        get: |config| config.keys.bootstrap_output.as_ref().map(|path| path.display().to_string()),
    },
    Setting {
        variable: "CLAVIGER_PEPPERS",
        key: "keys.peppers",
        kind: Kind::List,
        otherwise: Some(
            "the file `peppers` in the data directory, made on the first start; needed for PostgreSQL",
        ),
        form: "<version>:<64 hexadecimal characters>, several separated by commas",
        example: "1:$(openssl rand -hex 32)",
        secrecy: Secrecy::Hidden,
        meaning: "Under which keys are stored. The highest version signs new keys, the others keep verifying",
        set: |config, text| store(&mut config.keys.peppers, peppers::parse(text).map(Some)),
        get: |config| config.keys.peppers.as_ref().map(|_| HIDDEN.to_owned()),
    },
    Setting {
        variable: "CLAVIGER_ADMIN_LIMIT_PER_MINUTE",
        key: "limits.admin_per_minute",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 1000000",
        example: "500",
        secrecy: Secrecy::Open,
        meaning: "Requests that one key may make in a minute on the admin surfaces, 100 of them batches at most; 0 is no limit",
        set: |config, text| store(&mut config.limits.admin_per_minute, value::number(text, &(0..=1_000_000))),
        get: |config| shown(config.limits.admin_per_minute),
    },
    Setting {
        variable: "CLAVIGER_ADMIN_LIMIT_PER_ORGANIZATION",
        key: "limits.admin_per_organization",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 1000000",
        example: "5000",
        secrecy: Secrecy::Open,
        meaning: "Requests that all keys of one organization together may make in a minute on the admin surfaces; 0 is no limit",
        set: |config, text| {
            store(&mut config.limits.admin_per_organization, value::number(text, &(0..=1_000_000)))
        },
        get: |config| shown(config.limits.admin_per_organization),
    },
    Setting {
        variable: "CLAVIGER_REPORTS_LIMIT_PER_MINUTE",
        key: "limits.reports_per_minute",
        kind: Kind::Integer,
        otherwise: None,
        form: "0, or a whole number from 1000 to 100000000",
        example: "600000",
        secrecy: Secrecy::Open,
        meaning: "Usage reports that one organization may send in a minute; 0 is no limit",
        set: |config, text| {
            let reports = match text {
                "0" => Ok(0),
                text => value::number(text, &(1_000..=100_000_000)),
            };
            store(&mut config.limits.reports_per_minute, reports)
        },
        get: |config| shown(config.limits.reports_per_minute),
    },
    Setting {
        variable: "CLAVIGER_JOURNAL_MAX_MIB",
        key: "journal.max_mib",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 1 to 1048576",
        example: "4096",
        secrecy: Secrecy::Open,
        meaning: "Mebibytes of decided calls that may wait for the database, 26,000 calls in each; when they are \
                  full, verification is refused with 503 rather than uncounted",
        set: |config, text| store(&mut config.journal.max_mib, value::number(text, &(1..=1_048_576))),
        get: |config| shown(config.journal.max_mib),
    },
    Setting {
        variable: "CLAVIGER_JOURNAL_DURABILITY",
        key: "journal.durability",
        kind: Kind::Text,
        otherwise: None,
        form: "process or disk",
        example: "disk",
        secrecy: Secrecy::Open,
        meaning: "What a decided call survives before it is answered: `process` is the end of this process, and a power \
                  cut may cost the last two seconds of counts; `disk` is a power cut too, and each answer waits for the disk",
        set: |config, text| store(&mut config.journal.durability, value::durability(text)),
        get: |config| {
            shown(match config.journal.durability {
                Durability::Process => "process",
                Durability::Disk => "disk",
            })
        },
    },
    Setting {
        variable: "CLAVIGER_USAGE_MINUTES_KEPT_DAYS",
        key: "usage.minutes_kept_days",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 36500",
        example: "90",
        secrecy: Secrecy::Open,
        meaning: "Days for which usage is known by the minute; 0 is for ever. Figures of older periods are hours",
        set: |config, text| store(&mut config.retention.minutes, value::number(text, &DAYS).map(some_days)),
        get: |config| shown(config.retention.minutes.unwrap_or(0)),
    },
    Setting {
        variable: "CLAVIGER_USAGE_HOURS_KEPT_DAYS",
        key: "usage.hours_kept_days",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 36500",
        example: "730",
        secrecy: Secrecy::Open,
        meaning: "Days for which usage is known by the hour; 0 is for ever. Figures of older periods are days",
        set: |config, text| store(&mut config.retention.hours, value::number(text, &DAYS).map(some_days)),
        get: |config| shown(config.retention.hours.unwrap_or(0)),
    },
    Setting {
        variable: "CLAVIGER_USAGE_KEPT_DAYS",
        key: "usage.kept_days",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 36500",
        example: "3650",
        secrecy: Secrecy::Open,
        meaning: "Days for which usage is known at all; 0 is for ever. Totals of older periods lack what is gone",
        set: |config, text| store(&mut config.retention.days, value::number(text, &DAYS).map(some_days)),
        get: |config| shown(config.retention.days.unwrap_or(0)),
    },
    Setting {
        variable: "CLAVIGER_AUDIT_RETENTION_DAYS",
        key: "audit.retention_days",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 36500",
        example: "730",
        secrecy: Secrecy::Open,
        meaning: "Days for which entries stay in the audit log; 0 is for ever. What remains still verifies",
        set: |config, text| store(&mut config.retention.audit, value::number(text, &DAYS).map(some_days)),
        get: |config| shown(config.retention.audit.unwrap_or(0)),
    },
    Setting {
        variable: "CLAVIGER_TRUSTED_PROXIES",
        key: "http.trusted_proxies",
        kind: Kind::List,
        otherwise: Some("none"),
        form: "networks or addresses, separated by commas",
        example: "10.0.0.0/8,::1",
        secrecy: Secrecy::Open,
        meaning: "Peers whose `X-Forwarded-For` is believed",
        set: |config, text| store(&mut config.http.trusted_proxies, value::networks(text)),
        get: |config| {
            let networks: Vec<String> = config.http.trusted_proxies.iter().map(ToString::to_string).collect();
            (!networks.is_empty()).then(|| networks.join(","))
        },
    },
    Setting {
        variable: "CLAVIGER_REQUEST_TIMEOUT_SECONDS",
        key: "http.request_timeout_seconds",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 1 to 3600",
        example: "30",
        secrecy: Secrecy::Open,
        meaning: "How long one request may take",
        set: |config, text| store(&mut config.http.request_timeout, value::seconds(text, &SECONDS)),
        get: |config| shown(config.http.request_timeout.as_secs()),
    },
    Setting {
        variable: "CLAVIGER_SHUTDOWN_GRACE_SECONDS",
        key: "http.shutdown_grace_seconds",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 3600",
        example: "30",
        secrecy: Secrecy::Open,
        meaning: "How long requests in progress are waited for after SIGTERM or SIGINT",
        set: |config, text| {
            store(&mut config.http.shutdown_grace, value::seconds(text, &(0..=*SECONDS.end())))
        },
        get: |config| shown(config.http.shutdown_grace.as_secs()),
    },
    Setting {
        variable: "CLAVIGER_MAX_CONNECTIONS",
        key: "http.max_connections",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 1 to 1000000",
        example: "10000",
        secrecy: Secrecy::Open,
        meaning: "Connections served at once; further ones wait. Lowered to what the open-files limit allows",
        set: |config, text| store(&mut config.http.max_connections, value::number(text, &(1..=1_000_000))),
        get: |config| shown(config.http.max_connections),
    },
    Setting {
        variable: "CLAVIGER_MAX_CONNECTIONS_PER_ADDRESS",
        key: "http.max_connections_per_address",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 1000000",
        example: "1000",
        secrecy: Secrecy::Open,
        meaning: "Connections that one address (of IPv6, one /64) may hold; further ones are closed. At most half of all, so \
                  that nobody alone shuts the others out; 0 is no limit. Trusted proxies are not counted",
        set: |config, text| {
            store(&mut config.http.max_connections_per_address, value::number(text, &(0..=1_000_000)))
        },
        get: |config| shown(config.http.max_connections_per_address),
    },
    Setting {
        variable: "CLAVIGER_LOG",
        key: "telemetry.log",
        kind: Kind::Text,
        otherwise: None,
        form: "a level, or comma-separated <module>=<level>",
        example: "info,claviger_http=debug",
        secrecy: Secrecy::Open,
        meaning: "What is logged, on standard error",
        set: |config, text| store(&mut config.telemetry.log, value::log_filter(text)),
        get: |config| shown(&config.telemetry.log),
    },
    Setting {
        variable: "CLAVIGER_LOG_FORMAT",
        key: "telemetry.log_format",
        kind: Kind::Text,
        otherwise: None,
        form: "auto, text or json",
        example: "json",
        secrecy: Secrecy::Open,
        meaning: "How it is logged; `auto` is text on a terminal and JSON otherwise",
        set: |config, text| store(&mut config.telemetry.log_format, value::log_format(text)),
        get: |config| {
            shown(match config.telemetry.log_format {
                LogFormat::Auto => "auto",
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            })
        },
    },
    Setting {
        variable: "CLAVIGER_OTLP_ENDPOINT",
        key: "telemetry.otlp_endpoint",
        kind: Kind::Text,
        otherwise: Some("off"),
        form: "an http or https URL without credentials",
        example: "http://collector:4318",
        secrecy: Secrecy::Partly,
        meaning: "Where traces are sent, as OTLP over HTTP; `/v1/traces` is added. Headers: `OTEL_EXPORTER_OTLP_HEADERS`",
        set: |config, text| store(&mut config.telemetry.otlp_endpoint, value::endpoint(text).map(Some)),
        get: |config| config.telemetry.otlp_endpoint.as_ref().map(ToString::to_string),
    },
    Setting {
        variable: "CLAVIGER_WORKER_THREADS",
        key: "runtime.worker_threads",
        kind: Kind::Integer,
        otherwise: None,
        form: "a whole number from 0 to 1024",
        example: "4",
        secrecy: Secrecy::Open,
        meaning: "Threads that serve requests; 0 is one for each core",
        set: |config, text| store(&mut config.runtime.worker_threads, value::number(text, &(0..=1024))),
        get: |config| shown(config.runtime.worker_threads),
    },
];

/// What stands for a secret wherever one is shown.
pub(crate) const HIDDEN: &str = "(hidden)";

impl Setting {
    /// What holds when nobody decides, in words.
    pub(crate) fn default_text(&self) -> String {
        match self.otherwise {
            Some(otherwise) => otherwise.to_owned(),
            None => (self.get)(&Config::default()).unwrap_or_default(),
        }
    }
}

fn store<T>(place: &mut T, value: Result<T, Reason>) -> Result<(), Reason> {
    *place = value?;
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "settings without a value answer None in the same place")]
fn shown(value: impl Display) -> Option<String> {
    Some(value.to_string())
}
