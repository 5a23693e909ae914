//! The way in to every surface.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use axum::response::Response;
use claviger_app::App;
use tower::ServiceExt;

use crate::fault::Fault;
use crate::gateway::{self, Gate};
use crate::{HttpSettings, frame, framing, ops, surfaces};

/// What answers every request.
#[derive(Debug, Clone)]
pub struct Front {
    gate: Gate,
    router: Router,
}

impl Front {
    /// Every route, in every layer.
    #[must_use]
    pub fn new(app: App, settings: HttpSettings) -> Self {
        let (routes, documents) = surfaces();
        let state = frame::State::new(app.clone(), settings);
        let gate = state.gate();
        let router = routes
            .merge(ops::router(documents, state.metrics()))
            .fallback(async || Fault::UnknownRoute)
            .method_not_allowed_fallback(async || Fault::WrongMethod)
            .layer(axum::middleware::from_fn_with_state(state, frame::around))
            .with_state(app);
        Self { gate, router }
    }

    /// Answers a request that was read from a connection. Unlike [`answer`](Self::answer), it refuses requests whose
    /// framing is ambiguous, and closes their connection.
    pub async fn receive(self: Arc<Self>, mut request: Request, peer: SocketAddr) -> Response {
        match framing::check(&request) {
            Ok(()) => self.answer(request, Some(peer)).await,
            Err(fault) => {
                request.extensions_mut().insert(framing::Refused(fault.into()));
                self.by_router(request, Some(peer)).await
            }
        }
    }

    /// The answer to a request that came from `peer`, where it came from somewhere. Every fault is an answer.
    pub async fn answer(self: Arc<Self>, request: Request, peer: Option<SocketAddr>) -> Response {
        let gate = &self.gate;
        let figures = gate.metrics();
        let address = peer.map(|peer| peer.ip());
        let is_post = request.method() == Method::POST;
        // What comes millions of times, or from anybody, stands in the gate's frame, and no router is asked where it
        // is. A future is as large as the largest that it may become, and is moved about: the larger ones are boxed.
        match request.uri().path() {
            "/v1/keys/verify" if is_post => gateway::verify_key(gate, request, address).await,
            "/v1/keys/verify" => gate.wrong_method(&figures.verify_key, &request),
            "/v1/keys/verify-batch" if is_post => {
                Box::pin(gateway::verify_keys(gate, request, address)).await
            }
            "/v1/keys/verify-batch" => gate.wrong_method(&figures.verify_keys, &request),
            "/v1/keys/revoke-self" if is_post => {
                Box::pin(gateway::revoke_self_key(gate, request, address)).await
            }
            "/v1/keys/revoke-self" => gate.wrong_method(&figures.revoke_self, &request),
            // The document tells of GET, which is what proxies send; the others are the client's own methods.
            "/v1/forward-auth" => gateway::forward_auth(gate, request, address).await,
            _ => self.by_router(request, peer).await,
        }
    }

    fn by_router(
        &self,
        mut request: Request,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = Response> + use<> {
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let answer = Box::pin(self.router.clone().oneshot(request));
        async {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    }
}
