//! The parts of a request, read strictly; whatever is wrong is a [`Fault`].

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use bytes::Bytes;
use claviger_app::{App, Call, Repeat};
use claviger_domain::page::{InvalidWindow, Window};
use claviger_domain::revision::{Precondition, Revision};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use crate::call::{May, Presented, Tenant};
use crate::fault::{Fault, Reason};
use crate::path::{PathId, any_id};
use crate::patience::at_once;
use crate::strict;

/// The largest request body, in bytes.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;
/// The largest body of an operation that takes many things at once.
pub(crate) const LARGE_BODY: usize = 1024 * 1024;

/// A body must arrive this fast from its first moment on, beside [`BODY_GRACE`]. A write that has begun is not given up
/// when its caller is: one whose body never ends would be held for good.
const BODY_BYTES_PER_SECOND: u64 = 16 * 1024;
/// How far a body may fall behind that rate.
const BODY_GRACE: Duration = Duration::from_secs(5);

/// The most parameters one query may have; no operation knows half as many.
const MOST_PARAMETERS: usize = 32;

/// A query string: each parameter at most once, none that the operation does not know.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<App> for Query {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Fault> {
        Self::of(parts.uri.query().unwrap_or_default())
    }
}

impl Query {
    /// Reads a query string.
    pub(crate) fn of(text: &str) -> Result<Self, Fault> {
        let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .take(MOST_PARAMETERS + 1)
            .collect();
        if pairs.len() > MOST_PARAMETERS {
            return Err(Fault::invalid("query", Reason::TooMany { max: MOST_PARAMETERS }));
        }
        let repeated = |place: usize| pairs[..place].iter().any(|(name, _)| *name == pairs[place].0);
        match (0..pairs.len()).find(|place| repeated(*place)) {
            Some(place) => Err(Fault::RepeatedQuery(pairs[place].0.clone())),
            None => Ok(Self(pairs)),
        }
    }

    /// Takes a parameter out; [`Self::end`] then refuses what is left.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    pub(crate) fn window(&mut self, default_limit: u64) -> Result<Window, Fault> {
        let max = i64::try_from(Window::MAX_LIMIT).unwrap_or(i64::MAX);
        let bad_limit = || Fault::invalid("limit", Reason::Integer { min: 1, max });
        let bad_offset = || Fault::invalid("offset", Reason::NonNegative);
        let digits = |text: String| text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text);
        let number = |text: String| digits(text).and_then(|text| text.parse::<u64>().ok());
        let limit = self.take("limit").map_or(Some(default_limit), number).ok_or_else(bad_limit)?;
        let offset = self.take("offset").map_or(Some(0), number).ok_or_else(bad_offset)?;
        Window::new(limit, offset).map_err(|error| match error {
            InvalidWindow::Limit { .. } => bad_limit(),
            InvalidWindow::Offset => bad_offset(),
        })
    }

    /// The size of a page that has no offset.
    pub(crate) fn limit(&mut self, usual: u64) -> Result<u64, Fault> {
        if self.take("offset").is_some() {
            return Err(Fault::UnknownQuery("offset".to_owned()));
        }
        Ok(self.window(usual)?.limit())
    }

    /// A page behind the row of an id.
    pub(crate) fn cursor<T: PathId>(&mut self, default_limit: u64) -> Result<Window, Fault> {
        let bad = || Fault::invalid("after", Reason::Reference);
        let after = self.take("after").map(|text| any_id::<T>(&text, bad).map(|id| id.uuid()));
        let after = after.transpose()?;
        let limit = self.limit(default_limit)?;
        Window::following(limit, after).map_err(|_| Fault::invalid("limit", Reason::NonNegative))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Fault> {
        self.flag_or(name, false)
    }

    /// As [`flag`](Self::flag), with another default.
    pub(crate) fn flag_or(&mut self, name: &str, default: bool) -> Result<bool, Fault> {
        match self.take(name).as_deref() {
            None => Ok(default),
            Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Fault::invalid(name, Reason::Boolean)),
        }
    }

    pub(crate) fn end(self) -> Result<(), Fault> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(Fault::UnknownQuery(name)),
            None => Ok(()),
        }
    }
}

/// A JSON body, and what makes its request repeatable.
#[derive(Debug)]
pub(crate) struct Body<T> {
    input: T,
    repeat: Option<Repeat>,
}

impl<T> Body<T> {
    /// The call, now repeatable if it asked to be, and the input.
    pub(crate) fn of<G>(self, May(call, _): May<G>) -> (Call, T) {
        (call.repeatable(self.repeat), self.input)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let (parts, bytes) = whole(request, app, LARGEST_BODY).await?;
        if !is_json(&parts.headers) {
            return Err(Fault::NotJson);
        }
        let input = strict::read(&bytes)?;
        Ok(Self { input, repeat: repeat(&parts, &bytes)? })
    }
}

/// As [`Body`], of up to [`LARGE_BODY`] bytes.
#[derive(Debug)]
pub(crate) struct LargeBody<T>(pub(crate) Body<T>);

impl<T: DeserializeOwned> FromRequest<App> for LargeBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let (parts, bytes) = whole(request, app, LARGE_BODY).await?;
        if !is_json(&parts.headers) {
            return Err(Fault::NotJson);
        }
        let input = strict::read(&bytes)?;
        Ok(Self(Body { input, repeat: repeat(&parts, &bytes)? }))
    }
}

/// A body that may be absent; then every field has its default.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) Body<T>);

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let (parts, bytes) = whole(request, app, LARGEST_BODY).await?;
        if bytes.is_empty() {
            return Ok(Self(Body { input: T::default(), repeat: repeat(&parts, &bytes)? }));
        }
        if !is_json(&parts.headers) {
            return Err(Fault::NotJson);
        }
        let input = strict::read(&bytes)?;
        Ok(Self(Body { input, repeat: repeat(&parts, &bytes)? }))
    }
}

/// The body of an operation that takes none: read to its end and left alone.
pub(crate) type NoBody = Body<Nothing>;

#[derive(Debug)]
pub(crate) struct Nothing;

impl FromRequest<App> for Body<Nothing> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let (parts, bytes) = whole(request, app, LARGEST_BODY).await?;
        Ok(Self { input: Nothing, repeat: repeat(&parts, &bytes)? })
    }
}

/// The body of an operation that takes none, and whose query may say `force`.
pub(crate) type Forceable = Body<Force>;

/// Whether an operation is to be done although it shuts its caller out.
#[derive(Debug)]
pub(crate) struct Force(pub(crate) bool);

impl FromRequest<App> for Body<Force> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let mut query = Query::of(parts.uri.query().unwrap_or_default())?;
        let force = query.flag("force")?;
        query.end()?;
        let bytes = body_of(&parts, body, app, LARGEST_BODY).await?;
        Ok(Self { input: Force(force), repeat: repeat(&parts, &bytes)? })
    }
}

/// What is written takes its input from the body: no operation that has one knows a query parameter.
async fn whole(request: Request, app: &App, most: usize) -> Result<(Parts, Bytes), Fault> {
    let (parts, body) = request.into_parts();
    no_query(parts.uri.query().unwrap_or_default())?;
    let bytes = body_of(&parts, body, app, most).await?;
    Ok((parts, bytes))
}

async fn body_of(parts: &Parts, body: axum::body::Body, app: &App, most: usize) -> Result<Bytes, Fault> {
    not_encoded(&parts.headers)?;
    let tenant = parts.extensions.get().and_then(|Tenant(tenant)| *tenant);
    bytes_in_place(body, most, || app.admit_body(tenant)).await
}

pub(crate) fn no_query(query: &str) -> Result<(), Fault> {
    match form_urlencoded::parse(query.as_bytes()).next() {
        Some((name, _)) => Err(Fault::UnknownQuery(name.into_owned())),
        None => Ok(()),
    }
}

/// Refuses a body with a content coding (RFC 9110, section 8.4): to ignore the header would be to misread the body.
pub(crate) fn not_encoded(headers: &HeaderMap) -> Result<(), Fault> {
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    match headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        true => Ok(()),
        false => Err(Fault::EncodedBody),
    }
}

/// A body to its end; one that came in one piece is not copied.
pub(crate) async fn bytes(body: axum::body::Body, most: usize) -> Result<Bytes, Fault> {
    bytes_in_place(body, most, || Ok(())).await
}

/// As [`bytes`]; a body that has not come with its head needs a place from `place` until it is there.
async fn bytes_in_place<P>(
    body: axum::body::Body,
    most: usize,
    place: impl FnOnce() -> Result<P, claviger_app::Error>,
) -> Result<Bytes, Fault> {
    let arrived = AtomicU64::new(0);
    let counted = body.map_frame(|frame| {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        arrived.fetch_add(length, Ordering::Relaxed);
        frame
    });
    let mut whole = pin!(Limited::new(counted, most).collect());
    let whole = match at_once(whole.as_mut()).await {
        Some(whole) => whole,
        None => {
            let _place = place()?;
            let began = Instant::now();
            loop {
                let paid = Duration::from_millis(
                    arrived.load(Ordering::Relaxed).saturating_mul(1000) / BODY_BYTES_PER_SECOND,
                );
                let Some(patience) = (BODY_GRACE + paid).checked_sub(began.elapsed()) else {
                    return Err(Fault::SlowBody);
                };
                if let Ok(whole) = timeout(patience, whole.as_mut()).await {
                    break whole;
                }
            }
        }
    };
    match whole {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Fault::TooLarge { most }),
        Err(_) => Err(Fault::BrokenBody),
    }
}

pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

fn repeat(parts: &Parts, body: &[u8]) -> Result<Option<Repeat>, Fault> {
    let mut keys = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next().filter(|_| parts.method == Method::POST) else { return Ok(None) };
    let visible = |key: &&str| key.bytes().all(|byte| byte.is_ascii_graphic());
    let key = key.to_str().ok().filter(visible).ok_or(Fault::MalformedIdempotencyKey)?;
    if key.is_empty() || key.len() > 255 || keys.next().is_some() {
        return Err(Fault::MalformedIdempotencyKey);
    }
    let mut hasher = blake3::Hasher::new();
    for part in [parts.method.as_str(), parts.uri.path(), parts.uri.query().unwrap_or_default()] {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    let fingerprint = *hasher.update(body).finalize().as_bytes();
    Ok(parts.extensions.get::<Presented>().map(|presented| presented.repeat(key, fingerprint)))
}

/// `If-Match` (RFC 9110, section 13.1.1). Tags of other servers, and weak ones, match nothing.
#[derive(Debug)]
pub(crate) struct IfMatch(pub(crate) Precondition);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Fault> {
        let mut wanted = Vec::new();
        let mut asked = false;
        for value in parts.headers.get_all(axum::http::header::IF_MATCH) {
            asked = true;
            let text = value.to_str().unwrap_or_default();
            if text.trim() == "*" {
                return Ok(Self(Precondition::None));
            }
            wanted.extend(text.split(',').filter_map(|tag| revision(tag.trim())));
        }
        Ok(Self(if asked { Precondition::AnyOf(wanted) } else { Precondition::None }))
    }
}

fn revision(tag: &str) -> Option<Revision> {
    let number = tag.strip_prefix('"')?.strip_suffix('"')?;
    let revision = number.parse().ok().map(Revision::from_stored)?;
    // `"+2"` and `"02"` are other tags.
    (etag(revision) == tag).then_some(revision)
}

/// The tag of a revision.
pub(crate) fn etag(revision: Revision) -> String {
    format!("\"{}\"", revision.number())
}
