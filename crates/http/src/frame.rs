//! The frame around every request: its id, its time limit, the words for its fault, its line in the
//! log, its figures, and, on the admin surfaces, its line in the audit log.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::header::{CONNECTION, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use claviger_app::{App, Error, Facts, Noted, Quota};
use claviger_domain::address::client_address;
use claviger_domain::audit::{Action, Author, Detail, Resource, Verb};
use claviger_domain::secret::contains_key_prefix;
use futures_util::FutureExt;
use tracing::Instrument;

use crate::call::{Caller, Learnt, Origin};
use crate::fault::{Fault, Parked};
use crate::framing::Refused;
use crate::gateway::Gate;
use crate::metrics::Metrics;
use crate::surface::Surface;
use crate::{HttpSettings, cors};

/// Reads end when nobody waits for them any more. A write that has begun is carried through in a task of
/// its own, whether or not its caller waits: nothing may come between a commit and what must follow it. How many
/// may wait is bounded by tenant in the write queue, where a request comes once its body has arrived.
async fn run(method: &Method, answer: impl Future<Output = Response> + Send + 'static) -> Response {
    if *method == Method::GET || *method == Method::HEAD {
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        return answer.unwrap_or_else(|_| Fault::Panic.into_response());
    }
    tokio::spawn(answer).await.unwrap_or_else(|_| Fault::Panic.into_response())
}

#[derive(Clone)]
pub(crate) struct State {
    app: App,
    settings: Arc<HttpSettings>,
    metrics: Arc<Metrics>,
}

impl State {
    pub(crate) fn new(app: App, settings: HttpSettings) -> Self {
        let metrics = Arc::new(Metrics::new(app.clone()));
        Self { app, settings: Arc::new(settings), metrics }
    }

    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    pub(crate) fn gate(&self) -> Gate {
        Gate::new(self.app.clone(), self.settings.clone(), self.metrics.clone())
    }
}

/// On an answer that was given before, to a request under the same idempotency key.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What browsers are told with every answer; pages may say otherwise of themselves.
pub(crate) const GUARDS: [(HeaderName, &str); 4] = [
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("x-frame-options"), "DENY"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
    (HeaderName::from_static("content-security-policy"), "default-src 'none'; frame-ancestors 'none'"),
];

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) async fn around(
    axum::extract::State(state): axum::extract::State<State>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let surface = Surface::of(request.uri().path());
    let method = request.method().clone();
    // The template, never the path itself: people paste keys into paths.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let peer = request.extensions().get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
    let facts = Facts {
        address: address(peer, request.headers(), &state.settings),
        request_id: request_id(request.headers()).unwrap_or_else(|| state.app.new_request_id()),
    };
    let learnt = Learnt::default();
    request.extensions_mut().insert(Origin(facts.clone()));
    request.extensions_mut().insert(learnt.clone());

    let span = tracing::info_span!(
        "request",
        request_id = %facts.request_id,
        method = method_word(&method),
        route = route.as_deref().unwrap_or("-"),
    );
    let refused = request.extensions_mut().remove::<Refused>();
    let is_refused = refused.is_some();
    let origin = cors::origin(request.headers());
    let response = if let Some(Refused(parked)) = refused {
        parked.into_response()
    } else if surface.is_admin() && cors::is_preflight(&state.app, origin.as_ref(), &request) {
        cors::permission()
    } else {
        let run = run(&method, next.run(request).instrument(span.clone()));
        match tokio::time::timeout(state.settings.request_timeout, run).await {
            Ok(response) => response,
            Err(_) => Fault::Timeout.into_response(),
        }
    };

    let fault = response.extensions().get::<Parked>().cloned();
    let mut response = match &fault {
        Some(Parked(fault)) => {
            let mut worded = surface.word_fault(fault, state.app.now(), &facts.request_id);
            tell_retry_after(fault, worded.headers_mut());
            keep_allow(&response, worded)
        }
        None => response,
    };
    let Caller { author, quotas, target, turn: _ } = learnt.take();
    let status = response.status().as_u16();
    if let Some((resource, verb)) = outcome(surface, &method, route.as_deref(), &response) {
        let details = vec![
            ("method".to_owned(), Detail::Text(method_word(&method).to_owned())),
            ("route".to_owned(), Detail::text_or_null(route.as_deref())),
            ("status".to_owned(), Detail::Number(status.into())),
        ];
        state.app.note(Noted {
            author: author.as_ref().unwrap_or(&Author::UNKNOWN),
            action: Action { resource, verb },
            target,
            facts: &facts,
            details,
            is_bounded: author.is_none() || status == 429,
        });
    }
    dress(response.headers_mut(), &facts.request_id, &quotas);
    if is_refused {
        // Where the next request on this connection would begin is in doubt (RFC 9112, section 6.3).
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if surface.is_admin() {
        cors::tell(&state.app, origin.as_ref(), response.headers_mut());
    }
    let took = started.elapsed();
    state.metrics.count(surface, &method, route.as_deref(), status, took);
    span.in_scope(|| tell(fault.as_deref(), surface, author.as_ref(), &facts, status, took));
    response
}

impl std::ops::Deref for Parked {
    type Target = Fault;

    fn deref(&self) -> &Fault {
        &self.0
    }
}

/// The method's name, if it is a usual one: any other may be as long as its sender likes.
pub(crate) fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Where a request comes from, as far as our own peers can be believed.
pub(crate) fn address(peer: Option<IpAddr>, headers: &HeaderMap, settings: &HttpSettings) -> Option<IpAddr> {
    if settings.trusted_proxies.is_empty() {
        return client_address(peer, &[], &[]);
    }
    let lines: Vec<&[u8]> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    client_address(peer, &lines, &settings.trusted_proxies)
}

/// A caller's own request id, when it is fit for logs.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let is_fit = (1..=128).contains(&given.len()) && given.bytes().all(fit);
    // A key that was pasted here must not reach logs, the audit log or the answer's headers.
    (is_fit && !contains_key_prefix(given)).then(|| given.to_owned())
}

/// Says when a refused request may be sent again, where that is known.
pub(crate) fn tell_retry_after(fault: &Fault, headers: &mut HeaderMap) {
    if let Some(seconds) = fault.retry_after() {
        headers.insert(RETRY_AFTER, seconds.into());
    }
}

/// The router says which methods a path has; the worded answer must not lose that.
fn keep_allow(from: &Response, mut worded: Response) -> Response {
    if let Some(allow) = from.headers().get(axum::http::header::ALLOW) {
        worded.headers_mut().insert(axum::http::header::ALLOW, allow.clone());
    }
    worded
}

/// What a call comes to in the audit log. Changes write their own entries, in their own transaction;
/// here go reads, a change's answer told again, whatever was refused, and whatever failed.
fn outcome(
    surface: Surface,
    method: &Method,
    route: Option<&str>,
    response: &Response,
) -> Option<(Resource, Verb)> {
    if !surface.is_admin() {
        return None;
    }
    let reads = *method == Method::GET || *method == Method::HEAD;
    let verb = match response.status().as_u16() {
        400..=499 => Verb::Denied,
        500.. => Verb::Failed,
        200..=399 if reads || response.headers().contains_key(REPLAYED) => Verb::Read,
        _ => return None,
    };
    let resource = route.and_then(|route| surface.resource(route)).unwrap_or(Resource::Request);
    Some((resource, verb))
}

fn dress(headers: &mut HeaderMap, request_id: &str, quotas: &[Quota]) {
    for (name, value) in GUARDS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(name).or_insert(value);
        }
    };
    set("x-request-id", request_id);
    // Where one of them refuses the call, that one is told; else the narrowest.
    let told = quotas.iter().find(|quota| quota.retry_after.is_some()).or(quotas.last());
    let Some(quota) = told else { return };
    set("x-ratelimit-limit", &quota.limit.to_string());
    set("x-ratelimit-remaining", &quota.remaining.to_string());
    set("x-ratelimit-reset", &quota.reset_at.to_string());
    let each = |tell: fn(&Quota) -> String| quotas.iter().map(tell).collect::<Vec<_>>().join(", ");
    let policy = each(|quota| format!("\"{}\";q={};w={}", quota.name, quota.limit, quota.window_seconds));
    set("ratelimit-policy", &policy);
    let left = each(|quota| format!("\"{}\";r={};t={}", quota.name, quota.remaining, quota.reset_after));
    set("ratelimit", &left);
    // All of them must let the call pass.
    if let Some(seconds) = quotas.iter().filter_map(|quota| quota.retry_after).max() {
        set(RETRY_AFTER.as_str(), &seconds.to_string());
    }
}

/// Whether a fault is this server's own, or its database's.
pub(crate) fn is_mistake(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::App(Error::Unavailable(_) | Error::Internal(_) | Error::NotCounted(_))
            | Fault::Panic
            | Fault::Timeout
    )
}

/// What is not the caller's doing goes to the log, with all that is known of it.
pub(crate) fn tell_mistakes(fault: &Fault) {
    match fault {
        Fault::App(error @ (Error::Unavailable(_) | Error::Internal(_) | Error::NotCounted(_))) => {
            tracing::error!(error = error as &dyn std::error::Error, "the request failed");
        }
        Fault::Panic => tracing::error!("a handler panicked"),
        Fault::Timeout => tracing::warn!("the request took too long and was given up"),
        _ => {}
    }
}

fn tell(
    fault: Option<&Fault>,
    surface: Surface,
    author: Option<&Author>,
    facts: &Facts,
    status: u16,
    took: std::time::Duration,
) {
    if let Some(fault) = fault {
        tell_mistakes(fault);
    }
    tracing::info!(
        surface = surface.word(),
        status,
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        caller = author.and_then(|author| author.id).map(|id| id.to_string()),
        address = facts.address.map(|address| address.to_string()),
        "answered"
    );
}
