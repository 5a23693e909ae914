//! What the engine holds, and how far the database is behind it.

use std::sync::atomic::{AtomicU64, Ordering};

use claviger_app::App;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug)]
pub(super) struct Gauges {
    keys: Gauge,
    is_loaded: Gauge,
    unknown: Gauge,
    journal_records: Gauge,
    journal_bytes: Gauge,
    journal_age: Gauge<f64, AtomicU64>,
    journal_refused: Counter,
    journal_damaged: Counter,
    drain_lag: Gauge<f64, AtomicU64>,
    revocation_lag: Gauge<f64, AtomicU64>,
}

impl Gauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self {
            keys: Gauge::default(),
            is_loaded: Gauge::default(),
            unknown: Gauge::default(),
            journal_records: Gauge::default(),
            journal_bytes: Gauge::default(),
            journal_age: Gauge::default(),
            journal_refused: Counter::default(),
            journal_damaged: Counter::default(),
            drain_lag: Gauge::default(),
            revocation_lag: Gauge::default(),
        };
        registry.register("directory_keys", "Keys that are decided from memory", gauges.keys.clone());
        registry.register(
            "directory_loaded",
            "1 when every key has been loaded since the start; before that, keys are looked up",
            gauges.is_loaded.clone(),
        );
        registry.register(
            "directory_unknown_keys",
            "Keys remembered for seconds because nobody has them",
            gauges.unknown.clone(),
        );
        registry.register(
            "journal_records",
            "Decided calls that are not in the database yet",
            gauges.journal_records.clone(),
        );
        registry.register_with_unit(
            "journal_undrained",
            "The same in bytes; the bound is CLAVIGER_JOURNAL_MAX_MIB",
            Unit::Bytes,
            gauges.journal_bytes.clone(),
        );
        registry.register_with_unit(
            "journal_age",
            "Age of the oldest of them",
            Unit::Seconds,
            gauges.journal_age.clone(),
        );
        registry.register(
            "journal_refused",
            "Calls refused because they could not be counted, since the start",
            gauges.journal_refused.clone(),
        );
        registry.register(
            "journal_damaged",
            "Entries of the journal that could not be read, since the start",
            gauges.journal_damaged.clone(),
        );
        registry.register_with_unit(
            "drain_lag",
            "Time since the journal was last empty or drained",
            Unit::Seconds,
            gauges.drain_lag.clone(),
        );
        registry.register_with_unit(
            "revocation_lag",
            "Time since the changes of other processes were last read to their end; our own are in force before they are answered",
            Unit::Seconds,
            gauges.revocation_lag.clone(),
        );
        gauges
    }

    pub(super) fn set(&self, app: &App) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let engine = app.engine();
        self.keys.set(number(engine.known_keys() as u64));
        self.is_loaded.set(app.is_loaded().into());
        self.unknown.set(number(engine.remembered_unknown_keys() as u64));
        self.revocation_lag.set(seconds(app.revocation_lag()));
        self.drain_lag.set(seconds(app.drain_lag()));
        let Some(journal) = engine.journal() else { return };
        let state = journal.state();
        self.journal_records.set(number(state.records));
        self.journal_bytes.set(number(state.bytes));
        self.journal_age.set(state.oldest.map_or(0.0, |oldest| seconds(app.now() - oldest)));
        // The journal counts them; here they are only told.
        self.journal_refused.inner().store(state.refused, Ordering::Relaxed);
        self.journal_damaged.inner().store(state.damaged, Ordering::Relaxed);
    }
}

fn seconds(lag: chrono::TimeDelta) -> f64 {
    lag.as_seconds_f64().max(0.0)
}
