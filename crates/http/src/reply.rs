//! An answer of an admin surface: what is sent, and what is kept of it for a repetition. Each surface has its
//! own envelopes; this is what they are put into.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use claviger_app::Answer;
use claviger_domain::revision::Revision;
use serde::Serialize;

use crate::extract::etag;
use crate::frame::REPLAYED;

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
    /// An answer of JSON.
    pub(crate) fn of(status: StatusCode, body: &impl Serialize) -> Self {
        // Views are structs of plain values with string names: JSON takes them all.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self { status, revision: None, secret: false, replayed: false, body }
    }

    /// An answer that says all with its status.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, revision: None, secret: false, replayed: false, body: Bytes::new() }
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
        let has_body = !self.body.is_empty();
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
        } else {
            headers.remove(CONTENT_TYPE);
        }
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
