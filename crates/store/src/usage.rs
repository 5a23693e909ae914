//! The table of usage: calls counted by credential, in minutes, hours and days. Counts are added here,
//! and summed up in [`figures`].

use claviger_domain::Timestamp;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::period::Span;
use claviger_domain::usage::Tally;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, OnConflict};

use crate::StoreError;
use crate::value::signed;

mod figures;

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

/// The queries on usage. A call is counted when it is decided, and never taken back.
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
                let sum = sums.entry(key).or_default();
                sum.total += tally.total;
                sum.failed += tally.failed;
                sum.duration_ms += tally.duration_ms;
                sum.timed += tally.timed;
            }
        }
        let rows: Vec<_> = sums
            .into_iter()
            .map(|((credential_id, span_seconds, starts_at), tally)| Model {
                credential_id,
                span_seconds,
                starts_at,
                total: signed(tally.total),
                failed: signed(tally.failed),
                duration_ms: signed(tally.duration_ms),
                timed: signed(tally.timed),
            })
            .collect();
        let mut add = OnConflict::columns([Column::CredentialId, Column::SpanSeconds, Column::StartsAt]);
        for column in [Column::Total, Column::Failed, Column::DurationMs, Column::Timed] {
            let given = Expr::col((Alias::new("excluded"), column));
            add.value(column, Expr::col((Entity, column)).add(given));
        }
        for chunk in rows.chunks(500) {
            let chunk = chunk.iter().cloned().map(IntoActiveModel::into_active_model);
            Entity::insert_many(chunk).on_conflict(add.clone()).exec_without_returning(self.0).await?;
        }
        Ok(())
    }
}
