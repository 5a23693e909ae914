//! The audit log: reading it, handing it out, and telling whether anybody has touched it.

use claviger_domain::audit::Entry;
use claviger_domain::capability::Capability::ViewAuditLogs;
use claviger_domain::ids::AuditEntryId;
use claviger_domain::page::{Slice, Window};
use claviger_store::Tables;

use crate::{Call, Error};

mod csv;
mod export;
mod retention;
mod verify;

pub use claviger_store::{AuditFilter as Filter, AuditSearch as Search};
pub(crate) use export::EXPORTS_AT_ONCE;
pub use export::{Export, Format, export};
pub use retention::prune;
pub(crate) use retention::{prune_all, seal_anew};
pub use verify::verify;

/// Entries, newest first: an admin key's own, or all of them for the platform's keys.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(call: &Call, filter: Filter, window: Window) -> Result<Slice<Entry>, Error> {
    call.require(ViewAuditLogs)?;
    let (store, owner) = (call.app().store().clone(), call.owner());
    call.heavy(async move { store.audit_log().list(owner, filter, window).await }).await
}

/// Entries from one on, and where the next page begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Entry>,
    /// What the next page comes after; `None` when this is the last one.
    pub next: Option<AuditEntryId>,
}

/// At most `limit` of the caller's entries that are wanted, newest first, and older than the entry `after`. Every
/// page is as fast as the first one; nothing is counted.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn page(
    call: &Call,
    search: Search,
    after: Option<AuditEntryId>,
    limit: u32,
) -> Result<Page, Error> {
    call.require(ViewAuditLogs)?;
    let (store, owner) = (call.app().store().clone(), call.owner());
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let search = async move { store.audit_log().search(owner, &search, after, most).await };
    let mut items = call.heavy(search).await?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().map(|entry| entry.id).filter(|_| has_more);
    Ok(Page { items, next })
}
