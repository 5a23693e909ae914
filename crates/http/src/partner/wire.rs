//! The partner surface's envelope, and how its requests and answers are spelt.

use axum::http::StatusCode;
use claviger_domain::page::Slice;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub(crate) use crate::input::{
    Patch, description, instant, metadata, name, optional_text, patched_name, text,
};
pub(crate) use crate::reply::Reply;

/// A single thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct One<T> {
    /// Always `true`.
    #[schema(example = true)]
    pub(crate) success: bool,
    pub(crate) data: T,
    /// What was done, on answers to writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'static str>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Always `true`.
    #[schema(example = true)]
    pub(crate) success: bool,
    pub(crate) data: Vec<T>,
    pub(crate) pagination: Pagination,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"limit": 20, "offset": 0, "total": 1, "hasMore": false}))]
pub(crate) struct Pagination {
    /// The page size that was asked for.
    limit: u64,
    /// How many rows were skipped.
    offset: u64,
    /// How many rows match in all.
    total: u64,
    /// Whether further rows exist; usage lists leave it out.
    #[serde(rename = "hasMore", skip_serializing_if = "Option::is_none")]
    has_more: Option<bool>,
}

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"success": false, "error": "Invalid admin API key"}))]
pub(crate) struct Refused {
    /// Always `false`.
    pub(crate) success: bool,
    /// One sentence for people.
    pub(crate) error: String,
}

pub(crate) fn one(data: impl Serialize) -> Reply {
    Reply::of(StatusCode::OK, &One { success: true, data, message: None })
}

pub(crate) fn done(data: impl Serialize, message: &'static str) -> Reply {
    Reply::of(StatusCode::OK, &One { success: true, data, message: Some(message) })
}

pub(crate) fn created(data: impl Serialize, message: &'static str) -> Reply {
    Reply::of(StatusCode::CREATED, &One { success: true, data, message: Some(message) })
}

pub(crate) fn page<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V) -> Reply {
    paged(slice, view, true)
}

/// A page of usage figures: its pagination has no `hasMore`.
pub(crate) fn figures<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V) -> Reply {
    paged(slice, view, false)
}

fn paged<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V, with_more: bool) -> Reply {
    let pagination = Pagination {
        limit: slice.window.limit(),
        offset: slice.window.offset(),
        total: slice.total,
        has_more: with_more.then(|| slice.has_more()),
    };
    let data: Vec<V> = slice.items.into_iter().map(view).collect();
    Reply::of(StatusCode::OK, &Page { success: true, data, pagination })
}

pub(crate) fn refused(status: StatusCode, error: String) -> Reply {
    Reply::of(status, &Refused { success: false, error })
}

/// A name that must be there: absent, of another type and empty are one and the same mistake.
#[derive(Debug, ToSchema)]
#[schema(value_type = String)]
pub(crate) struct RequiredName(pub(crate) String);

impl<'de> Deserialize<'de> for RequiredName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer).unwrap_or_default()))
    }
}
