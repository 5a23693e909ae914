//! `claviger serve`: from the configuration to answered requests, and back down without losing any.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use claviger_app::bootstrap::{self, Ensured};
use claviger_app::{App, background};
use claviger_domain::admin_key::BootstrapKey;
use claviger_domain::secret::Plaintext;
use claviger_http::{Front, HttpSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::database;
use crate::durable::Placed;
use crate::failure::{Failure, with_causes};
use crate::listen::{self, ARRIVAL, Ended, FIRST_HEAD, Limits, SILENCE, UNREAD};
use crate::shutdown::Signals;
use crate::{durable, first_start, installation, output, runtime, system, telemetry};

/// Files that are not connections: the database and its log on several connections, the log, spare.
const FILES_FOR_OURSELVES: usize = 64;

pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    let runtime = runtime::start(config)?;
    let served = runtime.block_on(async {
        let telemetry = telemetry::start(&config.telemetry)?;
        let served = serve(config).await;
        telemetry.stop().await;
        served
    });
    // A look-up of the collector's name that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn serve(config: &Config) -> Result<(), Failure> {
    let signals =
        Signals::catch().map_err(|error| Failure::operation(format!("cannot catch signals: {error}")))?;
    can_write_key(config)?;
    // The address comes first: when it is taken, nothing has been made yet.
    let (listener, address) = bind(config.http.listen).await?;
    let app = database::open_deciding(config).await?;
    if let Err(failure) = have_bootstrap_key(config, &app, address).await {
        // That the database did not close as it should is no news beside why it must.
        drop(database::close(&app).await);
        return Err(failure);
    }
    installation::started(config, &app).await?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening on http://{address}");
    until_stopped(config, listener, app, signals).await
}

async fn have_bootstrap_key(config: &Config, app: &App, address: SocketAddr) -> Result<(), Failure> {
    let process = system::process_name("serve");
    let given = config.keys.bootstrap.clone();
    let is_given = given.is_some();
    let ensured = bootstrap::ensure(app, given, &process).await.map_err(|error| {
        Failure::operation(format!("cannot prepare the bootstrap key: {}", with_causes(&error)))
    })?;
    match ensured {
        Ensured::Present(BootstrapKey { made_by, created_at, .. }) => {
            if is_given {
                tracing::info!(made_by, made_at = %created_at, "the given bootstrap key is in force already");
            } else {
                tracing::info!(
                    made_by,
                    made_at = %created_at,
                    "a bootstrap key is in force; the process that made it has printed it, this one does not"
                );
            }
            Ok(())
        }
        Ensured::Created(key) => match &config.keys.bootstrap_output {
            Some(file) => write_key(&key, file),
            None => output::print_key(&first_start::text(&key, address), ANOTHER_KEY),
        },
        Ensured::Given => {
            tracing::info!("the given bootstrap key is in force");
            Ok(())
        }
        Ensured::Replaced(BootstrapKey { prefix, made_by, created_at, .. }) => {
            tracing::warn!(
                replaced = prefix.as_str(),
                made_by,
                made_at = %created_at,
                "the given bootstrap key has replaced the one that was in force, which stops working; when another \
                 server is given another key, they replace each other's at each start"
            );
            Ok(())
        }
    }
}

const ANOTHER_KEY: &str = "`claviger bootstrap-key rotate` makes another";

/// Writes the key to a new file that only its owner can read.
fn write_key(key: &Plaintext, file: &Path) -> Result<(), Failure> {
    let failed = |reason: &str| {
        Failure::operation(format!(
            "the new bootstrap key could not be written to {}: {reason}; {ANOTHER_KEY}",
            file.display()
        ))
    };
    match durable::place(file, format!("{}\n", key.expose()).as_bytes(), &system::OsEntropy) {
        Ok(Placed::New) => {
            tracing::info!(
                file = %file.display(),
                "the bootstrap key was made and written to a file; store it in a safe place and delete the file"
            );
            Ok(())
        }
        Ok(Placed::AlreadyThere) => Err(failed("a file is there already")),
        Err(error) => Err(failed(&error.to_string())),
    }
}

/// Checks that the first start can write the key to `file`, before anything is made.
fn can_write_key(config: &Config) -> Result<(), Failure> {
    let Some(file) = &config.keys.bootstrap_output else { return Ok(()) };
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The data directory is made by the first start.
    if directory.is_dir() || directory == config.data_dir {
        return Ok(());
    }
    Err(Failure::configuration(format!(
        "the bootstrap key cannot be written to {}: there is no directory {}",
        file.display(),
        directory.display()
    )))
}

/// Serves, drains, and then writes what is held in memory, in this order: a request in progress may
/// still add to it.
async fn until_stopped(
    config: &Config,
    listener: TcpListener,
    app: App,
    signals: Signals,
) -> Result<(), Failure> {
    let front = Front::new(app.clone(), http_settings(config));
    let answering = |peer| {
        // Counted for each connection: one count for all would go to and fro between the processors.
        let front = Arc::new(front.clone());
        move |request| front.clone().receive(request, peer)
    };
    let served = CancellationToken::new();
    let background = tokio::spawn(background::run(app.clone(), served.clone().cancelled_owned()));
    let marker = tokio::spawn(installation::follow(config.clone(), app.clone(), served.clone()));
    match listen::serve(listener, answering, &limits(config), signals.asked()).await {
        Ended::AllFinished => tracing::info!("all requests finished"),
        Ended::Cut(connections) => tracing::warn!(connections, "the grace is over; connections were cut"),
    }
    served.cancel();
    if let Err(error) = background.await {
        tracing::error!(%error, "background work ended early");
    }
    if let Err(error) = marker.await {
        tracing::error!(%error, "background work ended early");
    }
    installation::close(config, &app).await?;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::operation(match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("cannot listen on {listen}: another program does; stop it or set CLAVIGER_LISTEN")
            }
            _ => format!("cannot listen on {listen} (CLAVIGER_LISTEN): {error}"),
        })
    };
    let listener = TcpListener::bind(listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

fn limits(config: &Config) -> Limits {
    let wanted = config.http.max_connections;
    let possible = system::raise_open_files().saturating_sub(FILES_FOR_OURSELVES).max(1);
    if wanted > possible {
        tracing::warn!(
            wanted,
            possible,
            "CLAVIGER_MAX_CONNECTIONS is more than the open-files limit allows; it is lowered"
        );
    }
    let max_connections = wanted.min(possible);
    Limits {
        max_connections,
        max_connections_per_address: match config.http.max_connections_per_address {
            0 => None,
            limit => Some(limit.min(max_connections / 2).max(1)),
        },
        trusted_proxies: config.http.trusted_proxies.clone(),
        first_head: FIRST_HEAD,
        silence: SILENCE,
        unread: UNREAD,
        grace: config.http.shutdown_grace,
        arrival: ARRIVAL,
    }
}

fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        trusted_proxies: config.http.trusted_proxies.clone(),
        request_timeout: config.http.request_timeout,
    }
}
