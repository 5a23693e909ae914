//! The rows of one new credential: those that the product wrote itself, and any number of copies of
//! them under other ids. The entities are the benchmark's own: bare SeaORM knows nothing of Claviger.

#![expect(unreachable_pub, reason = "SeaORM's derive wants its row types public")]

use std::path::Path;

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, QueryOrder};

use crate::Outcome;

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
        pub author_entity: Option<String>,
        pub author_organization_id: Option<Uuid>,
        pub admin_key_id: Option<Uuid>,
        pub organization_id: Option<Uuid>,
        pub target_type: Option<String>,
        pub target_id: Option<Uuid>,
        pub address: Option<String>,
        pub request_id: String,
        pub details: String,
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

/// Random enough for ids, and the same in every run (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
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
