//! Closes connections whose client is silent or does not read, and at shutdown those whose request has not arrived. Each
//! connection counts its requests; every now and then all are looked at, so that none of them needs a timer.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::Limits;

/// How far a connection has come.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// One more when a request's head has arrived, and one more when it has its answer.
    requests: AtomicU64,
    /// Whether a body is still arriving that somebody waits for.
    is_arriving: AtomicBool,
    /// Odd while a write waits for the client to read; one more whenever that changes.
    writes: AtomicU64,
}

/// A request on its way.
pub(super) struct Beat(Arc<Pulse>);

impl Pulse {
    pub(super) fn begin(this: &Arc<Self>) -> Beat {
        this.requests.fetch_add(1, Ordering::Relaxed);
        Beat(this.clone())
    }

    fn read(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether a request is awaited, or part of one: there is none to answer.
    fn awaits_request(&self) -> bool {
        let is_between = self.read().is_multiple_of(2) && self.waiting().is_none();
        is_between || self.is_arriving.load(Ordering::Relaxed)
    }

    /// The body of a request, watched until it has arrived.
    pub(super) fn arriving(this: &Arc<Self>, body: Incoming) -> Body {
        if body.is_end_stream() {
            return Body::new(body);
        }
        this.is_arriving.store(true, Ordering::Relaxed);
        Body::new(Arriving { body, pulse: this.clone() })
    }

    /// Notes how a write ended: something was taken, or it waits. Only the connection's own task writes.
    pub(super) fn wrote(&self, is_taken: bool) {
        let writes = self.writes.load(Ordering::Relaxed);
        let is_waiting = writes % 2 == 1;
        if is_waiting == is_taken {
            self.writes.store(writes.wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Which write waits, if one does.
    fn waiting(&self) -> Option<u64> {
        Some(self.writes.load(Ordering::Relaxed)).filter(|writes| writes % 2 == 1)
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request's body on its way in. Dropped, nobody waits for it any more.
struct Arriving {
    body: Incoming,
    pulse: Arc<Pulse>,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.pulse.is_arriving.store(false, Ordering::Relaxed);
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.pulse.is_arriving.store(false, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Beat {
    /// The request is on its way for as long as its answer is told: one that is whole is as good as told.
    pub(super) fn until_told(self, response: Response) -> Response {
        match response.body().size_hint().exact() {
            Some(_) => response,
            None => response.map(|body| Body::new(Telling { body, _beat: self })),
        }
    }
}

struct Telling {
    body: Body,
    _beat: Beat,
}

impl HttpBody for Telling {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// All connections, and since when each says nothing, or does not read.
pub(super) struct Watch {
    first_head: Duration,
    silence: Duration,
    unread: Duration,
    ticks: Interval,
    connections: Vec<Connection>,
}

struct Connection {
    serving: AbortHandle,
    pulse: Arc<Pulse>,
    peer: SocketAddr,
    last: u64,
    since: Instant,
    /// The write that was seen waiting, and since when.
    waiting: Option<(u64, Instant)>,
}

/// Of the shorter patience: so much later than it, a connection may be ended.
const LOOKS: u32 = 8;
const RAREST: Duration = Duration::from_secs(1);

impl Watch {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { first_head, silence, unread, .. } = *limits;
        let every = (first_head.min(silence).min(unread) / LOOKS).clamp(Duration::from_millis(1), RAREST);
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { first_head, silence, unread, ticks, connections: Vec::new() }
    }

    pub(super) fn over(&mut self, serving: AbortHandle, pulse: Arc<Pulse>, peer: SocketAddr) {
        let since = Instant::now();
        self.connections.push(Connection { serving, pulse, peer, last: 0, since, waiting: None });
    }

    /// Closes the connections whose request has not arrived as a whole; answers how many there were.
    pub(super) fn close_unasked(&mut self) -> usize {
        let unasked =
            |connection: &&Connection| !connection.serving.is_finished() && connection.pulse.awaits_request();
        let closed = self.connections.iter().filter(unasked).inspect(|connection| {
            tracing::debug!(peer = %connection.peer, "connection closed: its request has not arrived");
            connection.serving.abort();
        });
        closed.count()
    }

    /// Waits until it is time to look again, and ends those that have been silent, or have not read a whole answer,
    /// for too long. Streams have time limits of their own. May be dropped at any time.
    pub(super) async fn look(&mut self) {
        let now = self.ticks.tick().await;
        self.connections.retain_mut(|connection| {
            let pulse = connection.pulse.read();
            if pulse != connection.last {
                (connection.last, connection.since) = (pulse, now);
            }
            let patience = if pulse == 0 { self.first_head } else { self.silence };
            let is_told = pulse % 2 == 0;
            let is_silent = is_told && now.saturating_duration_since(connection.since) >= patience;
            connection.waiting =
                connection.pulse.waiting().filter(|_| is_told).map(|write| {
                    connection.waiting.filter(|(seen, _)| *seen == write).unwrap_or((write, now))
                });
            let is_unread = connection
                .waiting
                .is_some_and(|(_, since)| now.saturating_duration_since(since) >= self.unread);
            if (is_silent || is_unread) && !connection.serving.is_finished() {
                let reason = if is_unread { "the client does not read" } else { "the client is silent" };
                tracing::debug!(peer = %connection.peer, reason, "connection closed");
                connection.serving.abort();
            }
            !connection.serving.is_finished() && !is_silent && !is_unread
        });
    }
}
