//! How Claviger is asked: one folder per HTTP dialect, and what they have in common.
//!
//! A handler converts, calls one use case, and presents its outcome. It holds no rule.

use std::time::Duration;

use axum::Router;
use claviger_app::App;
use ipnet::IpNet;
use utoipa::openapi::OpenApi;

mod bounds;
mod call;
mod cors;
mod extract;
mod fault;
mod fields;
mod frame;
mod framing;
mod front;
mod gateway;
mod input;
mod instant;
mod json;
mod log;
mod metrics;
mod openapi;
mod ops;
mod organization;
mod partner;
mod path;
mod patience;
mod platform;
mod problem;
mod reach;
mod reply;
mod strict;
mod surface;

pub use front::Front;

/// What the operator has settled about HTTP.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// After this long a request is answered 503 and given up.
    pub request_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { trusted_proxies: Vec::new(), request_timeout: Duration::from_secs(30) }
    }
}

/// One surface's document, and where it is served.
pub(crate) struct Published {
    name: &'static str,
    path: &'static str,
    document: OpenApi,
}

/// The OpenAPI documents by name; they need neither state nor a database.
#[must_use]
pub fn documents() -> Vec<(&'static str, OpenApi)> {
    surfaces().1.into_iter().map(|published| (published.name, published.document)).collect()
}

fn surfaces() -> (Router<App>, Vec<Published>) {
    let surfaces = [
        ("partner", "/openapi/partner.json", partner::router(), &partner::MANNERS),
        ("platform", "/openapi/platform.json", platform::router(), &platform::MANNERS),
        ("organization", "/openapi/organization.json", organization::router(), &organization::MANNERS),
        ("gateway", "/openapi/gateway.json", gateway::router(), &gateway::MANNERS),
    ];
    let mut routes = Router::new();
    let mut documents = Vec::new();
    for (name, path, surface, manners) in surfaces {
        let (router, mut document) = surface.split_for_parts();
        openapi::finish(&mut document, manners);
        routes = routes.merge(router);
        documents.push(Published { name, path, document });
    }
    (routes, documents)
}
