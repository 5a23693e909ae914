//! The table of bootstrap keys: one in force, and the ones it replaced.

use claviger_domain::Timestamp;
use claviger_domain::admin_key::BootstrapKey;
use claviger_domain::ids::BootstrapKeyId;
use claviger_domain::secret::{Digest, KeyPrefix, PepperVersion, SealedSecret};
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use crate::StoreError;
use crate::value::{Row, blob, stamp};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bootstrap_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub digest: Vec<u8>,
        pub pepper: i64,
        pub prefix: String,
        pub made_by: String,
        pub created_at: i64,
        pub revoked_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

impl TryFrom<Model> for BootstrapKey {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model { id, digest: _, pepper: _, prefix, made_by, created_at, revoked_at } = model;
        let row = Row { table: "bootstrap_keys", id };
        Ok(Self {
            id: BootstrapKeyId::from_uuid(id),
            prefix: KeyPrefix::from_stored(prefix),
            made_by,
            created_at: row.instant(created_at)?,
            revoked_at: row.instant_or_none(revoked_at)?,
        })
    }
}

/// Bootstrap keys belong to the installation: no query here has an owner to ask for.
#[derive(Debug)]
pub struct BootstrapKeys<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> BootstrapKeys<'_, C> {
    /// Adds a key, with what is kept of its text. Those before it are to be revoked first.
    pub async fn insert(&self, key: &BootstrapKey, sealed: &SealedSecret) -> Result<(), StoreError> {
        let BootstrapKey { id, prefix, made_by, created_at, revoked_at } = key;
        let row = Model {
            id: id.uuid(),
            digest: blob(&sealed.digest),
            pepper: i64::from(sealed.pepper),
            prefix: prefix.as_str().to_owned(),
            made_by: made_by.clone(),
            created_at: stamp(*created_at),
            revoked_at: revoked_at.map(stamp),
        };
        Entity::insert(row.into_active_model()).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// The key of this id, in force or not; `None` when there is no such key.
    pub async fn find_unscoped(&self, id: BootstrapKeyId) -> Result<Option<BootstrapKey>, StoreError> {
        Entity::find_by_id(id.uuid()).one(self.0).await?.map(BootstrapKey::try_from).transpose()
    }

    /// The key with one of these digests; `None` when none has one, or it is no longer in force.
    pub async fn find_live_unscoped(&self, digests: &[Digest]) -> Result<Option<BootstrapKey>, StoreError> {
        Entity::find()
            .filter(Column::Digest.is_in(digests.iter().map(blob)))
            .filter(Column::RevokedAt.is_null())
            .one(self.0)
            .await?
            .map(BootstrapKey::try_from)
            .transpose()
    }

    /// The key in force; `None` before the first one.
    pub async fn in_force_unscoped(&self) -> Result<Option<BootstrapKey>, StoreError> {
        let row = Entity::find().filter(Column::RevokedAt.is_null()).one(self.0).await?;
        row.map(BootstrapKey::try_from).transpose()
    }

    /// The keys in force, of which there is at most one, and what is kept of their text.
    pub async fn live_unscoped(&self) -> Result<Vec<(BootstrapKeyId, SealedSecret)>, StoreError> {
        let rows = Entity::find().filter(Column::RevokedAt.is_null()).all(self.0).await?;
        rows.into_iter()
            .map(|Model { id, digest, pepper, .. }| {
                let row = Row { table: "bootstrap_keys", id };
                Ok((BootstrapKeyId::from_uuid(id), row.sealed(&digest, pepper)?))
            })
            .collect()
    }

    /// Whether the key in force was made under this pepper.
    pub async fn is_pepper_used_unscoped(&self, pepper: PepperVersion) -> Result<bool, StoreError> {
        let query =
            Entity::find().filter(Column::Pepper.eq(i64::from(pepper))).filter(Column::RevokedAt.is_null());
        Ok(query.one(self.0).await?.is_some())
    }

    /// Ends every key in force at `now`; those that were ended before keep their end.
    pub async fn revoke_all_unscoped(&self, now: Timestamp) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(stamp(now)))
            .filter(Column::RevokedAt.is_null())
            .exec(self.0)
            .await?;
        Ok(())
    }
}
