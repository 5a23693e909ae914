//! Row counts by owner, kept by the database's triggers and only read here.

use claviger_domain::actor::Owner;
use sea_orm::entity::prelude::*;
use sea_orm::{QuerySelect, QueryTrait};

use crate::StoreError;
use crate::organization::row as organization;
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
    owner: Owner,
    what: &[&str],
) -> Result<u64, StoreError> {
    let counts =
        Entity::find().select_only().column(Column::N).filter(Column::What.is_in(what.iter().copied()));
    let counts = match owner {
        Owner::AdminKey(id) => counts.filter(Column::OwnerId.eq(id.uuid())),
        Owner::Organization(id) => counts.filter(Column::OwnerId.eq(id.uuid())),
        // Each row has exactly one organization.
        Owner::Installation => {
            let organizations = organization::Entity::find().select_only().column(organization::Column::Id);
            counts.filter(Column::OwnerId.in_subquery(organizations.into_query()))
        }
    };
    let counts: Vec<i64> = counts.into_tuple().all(connection).await?;
    Ok(counts.into_iter().map(unsigned).sum())
}
