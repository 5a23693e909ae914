//! What Claviger does. Every use case is one function that takes a [`Call`]; every surface, the
//! command line included, goes through these.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use claviger_domain::Timestamp;
use claviger_domain::audit::AuditKeys;
use claviger_domain::ids::OrganizationId;
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::secret::Peppers;
use claviger_engine::Engine;
use claviger_engine::journal::{Found, Journal, Positions};
use claviger_store::Store;

pub mod admin_keys;
pub mod analytics;
pub mod audit;
pub mod authenticate;
pub mod background;
pub mod bootstrap;
mod call;
pub mod change_feed;
pub mod credentials;
pub mod drain;
mod error;
mod field;
mod heavy;
mod journal;
pub mod memory;
mod on_disk;
pub mod organizations;
mod pace;
pub mod peppers;
mod places;
mod ports;
mod quota;
mod readiness;
mod recent;
mod repeat;
pub mod reports;
mod request_id;
pub mod revoke_self;
pub mod roles;
pub mod settings;
pub mod usage;
pub mod users;
pub mod verify;
mod write_queue;

pub use call::{Answer, Call, Direct, Facts};
pub use claviger_engine as engine;
pub use claviger_store::StoreError;
pub use error::{Error, Kind, State, Whose, candidates};
pub use field::Field;
pub use heavy::Turn;
pub use journal::{JournalState, Noted};
pub use on_disk::Durability;
pub use pace::Pace;
pub use places::Place;
pub use ports::{Clock, Entropy, Ports, Random};
pub use quota::Quota;
pub use readiness::{Component, Problem};
pub use repeat::Repeat;
pub use write_queue::{Lane, LaneState};

/// What the installation's operator has settled.
#[derive(Debug, Clone)]
pub struct Settings {
    pub peppers: Peppers,
    /// Calls one key may make on the admin surfaces in a minute; 0 is no limit.
    pub admin_limit_per_minute: u32,
    /// Calls that all keys of one organization together may make there in a minute; 0 is no limit.
    pub admin_limit_of_organization: u32,
    /// Usage reports one organization may send in a minute; 0 is no limit.
    pub reports_per_minute: u32,
    /// What a power cut may cost.
    pub durability: Durability,
    /// How long usage figures and the audit log are kept.
    pub retention: Retention,
}

/// How many days usage figures are kept at each resolution, and entries of the audit log; `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    pub minutes: Option<u32>,
    pub hours: Option<u32>,
    pub days: Option<u32>,
    pub audit: Option<u32>,
}

/// Bodies of one tenant that may be arriving at once: what is held of them is bounded with it.
const BODIES_PER_TENANT: usize = 128;

/// Reads on the admin surfaces at once, of all tenants and of one: the readers of the database are about as many.
const READS_AT_ONCE: usize = 8;
const READS_PER_TENANT: usize = 4;

/// The application: its database, its clock, its randomness, its settings.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    ports: Ports,
    peppers: Peppers,
    audit_keys: AuditKeys,
    quotas: quota::Quotas,
    journal: journal::Journal,
    writes: Arc<write_queue::WriteQueue>,
    reports: reports::ReportQueue,
    limits_reached: [AtomicU64; LimitedResource::ALL.len()],
    bodies: places::Places,
    under_way: repeat::UnderWay,
    heavy: heavy::Line,
    reads: heavy::Line,
    exports: heavy::Line,
    recent: recent::Recent,
    engine: Engine,
    memory: memory::Memory,
    change_feed: change_feed::ChangeFeed,
    drain: drain::Drain,
    on_disk: on_disk::OnDisk,
    retention: Retention,
    request_ids: request_id::RequestIds,
    readiness: readiness::Readiness,
}

impl App {
    /// An application that does not decide about keys: for commands.
    #[must_use]
    pub fn new(store: Store, ports: Ports, settings: Settings) -> Self {
        let engine = Engine::new(settings.peppers.clone(), None);
        Self::with(store, ports, settings, engine, Positions::default())
    }

    /// An application that decides about keys and counts every call in this journal. What an earlier
    /// process has left in it is brought into the database first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database does not answer, [`Error::NotCounted`] when the journal cannot
    /// be written.
    pub async fn deciding(
        store: Store,
        ports: Ports,
        settings: Settings,
        journal: Found,
    ) -> Result<Self, Error> {
        let drained = drain::positions(&store, journal.id()).await?;
        let journal = journal.resume(&drained).map_err(Error::NotCounted)?;
        let engine = Engine::new(settings.peppers.clone(), Some(journal));
        let app = Self::with(store, ports, settings, engine, drained);
        drain::drain(&app).await?;
        change_feed::begin(&app).await?;
        Ok(app)
    }

    fn with(store: Store, ports: Ports, settings: Settings, engine: Engine, drained: Positions) -> Self {
        let Settings {
            peppers,
            admin_limit_per_minute,
            admin_limit_of_organization,
            reports_per_minute,
            durability,
            retention,
        } = settings;
        let lanes: Vec<_> = engine.journal().into_iter().flat_map(Journal::lanes).collect();
        let request_ids = request_id::RequestIds::new(&*ports.entropy);
        let writes = Arc::new(write_queue::WriteQueue::new(store.writers()));
        Self(Arc::new(Inner {
            writes,
            store,
            ports,
            audit_keys: peppers.audit_keys(),
            peppers,
            quotas: quota::Quotas::new(admin_limit_per_minute, admin_limit_of_organization),
            reports: reports::ReportQueue::new(reports_per_minute),
            bodies: places::Places::new(BODIES_PER_TENANT),
            limits_reached: Default::default(),
            journal: journal::Journal::default(),
            under_way: repeat::UnderWay::default(),
            heavy: heavy::Line::new(2, 1),
            reads: heavy::Line::new(READS_AT_ONCE, READS_PER_TENANT),
            exports: heavy::Line::new(audit::EXPORTS_AT_ONCE, 1),
            recent: recent::Recent::default(),
            memory: memory::Memory::default(),
            change_feed: change_feed::ChangeFeed::default(),
            drain: drain::Drain::from(drained),
            on_disk: on_disk::OnDisk::new(durability, lanes.into_iter()),
            retention,
            request_ids,
            readiness: readiness::Readiness::default(),
            engine,
        }))
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The present instant, to the microsecond: both databases keep every digit of it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.0.ports.clock.now();
        Timestamp::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// An id for a request whose caller gave none.
    #[must_use]
    pub fn new_request_id(&self) -> String {
        self.0.request_ids.next()
    }

    /// What decides about keys.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn memory(&self) -> &memory::Memory {
        &self.0.memory
    }

    pub(crate) fn change_feed(&self) -> &change_feed::ChangeFeed {
        &self.0.change_feed
    }

    pub(crate) fn draining(&self) -> &drain::Drain {
        &self.0.drain
    }

    pub(crate) fn readiness(&self) -> &readiness::Readiness {
        &self.0.readiness
    }

    pub(crate) fn on_disk(&self) -> &on_disk::OnDisk {
        &self.0.on_disk
    }

    /// How long figures and entries are kept: as configured, unless the operator has settled otherwise since.
    pub(crate) fn retention(&self) -> Retention {
        self.0.retention.unless(self.installation().kept_days)
    }

    pub(crate) fn random(&self) -> Random<'_> {
        Random(&*self.0.ports.entropy)
    }

    pub(crate) fn peppers(&self) -> &Peppers {
        &self.0.peppers
    }

    /// What the audit log is chained with, for whoever writes to it or verifies it.
    #[must_use]
    pub fn audit_keys(&self) -> &AuditKeys {
        &self.0.audit_keys
    }

    pub(crate) fn writes(&self) -> &Arc<write_queue::WriteQueue> {
        &self.0.writes
    }

    pub(crate) fn reports(&self) -> &reports::ReportQueue {
        &self.0.reports
    }

    pub(crate) fn note_limit_reached(&self, resource: LimitedResource) {
        self.0.limits_reached[resource as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was not made because its organization had as many as it may, since the start.
    #[must_use]
    pub fn limits_reached(&self, resource: LimitedResource) -> u64 {
        self.0.limits_reached[resource as usize].load(Ordering::Relaxed)
    }

    /// Usage reports that wait to be written.
    #[must_use]
    pub fn waiting_reports(&self) -> usize {
        self.reports().waiting()
    }

    /// A place among the request bodies of `organization` (`None`: the operator) that are still arriving.
    ///
    /// # Errors
    /// [`Error::Busy`] when it has too many.
    pub fn admit_body(&self, organization: Option<OrganizationId>) -> Result<Place, Error> {
        self.0.bodies.take(organization).ok_or(Error::Busy)
    }

    pub(crate) fn under_way(&self) -> &repeat::UnderWay {
        &self.0.under_way
    }

    pub(crate) fn recent(&self) -> &recent::Recent {
        &self.0.recent
    }

    pub(crate) fn reads(&self) -> &heavy::Line {
        &self.0.reads
    }

    /// For queries that may take seconds.
    pub(crate) fn heavy(&self) -> &heavy::Line {
        &self.0.heavy
    }

    /// For exports, which last as long as their receivers like.
    pub(crate) fn exports(&self) -> &heavy::Line {
        &self.0.exports
    }

    pub(crate) fn journal(&self) -> &journal::Journal {
        &self.0.journal
    }

    pub(crate) fn quotas(&self) -> &quota::Quotas {
        &self.0.quotas
    }

    /// Writes what is held back for batches: reads and refused calls in the audit log, and when keys
    /// were used last. What cannot be written stays held.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not take it.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.journal().flush(self).await
    }

    /// How much is held back for batches.
    #[must_use]
    pub fn journal_state(&self) -> JournalState {
        self.journal().state()
    }
}
