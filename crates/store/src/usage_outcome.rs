//! The table of what came of organizations' calls, in hours and days: counts by the code that calls were decided
//! with, and what was reported of them. Each is added once for its organization and once for all
//! together, so that the installation's figures cost no more than an organization's.

use std::collections::BTreeMap;

use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::ids::OrganizationId;
use claviger_domain::period::{Cells, Span};
use claviger_domain::usage::{Outcome, Tally};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, OnConflict, Order, Query, SelectStatement};
use sea_orm::{Condition, IntoActiveModel, QueryResult};

use crate::StoreError;
use crate::page::{AT_ONCE, at_most};
use crate::usage::tally_of;
use crate::value::signed;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_outcomes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub owner_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub span_seconds: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub starts_at: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub outcome: String,
        pub total: i64,
        pub failed: i64,
        pub duration_ms: i64,
        pub timed: i64,
        pub units: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// The figures of all organizations together.
const ALL: Uuid = Uuid::nil();

/// The queries on the outcomes of calls.
#[derive(Debug)]
pub struct UsageOutcomes<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> UsageOutcomes<'_, C> {
    /// Adds counts to the hour and the day of each, in the transaction that adds them to the credentials'.
    pub async fn add(&self, calls: &[(OrganizationId, Timestamp, Outcome, Tally)]) -> Result<(), StoreError> {
        let mut sums = BTreeMap::<(Uuid, i64, i64, &str), Tally>::new();
        for (organization, at, outcome, tally) in calls {
            for span in [Span::Hour, Span::Day] {
                for owner in [organization.uuid(), ALL] {
                    let key = (owner, span.seconds(), span.floor(at.timestamp()), outcome.word());
                    *sums.entry(key).or_default() += *tally;
                }
            }
        }
        let rows: Vec<_> = sums
            .into_iter()
            .map(|((owner_id, span_seconds, starts_at, outcome), tally)| {
                let Tally { total, failed, duration_ms, timed, units } = tally;
                Model {
                    owner_id,
                    span_seconds,
                    starts_at,
                    outcome: outcome.to_owned(),
                    total: signed(total),
                    failed: signed(failed),
                    duration_ms: signed(duration_ms),
                    timed: signed(timed),
                    units: signed(units),
                }
            })
            .collect();
        let key = [Column::OwnerId, Column::SpanSeconds, Column::StartsAt, Column::Outcome];
        let mut add = OnConflict::columns(key);
        for column in COUNTS {
            let given = Expr::col((Alias::new("excluded"), column));
            add.value(column, Expr::col((Entity, column)).add(given));
        }
        for chunk in rows.chunks(AT_ONCE) {
            let chunk = chunk.iter().cloned().map(IntoActiveModel::into_active_model);
            Entity::insert_many(chunk).on_conflict(add.clone()).exec_without_returning(self.0).await?;
        }
        Ok(())
    }

    /// The counts of these hours or days by the start of each, oldest first; those without any are left out. An
    /// admin key has none: figures are kept by organization and by credential.
    pub async fn series(&self, owner: Owner, cells: Cells) -> Result<Vec<(i64, Tally)>, StoreError> {
        let Some(mut query) = within(owner, cells) else { return Ok(Vec::new()) };
        query.column(Column::StartsAt).group_by_col(Column::StartsAt).order_by(Column::StartsAt, Order::Asc);
        let rows = self.0.query_all(&query).await?;
        rows.iter().map(|row| Ok((row.try_get("", "starts_at")?, tally_of(row)?))).collect()
    }

    /// The counts of these hours or days by outcome, in the order of outcomes; those that did not occur are left
    /// out. An admin key has none, see [`Self::series`].
    pub async fn by_outcome(&self, owner: Owner, cells: Cells) -> Result<Vec<(Outcome, Tally)>, StoreError> {
        let Some(mut query) = within(owner, cells) else { return Ok(Vec::new()) };
        query.column(Column::Outcome).group_by_col(Column::Outcome);
        let rows = self.0.query_all(&query).await?;
        let mut outcomes = rows.iter().map(outcome_of).collect::<Result<Vec<_>, StoreError>>()?;
        outcomes.sort_by_key(|(outcome, _)| *outcome);
        Ok(outcomes)
    }

    /// Deletes the owner's buckets of this span that begin before `before`, in seconds since the epoch: the oldest first and at
    /// most `most` of them; answers how many there were.
    pub async fn delete_older(
        &self,
        owner: Owner,
        span: Span,
        before: i64,
        most: u64,
    ) -> Result<u64, StoreError> {
        let owned = match owner {
            Owner::Installation => Condition::all(),
            Owner::Organization(id) => Condition::all().add(Column::OwnerId.eq(id.uuid())),
            Owner::AdminKey(_) => return Ok(0),
        };
        let key = [Column::OwnerId, Column::SpanSeconds, Column::StartsAt, Column::Outcome];
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

const COUNTS: [Column; 5] = [Column::Total, Column::Failed, Column::DurationMs, Column::Timed, Column::Units];

/// A query for the sums of the owner's buckets; `None` when there cannot be any.
fn within(owner: Owner, cells: Cells) -> Option<SelectStatement> {
    let owner = match owner {
        Owner::Installation => ALL,
        Owner::Organization(id) => id.uuid(),
        Owner::AdminKey(_) => return None,
    };
    let Cells { span, from, until } = cells;
    let mut query = Query::select();
    for column in COUNTS {
        query.expr_as(Expr::col((Entity, column)).sum().cast_as("bigint"), column.as_str());
    }
    query
        .from(Entity)
        .and_where(Column::OwnerId.eq(owner))
        .and_where(Column::SpanSeconds.eq(span.seconds()))
        .and_where(Column::StartsAt.gte(from))
        .and_where(Column::StartsAt.lt(until));
    Some(query)
}

fn outcome_of(row: &QueryResult) -> Result<(Outcome, Tally), StoreError> {
    let word: String = row.try_get("", "outcome")?;
    match Outcome::of_word(&word) {
        Some(outcome) => Ok((outcome, tally_of(row)?)),
        None => Err(StoreError::Corrupt { table: "usage_outcomes", row: word }),
    }
}
