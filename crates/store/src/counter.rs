//! The table of what has been spent of limits.

use claviger_domain::limit::Counter;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{Condition, IntoActiveModel};

use crate::StoreError;
use crate::value::{signed, unsigned};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "limit_counters")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub owner_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub window_seconds: i64,
        pub cell: i64,
        pub current: i64,
        pub previous: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// What has been spent of the limits of one name and one window that share an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The credential, or the user account or organization whose credentials share the limit.
    pub owner: Uuid,
    /// The limits' name.
    pub name: String,
    /// The limits' window.
    pub window_seconds: u32,
    /// What was spent.
    pub counter: Counter,
}

/// The queries on counters, whose owners were found with theirs.
#[derive(Debug)]
pub struct Counters<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> Counters<'_, C> {
    /// Every counter of these owners, in no order; those never spent from have none.
    pub async fn of_owners(&self, owners: &[Uuid]) -> Result<Vec<Spent>, StoreError> {
        let mut spent = Vec::new();
        for owners in owners.chunks(500) {
            let rows =
                Entity::find().filter(Column::OwnerId.is_in(owners.iter().copied())).all(self.0).await?;
            spent.extend(rows.into_iter().map(|row| Spent {
                owner: row.owner_id,
                name: row.name,
                // What does not fit is no limit's length: nobody asks for it.
                window_seconds: u32::try_from(row.window_seconds).unwrap_or(0),
                counter: Counter {
                    cell: row.cell,
                    current: unsigned(row.current),
                    previous: unsigned(row.previous),
                },
            }));
        }
        Ok(spent)
    }

    /// Deletes the counters of these owners, names and windows; those that are not there are left out.
    pub async fn delete(&self, counters: &[(Uuid, String, u32)]) -> Result<(), StoreError> {
        for counters in counters.chunks(100) {
            let one = |(owner, name, window_seconds): &(Uuid, String, u32)| {
                Condition::all()
                    .add(Column::OwnerId.eq(*owner))
                    .add(Column::Name.eq(name))
                    .add(Column::WindowSeconds.eq(i64::from(*window_seconds)))
            };
            let any = counters.iter().map(one).fold(Condition::any(), Condition::add);
            Entity::delete_many().filter(any).exec(self.0).await?;
        }
        Ok(())
    }

    /// Writes the counters; no two may be of one owner, name and window.
    pub async fn put(&self, spent: &[Spent]) -> Result<(), StoreError> {
        let mut replace = OnConflict::columns([Column::OwnerId, Column::Name, Column::WindowSeconds]);
        replace.update_columns([Column::Cell, Column::Current, Column::Previous]);
        for spent in spent.chunks(500) {
            let rows = spent.iter().map(|Spent { owner, name, window_seconds, counter }| {
                let Counter { cell, current, previous } = *counter;
                let row = Model {
                    owner_id: *owner,
                    name: name.clone(),
                    window_seconds: i64::from(*window_seconds),
                    cell,
                    current: signed(current),
                    previous: signed(previous),
                };
                row.into_active_model()
            });
            Entity::insert_many(rows).on_conflict(replace.clone()).exec_without_returning(self.0).await?;
        }
        Ok(())
    }
}
