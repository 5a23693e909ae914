//! Telling whether anybody has touched the log, while it goes on being written.

use claviger_domain::audit::{ChainId, End, Head, Kept, Walk, Walked};
use claviger_domain::capability::Capability::ViewAuditLogs;
use claviger_domain::ids::OrganizationId;
use claviger_store::{ChainPlace, Tables};

use crate::{App, Call, Error};

/// Entries read at once.
const PAGE: u64 = 1_000;

/// Walks along every chain, or one organization's, and tells of each what was found. `kept` are heads that were
/// printed before: the log is to contain them.
///
/// # Errors
/// [`Error::Refused`] when the caller may not, [`Error::Unavailable`] when the log cannot be read.
pub async fn verify(
    call: &Call,
    organization: Option<OrganizationId>,
    kept: &[Kept],
    mut tell: impl FnMut(&Walked),
) -> Result<(), Error> {
    call.require(ViewAuditLogs)?;
    let app = call.app();
    if organization.is_some() {
        tell(&walk(app, organization.into(), kept).await?);
        return Ok(());
    }
    let mut missing: Vec<ChainId> = kept.iter().map(|kept| kept.chain).collect();
    let mut after = None;
    while let Some(chain) = app.store().audit_log().chain_after_unscoped(after).await? {
        tell(&walk(app, chain, kept).await?);
        missing.retain(|kept| *kept != chain);
        after = Some(chain);
    }
    missing.sort();
    missing.dedup();
    for chain in missing {
        tell(&walk(app, chain, kept).await?);
    }
    Ok(())
}

async fn walk(app: &App, chain: ChainId, kept: &[Kept]) -> Result<Walked, Error> {
    let log = app.store().audit_log();
    let sealed = log.head(chain).await?;
    let mut walk =
        Walk::whole(app.audit_keys(), &sealed.map_or(Head::new(chain), |sealed| sealed.head), kept);
    let mut after = None;
    let mut seen = false;
    loop {
        // Before the page: what the head counts was committed with it, so that an empty page is the end.
        let sealed = log.head(chain).await?;
        if let Some(sealed) = sealed.as_ref().filter(|_| seen) {
            walk.pruned(&sealed.head);
        }
        let page = log.of_chain(chain, after, PAGE).await?;
        let Some(last) = page.last() else {
            let is_nothing = sealed.is_none() && !seen;
            return Ok(walk.end(if is_nothing { End::Open } else { End::Sealed(sealed.as_ref()) }));
        };
        let is_gap = page.first().is_some_and(|first| first.link.sequence > walk.passed() + 1);
        if is_gap && let Some(sealed) = log.head(chain).await? {
            // What was removed for its age between the two questions is no hole.
            let through = sealed.head.pruned_through;
            let is_pruned = through > walk.passed();
            walk.pruned(&sealed.head);
            if is_pruned && walk.passed() == through {
                after = Some(ChainPlace::before(through + 1));
                continue;
            }
        }
        seen = true;
        after = Some(last.place());
        for entry in &page {
            walk.take(entry.id, &entry.link, entry.material());
        }
    }
}
