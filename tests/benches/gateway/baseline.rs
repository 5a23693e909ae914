//! The baseline: axum reading the same requests and answering a constant, and nothing else. It is this
//! executable once more, so that it is a process of its own as the server is.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::{Outcome, process};

/// A baseline at work.
pub(crate) struct Baseline {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// Starts one that answers a verification with this text.
    pub(crate) fn start(answer: &str) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child =
            command.args(["baseline", answer]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.trim().parse();
        let mut baseline = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        baseline.address = address.map_err(|_| "the baseline does not say where it listens")?;
        Ok(baseline)
    }

    /// The processor time it has used so far.
    pub(crate) fn processor(&self) -> Outcome<Duration> {
        process::processor(self.child.id())
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the child does: serves until it is killed, on as many threads as the server has.
#[tokio::main]
pub(crate) async fn serve(answer: &str) -> Outcome<()> {
    let answer = Bytes::copy_from_slice(answer.as_bytes());
    let verify = async move |request: Bytes| {
        // Handlers whose argument is not used would read it all the same; this says so.
        drop(request);
        ([(CONTENT_TYPE, "application/json")], answer.clone())
    };
    let router =
        Router::new().route("/v1/keys/verify", post(verify)).route("/v1/forward-auth", get(async || ()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    // That the answer waits for no further bytes is no worse here than there.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}
