//! Everything a request can be refused for. A fault says what is wrong, not how to say it: it is parked
//! in the response and worded by the surface the request was for.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_app::{Error, Kind};
use claviger_domain::actor::Refusal;
use claviger_domain::scope::InvalidExpression;
use claviger_domain::text::{InvalidMetadata, InvalidText};

/// When to try again after a refusal by a busy or unavailable database or usage log.
const RETRY_BUSY_SECONDS: u64 = 5;

#[derive(Debug)]
pub(crate) enum Fault {
    /// No bearer key, or something that is none.
    NoKey,
    App(Error),
    Invalid(Invalid),
    /// A path segment that is not an id of this kind.
    MalformedId(Kind),
    MalformedJson,
    NotAnObject,
    NotJson,
    /// The body has a content coding, such as gzip.
    EncodedBody,
    /// No `Host` where one is needed, several, or one that is no host.
    BadHost,
    /// `Transfer-Encoding` is something else than one `chunked`.
    BadTransferEncoding,
    TooLarge {
        /// Bytes a body may have.
        most: usize,
    },
    /// The connection broke, or the client stopped, in the middle of a body.
    BrokenBody,
    /// The body arrives more slowly than it must.
    SlowBody,
    NothingToChange(Kind),
    MalformedIdempotencyKey,
    UnknownQuery(String),
    RepeatedQuery(String),
    UnknownRoute,
    WrongMethod,
    TooManyRequests,
    /// The caller's tenant has more large requests and unread answers in flight than it may.
    TooMuchInFlight {
        /// Bytes it may have in flight.
        most: usize,
    },
    Timeout,
    Panic,
}

/// One field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) field: String,
    pub(crate) reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    Missing,
    Unknown,
    Duplicate,
    Type(Expected),
    Text(InvalidText),
    Metadata(InvalidMetadata),
    /// Not one of these words.
    Word(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    Between {
        min: i64,
        max: i64,
    },
    NonNegative,
    Boolean,
    Instant,
    Network,
    TargetId,
    Empty,
    TooMany {
        max: usize,
    },
    /// A list whose items are not all strings.
    Items,
    /// A scope expression or a list of them.
    Scopes(InvalidExpression),
    /// A list of scopes, or one of its words.
    ScopeList,
    /// A named limit, or a list of them.
    Limits,
    Credits,
    AddressBlocks,
    /// A block of IPv4-mapped and other IPv6 addresses.
    MixedBlock,
    Span,
    /// Given together with this other field, which says the same otherwise.
    NotWith(&'static str),
    /// How far back a question reaches, in hours or days.
    Lookback,
    /// Web origins, as browsers spell them.
    Origins,
    /// An id, a name in addresses, or whatever else names one thing.
    Reference,
    Address,
    Action,
    Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    String,
    Integer,
    Boolean,
    Object,
    Array,
}

impl Expected {
    /// The type with its article.
    pub(crate) const fn phrase(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::Object => "an object",
            Self::Array => "an array",
        }
    }
}

impl Fault {
    pub(crate) fn invalid(field: impl Into<String>, reason: Reason) -> Self {
        Self::Invalid(Invalid { field: field.into(), reason })
    }

    /// After how many seconds the same request may succeed, where that is known.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::App(Error::Busy | Error::Unavailable(_) | Error::NotCounted(_)) => Some(RETRY_BUSY_SECONDS),
            Self::App(Error::TooManyReports { retry_after_seconds }) => Some(*retry_after_seconds),
            _ => None,
        }
    }

    /// The same of the item at `place` in `list`.
    pub(crate) fn within(self, list: &str, place: usize) -> Self {
        match self {
            Self::Invalid(Invalid { field, reason }) => {
                Self::invalid(format!("{list}[{place}].{field}"), reason)
            }
            other => other,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::App(Error::Refused(refusal))
    }
}

/// A fault on its way to the middleware that words it.
#[derive(Debug, Clone)]
pub(crate) struct Parked(pub(crate) Arc<Fault>);

impl From<Fault> for Parked {
    fn from(fault: Fault) -> Self {
        Self(Arc::new(fault))
    }
}

impl IntoResponse for Parked {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        Parked::from(self).into_response()
    }
}
