//! The partner surface's envelope, and how its requests and answers are spelt.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use claviger_app::{Answer, Field};
use claviger_domain::page::Slice;
use claviger_domain::revision::Revision;
use claviger_domain::text::{Description, InvalidText, Metadata, Name};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::extract::etag;
use crate::fault::{Fault, Reason};
use crate::frame::REPLAYED;
use crate::strict;

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

/// An answer, worded and ready to be sent or kept.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    /// Of the resource shown, for its tag.
    revision: Option<Revision>,
    /// Whether a key is in it.
    secret: bool,
    /// Whether it was given before.
    replayed: bool,
    body: Bytes,
}

impl Reply {
    fn of(status: StatusCode, body: &impl Serialize) -> Self {
        // Views are structs of plain values with string names: JSON takes them all.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self { status, revision: None, secret: false, replayed: false, body }
    }

    pub(crate) fn one(data: impl Serialize) -> Self {
        Self::of(StatusCode::OK, &One { success: true, data, message: None })
    }

    pub(crate) fn done(data: impl Serialize, message: &'static str) -> Self {
        Self::of(StatusCode::OK, &One { success: true, data, message: Some(message) })
    }

    pub(crate) fn created(data: impl Serialize, message: &'static str) -> Self {
        Self::of(StatusCode::CREATED, &One { success: true, data, message: Some(message) })
    }

    pub(crate) fn page<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V) -> Self {
        Self::paged(slice, view, true)
    }

    /// A page of usage figures: its pagination has no `hasMore`.
    pub(crate) fn figures<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V) -> Self {
        Self::paged(slice, view, false)
    }

    fn paged<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V, with_more: bool) -> Self {
        let pagination = Pagination {
            limit: slice.window.limit(),
            offset: slice.window.offset(),
            total: slice.total,
            has_more: with_more.then(|| slice.has_more()),
        };
        let data: Vec<V> = slice.items.into_iter().map(view).collect();
        Self::of(StatusCode::OK, &Page { success: true, data, pagination })
    }

    pub(crate) fn refused(status: StatusCode, error: String) -> Self {
        Self::of(status, &Refused { success: false, error })
    }

    /// The same answer with the resource's tag.
    pub(crate) fn tagged(self, revision: Revision) -> Self {
        Self { revision: Some(revision), ..self }
    }

    /// The same answer, to be stored by nobody on its way.
    pub(crate) fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
        if let Some(tag) = self.revision.and_then(|revision| HeaderValue::try_from(etag(revision)).ok()) {
            headers.insert(ETAG, tag);
        }
        if self.secret {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl Answer for Reply {
    /// Two bytes of status, one of secrecy, eight of revision (0: none), then the body.
    fn keep(&self) -> Vec<u8> {
        let mut kept = self.status.as_u16().to_be_bytes().to_vec();
        kept.push(u8::from(self.secret));
        kept.extend(self.revision.map_or(0, Revision::number).to_be_bytes());
        kept.extend(&self.body);
        kept
    }

    fn restore(kept: &[u8]) -> Option<Self> {
        let (status, rest) = kept.split_first_chunk::<2>()?;
        let (secret, rest) = rest.split_first()?;
        let (revision, body) = rest.split_first_chunk::<8>()?;
        let revision = u64::from_be_bytes(*revision);
        Some(Self {
            status: StatusCode::from_u16(u16::from_be_bytes(*status)).ok()?,
            revision: (revision > 0).then(|| Revision::from_stored(revision)),
            secret: *secret == 1,
            replayed: true,
            body: Bytes::copy_from_slice(body),
        })
    }
}

/// A field of a PATCH body: absent, `null`, or a value.
#[derive(Debug, Default)]
pub(crate) enum Patch<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T> Patch<T> {
    /// A field that `null` clears.
    pub(crate) fn nullable(self) -> Field<Option<T>> {
        match self {
            Self::Absent => Field::Keep,
            Self::Null => Field::Set(None),
            Self::Value(value) => Field::Set(Some(value)),
        }
    }

    /// A field that cannot be cleared.
    pub(crate) fn required(self, null: impl FnOnce() -> Fault) -> Result<Field<T>, Fault> {
        match self {
            Self::Absent => Ok(Field::Keep),
            Self::Null => Err(null()),
            Self::Value(value) => Ok(Field::Set(value)),
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
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

/// Reads a text field into a type that has its rule.
pub(crate) fn text<T>(
    field: &'static str,
    text: &str,
    rule: impl FnOnce(&str) -> Result<T, InvalidText>,
) -> Result<T, Fault> {
    rule(text).map_err(|error| Fault::invalid(field, Reason::Text(error)))
}

pub(crate) fn optional_text<T>(
    field: &'static str,
    given: Option<String>,
    rule: impl FnOnce(&str) -> Result<T, InvalidText>,
) -> Result<Option<T>, Fault> {
    given.map(|given| text(field, &given, rule)).transpose()
}

pub(crate) fn name(given: &str) -> Result<Name, Fault> {
    text("name", given, Name::new)
}

pub(crate) fn description(given: &str) -> Result<Description, Fault> {
    text("description", given, Description::new)
}

pub(crate) fn metadata(given: Map<String, Value>) -> Result<Metadata, Fault> {
    let value = Value::Object(given);
    let depth = strict::depth(&value);
    Metadata::new(value.to_string(), depth)
        .map_err(|error| Fault::invalid("metadata", Reason::Metadata(error)))
}

/// A name in a PATCH body: it may be changed, but not cleared.
pub(crate) fn patched_name(given: Patch<String>) -> Result<Field<Name>, Fault> {
    let null = || Fault::invalid("name", Reason::Type(crate::fault::Expected::String));
    given.required(null)?.try_map(|given| name(&given))
}

/// An instant in a body.
pub(crate) fn instant(field: &'static str, given: &str) -> Result<claviger_domain::Timestamp, Fault> {
    crate::instant::parse(given).ok_or_else(|| Fault::invalid(field, Reason::Instant))
}
