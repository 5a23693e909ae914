//! Whose turn it is to look a key up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Error;

/// Look-ups of keys that may be anybody's guess: a few at once, so that whoever guesses does not take the
/// database from the others, and not many in line.
#[derive(Debug)]
pub(super) struct Lookups {
    turns: Semaphore,
    waiting: AtomicUsize,
}

const AT_ONCE: usize = 4;
const MOST_WAITING: usize = 512;
/// How long a look-up waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

impl Default for Lookups {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), waiting: AtomicUsize::default() }
    }
}

/// One of those in line, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lookups {
    /// Waits in line, and looks up for as long as the permit is held.
    ///
    /// # Errors
    /// [`Error::Busy`] when the line is too long, or does not move.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= MOST_WAITING {
            return Err(Error::Busy);
        }
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        turn.map_err(|_| Error::Busy)?.map_err(|error| Error::Internal(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_line_that_is_too_long_is_joined_by_nobody() {
        let lookups = Lookups::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(lookups.turn().await.unwrap());
        }
        let mut line: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(lookups.turn())).collect();
        for waiting in &mut line {
            assert!(poll!(waiting).is_pending());
        }
        let refused = poll!(pin!(lookups.turn()));
        assert!(matches!(refused, Poll::Ready(Err(Error::Busy))), "{refused:?}");
        // Whoever goes away leaves a place in line.
        drop(line.pop());
        assert!(poll!(pin!(lookups.turn())).is_pending());
        drop(held.pop());
        assert!(matches!(poll!(&mut line[0]), Poll::Ready(Ok(_))), "the first in line is next");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_does_not_move_is_left() {
        let lookups = Lookups::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(lookups.turn().await.unwrap());
        }
        let began = tokio::time::Instant::now();
        assert!(matches!(lookups.turn().await, Err(Error::Busy)));
        assert_eq!(began.elapsed(), PATIENCE);
    }
}
