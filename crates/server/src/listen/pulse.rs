//! Closes connections that are silent, and at shutdown those whose request has not arrived. Each connection counts its
//! requests; every now and then all are looked at, so that none of them needs a timer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// How far a connection's requests have come.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// One more when a request's head has arrived, and one more when it has its answer.
    beats: AtomicU64,
    /// Whether a body is still arriving that somebody waits for.
    is_arriving: AtomicBool,
    /// Whether the client has yet to take what was written.
    is_writing: AtomicBool,
}

/// A request on its way.
pub(super) struct Beat(Arc<Pulse>);

impl Pulse {
    pub(super) fn begin(this: &Arc<Self>) -> Beat {
        this.beats.fetch_add(1, Ordering::Relaxed);
        Beat(this.clone())
    }

    fn read(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Whether a request is awaited, or part of one: there is none to answer.
    fn awaits_request(&self) -> bool {
        let is_between = self.read().is_multiple_of(2) && !self.is_writing.load(Ordering::Relaxed);
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
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
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

/// A connection's stream, which tells its pulse whether the client takes what is written.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) pulse: Arc<Pulse>,
}

impl<S> Watched<S> {
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.pulse.is_writing.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
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
    connections: Vec<Connection>,
}

struct Connection {
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
        self.connections.push(Connection { serving, pulse, peer, last: 0, since: Instant::now() });
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
