//! Whose web pages may call the admin surfaces: the origins the operator has listed, and nobody's before that.
//!
//! What browsers are told is no guard of ours: every call needs its key, and no browser sends that by itself.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use claviger_app::App;

const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE";
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, x-request-id";
/// What scripts may read beside the few headers that all may.
const ANSWER_HEADERS: &str = "etag, idempotency-replayed, ratelimit, ratelimit-policy, retry-after, x-ratelimit-limit, \
                              x-ratelimit-remaining, x-ratelimit-reset, x-request-id";
/// Seconds for which browsers need not ask again.
const MAX_AGE: &str = "600";

/// The page's origin, where a browser sends the request.
pub(crate) fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ORIGIN).cloned()
}

fn is_listed(app: &App, origin: Option<&HeaderValue>) -> bool {
    let settings = app.installation();
    origin.is_some_and(|origin| {
        settings.cors_origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
    })
}

/// Whether a browser asks, before the call itself, whether a page may make it, and it may.
pub(crate) fn is_preflight(app: &App, origin: Option<&HeaderValue>, request: &Request) -> bool {
    *request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && is_listed(app, origin)
}

/// That it may.
pub(crate) fn permission() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    response
}

/// Tells a browser that the page may read the answer, if it may. The answers differ by origin as soon as one is
/// listed, and caches must know.
pub(crate) fn tell(app: &App, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if app.installation().cors_origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|origin| is_listed(app, Some(*origin))) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
    }
}
