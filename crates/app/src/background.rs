//! What runs beside the calls: batches are written, and what has outlived its use is forgotten.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use claviger_store::{Tables, Tx};

use crate::repeat::KEPT_FOR;
use crate::{App, Error};

const BATCH_EVERY: Duration = Duration::from_secs(1);
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Runs until `until` completes, then writes the last batch.
pub async fn run(app: App, until: impl Future<Output = ()>) {
    let mut until = pin!(until);
    let mut batch = tokio::time::interval(BATCH_EVERY);
    let mut forget = tokio::time::interval(FORGET_EVERY);
    loop {
        tokio::select! {
            () = &mut until => break,
            _ = batch.tick() => flush(&app).await,
            () = app.batch_is_full() => flush(&app).await,
            _ = forget.tick() => {
                if let Err(error) = forget_old_answers(&app).await {
                    tracing::warn!(%error, "old kept answers were not deleted; trying again later");
                }
            }
        }
    }
    flush(&app).await;
}

async fn flush(app: &App) {
    if let Err(error) = app.flush().await {
        tracing::warn!(%error, held = app.journal_state().held, "the batch was not written; it is held");
        // A database that is away is not asked again before the next tick.
        tokio::time::sleep(BATCH_EVERY).await;
    }
}

/// Deletes the answers kept for repetitions that may no longer come.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn forget_old_answers(app: &App) -> Result<u64, Error> {
    let before = app.now() - KEPT_FOR;
    app.store().transaction(async |tx: &Tx| Ok(tx.kept_answers().delete_older_unscoped(before).await?)).await
}
