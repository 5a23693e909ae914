//! `/admin/v1/audit-logs`

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use claviger_app::audit::{self, Export, Format};
use claviger_app::{App, Call};
use claviger_domain::audit::Action;
use claviger_domain::ids::AuditEntryId;
use futures_util::{StreamExt, stream};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, CursorPage};
use crate::call::{May, ViewAuditLogs};
use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::instant;

mod view;

use view::{AuditCsv, AuditLines, EntryView, any_id};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_platform_audit_logs))
}

/// List or export audit log entries
///
/// A page of what was done, newest first; or, with `format`, all of it, oldest first, as a stream of any length: the
/// lines of `ndjson` are those that `claviger audit verify` checks. Changes only, unless `include_reads=true` adds reads
/// (`….read`), refused (`….denied`) and failed calls (`….failed`).
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
        ("include_reads" = Option<bool>, Query, description = "Reads, refused and failed calls as well, default false", example = false),
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
    let format = match query.take("format").as_deref() {
        None | Some("json") => None,
        Some("ndjson") => Some(Format::Ndjson),
        Some("csv") => Some(Format::Csv),
        Some(_) => return Err(Fault::invalid("format", Reason::Word(&["json", "ndjson", "csv"]))),
    };
    let page = if format.is_none() { Some(page(&mut query)?) } else { None };
    let search = search(&mut query)?;
    let organization = query.take("org_id");
    query.end()?;
    let organization = wire::narrowed(&call, organization).await?;
    let search = audit::Search { organization, ..search };
    match (format, page) {
        (Some(format), _) => streamed(&call, search, format).await,
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
    if query.take("offset").is_some() {
        return Err(Fault::UnknownQuery("offset".to_owned()));
    }
    let limit = query.window(wire::USUAL_LIMIT)?.limit();
    let bad = |_| Fault::invalid("after", Reason::Reference);
    let after = query.take("after").map(|id| AuditEntryId::parse_any(&id).map_err(bad));
    Ok((limit, after.transpose()?))
}

/// What is asked for, but for whose it is.
fn search(query: &mut Query) -> Result<audit::Search, Fault> {
    let bad = |field, reason| Fault::invalid(field, reason);
    let action = query.take("action").map(|word| word.parse::<Action>());
    let mut id = |field| query.take(field).map(|id| any_id(&id).ok_or_else(|| bad(field, Reason::Reference)));
    let (actor, target) = (id("actor_id").transpose()?, id("target_id").transpose()?);
    let from =
        query.take("from").map(|text| instant::parse(&text).ok_or_else(|| bad("from", Reason::Instant)));
    let until =
        query.take("to").map(|text| instant::parse_end(&text).ok_or_else(|| bad("to", Reason::Instant)));
    Ok(audit::Search {
        organization: None,
        action: action.transpose().map_err(|_| bad("action", Reason::Action))?,
        actor,
        target,
        from: from.transpose()?,
        until: until.transpose()?,
        include_reads: query.flag("include_reads")?,
    })
}

/// Everything that is wanted. What fails before the first byte is an answer like any other; what fails later breaks the
/// stream off. Whoever goes away drops the body, and with it the export.
async fn streamed(call: &Call, search: audit::Search, format: Format) -> Result<Response, Fault> {
    let mut export = audit::export(call, search, format).await?;
    let first = export.next().await.transpose()?.unwrap_or_default();
    let rest = stream::unfold(export, async |mut export: Export| Some((export.next().await?, export)));
    let chunks = stream::once(async { Ok(first) }).chain(rest).map(|chunk| chunk.map(Bytes::from));
    let mut response = Response::new(Body::from_stream(chunks));
    let (media_type, file) = match format {
        Format::Ndjson => ("application/x-ndjson", "attachment; filename=\"audit-logs.ndjson\""),
        Format::Csv => ("text/csv;charset=utf-8", "attachment; filename=\"audit-logs.csv\""),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(file));
    Ok(response)
}
