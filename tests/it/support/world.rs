//! One application, its router and its clock.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use claviger_app::bootstrap::{self, Ensured};
use claviger_app::engine::journal::{Journal, JournalSettings};
use claviger_app::{App, Durability, Ports, Retention, Settings, change_feed, drain};
use claviger_domain::secret::Peppers;
use claviger_http::{Front, HttpSettings};
use claviger_store::{Store, StoreOptions};

use super::answer::Answer;
use super::callers::{ALL, Caller, Partner};
use super::outside::{Counting, Hand};

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) front: Arc<Front>,
    hand: Arc<Hand>,
    entropy: Arc<Counting>,
    bootstrap: String,
    settled: Settled,
    /// The database, if it is in a file, and the journal.
    folder: tempfile::TempDir,
}

/// What a world may have otherwise than all others.
#[derive(Clone)]
pub(crate) struct Settled {
    /// The database's file; `None` keeps it in memory.
    pub(crate) file: Option<&'static str>,
    /// A PostgreSQL to use instead, by its URL.
    pub(crate) postgres: Option<String>,
    pub(crate) admin_limit_per_minute: u32,
    pub(crate) admin_limit_of_organization: u32,
    pub(crate) reports_per_minute: u32,
    pub(crate) http: HttpSettings,
    /// Bytes that the usage journal may hold.
    pub(crate) journal_bytes: u64,
    pub(crate) retention: Retention,
}

impl Default for Settled {
    fn default() -> Self {
        Self {
            file: None,
            postgres: None,
            admin_limit_per_minute: 0,
            admin_limit_of_organization: 0,
            reports_per_minute: 0,
            http: HttpSettings::default(),
            journal_bytes: 64 << 20,
            retention: Retention::default(),
        }
    }
}

/// When every world begins.
pub(crate) const BEGINNING: &str = "2026-01-26T12:00:00Z";

impl World {
    /// A world on a database in memory, with no limit on calls. It has one connection, so a use case
    /// that reads beside its own transaction fails here.
    pub(crate) async fn new() -> Self {
        Self::limited(0).await
    }

    /// A world in which a key may make so many calls a minute.
    pub(crate) async fn limited(admin_limit_per_minute: u32) -> Self {
        Self::settled(Settled { admin_limit_per_minute, ..Settled::default() }).await
    }

    /// A world with its own settings of HTTP.
    pub(crate) async fn with_http(http: HttpSettings) -> Self {
        Self::settled(Settled { http, ..Settled::default() }).await
    }

    /// A world on a database in a file, as in production: one writer, several readers.
    pub(crate) async fn on_disk() -> Self {
        Self::settled(Settled { file: Some("claviger.db"), ..Settled::default() }).await
    }

    pub(crate) async fn settled(settled: Settled) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = connect(&settled, folder.path()).await;
        store.migrate().await.unwrap();
        let hand = Arc::new(Hand::at(BEGINNING));
        let entropy = Arc::new(Counting::default());
        let ports = Ports { clock: hand.clone(), entropy: entropy.clone() };
        let app = deciding(store, ports, peppers(), &settled, folder.path().join("journal"), JOURNAL).await;
        let Ensured::Created(bootstrap) = bootstrap::ensure(&app, None, "a test").await.unwrap() else {
            panic!("an empty database has no bootstrap key")
        };
        let front = Front::new(app.clone(), settled.http.clone()).into();
        let bootstrap = bootstrap.expose().to_owned();
        Self { app, front, hand, entropy, bootstrap, settled, folder }
    }

    /// The same database in another process, with other ports and peppers: nothing is known but what
    /// the database tells.
    pub(crate) async fn reopen(&mut self, ports: Ports, peppers: Peppers) {
        self.drain().await;
        let journal = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let store = self.app.store().clone();
        self.app = deciding(store, ports, peppers, &Settled::default(), journal, JOURNAL).await;
        self.front = Front::new(self.app.clone(), HttpSettings::default()).into();
    }

    /// The process dies without a word, and the next one finds the database and the journal it has left.
    pub(crate) async fn restart(&mut self) {
        let store = match self.settled {
            Settled { file: None, postgres: None, .. } => self.app.store().clone(),
            _ => connect(&self.settled, self.folder.path()).await,
        };
        let ports = || Ports { clock: self.hand.clone(), entropy: self.entropy.clone() };
        // The journal is its process' own until that is gone: nothing here may hold the old one any more.
        self.app = App::new(store.clone(), ports(), settings(peppers(), &self.settled));
        self.front = Front::new(self.app.clone(), HttpSettings::default()).into();
        let journal = self.folder.path().join("journal");
        self.app = deciding(store, ports(), peppers(), &self.settled, journal, JOURNAL).await;
        self.front = Front::new(self.app.clone(), self.settled.http.clone()).into();
    }

    /// Another process on the same database, with a journal of its own.
    pub(crate) async fn beside(&self) -> Self {
        self.beside_with(self.hand.clone()).await
    }

    /// The same with a clock of its own, which shows `time`.
    pub(crate) async fn beside_at(&self, time: &str) -> Self {
        self.beside_with(Arc::new(Hand::at(time))).await
    }

    async fn beside_with(&self, hand: Arc<Hand>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = Ports { clock: hand.clone(), entropy: self.entropy.clone() };
        let store = self.app.store().clone();
        let journal = folder.path().join("journal");
        let app = deciding(store, ports, peppers(), &self.settled, journal, JOURNAL + 1).await;
        Self {
            front: Front::new(app.clone(), self.settled.http.clone()).into(),
            app,
            hand,
            entropy: self.entropy.clone(),
            bootstrap: self.bootstrap.clone(),
            settled: self.settled.clone(),
            folder,
        }
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.hand.advance(by);
    }

    /// Randomness of the world's own kind, for making keys.
    pub(crate) fn random(&self) -> impl rand_core::Rng + use<> {
        super::outside::Draw::default()
    }

    /// Moves decided calls into the database now.
    pub(crate) async fn drain(&self) {
        drain::drain(&self.app).await.unwrap();
    }

    /// Puts in force what was changed behind the application's back, as another process would change it.
    pub(crate) async fn follow(&self) {
        change_feed::follow(&self.app).await.unwrap();
    }

    /// Writes reads and refused calls to the audit log now.
    pub(crate) async fn flush(&self) {
        self.app.flush().await.unwrap();
    }

    /// Sends a request as it is, from 192.0.2.1.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
        Answer::read(self.front.clone().answer(request, Some(peer)).await).await
    }

    /// Somebody without a key.
    pub(crate) fn nobody(&self) -> Caller<'_> {
        Caller::new(self, None)
    }

    /// Whoever presents this text as a key.
    pub(crate) fn bearer(&self, key: &str) -> Caller<'_> {
        Caller::new(self, Some(key.to_owned()))
    }

    /// The operator with the bootstrap key.
    pub(crate) fn bootstrap(&self) -> Caller<'_> {
        self.bearer(&self.bootstrap)
    }

    /// A new admin key of the entity `YourCompany`, with every permission.
    pub(crate) async fn partner(&self) -> Partner<'_> {
        self.partner_of("YourCompany", &ALL).await
    }

    /// A new admin key of another entity, with every permission.
    pub(crate) async fn stranger(&self) -> Partner<'_> {
        self.partner_of("Stranger", &ALL).await
    }

    /// A new admin key of `YourCompany` with every permission but this one.
    pub(crate) async fn partner_lacking(&self, permission: &str) -> Partner<'_> {
        let rest: Vec<_> = ALL.into_iter().filter(|known| *known != permission).collect();
        self.partner_of("YourCompany", &rest).await
    }

    pub(crate) async fn partner_of(&self, entity: &str, permissions: &[&str]) -> Partner<'_> {
        let body = serde_json::json!({"entity_name": entity, "permissions": permissions});
        let data = self.bootstrap().post("/v1/admin/admin-keys", &body).await.data();
        Partner {
            caller: self.bearer(data["api_key"].as_str().unwrap()),
            id: data["admin_key"]["id"].as_str().unwrap().to_owned(),
        }
    }
}

/// The identity of a world's journal.
const JOURNAL: u128 = 7;

fn peppers() -> Peppers {
    Peppers::new(vec![(1, [7; 32])]).unwrap()
}

async fn connect(settled: &Settled, folder: &Path) -> Store {
    let url = match settled {
        Settled { postgres: Some(url), .. } => url.clone(),
        Settled { file: Some(file), .. } => format!("sqlite:{}", folder.join(file).display()),
        Settled { .. } => "sqlite::memory:".to_owned(),
    };
    let options = StoreOptions { acquire_timeout: Duration::from_secs(20), ..StoreOptions::default() };
    Store::connect(&url, &options).await.unwrap()
}

fn settings(peppers: Peppers, settled: &Settled) -> Settings {
    Settings {
        peppers,
        admin_limit_per_minute: settled.admin_limit_per_minute,
        admin_limit_of_organization: settled.admin_limit_of_organization,
        reports_per_minute: settled.reports_per_minute,
        durability: Durability::default(),
        retention: settled.retention,
    }
}

async fn deciding(
    store: Store,
    ports: Ports,
    peppers: Peppers,
    settled: &Settled,
    directory: PathBuf,
    id: u128,
) -> App {
    let max_bytes = settled.journal_bytes;
    let journal = JournalSettings { directory, max_bytes, segment_bytes: 1 << 20, lanes: 2 };
    let journal = Journal::find(journal, uuid::Uuid::from_u128(id)).unwrap();
    App::deciding(store, ports, settings(peppers, settled), journal).await.unwrap()
}
