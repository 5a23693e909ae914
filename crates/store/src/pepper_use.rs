//! What still depends on each pepper. A pepper may go when nothing here does.

use claviger_domain::Timestamp;
use claviger_domain::audit::ChainId;
use claviger_domain::secret::PepperVersion;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{Condition, QueryOrder, QuerySelect, Select};

use crate::audit::{head, row as entry};
use crate::value::{Row, stamp, unsigned};
use crate::{StoreError, admin_key, credential, secret};

/// Keys that were made under one pepper and are not revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeysUnder {
    /// Those that work now or will.
    pub in_force: u64,
    /// Of these, the ones that never end by themselves.
    pub without_end: u64,
    /// When the last of those that do end by themselves does.
    pub last_end: Option<Timestamp>,
    /// Those whose expiry has passed. Without the pepper, a later expiry would not bring them back.
    pub expired: u64,
}

/// One chain's audit entries whose hashes were made under one pepper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntriesUnder {
    /// Whose they are.
    pub chain: ChainId,
    /// How many there are.
    pub count: u64,
    /// When the youngest of them was written.
    pub newest_at: Timestamp,
}

/// Peppers belong to the installation: no query here has an owner to ask for.
#[derive(Debug)]
pub struct PepperUse<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> PepperUse<'_, C> {
    /// Admin keys made under this pepper.
    pub async fn admin_keys_unscoped(
        &self,
        pepper: PepperVersion,
        now: Timestamp,
    ) -> Result<KeysUnder, StoreError> {
        use admin_key::row::{Column, Entity};
        let live =
            Entity::find().filter(Column::Pepper.eq(i64::from(pepper))).filter(Column::RevokedAt.is_null());
        let expiry = SimpleExpr::from(Expr::col((Entity, Column::ExpiresAt)));
        self.keys_under("admin_keys", live, &expiry, &expiry, now).await
    }

    /// Secrets of credentials made under this pepper: one that was rotated ends with its overlap. It reads the
    /// whole table, for an index would cost every secret something.
    pub async fn secrets_unscoped(
        &self,
        pepper: PepperVersion,
        now: Timestamp,
    ) -> Result<KeysUnder, StoreError> {
        use credential::row::{Column as Of, Entity as Credential};
        use secret::row::{Column, Entity};
        let not_ended = Condition::any().add(Column::EndsAt.is_null()).add(Column::EndsAt.gt(stamp(now)));
        let live = Entity::find()
            .inner_join(Credential)
            .filter(Column::Pepper.eq(i64::from(pepper)))
            .filter(Of::RevokedAt.is_null())
            .filter(not_ended);
        let ends_at = || SimpleExpr::from(Expr::col((Entity, Column::EndsAt)));
        let expires_at = || SimpleExpr::from(Expr::col((Credential, Of::ExpiresAt)));
        // The earlier of the two, of which either may be missing.
        let end = Expr::case(ends_at().is_null(), expires_at())
            .case(expires_at().is_null().or(ends_at().lt(expires_at())), ends_at())
            .finally(expires_at())
            .into();
        self.keys_under("secrets", live, &expires_at(), &end, now).await
    }

    async fn keys_under<E: EntityTrait>(
        &self,
        table: &'static str,
        live: Select<E>,
        expiry: &SimpleExpr,
        end: &SimpleExpr,
        now: Timestamp,
    ) -> Result<KeysUnder, StoreError>
    where
        E::Model: Sync,
    {
        let is_in_force = Condition::any().add(expiry.clone().is_null()).add(expiry.clone().gt(stamp(now)));
        let found: Option<(i64, i64, Option<i64>)> = live
            .clone()
            .filter(is_in_force)
            .select_only()
            .column_as(Expr::cust("COUNT(*)"), "all_of_them")
            .column_as(end.clone().count(), "with_end")
            .column_as(end.clone().max(), "last_end")
            .into_tuple()
            .one(self.0)
            .await?;
        let (all, with_end, last_end) = found.unwrap_or_default();
        let expired: Option<i64> = live
            .filter(expiry.clone().lte(stamp(now)))
            .select_only()
            .column_as(Expr::cust("COUNT(*)"), "all_of_them")
            .into_tuple()
            .one(self.0)
            .await?;
        let row = Row { table, id: Uuid::nil() };
        Ok(KeysUnder {
            in_force: unsigned(all),
            without_end: unsigned(all - with_end),
            last_end: row.instant_or_none(last_end)?,
            expired: unsigned(expired.unwrap_or_default()),
        })
    }

    /// Whether entries of the audit log were made under this pepper: by index, since this is asked at each start.
    pub async fn has_entries_unscoped(&self, pepper: PepperVersion) -> Result<bool, StoreError> {
        let id: Option<Uuid> = entry::Entity::find()
            .filter(entry::Column::Pepper.eq(i64::from(pepper)))
            .select_only()
            .column(entry::Column::Id)
            .limit(1)
            .into_tuple()
            .one(self.0)
            .await?;
        Ok(id.is_some())
    }

    /// Entries of the audit log made under this pepper, by chain.
    pub async fn entries_unscoped(&self, pepper: PepperVersion) -> Result<Vec<EntriesUnder>, StoreError> {
        use entry::{Column, Entity};
        let rows: Vec<(Uuid, i64, i64)> = Entity::find()
            .filter(Column::Pepper.eq(i64::from(pepper)))
            .select_only()
            .column(Column::ChainId)
            .column_as(Expr::cust("COUNT(*)"), "all_of_them")
            .column_as(Expr::col((Entity, Column::At)).max(), "newest_at")
            .group_by(Column::ChainId)
            .order_by_asc(Column::ChainId)
            .into_tuple()
            .all(self.0)
            .await?;
        rows.into_iter()
            .map(|(chain, count, newest_at)| {
                let row = Row { table: "audit_log", id: chain };
                let newest_at = row.instant(newest_at)?;
                Ok(EntriesUnder { chain: ChainId::from_uuid(chain), count: unsigned(count), newest_at })
            })
            .collect()
    }

    /// How many chains' ends are sealed under this pepper.
    pub async fn chain_ends_unscoped(&self, pepper: PepperVersion) -> Result<u64, StoreError> {
        let query = head::Entity::find().filter(head::Column::Pepper.eq(i64::from(pepper)));
        Ok(query.count(self.0).await?)
    }
}
