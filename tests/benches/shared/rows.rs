//! The rows of one new credential: those that the product wrote itself, and any number of copies of
//! them under other ids. The entities are the benchmark's own: bare SeaORM knows nothing of Claviger.

#![expect(unreachable_pub, reason = "SeaORM's derive wants its row types public")]

use std::path::Path;

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, IntoActiveModel, QueryOrder, TransactionTrait};

use crate::Outcome;
use crate::random::Random;

pub(crate) mod credential {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credentials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub organization_id: Uuid,
        pub admin_key_id: Option<Uuid>,
        pub user_account_id: Option<Uuid>,
        pub class: String,
        pub name: String,
        pub description: Option<String>,
        pub prefix: String,
        pub scopes: String,
        pub manages_keys: bool,
        pub limits: String,
        pub credits_grant: i64,
        pub credits_remaining: Option<i64>,
        pub credits_refill_amount: Option<i64>,
        pub credits_refill_every_ms: Option<i64>,
        pub credits_refilled_at: Option<i64>,
        pub ip_allowlist: String,
        pub network: Option<i64>,
        pub metadata: String,
        pub created_at: i64,
        pub updated_at: Option<i64>,
        pub expires_at: Option<i64>,
        pub disabled_at: Option<i64>,
        pub revoked_at: Option<i64>,
        pub revocation_reason: Option<String>,
        pub last_used_at: Option<i64>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod secret {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "secrets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub credential_id: Uuid,
        pub number: i64,
        pub digest: Vec<u8>,
        pub pepper: i64,
        pub created_at: i64,
        pub ends_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod entry {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_log")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub at: i64,
        pub action: String,
        pub is_change: bool,
        pub author_kind: String,
        pub author_id: Option<Uuid>,
        pub author_name: Option<String>,
        pub author_organization_id: Option<Uuid>,
        pub author_user_id: Option<Uuid>,
        pub author_user_name: Option<String>,
        pub admin_key_id: Option<Uuid>,
        pub organization_id: Option<Uuid>,
        pub target_type: Option<String>,
        pub target_id: Option<Uuid>,
        pub address: Option<String>,
        pub request_id: String,
        pub details: String,
        pub chain_id: Uuid,
        pub sequence: i64,
        pub pepper: i64,
        pub mac: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What making one credential leaves behind.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) credential: credential::Model,
    pub(crate) secret: secret::Model,
    pub(crate) entry: entry::Model,
}

impl Rows {
    /// Of the newest credential in a database.
    pub(crate) async fn read(database: &Path) -> Outcome<Self> {
        let db = connect(database, "FULL").await?;
        let missing = "the product's rows are not in the database";
        let credential = credential::Entity::find().order_by_desc(credential::Column::Id).one(&db).await?;
        let credential = credential.ok_or(missing)?;
        let secret = secret::Entity::find()
            .filter(secret::Column::CredentialId.eq(credential.id))
            .one(&db)
            .await?
            .ok_or(missing)?;
        let entry = entry::Entity::find()
            .filter(entry::Column::TargetId.eq(credential.id))
            .one(&db)
            .await?
            .ok_or(missing)?;
        db.close().await?;
        Ok(Self { credential, secret, entry })
    }

    /// The same, made so many milliseconds later.
    pub(crate) fn copy(&self, number: u64) -> Self {
        let mut copy = self.clone();
        let mut random = Random(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let [id, secret, entry] = [(); 3].map(|()| self.id(number, &mut random));
        copy.credential.id = id;
        copy.secret.id = secret;
        copy.secret.credential_id = id;
        copy.secret.digest = random.bytes::<32>().to_vec();
        copy.entry.id = entry;
        copy.entry.target_id = Some(id);
        // A chain of their own: the product's goes on where it was.
        copy.entry.chain_id = Uuid::from_u128(1);
        copy.entry.sequence = i64::try_from(number).unwrap_or(i64::MAX);
        copy.entry.mac = random.bytes::<32>().to_vec();
        let later = i64::try_from(number * 1000).unwrap_or(i64::MAX);
        for at in [&mut copy.credential.created_at, &mut copy.secret.created_at, &mut copy.entry.at] {
            *at += later;
        }
        copy
    }

    fn id(&self, number: u64, random: &mut Random) -> Uuid {
        let made_at = u64::try_from(self.credential.created_at / 1000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(made_at + number, &random.bytes()).into_uuid()
    }
}

/// Fills a database up to `total` credentials.
pub(crate) async fn fill(database: &Path, rows: &Rows, total: u64) -> Outcome<()> {
    const ROWS_OF_A_STATEMENT: usize = 1_000;
    const ROWS_OF_A_TRANSACTION: usize = 50_000;

    let db = connect(database, "OFF").await?;
    let numbers: Vec<u64> = (1..total).collect();
    for part in numbers.chunks(ROWS_OF_A_TRANSACTION) {
        let tx = db.begin().await?;
        for part in part.chunks(ROWS_OF_A_STATEMENT) {
            let copies = || part.iter().map(|number| rows.copy(*number));
            let credentials = copies().map(|rows| rows.credential.into_active_model());
            let secrets = copies().map(|rows| rows.secret.into_active_model());
            let entries = copies().map(|rows| rows.entry.into_active_model());
            credential::Entity::insert_many(credentials).exec_without_returning(&tx).await?;
            secret::Entity::insert_many(secrets).exec_without_returning(&tx).await?;
            entry::Entity::insert_many(entries).exec_without_returning(&tx).await?;
        }
        tx.commit().await?;
    }
    db.close().await?;
    Ok(())
}

/// One connection, set up as the product's writer is but for the durability.
pub(crate) async fn connect(database: &Path, synchronous: &'static str) -> Outcome<DatabaseConnection> {
    let mut connect = ConnectOptions::new(format!("sqlite:{}", database.display()));
    connect
        .sqlx_logging(false)
        .test_before_acquire(false)
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .foreign_keys(true)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", synchronous)
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", "-65536")
        });
    Ok(Database::connect(connect).await?)
}
