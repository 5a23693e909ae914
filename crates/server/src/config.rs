//! What the operator decides, read once at start: defaults, then `claviger.toml`, then the
//! environment. [`settings::SETTINGS`] is the one list of what there is to decide.

mod database_url;
mod reference;
mod secret_file;
mod settings;
mod sources;
mod value;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use claviger_app::{Durability, Retention};
use claviger_domain::secret::{Peppers, Plaintext};
use ipnet::IpNet;
use url::Url;

pub(crate) use database_url::{DatabaseUrl, Embedded};
pub(crate) use reference::{effective_json, effective_table, environment_help, reference_table};
pub(crate) use sources::{Effective, Sources, load};
pub(crate) use value::Reason;

/// Everything the operator may decide, one struct for each concern.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) http: Http,
    pub(crate) database: Database,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    pub(crate) journal: Journal,
    pub(crate) retention: Retention,
    pub(crate) telemetry: Telemetry,
    pub(crate) runtime: Runtime,
    /// The files that secrets were read from, by the variable of the setting.
    pub(crate) secret_files: BTreeMap<&'static str, PathBuf>,
}

#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) request_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) max_connections: usize,
    /// 0 is no limit.
    pub(crate) max_connections_per_address: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Database {
    /// `None` is the file in the data directory.
    pub(crate) url: Option<DatabaseUrl>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    pub(crate) bootstrap: Option<Plaintext>,
    /// Where the first start writes the key it makes; `None` is standard output.
    pub(crate) bootstrap_output: Option<PathBuf>,
    pub(crate) peppers: Option<Peppers>,
}

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Requests in a minute for each admin key; 0 is no limit.
    pub(crate) admin_per_minute: u32,
    /// Requests in a minute for all keys of an organization together; 0 is no limit.
    pub(crate) admin_per_organization: u32,
    /// Usage reports of an organization in a minute; 0 is no limit.
    pub(crate) reports_per_minute: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Journal {
    pub(crate) max_mib: u64,
    pub(crate) durability: Durability,
}

#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    /// In the syntax of `tracing-subscriber`'s environment filter; known to be well-formed.
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) otlp_endpoint: Option<Url>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Runtime {
    /// 0 is one for each core.
    pub(crate) worker_threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./claviger-data"),
            http: Http {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
                trusted_proxies: Vec::new(),
                request_timeout: Duration::from_secs(30),
                shutdown_grace: Duration::from_secs(30),
                max_connections: 10_000,
                max_connections_per_address: 1_000,
            },
            database: Database::default(),
            keys: Keys::default(),
            limits: Limits {
                admin_per_minute: 500,
                admin_per_organization: 5_000,
                reports_per_minute: 600_000,
            },
            journal: Journal { max_mib: 1_024, durability: Durability::Process },
            retention: Retention { minutes: Some(35), hours: Some(400), days: None, audit: None },
            telemetry: Telemetry {
                // A line for each schema change would be most of what a first start says.
                log: "info,sea_orm_migration=warn".to_owned(),
                log_format: LogFormat::Auto,
                otlp_endpoint: None,
            },
            runtime: Runtime::default(),
            secret_files: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Where the database is, spelled out.
    pub(crate) fn database_url(&self) -> DatabaseUrl {
        match &self.database.url {
            Some(url) => url.clone(),
            None => DatabaseUrl::file(&self.data_dir.join("claviger.db")),
        }
    }
}

#[cfg(test)]
mod tests;
