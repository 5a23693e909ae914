//! Usage figures: sums over the buckets of a period. A minute that the period touches counts whole; the
//! period knows where only hours or days are left.

use chrono::NaiveDate;
use claviger_domain::actor::Owner;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::period::{Period, Span};
use claviger_domain::usage::Tally;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Order, Query, SelectStatement, SimpleExpr};
use sea_orm::{Condition, QueryResult};

use super::row::{Column, Entity};
use super::{CredentialUsage, Usage, UsageOf, UserUsage};
use crate::owned::owned;
use crate::value::unsigned;
use crate::{StoreError, account, credential};

impl<C: ConnectionTrait> Usage<'_, C> {
    /// One credential's counts over a period; zeros when it was not used then. The credential was found
    /// with its owner.
    pub async fn of_credential(&self, id: CredentialId, period: Period) -> Result<Tally, StoreError> {
        let mut query = tallied();
        query.from(Entity).cond_where(within(period, || Some(Column::CredentialId.eq(id.uuid()))));
        let row = self.0.query_one(&query).await?;
        row.as_ref().map_or(Ok(Tally::default()), tally_of)
    }

    /// One credential's counts by UTC day, oldest first; days without calls are left out. The credential
    /// was found with its owner.
    pub async fn daily_of(
        &self,
        id: CredentialId,
        period: Period,
    ) -> Result<Vec<(NaiveDate, Tally)>, StoreError> {
        let day = Expr::col(Column::StartsAt).sub(Expr::col(Column::StartsAt).modulo(Span::Day.seconds()));
        let mut query = tallied();
        query
            .from(Entity)
            .expr_as(day, "day")
            .cond_where(within(period, || Some(Column::CredentialId.eq(id.uuid()))))
            .add_group_by([Expr::col("day")])
            .order_by("day", Order::Asc);
        let rows = self.0.query_all(&query).await?;
        rows.iter()
            .map(|row| {
                let day: i64 = row.try_get("", "day")?;
                let date = chrono::DateTime::from_timestamp(day, 0).map(|at| at.date_naive());
                let corrupt = || StoreError::Corrupt { table: "usage", row: id.to_string() };
                Ok((date.ok_or_else(corrupt)?, tally_of(row)?))
            })
            .collect()
    }

    /// The owner's credentials with calls in the period, busiest first, then by id; revoked ones included.
    pub async fn by_credential(
        &self,
        owner: Owner,
        of: UsageOf,
        period: Period,
        window: Window,
    ) -> Result<Slice<CredentialUsage>, StoreError> {
        let mut grouped = tallied();
        grouped
            .column((Entity, Column::CredentialId))
            .from(Entity)
            .cond_where(within(period, || held_by(owner, of.user_account)))
            .group_by_col((Entity, Column::CredentialId));
        let total = self.count_of(&grouped).await?;
        grouped
            .order_by("total", Order::Desc)
            .order_by((Entity, Column::CredentialId), Order::Asc)
            .limit(window.limit())
            .offset(window.offset());
        let rows = self.0.query_all(&grouped).await?;
        let items = rows
            .iter()
            .map(|row| {
                let id = row.try_get("", "credential_id")?;
                Ok(CredentialUsage { credential: CredentialId::from_uuid(id), tally: tally_of(row)? })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Slice::new(items, total, window))
    }

    /// One user account's counts over a period; zeros when the owner has no such account, or the account
    /// no credential.
    pub async fn of_user(
        &self,
        owner: Owner,
        user: UserAccountId,
        period: Period,
    ) -> Result<UserUsage, StoreError> {
        use credential::row::{Column as Credential, Entity as Credentials};
        let mut query = tallied();
        query.from(Entity).cond_where(within(period, || held_by(owner, Some(user))));
        let row = self.0.query_one(&query).await?;
        let tally = row.as_ref().map_or(Ok(Tally::default()), tally_of)?;
        let credentials = Credentials::find()
            .filter(owned(owner, Credential::OrganizationId, Credential::AdminKeyId))
            .filter(Credential::UserAccountId.eq(user.uuid()))
            .count(self.0)
            .await?;
        Ok(UserUsage { user_account: user, tally, credentials })
    }

    /// Every user account of the owner, those without calls too: busiest first, then by name, then by id.
    pub async fn by_user(
        &self,
        owner: Owner,
        period: Period,
        window: Window,
    ) -> Result<Slice<UserUsage>, StoreError> {
        use account::row::{Column as User, Entity as Users};
        use credential::row::{Column as Credential, Entity as Credentials};
        let total = account::count(self.0, owner, None).await?;
        let sums = Alias::new("sums");
        let mut used = tallied();
        used.column((Credentials, Credential::UserAccountId))
            .from(Entity)
            .inner_join(
                Credentials,
                Expr::col((Credentials, Credential::Id)).equals((Entity, Column::CredentialId)),
            )
            .cond_where(within(period, || held_by(owner, None)))
            .and_where(Credential::UserAccountId.is_not_null())
            .group_by_col((Credentials, Credential::UserAccountId));
        let or_nothing = |column: &'static str| {
            SimpleExpr::from(sea_orm::sea_query::Func::coalesce([
                Expr::col((sums.clone(), Alias::new(column))),
                Expr::value(0_i64),
            ]))
        };
        let count = Query::select()
            .expr(Expr::col((Credentials, Credential::Id)).count())
            .from(Credentials)
            .cond_where(owned(owner, Credential::OrganizationId, Credential::AdminKeyId))
            .and_where(Expr::col((Credentials, Credential::UserAccountId)).equals((Users, User::Id)))
            .take();
        let mut query = Query::select()
            .column((Users, User::Id))
            .expr_as(or_nothing("total"), "total")
            .expr_as(or_nothing("failed"), "failed")
            .expr_as(or_nothing("duration_ms"), "duration_ms")
            .expr_as(or_nothing("timed"), "timed")
            .expr_as(or_nothing("units"), "units")
            .expr_as(Expr::from(count), "credentials")
            .from(Users)
            .join_subquery(
                sea_orm::sea_query::JoinType::LeftJoin,
                used,
                sums.clone(),
                Expr::col((sums.clone(), Credential::UserAccountId)).equals((Users, User::Id)),
            )
            .cond_where(owned(owner, User::OrganizationId, User::AdminKeyId))
            .take();
        query
            .order_by_expr(or_nothing("total"), Order::Desc)
            .order_by((Users, User::Name), Order::Asc)
            .order_by((Users, User::Id), Order::Asc)
            .limit(window.limit())
            .offset(window.offset());
        let rows = self.0.query_all(&query).await?;
        let items = rows
            .iter()
            .map(|row| {
                Ok(UserUsage {
                    user_account: UserAccountId::from_uuid(row.try_get("", "id")?),
                    tally: tally_of(row)?,
                    credentials: unsigned(row.try_get("", "credentials")?),
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Slice::new(items, total, window))
    }

    async fn count_of(&self, grouped: &SelectStatement) -> Result<u64, StoreError> {
        let query = Query::select()
            .expr_as(Expr::cust("COUNT(*)"), "n")
            .from_subquery(grouped.clone(), Alias::new("grouped"))
            .take();
        let row = self.0.query_one(&query).await?;
        Ok(row.map(|row| row.try_get::<i64>("", "n")).transpose()?.map_or(0, unsigned))
    }
}

/// A query for the five sums. PostgreSQL's sum of bigints is a numeric: it is cast back.
pub(super) fn tallied() -> SelectStatement {
    let mut query = Query::select();
    for (column, name) in [
        (Column::Total, "total"),
        (Column::Failed, "failed"),
        (Column::DurationMs, "duration_ms"),
        (Column::Timed, "timed"),
        (Column::Units, "units"),
    ] {
        query.expr_as(Expr::col((Entity, column)).sum().cast_as("bigint"), name);
    }
    query
}

pub(crate) fn tally_of(row: &QueryResult) -> Result<Tally, StoreError> {
    let figure = |name| Ok::<_, StoreError>(row.try_get::<Option<i64>>("", name)?.map_or(0, unsigned));
    Ok(Tally {
        total: figure("total")?,
        failed: figure("failed")?,
        duration_ms: figure("duration_ms")?,
        timed: figure("timed")?,
        units: figure("units")?,
    })
}

/// The period's buckets, of the credentials that `of` names. The names stand beside each range of
/// buckets and not once beside them all: so each range is looked up, where SQLite would otherwise read
/// every bucket that those credentials, or these times, ever had.
fn within(period: Period, of: impl Fn() -> Option<SimpleExpr>) -> Condition {
    period.cells().into_iter().fold(Condition::any(), |any, cells| {
        any.add(
            Condition::all()
                .add_option(of())
                .add(Column::SpanSeconds.eq(cells.span.seconds()))
                .add(Column::StartsAt.gte(cells.from))
                .add(Column::StartsAt.lt(cells.until)),
        )
    })
}

/// Usage of an owner's credentials, or of those that one user account holds; of all, without a condition.
fn held_by(owner: Owner, user: Option<UserAccountId>) -> Option<SimpleExpr> {
    use credential::row::{Column as Credential, Entity as Credentials};
    if owner == Owner::Installation && user.is_none() {
        return None;
    }
    let held = Query::select()
        .column(Credential::Id)
        .from(Credentials)
        .cond_where(owned(owner, Credential::OrganizationId, Credential::AdminKeyId))
        .cond_where(Condition::all().add_option(user.map(|user| Credential::UserAccountId.eq(user.uuid()))))
        .take();
    Some(Column::CredentialId.in_subquery(held))
}
