//! What the comparison of memory with the database has found.

use std::sync::atomic::{AtomicU64, Ordering};

use claviger_app::App;
use claviger_app::memory::consistency::DIFFERENCE_KINDS;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug)]
pub(super) struct Metrics {
    checked: Counter,
    differences: Family<OfKind, Counter>,
    check_age: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics =
            Self { checked: Counter::default(), differences: Family::default(), check_age: Gauge::default() };
        registry.register(
            "cache_checked",
            "Credentials in memory that were compared with the database, since the start",
            metrics.checked.clone(),
        );
        registry.register(
            "cache_differences",
            "Differences between memory and the database that were found and put right, by kind, since the start",
            metrics.differences.clone(),
        );
        registry.register_with_unit(
            "cache_check_age",
            "Time since all of memory had last been compared with the database; -1 before the first time",
            Unit::Seconds,
            metrics.check_age.clone(),
        );
        metrics
    }

    pub(super) fn set(&self, app: &App) {
        let state = app.consistency();
        self.checked.inner().store(state.checked, Ordering::Relaxed);
        for kind in DIFFERENCE_KINDS {
            let found = state.differences.get(kind).copied().unwrap_or_default();
            self.differences.get_or_create(&OfKind { kind }).inner().store(found, Ordering::Relaxed);
        }
        self.check_age.set(state.since_completed.map_or(-1.0, chrono::TimeDelta::as_seconds_f64));
    }
}
