//! A throw-away PostgreSQL for the tests: one server for each test process, started when the first
//! test asks for it, and one database for each test.
//!
//! With `TEST_DATABASE_URL` set, the databases are made on that server instead. Without either, a
//! test fails and says what to install: nothing is skipped.

use std::sync::atomic::{AtomicU32, Ordering};

use claviger_migration::Migrator;
use sea_orm::{ConnectionTrait, Database as Connection, DbErr};
use sea_orm_migration::MigratorTrait;
use tokio::sync::{Mutex, OnceCell};
use url::Url;

mod installation;
mod server;

use server::Server;

/// A database of its own for one test.
#[derive(Debug)]
pub struct Database {
    host: &'static Host,
    name: String,
}

/// Where databases are made.
#[derive(Debug)]
struct Host {
    /// Of the database that is connected to while others are made and removed.
    maintenance: Url,
    /// A migrated database to copy; `None` on a server of somebody else, where it would be left behind.
    template: Option<&'static str>,
    /// Names of databases begin with this; no two test processes share one.
    prefix: String,
    made: AtomicU32,
    /// One at a time: copying a database is exclusive.
    making: Mutex<()>,
    /// Held for as long as the process lives.
    _server: Option<Server>,
}

static HOST: OnceCell<Host> = OnceCell::const_new();

const TEMPLATE: &str = "claviger_template";

impl Database {
    /// A database with the newest schema.
    ///
    /// # Panics
    /// Without a PostgreSQL to be had; the text says what to install.
    pub async fn migrated() -> Self {
        let host = host().await;
        if host.template.is_some() {
            return checked(host.make(host.template).await);
        }
        let database = checked(host.make(None).await);
        checked(migrate(&database.url()).await);
        database
    }

    /// A database with nothing in it.
    ///
    /// # Panics
    /// Without a PostgreSQL to be had; the text says what to install.
    pub async fn empty() -> Self {
        checked(host().await.make(None).await)
    }

    /// What to connect to.
    #[must_use]
    pub fn url(&self) -> String {
        self.host.url_of(&self.name)
    }

    /// Removes the database, whoever is still connected to it. One that is not removed, as of a test
    /// that failed, goes with the server.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn remove(self) {
        checked(self.host.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await);
    }
}

impl Host {
    fn url_of(&self, database: &str) -> String {
        let mut url = self.maintenance.clone();
        url.set_path(database);
        url.into()
    }

    async fn run(&self, statement: &str) -> Result<(), DbErr> {
        let connection = Connection::connect(self.maintenance.as_str()).await?;
        connection.execute_unprepared(statement).await?;
        connection.close().await
    }

    async fn make(&'static self, template: Option<&str>) -> Result<Database, DbErr> {
        let name = format!("{}_{}", self.prefix, self.made.fetch_add(1, Ordering::Relaxed));
        let template = template.unwrap_or("template0");
        let _alone = self.making.lock().await;
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        Ok(Database { host: self, name })
    }
}

async fn host() -> &'static Host {
    HOST.get_or_init(|| async {
        let prefix = format!("claviger_test_{}", checked(server::random_word()));
        let (made, making) = (AtomicU32::new(0), Mutex::new(()));
        if let Ok(given) = std::env::var("TEST_DATABASE_URL") {
            let maintenance = checked(Url::parse(&given));
            return Host { maintenance, template: None, prefix, made, making, _server: None };
        }
        let server = checked(Server::start());
        let maintenance = checked(Url::parse(&server.url()));
        let host = Host { maintenance, template: None, prefix, made, making, _server: Some(server) };
        checked(host.run(&format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0")).await);
        checked(migrate(&host.url_of(TEMPLATE)).await);
        Host { template: Some(TEMPLATE), ..host }
    })
    .await
}

async fn migrate(url: &str) -> Result<(), DbErr> {
    let connection = Connection::connect(url).await?;
    Migrator::up(&connection, None).await?;
    connection.close().await
}

/// Tests have nothing better to do with a failure here than to fail.
fn checked<T>(answer: Result<T, impl std::fmt::Display>) -> T {
    answer.unwrap_or_else(|problem| panic!("no throw-away PostgreSQL: {problem}"))
}
