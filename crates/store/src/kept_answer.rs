//! The table of answers kept for repeated requests (`Idempotency-Key`), sealed before they get here.

use claviger_domain::Timestamp;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{IntoActiveModel, Order};

use crate::StoreError;
use crate::page::at_most;
use crate::value::{Row, stamp};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "kept_answers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub caller_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_hash: Vec<u8>,
        pub fingerprint: Vec<u8>,
        pub sealed: Vec<u8>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// One answer: to whom, under which key, to which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The key that called: its id.
    pub caller: Uuid,
    /// A digest of the caller's bearer key and its idempotency key, neither of which is stored.
    pub key_hash: [u8; 32],
    /// Of the request that was answered.
    pub fingerprint: [u8; 32],
    /// The answer, encrypted; only the caller's own key opens it.
    pub sealed: Vec<u8>,
    /// When it was given.
    pub created_at: Timestamp,
}

/// The queries on kept answers, which belong to their callers.
#[derive(Debug)]
pub struct KeptAnswers<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> KeptAnswers<'_, C> {
    /// What `caller` was answered under this key, however long ago; `None` when nothing is kept.
    pub async fn find(&self, caller: Uuid, key_hash: &[u8; 32]) -> Result<Option<KeptAnswer>, StoreError> {
        let Some(model) = Entity::find_by_id((caller, key_hash.to_vec())).one(self.0).await? else {
            return Ok(None);
        };
        let Model { caller_id, key_hash: _, fingerprint, sealed, created_at } = model;
        let row = Row { table: "kept_answers", id: caller_id };
        Ok(Some(KeptAnswer {
            caller: caller_id,
            key_hash: *key_hash,
            fingerprint: fingerprint.try_into().map_err(|_| row.corrupt())?,
            sealed,
            created_at: row.instant(created_at)?,
        }))
    }

    /// Keeps an answer; [`StoreError::Conflict`] when one is kept for this caller and key already.
    pub async fn insert(&self, answer: &KeptAnswer) -> Result<(), StoreError> {
        let KeptAnswer { caller, key_hash, fingerprint, sealed, created_at } = answer;
        let row = Model {
            caller_id: *caller,
            key_hash: key_hash.to_vec(),
            fingerprint: fingerprint.to_vec(),
            sealed: sealed.clone(),
            created_at: stamp(*created_at),
        };
        Entity::insert(row.into_active_model()).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// Forgets an answer, if there is one.
    pub async fn delete(&self, caller: Uuid, key_hash: &[u8; 32]) -> Result<(), StoreError> {
        Entity::delete_by_id((caller, key_hash.to_vec())).exec(self.0).await?;
        Ok(())
    }

    /// Deletes answers kept before `before`, the oldest first and at most `most` of them; answers how many there
    /// were.
    pub async fn delete_older_unscoped(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        let key = [Column::CallerId, Column::KeyHash];
        let oldest = Query::select()
            .columns(key)
            .from(Entity)
            .and_where(Column::CreatedAt.lt(stamp(before)))
            .order_by(Column::CreatedAt, Order::Asc)
            .limit(at_most(most))
            .take();
        let done = Entity::delete_many()
            .filter(Expr::tuple(key.map(Expr::col)).in_subquery(oldest))
            .exec(self.0)
            .await?;
        Ok(done.rows_affected)
    }
}
