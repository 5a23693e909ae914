//! Showing out who says nothing. Each connection counts its requests; every now and then all are looked at, so that
//! none of them needs a timer.

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

/// How far a connection's requests have come: one more when a request begins, and one more when it has its answer.
#[derive(Debug, Default)]
pub(super) struct Pulse(AtomicU64);

/// A request on its way.
pub(super) struct Beat(Arc<Pulse>);

impl Pulse {
    pub(super) fn begin(this: &Arc<Self>) -> Beat {
        this.0.fetch_add(1, Ordering::Relaxed);
        Beat(this.clone())
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
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

/// All connections, and since when each says nothing.
pub(super) struct Watch {
    first_head: Duration,
    silence: Duration,
    ticks: Interval,
    connections: Vec<Watched>,
}

struct Watched {
    serving: AbortHandle,
    pulse: Arc<Pulse>,
    peer: SocketAddr,
    last: u64,
    since: Instant,
}

/// Of the shorter patience: so much later than it, a connection may be ended.
const LOOKS: u32 = 8;
const RAREST: Duration = Duration::from_secs(1);

impl Watch {
    pub(super) fn new(first_head: Duration, silence: Duration) -> Self {
        let every = (first_head.min(silence) / LOOKS).clamp(Duration::from_millis(1), RAREST);
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { first_head, silence, ticks, connections: Vec::new() }
    }

    pub(super) fn over(&mut self, serving: AbortHandle, pulse: Arc<Pulse>, peer: SocketAddr) {
        self.connections.push(Watched { serving, pulse, peer, last: 0, since: Instant::now() });
    }

    /// Waits until it is time to look again, and ends those that have been silent for too long. May be dropped at
    /// any time.
    pub(super) async fn look(&mut self) {
        let now = self.ticks.tick().await;
        self.connections.retain_mut(|connection| {
            let pulse = connection.pulse.read();
            if pulse != connection.last {
                (connection.last, connection.since) = (pulse, now);
            }
            let patience = if pulse == 0 { self.first_head } else { self.silence };
            let is_silent = pulse % 2 == 0 && now.saturating_duration_since(connection.since) >= patience;
            if is_silent && !connection.serving.is_finished() {
                tracing::debug!(peer = %connection.peer, "silent connection closed");
                connection.serving.abort();
            }
            !connection.serving.is_finished() && !is_silent
        });
    }
}
