//! What has ended leaves memory a day later.

use chrono::TimeDelta;
use claviger_domain::Timestamp;

use crate::{App, Error};

/// How long what has ended stays in memory: those who still use it learn why it is refused without a look-up.
const STAYS: TimeDelta = TimeDelta::days(1);

/// What has ended by this instant need not be in memory.
pub(super) fn horizon(app: &App) -> Timestamp {
    app.now() - STAYS
}

/// Drops from memory the credentials and secrets that ended more than a day ago, and the counters that no credential
/// names any more. A key that is presented later is looked up in the database.
///
/// # Errors
/// [`Error::Internal`] when the work is cut short.
pub(crate) async fn forget_ended(app: &App) -> Result<(), Error> {
    // Until then nobody knows what credentials name; and what was spent lately is only in memory and in the journal.
    if !app.is_loaded() || app.drain_lag() >= STAYS {
        return Ok(());
    }
    let horizon = horizon(app);
    let engine = app.clone();
    // It looks at every key: not on a thread that answers.
    let forget = tokio::task::spawn_blocking(move || engine.engine().forget_ended(horizon)).await;
    let forgotten = forget.map_err(|error| Error::Internal(error.into()))?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "keys that ended more than a day ago were dropped from memory");
    }
    Ok(())
}
