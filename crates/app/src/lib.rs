//! What Claviger does. Every use case is one function that takes a [`Call`]; every surface, the
//! command line included, goes through these.

use std::sync::Arc;

use claviger_domain::Timestamp;
use claviger_domain::limit::Limit;
use claviger_domain::secret::Peppers;
use claviger_store::Store;
use rand_core::Rng;

pub mod admin_keys;
pub mod audit;
pub mod authenticate;
pub mod background;
pub mod bootstrap;
mod call;
pub mod credentials;
mod error;
mod field;
mod heavy;
mod journal;
pub mod peppers;
mod ports;
mod quota;
mod recent;
mod repeat;
pub mod usage;
pub mod users;
pub mod verify;

pub use call::{Answer, Call, Direct, Facts};
pub use claviger_store::StoreError;
pub use error::{Error, Kind, State};
pub use field::Field;
pub use journal::{JournalState, Noted};
pub use ports::{Clock, Entropy, Ports, Random};
pub use quota::Quota;
pub use repeat::Repeat;

/// What the installation's operator has settled.
#[derive(Debug, Clone)]
pub struct Settings {
    pub peppers: Peppers,
    /// Calls one key may make on the admin surfaces in a minute; 0 is no limit.
    pub admin_limit_per_minute: u32,
}

/// The application: its database, its clock, its randomness, its settings.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    ports: Ports,
    peppers: Peppers,
    quotas: quota::Quotas,
    journal: journal::Journal,
    under_way: repeat::UnderWay,
    heavy: heavy::Heavy,
    recent: recent::Recent,
}

impl App {
    #[must_use]
    pub fn new(store: Store, ports: Ports, settings: Settings) -> Self {
        let Settings { peppers, admin_limit_per_minute } = settings;
        let limit = (admin_limit_per_minute > 0).then(|| Limit {
            name: "admin".to_owned(),
            limit: admin_limit_per_minute,
            window_seconds: 60,
        });
        Self(Arc::new(Inner {
            store,
            ports,
            peppers,
            quotas: quota::Quotas::new(limit),
            journal: journal::Journal::default(),
            under_way: repeat::UnderWay::default(),
            heavy: heavy::Heavy::default(),
            recent: recent::Recent::default(),
        }))
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not.
    pub async fn ready(&self) -> Result<(), Error> {
        Ok(self.store().ping().await?)
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
        format!("req_{:016x}", self.random().next_u64())
    }

    pub(crate) fn random(&self) -> Random<'_> {
        Random(&*self.0.ports.entropy)
    }

    pub(crate) fn peppers(&self) -> &Peppers {
        &self.0.peppers
    }

    pub(crate) fn under_way(&self) -> &repeat::UnderWay {
        &self.0.under_way
    }

    pub(crate) fn recent(&self) -> &recent::Recent {
        &self.0.recent
    }

    pub(crate) fn heavy(&self) -> &heavy::Heavy {
        &self.0.heavy
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
