//! Being told to stop: the first SIGTERM or SIGINT asks, a second one does not.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the program, caught from the moment this exists.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Resolves at the first signal. From then on a second one ends the process at once.
    pub(crate) async fn asked(mut self) {
        let (name, _) = self.next().await;
        tracing::info!(
            signal = name,
            "stopping; requests in progress are finished, a second signal stops at once"
        );
        tokio::spawn(async move {
            let (name, code) = self.next().await;
            tracing::warn!(signal = name, "stopped at once");
            std::process::exit(code);
        });
    }

    /// The signal's name, and the exit code by which shells tell it.
    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 128 + 15),
            _ = self.interrupt.recv() => ("SIGINT", 128 + 2),
        }
    }
}
