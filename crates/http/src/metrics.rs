//! Figures for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::Method;
use claviger_app::App;
use claviger_domain::verification::Code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::frame::method_word;
use crate::surface::Surface;

mod consistency;
mod engine;
mod writes;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    surface: &'static str,
    method: &'static str,
    /// The template of the path; `-` for paths that lead nowhere, whose number is anybody's to choose.
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSurface {
    surface: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    code: &'static str,
}

/// What is counted for one route without looking anything up.
#[derive(Debug)]
pub(crate) struct RouteFigures {
    pub(crate) method: Method,
    pub(crate) route: &'static str,
    passed: Counter,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) verify_key: RouteFigures,
    pub(crate) verify_keys: RouteFigures,
    pub(crate) forward_auth: RouteFigures,
    pub(crate) revoke_self: RouteFigures,
    decisions: [Counter; Code::ALL.len()],
    gateway_durations: Histogram,
    engine: engine::Gauges,
    consistency: consistency::Metrics,
    writes: writes::Gauges,
    app: App,
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<OfSurface, Histogram>,
    audit_held: Gauge,
    audit_lost: Gauge<u64, AtomicU64>,
}

const BUCKETS: [f64; 15] = [
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5,
    10.0,
];

impl Metrics {
    pub(crate) fn new(app: App) -> Self {
        let mut registry = Registry::with_prefix("claviger");
        let requests = Family::<Request, Counter>::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let durations = Family::<OfSurface, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let audit_held = Gauge::default();
        registry.register(
            "audit_entries_held",
            "Audit entries waiting for the next batch",
            audit_held.clone(),
        );
        let audit_lost = Gauge::default();
        registry.register(
            "audit_entries_lost",
            "Reads and refused calls not recorded because too many were waiting, since the start",
            audit_lost.clone(),
        );
        let decided = Family::<Decided, Counter>::default();
        registry.register("decisions", "Keys decided about, by the answer's code", decided.clone());
        let decisions = Code::ALL.map(|code| decided.get_or_create(&Decided { code: code.word() }).clone());
        let surface = Surface::Gateway.word();
        let gateway_durations = durations.get_or_create(&OfSurface { surface }).clone();
        let of_route = |method: Method, route: &'static str| {
            let labels =
                Request { surface, method: method_word(&method), route: route.to_owned(), status: 200 };
            RouteFigures { passed: requests.get_or_create(&labels).clone(), method, route }
        };
        Self {
            verify_key: of_route(Method::POST, "/v1/keys/verify"),
            verify_keys: of_route(Method::POST, "/v1/keys/verify-batch"),
            forward_auth: of_route(Method::GET, "/v1/forward-auth"),
            revoke_self: of_route(Method::POST, "/v1/keys/revoke-self"),
            gateway_durations,
            engine: engine::Gauges::register(&mut registry),
            consistency: consistency::Metrics::register(&mut registry),
            writes: writes::Gauges::register(&mut registry),
            decisions,
            app,
            registry,
            requests,
            durations,
            audit_held,
            audit_lost,
        }
    }

    /// As [`Self::count`], for the calls that come millions of times.
    pub(crate) fn count_quickly(&self, figures: &RouteFigures, status: u16, took: Duration) {
        if status == 200 {
            figures.passed.inc();
            self.gateway_durations.observe(took.as_secs_f64());
        } else {
            self.count(Surface::Gateway, &figures.method, Some(figures.route), status, took);
        }
    }

    pub(crate) fn count_decision(&self, code: Code) {
        if let Some(counter) = self.decisions.get(code as usize) {
            counter.inc();
        }
    }

    pub(crate) fn count(
        &self,
        surface: Surface,
        method: &Method,
        route: Option<&str>,
        status: u16,
        took: Duration,
    ) {
        let method = method_word(method);
        let surface = surface.word();
        let route = route.unwrap_or("-").to_owned();
        self.requests.get_or_create(&Request { surface, method, route, status }).inc();
        self.durations.get_or_create(&OfSurface { surface }).observe(took.as_secs_f64());
    }

    /// The present figures, in the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        let state = self.app.journal_state();
        self.audit_held.set(i64::try_from(state.held).unwrap_or(i64::MAX));
        self.audit_lost.set(state.lost);
        self.engine.set(&self.app);
        self.consistency.set(&self.app);
        self.writes.set(&self.app);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
