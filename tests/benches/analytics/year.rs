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
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, TransactionTrait};
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

/// Busy keys and quiet ones, no two days alike; every key in every bucket.
async fn figures(db: &DatabaseConnection, organization: OrganizationId, extent: Extent) -> Outcome<()> {
    let today = NOW.div_euclid(DAY) * DAY;
    for (span, days) in [(DAY, extent.days), (HOUR, extent.hourly_days)] {
        let tx = db.begin().await?;
        tx.execute_unprepared(
            "CREATE TEMP TABLE running AS SELECT id, 1 + abs(random()) % 1000 AS share, 0 AS calls FROM credentials \
             ORDER BY id",
        )
        .await?;
        let first = today - (days - 1) * DAY;
        for starts_at in (first..=NOW).step_by(usize::try_from(span)?) {
            tx.execute_unprepared(&format!(
                "INSERT INTO usage (credential_id, span_seconds, starts_at, total, failed, duration_ms, timed, units, earlier) \
                 SELECT id, {span}, {starts_at}, share + {starts_at} / {span} % 7, share / 10, share * 20, share, share, calls \
                 FROM running"
            ))
            .await?;
            tx.execute_unprepared(&format!(
                "UPDATE running SET calls = calls + share + {starts_at} / {span} % 7"
            ))
            .await?;
            for owner in [organization.uuid(), Uuid::nil()] {
                let owner = owner.simple();
                tx.execute_unprepared(&format!(
                    "INSERT INTO usage_outcomes (owner_id, span_seconds, starts_at, outcome, total, failed, duration_ms, timed, units) \
                     SELECT x'{owner}', {span}, {starts_at}, 'VALID', sum(share + {starts_at} / {span} % 7), 0, 0, 0, sum(share) \
                     FROM running UNION ALL \
                     SELECT x'{owner}', {span}, {starts_at}, 'RATE_LIMITED', 0, 0, 0, 0, 0 UNION ALL \
                     SELECT x'{owner}', {span}, {starts_at}, 'EXPIRED', 0, 0, 0, 0, 0 UNION ALL \
                     SELECT x'{owner}', {span}, {starts_at}, 'REPORTED', 0, sum(share / 10), sum(share * 20), sum(share), 0 \
                     FROM running"
                ))
                .await?;
            }
        }
        tx.execute_unprepared("DROP TABLE running").await?;
        tx.commit().await?;
    }
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(())
}
