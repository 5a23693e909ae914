//! How a window becomes a statement, and how a write learns that it came too late: once for all tables.

use claviger_domain::page::{Slice, Window};
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryOrder, QuerySelect, Select, UpdateResult};

use crate::StoreError;

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
    let page = query.order_by_desc(id).limit(window.limit()).offset(window.offset());
    let rows = page.all(connection).await?;
    let items = rows.into_iter().map(T::try_from).collect::<Result<_, _>>()?;
    Ok(Slice { items, total, window })
}

/// That a save guarded by its revision met the row it was meant for.
pub(crate) fn met_its_row(done: &UpdateResult) -> Result<(), StoreError> {
    if done.rows_affected == 1 { Ok(()) } else { Err(StoreError::Overtaken) }
}
