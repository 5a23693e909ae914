//! `/admin/v1/audit-logs`

use axum::response::{IntoResponse, Response};
use claviger_app::{App, audit};
use claviger_domain::ids::AuditEntryId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, CursorPage};
use crate::call::{May, ViewAuditLogs};
use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::log;
use crate::path::any_id;

mod view;

use view::{AuditCsv, AuditLines, EntryView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_platform_audit_logs))
}

/// List or export audit log entries
///
/// A page of what was done, newest first: changes only, unless `include_reads=true` adds reads (`….read`), refused
/// (`….denied`) and failed calls (`….failed`). With `format`, a stream of any length, oldest first: the whole log, which
/// `claviger audit verify --file` checks as a whole. `action`, the two ids and `include_reads=false` filter the stream; a
/// filtered `ndjson` stream says so in its first line and is sealed by its last one, and a filtered `csv` stream has the
/// column `filtered_by`.
///
/// `actor.name` and the names of roles in `details` are those of that time. A change of metadata tells it before and
/// after: its JSON text up to 1,024 bytes, of a longer one its size, its BLAKE3 hash and its beginning.
#[utoipa::path(
    get, path = "/admin/v1/audit-logs", operation_id = "list_platform_audit_logs", tag = "Audit",
    security(("platform_key" = ["admin:audit"])),
    params(
        ("org_id" = Option<String>, Query, description = "Only entries of this organization: its id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50; not with a stream", minimum = 1, maximum = 100, example = 50),
        ("after" = Option<String>, Query, description = "The page behind this entry: `next` of the page before; not with a stream", example = "audit_01h455vb4pex5vsknk084sn02q"),
        ("action" = Option<String>, Query, description = "Exactly this action", example = "api_key.created"),
        ("actor_id" = Option<String>, Query, description = "Only what this key did", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("target_id" = Option<String>, Query, description = "Only what was done to this thing, of whatever kind", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("from" = Option<String>, Query, description = "Not before this instant or date", example = "2026-01-01"),
        ("to" = Option<String>, Query, description = "Not after this instant or date", example = "2026-01-31"),
        ("include_reads" = Option<bool>, Query, description = "Reads, refused and failed calls as well; default `false` for a page, `true` for a stream", example = false),
        ("format" = Option<String>, Query, description = "`json` (default) for a page, `ndjson` or `csv` for a stream of everything", example = "json"),
    ),
    responses((status = 200, description = "One page of entries, or the stream", content(
        (CursorPage<EntryView> = "application/json"),
        (AuditLines = "application/x-ndjson"),
        (AuditCsv = "text/csv"),
    ))),
)]
async fn list_platform_audit_logs(
    May(call, _): May<ViewAuditLogs>,
    mut query: Query,
) -> Result<Response, Fault> {
    let format = log::format(&mut query)?;
    let page = if format.is_none() { Some(page(&mut query)?) } else { None };
    let search = log::search(&mut query, format, ["actor_id", "target_id", "include_reads"])?;
    let organization = query.take("org_id");
    query.end()?;
    let organization = wire::narrowed(&call, organization).await?;
    let search = audit::Search { organization, ..search };
    match (format, page) {
        (Some(format), _) => log::streamed(&call, search, format).await,
        (None, page) => {
            let (limit, after) = page.unwrap_or((wire::USUAL_LIMIT, None));
            let most = u32::try_from(limit).unwrap_or(u32::MAX);
            let audit::Page { items, next } = audit::page(&call, search, after, most).await?;
            let data: Vec<_> = items.into_iter().map(EntryView::from).collect();
            let next = next.map(AuditEntryId::prefixed);
            Ok(wire::page_before(&call, limit, data, next).into_response())
        }
    }
}

/// The page's size, and the entry it comes after.
fn page(query: &mut Query) -> Result<(u64, Option<AuditEntryId>), Fault> {
    let limit = query.limit(wire::USUAL_LIMIT)?;
    let bad = || Fault::invalid("after", Reason::Reference);
    let after = query.take("after").map(|id| any_id::<AuditEntryId>(&id, bad));
    Ok((limit, after.transpose()?))
}
