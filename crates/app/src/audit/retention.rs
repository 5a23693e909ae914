//! Removing what is old, from the front of each chain, so that what remains still verifies; and sealing the ends of
//! chains under the newest pepper, which an idle chain would never be otherwise.

use std::collections::BTreeSet;

use claviger_domain::Timestamp;
use claviger_domain::audit::ChainId;
use claviger_store::{Tables, Tx};

use crate::background::RETENTION;
use crate::{App, Error};

/// Entries removed in one transaction: other writers to the chain wait for it.
const AT_ONCE: u64 = 500;

/// Removes the entries of one chain that are older than `before`; answers how many there were.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn prune(app: &App, chain: ChainId, before: Timestamp) -> Result<u64, Error> {
    let mut removed = 0;
    loop {
        let now = app.now();
        let step =
            async |tx: &Tx| Ok(tx.audit_log().prune(app.audit_keys(), chain, before, now, AT_ONCE).await?);
        match app.write_bulk::<_, Error>(RETENTION, step).await? {
            0 => return Ok(removed),
            many => removed += many,
        }
    }
}

/// As [`prune`], of every chain but those that are `spared`.
pub(crate) async fn prune_all(
    app: &App,
    before: Timestamp,
    spared: impl Fn(ChainId) -> bool,
) -> Result<(), Error> {
    let mut done = BTreeSet::new();
    let mut after = None;
    while let Some((chains, last)) =
        app.store().audit_log().old_chains_unscoped(before, after, AT_ONCE).await?
    {
        for chain in chains {
            if !spared(chain) && done.insert(chain) {
                prune(app, chain, before).await?;
            }
        }
        after = Some(last);
    }
    Ok(())
}

/// Seals the ends of all chains under the newest pepper, as far as the others are here.
pub(crate) async fn seal_anew(app: &App) -> Result<(), Error> {
    let step = async |tx: &Tx| Ok(tx.audit_log().seal_anew_unscoped(app.audit_keys(), AT_ONCE).await?);
    while app.write_bulk::<_, Error>(RETENTION, step).await? > 0 {}
    Ok(())
}
