//! The organization surface's envelopes.

use axum::http::StatusCode;
use claviger_domain::page::{Slice, Window};
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::path::PathId;

pub(crate) use crate::reply::Reply;

/// A single thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Data<T> {
    data: T,
}

/// A list told at once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataList<T> {
    data: Vec<T>,
}

/// One page of a list that is read on from a row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CursorPage<T> {
    data: Vec<T>,
    pagination: Cursor,
}

/// Where a page stands in a list that is read on from a row; nothing is counted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationCursor, example = json!({"limit": 20, "hasMore": true, "next": "audit_01h455vb4pex5vsknk084sn02q"}))]
pub(crate) struct Cursor {
    /// The page size that was asked for.
    limit: u64,
    /// Whether further rows exist.
    has_more: bool,
    /// The next page's `after`; `null` on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataPage<T> {
    data: Vec<T>,
    pagination: Pagination,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationPagination, example = json!({"total": 1, "page": 1, "limit": 20, "hasMore": false}))]
pub(crate) struct Pagination {
    /// How many rows match in all.
    total: u64,
    /// Which page this is, counted from 1, where it was asked for by its number; `null` behind a cursor.
    #[schema(required)]
    page: Option<u64>,
    /// The page size that was asked for.
    limit: u64,
    /// Whether further rows exist.
    has_more: bool,
}

/// A page: behind a cursor, or by its number.
pub(crate) fn window<T: PathId>(query: &mut Query) -> Result<Window, Fault> {
    let window = query.cursor::<T>(USUAL_LIMIT)?;
    let Some(page) = query.take("page") else { return Ok(window) };
    if window.after().is_some() {
        return Err(Fault::invalid("page", Reason::NotWith("after")));
    }
    let bad = || Fault::invalid("page", Reason::Integer { min: 1, max: MOST_PAGES });
    let digits = page.bytes().all(|byte| byte.is_ascii_digit());
    let page =
        page.parse::<u64>().ok().filter(|page| digits && (1..=MOST_PAGES.unsigned_abs()).contains(page));
    let offset = (page.ok_or_else(bad)? - 1) * window.limit();
    Window::new(window.limit(), offset).map_err(|_| bad())
}

/// Rows on a page when nothing is said.
pub(crate) const USUAL_LIMIT: u64 = 20;
const MOST_PAGES: i64 = 1_000_000_000;

pub(crate) fn data(data: impl Serialize) -> Reply {
    enveloped(StatusCode::OK, data)
}

pub(crate) fn enveloped(status: StatusCode, data: impl Serialize) -> Reply {
    Reply::of(status, &Data { data })
}

pub(crate) fn list<T: Serialize>(data: impl Iterator<Item = T>) -> Reply {
    Reply::of(StatusCode::OK, &DataList { data: data.collect() })
}

/// The page before the one after `next`.
pub(crate) fn page_before<V: Serialize>(limit: u64, data: Vec<V>, next: Option<String>) -> Reply {
    let pagination = Cursor { limit, has_more: next.is_some(), next };
    Reply::of(StatusCode::OK, &CursorPage { data, pagination })
}

/// A thing without an envelope.
pub(crate) fn bare(status: StatusCode, thing: impl Serialize) -> Reply {
    Reply::of(status, &thing)
}

pub(crate) fn page<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V) -> Reply {
    let limit = slice.window.limit();
    let pagination = Pagination {
        total: slice.total,
        page: slice.window.after().is_none().then(|| slice.window.offset() / limit.max(1) + 1),
        limit,
        has_more: slice.has_more(),
    };
    let data: Vec<V> = slice.items.into_iter().map(view).collect();
    Reply::of(StatusCode::OK, &DataPage { data, pagination })
}
