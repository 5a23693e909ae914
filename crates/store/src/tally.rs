//! Row counts by admin key, kept by the database's triggers and only read here.

use claviger_domain::ids::AdminKeyId;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;

use crate::StoreError;
use crate::value::unsigned;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tallies")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub owner_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub what: String,
        pub n: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity};

/// The sum of the counts kept under these words.
pub(crate) async fn of<C: ConnectionTrait>(
    connection: &C,
    owner: AdminKeyId,
    what: &[&str],
) -> Result<u64, StoreError> {
    let counts: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::N)
        .filter(Column::OwnerId.eq(owner.uuid()))
        .filter(Column::What.is_in(what.iter().copied()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(counts.into_iter().map(unsigned).sum())
}
