//! How a window becomes a statement, how much one statement takes, and how a write learns that it came
//! too late: once for all tables.

use std::collections::BTreeSet;

use claviger_domain::page::{Slice, Window};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Func, LikeExpr};
use sea_orm::{Condition, FromQueryResult, QueryOrder, QuerySelect, Select, UpdateResult};

use crate::StoreError;
use crate::value::signed;

/// How many rows or ids one statement names: SQLite takes 32,766 parameters, and the widest row that is
/// written in batches has nineteen.
pub(crate) const AT_ONCE: usize = 500;

/// A limit that databases understand: they count rows in signed 64 bits.
pub(crate) fn at_most(rows: u64) -> u64 {
    signed(rows).unsigned_abs()
}

/// The rows seen through `window`, newest first: ids are of version 7, their order is that of creation.
pub(crate) async fn newest_first<E, C, T>(
    connection: &C,
    query: Select<E>,
    id: E::Column,
    total: u64,
    window: Window,
) -> Result<Slice<T>, StoreError>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
    C: ConnectionTrait,
    T: TryFrom<E::Model, Error = StoreError>,
{
    let page = query.order_by_desc(id);
    let page = match window.after() {
        Some(after) => page.filter(id.lt(after)).limit(window.limit() + 1),
        None => page.limit(window.limit()).offset(window.offset()),
    };
    let rows = page.all(connection).await?;
    let items = rows.into_iter().map(T::try_from).collect::<Result<_, _>>()?;
    Ok(Slice::new(items, total, window))
}

/// The rows of a query whose `column` is one of these ids, in no order and none twice; asked for in as
/// many statements as it takes.
pub(crate) async fn of_ids<E, C>(
    connection: &C,
    query: Select<E>,
    column: E::Column,
    ids: impl Iterator<Item = Uuid>,
) -> Result<Vec<E::Model>, StoreError>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
    C: ConnectionTrait,
{
    let ids: Vec<_> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    let mut rows = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(AT_ONCE) {
        let chunk = query.clone().filter(column.is_in(chunk.iter().copied()));
        rows.append(&mut chunk.all(connection).await?);
    }
    Ok(rows)
}

/// That a save guarded by its revision met the row it was meant for.
pub(crate) fn met_its_row(done: &UpdateResult) -> Result<(), StoreError> {
    if done.rows_affected == 1 { Ok(()) } else { Err(StoreError::Overtaken) }
}

/// Rows one of whose columns holds the text, in any case of ASCII letters.
pub(crate) fn holding<C: ColumnTrait>(columns: &[C], text: &str) -> Condition {
    let mut escaped = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.extend(character.to_lowercase());
    }
    let pattern = format!("%{escaped}%");
    columns.iter().fold(Condition::any(), |any, column| {
        let lower = Expr::expr(Func::lower(Expr::col((column.entity_name(), *column))));
        any.add(lower.like(LikeExpr::new(pattern.as_str()).escape('\\')))
    })
}
