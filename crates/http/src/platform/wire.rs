//! The platform surface's envelope.

use axum::http::StatusCode;
use claviger_app::{Call, organizations};
use claviger_domain::Timestamp;
use claviger_domain::ids::OrganizationId;
use claviger_domain::page::Slice;
use serde::Serialize;
use utoipa::ToSchema;

use crate::fault::Fault;
use crate::fields;
pub(crate) use crate::reply::Reply;

/// Rows on a page when nothing is said.
pub(crate) const USUAL_LIMIT: u64 = 50;

/// Of the answer itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"timestamp": "2026-01-26T12:00:00Z", "requestId": "req_6f1c2d7e9a3b4c5d"}))]
pub(crate) struct Metadata {
    /// When it was given.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The `X-Request-Id` of the call.
    request_id: String,
}

impl Metadata {
    pub(crate) fn new(now: Timestamp, request_id: &str) -> Self {
        Self { timestamp: crate::instant::print(now), request_id: request_id.to_owned() }
    }

    pub(crate) fn of(call: &Call) -> Self {
        Self::new(call.app().now(), call.request_id())
    }
}

/// A single thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Envelope<T> {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    data: T,
    metadata: Metadata,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    data: Vec<T>,
    pagination: Pagination,
    metadata: Metadata,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformPagination, example = json!({"total": 1, "limit": 50, "offset": 0, "hasMore": false}))]
pub(crate) struct Pagination {
    /// How many rows match in all.
    total: u64,
    /// The page size that was asked for.
    limit: u64,
    /// How many rows were skipped.
    offset: u64,
    /// Whether further rows exist.
    #[serde(rename = "hasMore")]
    has_more: bool,
}

/// One page of a list that is read on from a row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CursorPage<T> {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    data: Vec<T>,
    pagination: Cursor,
    metadata: Metadata,
}

/// Where a page stands in a list that is read on from a row; nothing is counted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PlatformCursor, example = json!({"limit": 50, "hasMore": true, "next": "audit_01h455vb4pex5vsknk084sn02q"}))]
pub(crate) struct Cursor {
    /// The page size that was asked for.
    limit: u64,
    /// Whether further rows exist.
    has_more: bool,
    /// The next page's `after`; `null` on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// What is left of a thing that is gone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformDeleted, example = json!({"id": "user_01h455vb4pex5vsknk084sn02q", "deleted": true}))]
pub(crate) struct Deleted {
    id: String,
    /// Always `true`.
    deleted: bool,
}

impl Deleted {
    pub(crate) fn of(id: String) -> Self {
        Self { id, deleted: true }
    }
}

/// The organization to which a list is narrowed, by its id in either spelling or its slug: the query's `org_id`.
pub(crate) async fn narrowed(call: &Call, org_id: Option<String>) -> Result<Option<OrganizationId>, Fault> {
    let Some(given) = org_id else { return Ok(None) };
    let id = fields::organization(call.app(), "org_id", &given).await?;
    organizations::known(call.app(), id).await?;
    Ok(Some(id))
}

pub(crate) fn one(call: &Call, data: impl Serialize) -> Reply {
    enveloped(StatusCode::OK, call, data)
}

pub(crate) fn created(call: &Call, data: impl Serialize) -> Reply {
    enveloped(StatusCode::CREATED, call, data)
}

fn enveloped(status: StatusCode, call: &Call, data: impl Serialize) -> Reply {
    Reply::of(status, &Envelope { success: true, data, metadata: Metadata::of(call) })
}

pub(crate) fn page<T, V: Serialize>(call: &Call, slice: Slice<T>, view: impl FnMut(T) -> V) -> Reply {
    let pagination = Pagination {
        total: slice.total,
        limit: slice.window.limit(),
        offset: slice.window.offset(),
        has_more: slice.has_more(),
    };
    let data: Vec<V> = slice.items.into_iter().map(view).collect();
    Reply::of(StatusCode::OK, &Page { success: true, data, pagination, metadata: Metadata::of(call) })
}

/// The page before the one after `next`.
pub(crate) fn page_before<V: Serialize>(
    call: &Call,
    limit: u64,
    data: Vec<V>,
    next: Option<String>,
) -> Reply {
    let pagination = Cursor { limit, has_more: next.is_some(), next };
    Reply::of(StatusCode::OK, &CursorPage { success: true, data, pagination, metadata: Metadata::of(call) })
}
