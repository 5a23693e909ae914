//! A year of figures, written past the product: what a year of draining would have left, in its order of time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use claviger_app::{App, Clock, Durability, Entropy, Ports, Retention, Settings};
use claviger_domain::credential::{Class, Credential};
use claviger_domain::ids::{CredentialId, OrganizationId};
use claviger_domain::organization::{Organization, Slug};
use claviger_domain::revision::Revision;
use claviger_domain::secret::{KeyPrefix, Peppers};
use claviger_domain::text::{Metadata, Name};
use claviger_store::{Store, StoreError, StoreOptions, Tables, Tx};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, Statement};
use tempfile::TempDir;
use uuid::Uuid;

use crate::figures::mebibytes;
use crate::{Extent, Outcome};

/// When it is asked: in the middle of the last day.
const NOW: i64 = 1_798_718_400 - 43_200;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

#[derive(Debug)]
struct Standing;

impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap_or_default()
    }
}

impl Entropy for Standing {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

pub(crate) struct Year {
    directory: TempDir,
    extent: Extent,
    pub(crate) organization: OrganizationId,
}

impl Year {
    pub(crate) async fn build(extent: Extent) -> Outcome<Self> {
        // On the disk that the build is on: a temporary directory may be in memory.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let organization = OrganizationId::from_uuid(id(u32::MAX));
        let year = Self { directory, extent, organization };
        let store = year.store().await?;
        store.migrate().await?;
        store.transaction(async |tx: &Tx| fill(tx, organization, extent).await).await?;
        store.close().await;
        let db = connect(&year.file()).await?;
        figures(&db, organization, extent).await?;
        db.close().await?;
        Ok(year)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("claviger.db")
    }

    async fn store(&self) -> Outcome<Store> {
        let url = format!("sqlite://{}", self.file().display());
        Ok(Store::connect(&url, &StoreOptions::default()).await?)
    }

    pub(crate) fn describe(&self) -> Outcome<String> {
        let Extent { keys, days, hourly_days, .. } = self.extent;
        let size = mebibytes(std::fs::metadata(self.file())?.len());
        Ok(format!("{keys} keys, {days} days, hours of {hourly_days} days: {size:.0} MiB"))
    }

    pub(crate) async fn app(&self) -> Outcome<App> {
        let ports = Ports { clock: Arc::new(Standing), entropy: Arc::new(Standing) };
        let settings = Settings {
            peppers: Peppers::new(vec![(1, [7; 32])])?,
            admin_limit_per_minute: 0,
            admin_limit_of_organization: 0,
            reports_per_minute: 0,
            durability: Durability::default(),
            retention: Retention::default(),
        };
        Ok(App::new(self.store().await?, ports, settings))
    }
}

/// Ids as they are made over time, a second apart.
fn id(number: u32) -> Uuid {
    let millis = 1_700_000_000_000 + u64::from(number) * 1_000;
    uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid()
}

async fn fill(tx: &Tx, organization: OrganizationId, extent: Extent) -> Result<(), StoreError> {
    let now = Standing.now();
    let name = Name::from_stored("Benchmark".to_owned());
    let slug = Slug::derive(&name);
    tx.organizations().insert(&Organization::new(organization, name.clone(), slug, now)).await?;
    for number in 0..extent.keys {
        let credential = Credential {
            id: CredentialId::from_uuid(id(number)),
            organization,
            admin_key: None,
            user_account: None,
            class: Class::Live,
            name: name.clone(),
            description: None,
            prefix: KeyPrefix::from_stored(format!("ak_live_{number:08}")),
            scopes: Default::default(),
            limits: Default::default(),
            credits: None,
            ip_allowlist: Default::default(),
            network: None,
            metadata: Metadata::empty(),
            created_at: now,
            updated_at: None,
            expires_at: None,
            disabled_at: None,
            revoked: None,
            last_used_at: None,
            revision: Revision::FIRST,
        };
        tx.credentials().insert(&credential).await?;
    }
    Ok(())
}

async fn connect(file: &Path) -> Outcome<DatabaseConnection> {
    let mut connect = ConnectOptions::new(format!("sqlite:{}", file.display()));
    connect.sqlx_logging(false).max_connections(1).min_connections(1).map_sqlx_sqlite_opts(|sqlite| {
        sqlite.pragma("journal_mode", "WAL").pragma("synchronous", "OFF").pragma("cache_size", "-2000000")
    });
    Ok(Database::connect(connect).await?)
}

/// Keys whose figures are written in one transaction.
const KEYS_AT_ONCE: u32 = 200;

/// Busy keys and quiet ones, no two days alike; every key in every bucket. Written key by key, and the second index made
/// when all is there: an index that grows at ten thousand places at once takes hours.
async fn figures(db: &DatabaseConnection, organization: OrganizationId, extent: Extent) -> Outcome<()> {
    let index =
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'usage' AND sql IS NOT NULL";
    let indexes = texts(db, index).await?;
    for name in texts(db, &index.replacen("sql", "name", 1)).await? {
        db.execute_unprepared(&format!("DROP INDEX \"{name}\"")).await?;
    }
    db.execute_unprepared(
        "CREATE TEMP TABLE busy AS SELECT id, 1 + abs(random()) % 1000 AS share FROM credentials ORDER BY id",
    )
    .await?;
    let today = NOW.div_euclid(DAY) * DAY;
    for (span, days) in [(DAY, extent.days), (HOUR, extent.hourly_days)] {
        let first = today - (days - 1) * DAY;
        db.execute_unprepared(&format!(
            "CREATE TEMP TABLE buckets AS WITH RECURSIVE bucket(at) AS (VALUES ({first}) UNION ALL \
             SELECT at + {span} FROM bucket WHERE at + {span} <= {NOW}) SELECT at, at / {span} % 7 AS more FROM bucket"
        ))
        .await?;
        for from in (0..extent.keys).step_by(KEYS_AT_ONCE as usize) {
            let until = from + KEYS_AT_ONCE;
            db.execute_unprepared(&format!(
                "INSERT INTO usage (credential_id, span_seconds, starts_at, total, failed, duration_ms, timed, units, earlier) \
                 SELECT id, {span}, at, share + more, share / 10, share * 20, share, share, \
                        sum(share + more) OVER (PARTITION BY id ORDER BY at) - share - more \
                 FROM busy CROSS JOIN buckets WHERE busy.rowid > {from} AND busy.rowid <= {until} ORDER BY id, at"
            ))
            .await?;
        }
        for owner in [organization.uuid(), Uuid::nil()] {
            let owner = owner.simple();
            db.execute_unprepared(&format!(
                "INSERT INTO usage_outcomes (owner_id, span_seconds, starts_at, outcome, total, failed, duration_ms, timed, units) \
                 SELECT x'{owner}', {span}, at, outcome, calls * is_call, denied * (1 - is_call), spent * (1 - is_call), timed * (1 - is_call), timed * is_call \
                 FROM (SELECT at, (SELECT sum(share) FROM busy) + {keys} * more AS calls, (SELECT sum(share / 10) FROM busy) AS denied, \
                              (SELECT sum(share * 20) FROM busy) AS spent, (SELECT sum(share) FROM busy) AS timed FROM buckets) \
                 CROSS JOIN (SELECT 'VALID' AS outcome, 1 AS is_call UNION ALL SELECT 'REPORTED', 0)",
                keys = extent.keys,
            ))
            .await?;
        }
        db.execute_unprepared("DROP TABLE buckets").await?;
    }
    for index in indexes {
        db.execute_unprepared(&index).await?;
    }
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(())
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Outcome<Vec<String>> {
    let rows = db.query_all_raw(Statement::from_string(DatabaseBackend::Sqlite, sql)).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}
