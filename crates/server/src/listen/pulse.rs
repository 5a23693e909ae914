//! Closes connections whose client is silent or does not read. Each connection counts its requests; every now and
//! then all are looked at, so that none of them needs a timer.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::Limits;

/// How far a connection has come.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// One more when a request begins, and one more when it has its answer.
    requests: AtomicU64,
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
    connections: Vec<Watched>,
}

struct Watched {
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
        self.connections.push(Watched { serving, pulse, peer, last: 0, since, waiting: None });
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
