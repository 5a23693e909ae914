//! Accepting connections, serving them, and letting them finish: what `axum::serve` does, with
//! limits on how many callers there are and how long they may say nothing.

mod addresses;
mod pulse;
mod stall;

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use addresses::{Addresses, Place};
use pulse::{Pulse, Watch};
use stall::Stall;

/// What callers may take up.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) max_connections: usize,
    /// Of one address; `None` is no limit.
    pub(crate) max_connections_per_address: Option<usize>,
    /// Whose connections are not counted by address.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How long a new connection may take to send its first request's head.
    pub(crate) first_head: Duration,
    /// How long it may take to send another one, counted from the answer before it.
    pub(crate) silence: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub(crate) unread: Duration,
    /// How long requests in progress are waited for once told to stop.
    pub(crate) grace: Duration,
    /// How long, of that, is waited for requests that have not arrived as a whole.
    pub(crate) arrival: Duration,
}

/// How the serving ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    AllFinished,
    /// The grace ran out with this many connections still busy; they were cut.
    Cut(usize),
}

/// Whoever connects has something to ask: silence here is a fault or an attack.
pub(crate) const FIRST_HEAD: Duration = Duration::from_secs(10);

/// Longer than the minute for which reverse proxies usually keep an idle connection, so that it is
/// they who close it and no request meets a closed door.
pub(crate) const SILENCE: Duration = Duration::from_secs(75);

/// Clients that are at work need milliseconds for the rest of a request; orchestrators often kill after ten seconds.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(3);

/// A client on a slow line takes something at least this often.
pub(crate) const UNREAD: Duration = Duration::from_secs(10);

/// Of a request's line and headers; what is longer is answered 431.
const LONGEST_HEAD: usize = 32 * 1024;
/// What a connection may hold unread. Hyper's own bound would let ten thousand callers fill 4 GB.
const READ_AHEAD: usize = 64 * 1024;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop`, and then for as long as requests in progress take, up to the grace. `answering` makes for
/// each connection what answers its requests.
pub(crate) async fn serve<A, F>(
    listener: TcpListener,
    answering: impl Fn(SocketAddr) -> A,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> Ended
where
    A: Fn(Request<Body>) -> F + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let mut http = http1::Builder::new();
    // How long it may be silent is watched over by ourselves: hyper would set a timer for each request.
    // Answers are small: to copy one behind its head is cheaper than to hand the kernel two pieces.
    http.header_read_timeout(None).writev(false).max_header_size(LONGEST_HEAD).max_buf_size(READ_AHEAD);
    let graceful = GracefulShutdown::new();
    // A connection's task does nothing but serve: whatever else would be looked at each time it wakes, millions of
    // times. Those that are to end early are aborted.
    let mut connections = JoinSet::new();
    let mut door = Door::new(listener, limits);
    let mut watch = Watch::new(limits);
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer, seat) = tokio::select! {
            biased;
            () = &mut stop => break,
            () = watch.look() => continue,
            accepted = door.next() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let pulse = Arc::new(Pulse::default());
        let (answer, beats) = (answering(peer), pulse.clone());
        let stream = Stall::new(stream, pulse.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let beat = Pulse::begin(&beats);
            let response = answer(request.map(|body| Pulse::arriving(&beats, body)));
            async move { Ok::<_, Infallible>(beat.until_told(response.await)) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), answer));
        let serving = connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "connection ended early");
            }
            drop(seat);
        });
        watch.over(serving, pulse, peer);
    }
    drop(door);
    let arrival = limits.arrival.min(limits.grace);
    let mut finished = std::pin::pin!(graceful.shutdown());
    let mut is_finished = timeout(arrival, &mut finished).await.is_ok();
    if !is_finished && arrival < limits.grace {
        let connections = watch.close_unasked();
        if connections > 0 {
            tracing::info!(connections, "closed connections whose request had not arrived");
        }
        is_finished = timeout(limits.grace - arrival, &mut finished).await.is_ok();
    }
    if is_finished {
        while connections.join_next().await.is_some() {}
        return Ended::AllFinished;
    }
    while connections.try_join_next().is_some() {}
    let unfinished = connections.len();
    connections.shutdown().await;
    Ended::Cut(unfinished)
}

/// The listener, and the seats of those who may come in.
struct Door {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    addresses: Addresses,
    pause: Duration,
    /// Whether the last one had to wait for a slot: told once, not for each.
    crowded: bool,
}

/// What a connection takes up, given back when dropped.
struct Seat {
    _slot: OwnedSemaphorePermit,
    _place: Place,
}

impl Door {
    fn new(listener: TcpListener, limits: &Limits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
        let addresses = Addresses::new(limits.max_connections_per_address, limits.trusted_proxies.clone());
        Self { listener, slots, addresses, pause: FIRST_PAUSE, crowded: false }
    }

    /// The next connection. What goes wrong is waited out: a server that is short of files today
    /// is not to be gone tomorrow.
    async fn next(&mut self) -> (TcpStream, SocketAddr, Seat) {
        let slot = self.slot().await;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    let Some(place) = self.addresses.place(peer.ip()) else { continue };
                    // Small answers must not wait for the caller's acknowledgement of the last.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%peer, %error, "TCP_NODELAY refused");
                    }
                    return (stream, peer, Seat { _slot: slot, _place: place });
                }
                Err(error) if is_callers(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, pause_ms = self.pause.as_millis(), "cannot accept connections");
                    sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn slot(&mut self) -> OwnedSemaphorePermit {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            self.crowded = false;
            return slot;
        }
        if !self.crowded {
            self.crowded = true;
            tracing::warn!("all connections are taken; further callers wait (CLAVIGER_MAX_CONNECTIONS)");
        }
        match self.slots.clone().acquire_owned().await {
            Ok(slot) => slot,
            // Only a closed semaphore refuses, and nobody closes this one.
            Err(_) => std::future::pending().await,
        }
    }
}

/// The caller went away before it was let in; the listener is fine.
fn is_callers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
