//! The table of usage: calls counted by credential, in minutes, hours and days. Counts are added here,
//! and summed up in [`figures`]; [`busiest`] finds those that called most.

use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::period::Span;
use claviger_domain::usage::Tally;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, OnConflict, Order, Query};
use sea_orm::{Condition, IntoActiveModel};

use crate::page::{AT_ONCE, at_most};
use crate::value::signed;
use crate::{StoreError, credential};

mod busiest;
mod figures;

pub(crate) use figures::tally_of;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub credential_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub span_seconds: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub starts_at: i64,
        pub total: i64,
        pub failed: i64,
        pub duration_ms: i64,
        pub timed: i64,
        pub units: i64,
        /// The calls of all earlier buckets of the span; `None` in minutes, and in buckets without calls.
        pub earlier: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// What one credential used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialUsage {
    /// Which one.
    pub credential: CredentialId,
    /// Its calls in the period.
    pub tally: Tally,
}

/// What one user account used, and how many credentials it ever had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserUsage {
    /// Which one.
    pub user_account: UserAccountId,
    /// The calls of its credentials in the period.
    pub tally: Tally,
    /// Revoked and never used ones included.
    pub credentials: u64,
}

/// Of which credentials usage is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageOf {
    /// Of those linked to this account; `None` for all.
    pub user_account: Option<UserAccountId>,
}

/// The queries on usage. A call is counted when it is decided, and never taken back; what is old is
/// known only to the hour, or to the day, once the finer buckets are deleted.
#[derive(Debug)]
pub struct Usage<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> Usage<'_, C> {
    /// Adds counts to the minute of each, and to the hour and the day that hold it. The credentials were
    /// found with their owner; one that is unknown is a [`StoreError::Conflict`].
    pub async fn add(&self, calls: &[(CredentialId, Timestamp, Tally)]) -> Result<(), StoreError> {
        let mut sums = std::collections::BTreeMap::<(Uuid, i64, i64), Tally>::new();
        for (credential, at, tally) in calls {
            for span in Span::ALL {
                let key = (credential.uuid(), span.seconds(), span.floor(at.timestamp()));
                *sums.entry(key).or_default() += *tally;
            }
        }
        let rows: Vec<_> = sums
            .into_iter()
            .map(|((credential_id, span_seconds, starts_at), tally)| {
                let Tally { total, failed, duration_ms, timed, units } = tally;
                Model {
                    credential_id,
                    span_seconds,
                    starts_at,
                    total: signed(total),
                    failed: signed(failed),
                    duration_ms: signed(duration_ms),
                    timed: signed(timed),
                    units: signed(units),
                    earlier: None,
                }
            })
            .collect();
        let mut add = OnConflict::columns([Column::CredentialId, Column::SpanSeconds, Column::StartsAt]);
        for column in [Column::Total, Column::Failed, Column::DurationMs, Column::Timed, Column::Units] {
            let given = Expr::col((Alias::new("excluded"), column));
            add.value(column, Expr::col((Entity, column)).add(given));
        }
        for chunk in rows.chunks(AT_ONCE) {
            let chunk = chunk.iter().cloned().map(IntoActiveModel::into_active_model);
            Entity::insert_many(chunk).on_conflict(add.clone()).exec_without_returning(self.0).await?;
        }
        self.place(&rows).await
    }

    /// Deletes the buckets of this span, of the owner's credentials, that begin before `before`, in seconds since the epoch: the oldest
    /// first and at most `most` of them; answers how many there were. Whoever asks for figures afterwards
    /// says so with the period.
    pub async fn delete_older(
        &self,
        owner: Owner,
        span: Span,
        before: i64,
        most: u64,
    ) -> Result<u64, StoreError> {
        let owned = match owner {
            Owner::Installation => Condition::all(),
            owner => Condition::all().add(Column::CredentialId.in_subquery(credential::ids_of(owner))),
        };
        let key = [Column::CredentialId, Column::SpanSeconds, Column::StartsAt];
        let oldest = Query::select()
            .columns(key)
            .from(Entity)
            .and_where(Column::SpanSeconds.eq(span.seconds()))
            .and_where(Column::StartsAt.lt(before))
            .cond_where(owned)
            .order_by(Column::StartsAt, Order::Asc)
            .limit(at_most(most))
            .take();
        let done = Entity::delete_many()
            .filter(Expr::tuple(key.map(Expr::col)).in_subquery(oldest))
            .exec(self.0)
            .await?;
        Ok(done.rows_affected)
    }
}
