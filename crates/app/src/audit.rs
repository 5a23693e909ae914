//! Reading the audit log.

use claviger_domain::audit::Entry;
use claviger_domain::capability::Capability::ViewAuditLogs;
use claviger_domain::page::{Slice, Window};
use claviger_store::Tables;

use crate::{Call, Error};

pub use claviger_store::AuditFilter as Filter;

/// Entries, newest first: an admin key's own, or all of them for the platform's keys.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(call: &Call, filter: Filter, window: Window) -> Result<Slice<Entry>, Error> {
    call.require(ViewAuditLogs)?;
    let (store, owner) = (call.app().store().clone(), call.owner());
    call.heavy(async move { store.audit_log().list(owner, filter, window).await }).await
}
