//! The organization surface's envelopes.

use axum::http::StatusCode;
use claviger_domain::page::Slice;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use crate::reply::Reply;

/// A single thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Data<T> {
    data: T,
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

pub(crate) fn data(data: impl Serialize) -> Reply {
    Reply::of(StatusCode::OK, &Data { data })
}

pub(crate) fn created(data: impl Serialize) -> Reply {
    Reply::of(StatusCode::CREATED, &Data { data })
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
