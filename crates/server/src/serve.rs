//! `claviger serve`: from the configuration to answered requests, and back down without losing any.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use claviger_app::bootstrap::{self, Ensured};
use claviger_app::{App, background};
use claviger_http::{Front, HttpSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::database;
use crate::failure::{Failure, with_causes};
use crate::listen::{self, Ended, FIRST_HEAD, Limits, SILENCE};
use crate::shutdown::Signals;
use crate::{first_start, installation, output, runtime, system, telemetry};

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
    let ensured = bootstrap::ensure(app, config.keys.bootstrap.clone()).await.map_err(|error| {
        Failure::operation(format!("cannot prepare the bootstrap key: {}", with_causes(&error)))
    })?;
    match ensured {
        Ensured::Present => Ok(()),
        Ensured::Created(key) => output::print_key(
            &first_start::text(&key, address),
            "`claviger bootstrap-key rotate` makes another",
        ),
        Ensured::Replaced => {
            tracing::info!("the bootstrap key is now the one given by CLAVIGER_BOOTSTRAP_KEY");
            Ok(())
        }
    }
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
        move |request| front.clone().answer(request, Some(peer))
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
        grace: config.http.shutdown_grace,
    }
}

fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        trusted_proxies: config.http.trusted_proxies.clone(),
        request_timeout: config.http.request_timeout,
    }
}
