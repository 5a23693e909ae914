//! Keeps long work from holding a thread.

/// Steps between two turns of others: about a quarter of a millisecond.
const TURN: usize = 256;

/// Counts the steps of long work, and lets other tasks run after every [`TURN`] of them. A step is about a
/// microsecond.
#[derive(Debug, Default)]
pub struct Pace(usize);

impl Pace {
    /// Counts work that has been done.
    pub async fn after(&mut self, steps: usize) {
        self.0 = self.0.saturating_add(steps);
        if self.0 >= TURN {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}
