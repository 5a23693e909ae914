//! The frame around the calls that come millions of times: what the one around all others does, without its
//! span, its task and its line in the log.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use claviger_app::engine::Decision;
use claviger_app::{App, Facts, authenticate};
use claviger_domain::actor::Actor;
use claviger_domain::capability::Door;
use claviger_domain::secret::PresentedKey;
use futures_util::FutureExt;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::in_flight::{self, Held, InFlight, SMALL};
use crate::HttpSettings;
use crate::call::bearer;
use crate::extract::{self, is_json};
use crate::fault::Fault;
use crate::frame::{self, REQUEST_ID};
use crate::metrics::{Metrics, RouteFigures};
use crate::patience::within;
use crate::problem;
use crate::surface::Surface;

/// What these calls need of the process.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    settings: Arc<HttpSettings>,
    metrics: Arc<Metrics>,
    in_flight: InFlight,
    /// Large bodies are parsed one at a time, on a thread that answers nobody.
    parsing: Semaphore,
    /// When a mistake was last told in the log.
    told: Mutex<Option<Instant>>,
    /// The headers of every answer, to be copied: that is cheaper than hashing each name anew.
    head: HeaderMap,
}

const TELL_EVERY: Duration = Duration::from_secs(1);

/// One request on its way through.
pub(super) struct Passage<'a> {
    gate: &'a Gate,
    pub(super) request_id: &'a str,
    pub(super) parts: &'a Parts,
    peer: Option<IpAddr>,
    started: Instant,
}

/// A request that came whole has been read by then.
const AT_ONCE: Duration = Duration::from_millis(5);

impl Gate {
    pub(crate) fn new(app: App, settings: Arc<HttpSettings>, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner {
            app,
            settings,
            metrics,
            in_flight: InFlight::default(),
            parsing: Semaphore::new(1),
            told: Mutex::default(),
            head: head(),
        }))
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Runs `work` on a request from `peer`, and words what goes wrong.
    pub(super) async fn through(
        &self,
        figures: &RouteFigures,
        request: Request,
        peer: Option<IpAddr>,
        work: impl AsyncFnOnce(&Passage<'_>, Body) -> Result<Response, Fault>,
    ) -> Response {
        let started = Instant::now();
        let Inner { app, settings, metrics, .. } = &*self.0;
        let (parts, body) = request.into_parts();
        let request_id = frame::request_id(&parts.headers).unwrap_or_else(|| app.new_request_id());
        let passage = Passage { gate: self, request_id: &request_id, parts: &parts, peer, started };
        let answer = {
            let mut work = pin!(AssertUnwindSafe(work(&passage, body)).catch_unwind());
            match within(settings.request_timeout, work.as_mut()).await {
                Some(Ok(answer)) => answer,
                Some(Err(_)) => Err(Fault::Panic),
                None => Err(Fault::Timeout),
            }
        };
        let mut response = answer.unwrap_or_else(|fault| {
            self.tell(&fault, started, &request_id);
            let mut worded = problem::word(&fault, &request_id);
            frame::tell_retry_after(&fault, worded.headers_mut());
            worded
        });
        self.guard(&mut response, request_id);
        metrics.count_quickly(figures, response.status().as_u16(), started.elapsed());
        response
    }

    /// What every answer bears that leaves through the frame around all others; none of these is kept either.
    fn guard(&self, response: &mut Response, request_id: String) {
        let mut head = self.0.head.clone();
        if let Ok(id) = HeaderValue::try_from(request_id) {
            head.insert(REQUEST_ID, id);
        }
        if response.body().is_end_stream() {
            head.remove(CONTENT_TYPE);
        }
        head.extend(std::mem::take(response.headers_mut()));
        *response.headers_mut() = head;
    }

    /// What is not the caller's doing goes to the log: one such line a second, for when one call fails here, all
    /// do. The figures have their number.
    fn tell(&self, fault: &Fault, now: Instant, request_id: &str) {
        if !frame::is_mistake(fault) {
            return;
        }
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY) {
            *told = Some(now);
            tracing::error_span!("request", request_id).in_scope(|| frame::tell_mistakes(fault));
        }
    }

    /// For the methods that a path does not have.
    pub(crate) fn wrong_method(&self, figures: &RouteFigures, request: &Request) -> Response {
        let started = Instant::now();
        let Inner { app, metrics, .. } = &*self.0;
        let request_id = frame::request_id(request.headers()).unwrap_or_else(|| app.new_request_id());
        let mut response = problem::word(&Fault::WrongMethod, &request_id);
        set(response.headers_mut(), ALLOW, figures.method.as_str());
        self.guard(&mut response, request_id);
        let (route, status) = (Some(figures.route), response.status().as_u16());
        metrics.count(Surface::Gateway, request.method(), route, status, started.elapsed());
        response
    }
}

impl Passage<'_> {
    pub(super) fn app(&self) -> &App {
        &self.gate.0.app
    }

    /// The client's address, as far as our own peers can be believed.
    pub(super) fn address(&self) -> Option<IpAddr> {
        frame::address(self.peer, &self.parts.headers, &self.gate.0.settings)
    }

    /// Who asks.
    pub(super) async fn caller(&self) -> Result<Actor, Fault> {
        let key = bearer(&self.parts.headers)?;
        let key = PresentedKey::recognise(key).map_err(|_| claviger_app::Error::UnknownKey)?;
        Ok(authenticate::at(self.app(), Door::Gateway, key, self.address()).await?.actor)
    }

    /// Who asks, once the body is there: whoever sends one slowly may have lost its key meanwhile.
    pub(super) async fn still(&self, actor: Actor) -> Result<Actor, Fault> {
        if self.started.elapsed() < AT_ONCE { Ok(actor) } else { self.caller().await }
    }

    /// How the call came in.
    pub(super) fn facts(&self) -> Facts {
        Facts { address: self.address(), request_id: self.request_id.to_owned() }
    }

    /// The JSON body, of at most `most` bytes.
    pub(super) async fn json(&self, body: Body, most: usize) -> Result<Bytes, Fault> {
        if let Some(query) = self.parts.uri.query() {
            extract::no_query(query)?;
        }
        extract::not_encoded(&self.parts.headers)?;
        let bytes = extract::bytes(body, most).await?;
        if is_json(&self.parts.headers) { Ok(bytes) } else { Err(Fault::NotJson) }
    }

    /// Checks that the caller's tenant reads its answers.
    pub(super) fn admit(&self, actor: &Actor) -> Result<(), Fault> {
        self.gate.0.in_flight.admits(actor.owner())
    }

    /// Counts a body as in flight before it is read, as far as it is large.
    pub(super) fn hold_body(&self, actor: &Actor, body: &Body, most: usize) -> Result<Held, Fault> {
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = announced.unwrap_or(most).min(most);
        self.gate.0.in_flight.hold(actor.owner(), if bytes > SMALL { bytes } else { 0 })
    }

    /// Runs work that takes long because a body is large.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let internal = |error: BoxError| Fault::App(claviger_app::Error::Internal(error));
        let _turn = self.gate.0.parsing.acquire().await.map_err(|error| internal(error.into()))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| internal(error.into()))?
    }

    /// A JSON answer to a call that has been decided; a large one counts as in flight until it is read.
    pub(super) fn answer(&self, actor: &Actor, answer: &impl Serialize) -> Result<Response, Fault> {
        let body = written(answer)?;
        if body.len() <= SMALL {
            return Ok(Response::new(Body::from(body)));
        }
        let held = self.gate.0.in_flight.hold_anyway(actor.owner(), body.len());
        Ok(in_flight::answer(body, held))
    }

    pub(super) fn count(&self, decision: &Decision) {
        self.gate.0.metrics.count_decision(decision.code);
    }
}

/// A small JSON answer.
pub(super) fn json(answer: &impl Serialize) -> Result<Response, Fault> {
    Ok(Response::new(Body::from(written(answer)?)))
}

fn written(answer: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::with_capacity(512);
    write(&mut body, answer)?;
    Ok(body)
}

/// Appends `answer` as JSON.
pub(super) fn write(body: &mut Vec<u8>, answer: &impl Serialize) -> Result<(), Fault> {
    serde_json::to_writer(body, answer)
        .map_err(|error| Fault::App(claviger_app::Error::Internal(error.into())))
}

/// A header of our own.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn head() -> HeaderMap {
    let mut head = HeaderMap::with_capacity(16);
    head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.insert(REQUEST_ID, HeaderValue::from_static(""));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head.extend(frame::GUARDS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    head
}
