//! Which credentials called most, answered at one price for a day and for a year.
//!
//! A bucket of an hour or a day knows how many calls came before it, so the calls of any stretch of time are
//! the difference between its last bucket and its first: of each credential two rows are read, however
//! many there are. Only calls are known like that; all else is summed up for the few that are told.
//!
//! Buckets are deleted from the oldest on, which changes no difference between those that are left.

use claviger_domain::actor::Owner;
use claviger_domain::ids::CredentialId;
use claviger_domain::period::{Cells, Span};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Func, Order, Query, SelectStatement, SimpleExpr};
use sea_orm::{Condition, QueryOrder, QuerySelect};

use super::figures::{tallied, tally_of};
use super::row::{Column, Entity, Model};
use super::{CredentialUsage, Usage};
use crate::owned::owned;
use crate::page::at_most;
use crate::{StoreError, credential};

/// The spans whose buckets know what came before them.
const PLACED: [Span; 2] = [Span::Hour, Span::Day];

impl<C: ConnectionTrait> Usage<'_, C> {
    /// The owner's credentials with calls in these hours or days, busiest first, then by id, and at most `most`
    /// of them; revoked ones included.
    pub async fn busiest(
        &self,
        owner: Owner,
        cells: Cells,
        most: u64,
    ) -> Result<Vec<CredentialUsage>, StoreError> {
        use credential::row::{Column as Credential, Entity as Credentials};
        let edge = |figure: SimpleExpr, order: Order| {
            let mut edge = Query::select();
            edge.expr(figure)
                .from(Entity)
                .and_where(Expr::col((Entity, Column::CredentialId)).equals((Credentials, Credential::Id)))
                .cond_where(within(cells))
                .and_where(Column::Earlier.is_not_null())
                .order_by((Entity, Column::StartsAt), order)
                .limit(1);
            SimpleExpr::from(edge)
        };
        let earlier = || Expr::col((Entity, Column::Earlier));
        let last = edge(earlier().add(Expr::col((Entity, Column::Total))), Order::Desc);
        let first = edge(earlier(), Order::Asc);
        let calls = Func::coalesce([last.sub(first), Expr::value(0_i64)]);
        let query = Query::select()
            .column((Credentials, Credential::Id))
            .expr_as(calls, "calls")
            .from(Credentials)
            .cond_where(owned(owner, Credential::OrganizationId, Credential::AdminKeyId))
            .order_by("calls", Order::Desc)
            .order_by((Credentials, Credential::Id), Order::Asc)
            .limit(at_most(most))
            .take();
        let mut ids: Vec<Uuid> = Vec::new();
        for row in self.0.query_all(&query).await? {
            if row.try_get::<i64>("", "calls")? > 0 {
                ids.push(row.try_get("", "id")?);
            }
        }
        self.tallies_of(&ids, cells).await
    }

    /// The counts of these credentials, in their order.
    async fn tallies_of(&self, ids: &[Uuid], cells: Cells) -> Result<Vec<CredentialUsage>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = tallied()
            .column(Column::CredentialId)
            .from(Entity)
            .and_where(Column::CredentialId.is_in(ids.iter().copied()))
            .cond_where(within(cells))
            .group_by_col(Column::CredentialId)
            .take();
        let mut found = Vec::with_capacity(ids.len());
        for row in self.0.query_all(&query).await? {
            let id: Uuid = row.try_get("", "credential_id")?;
            found.push(CredentialUsage { credential: CredentialId::from_uuid(id), tally: tally_of(&row)? });
        }
        let place = |used: &CredentialUsage| ids.iter().position(|id| *id == used.credential.uuid());
        found.sort_by_key(place);
        Ok(found)
    }

    /// Gives new buckets what came before them, and those behind a bucket that was added to its calls. Drains
    /// wait for each other; reports add no calls, and so move nothing.
    pub(super) async fn place(&self, added: &[Model]) -> Result<(), StoreError> {
        let mut is_new = false;
        for span in PLACED.map(Span::seconds) {
            let called = || added.iter().filter(|row| row.span_seconds == span && row.total > 0);
            if called().next().is_none() {
                continue;
            }
            is_new = true;
            let placed =
                Condition::all().add(Column::SpanSeconds.eq(span)).add(Column::Earlier.is_not_null());
            // Time goes on: as a rule, nothing lies behind what is counted now.
            let latest: Option<i64> = Entity::find()
                .select_only()
                .column(Column::StartsAt)
                .filter(placed.clone())
                .order_by_desc(Column::StartsAt)
                .into_tuple()
                .one(self.0)
                .await?;
            for row in called().filter(|row| latest.is_some_and(|latest| row.starts_at < latest)) {
                Entity::update_many()
                    .col_expr(Column::Earlier, Expr::col(Column::Earlier).add(row.total))
                    .filter(placed.clone())
                    .filter(Column::CredentialId.eq(row.credential_id))
                    .filter(Column::StartsAt.gt(row.starts_at))
                    .exec(self.0)
                    .await?;
            }
        }
        if is_new {
            self.place_new().await?;
        }
        Ok(())
    }

    async fn place_new(&self) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Earlier, came_before())
            .filter(Column::Earlier.is_null())
            // Written out: the index is of the rows with this condition, and not of those with bound values.
            .filter(Expr::cust("total > 0 AND span_seconds > 60"))
            .exec(self.0)
            .await?;
        Ok(())
    }
}

fn within(cells: Cells) -> Condition {
    let Cells { span, from, until } = cells;
    let (span_seconds, starts_at) =
        (Expr::col((Entity, Column::SpanSeconds)), || Expr::col((Entity, Column::StartsAt)));
    Condition::all()
        .add(span_seconds.eq(span.seconds()))
        .add(starts_at().gte(from))
        .add(starts_at().lt(until))
}

/// The calls before a new bucket: those before the last one that knows, and those since; or, where all before it is
/// gone, what the next one knows, less those until then. Several new ones may lie beside each other.
fn came_before() -> SimpleExpr {
    let placed = |column: Column, order: Order| {
        let mut placed = of_the_same("placed");
        placed
            .column((Alias::new("placed"), column))
            .and_where(Expr::col((Alias::new("placed"), Column::Earlier)).is_not_null())
            .order_by((Alias::new("placed"), Column::StartsAt), order.clone())
            .limit(1);
        let (theirs, own) = (starts_at("placed"), Expr::col((Entity, Column::StartsAt)));
        placed.and_where(if order == Order::Desc { theirs.lt(own) } else { theirs.gt(own) });
        SimpleExpr::from(placed)
    };
    let calls = |from: SimpleExpr, until: SimpleExpr| {
        let mut calls = of_the_same("calls");
        calls
            .expr(Expr::col((Alias::new("calls"), Column::Total)).sum().cast_as("bigint"))
            .and_where(starts_at("calls").gte(from))
            .and_where(starts_at("calls").lt(until));
        SimpleExpr::from(Func::coalesce([calls.into(), Expr::value(0_i64)]))
    };
    let own = || Expr::col((Entity, Column::StartsAt));
    let since = || {
        let last = Func::coalesce([placed(Column::StartsAt, Order::Desc), Expr::value(i64::MIN)]);
        calls(last.into(), own())
    };
    let until = calls(own(), placed(Column::StartsAt, Order::Asc));
    Func::coalesce([
        placed(Column::Earlier, Order::Desc).add(since()),
        placed(Column::Earlier, Order::Asc).sub(until),
        since(),
    ])
    .into()
}

/// A query, by another name, for the buckets of the credential and the span of the one that is written.
fn of_the_same(other: &'static str) -> SelectStatement {
    let same = |column: Column| Expr::col((Alias::new(other), column)).equals((Entity, column));
    Query::select()
        .from_as(Entity, Alias::new(other))
        .and_where(same(Column::CredentialId))
        .and_where(same(Column::SpanSeconds))
        .take()
}

fn starts_at(other: &'static str) -> SimpleExpr {
    Expr::col((Alias::new(other), Column::StartsAt))
}
