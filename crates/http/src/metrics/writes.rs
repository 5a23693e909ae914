//! What waits in front of the database, and what organizations were refused.

use std::sync::atomic::AtomicU64;

use claviger_app::{App, Lane};
use claviger_domain::resource_limits::LimitedResource;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLane {
    lane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResource {
    resource: &'static str,
}

type Figures<L> = Family<L, Gauge<u64, AtomicU64>>;

#[derive(Debug)]
pub(super) struct Gauges {
    waiting: Figures<OfLane>,
    refused: Figures<OfLane>,
    reports: Gauge,
    limits_reached: Figures<OfResource>,
}

impl Gauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let waiting = Figures::<OfLane>::default();
        registry.register("writes_waiting", "Writes waiting for their turn, by lane", waiting.clone());
        let refused = Figures::<OfLane>::default();
        registry.register(
            "writes_refused",
            "Writes refused because too many waited or their turn did not come, by lane, since the start",
            refused.clone(),
        );
        let reports = Gauge::default();
        registry.register("usage_reports_waiting", "Usage reports waiting to be written", reports.clone());
        let limits_reached = Figures::<OfResource>::default();
        registry.register(
            "resource_limits_reached",
            "Things not made because their organization had as many as it may, by kind, since the start",
            limits_reached.clone(),
        );
        Self { waiting, refused, reports, limits_reached }
    }

    pub(super) fn set(&self, app: &App) {
        for (lane, state) in app.write_lanes() {
            let lane = OfLane { lane: Lane::word(lane) };
            self.waiting.get_or_create(&lane).set(state.waiting as u64);
            self.refused.get_or_create(&lane).set(state.refused);
        }
        self.reports.set(i64::try_from(app.waiting_reports()).unwrap_or(i64::MAX));
        for resource in LimitedResource::ALL {
            let label = OfResource { resource: resource.word() };
            self.limits_reached.get_or_create(&label).set(app.limits_reached(resource));
        }
    }
}
