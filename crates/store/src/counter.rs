//! The table of what has been spent of limits.

use claviger_domain::ids::CredentialId;
use claviger_domain::limit::{Counter, Limits};
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::StoreError;
use crate::value::{signed, unsigned};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "limit_counters")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub credential_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
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

/// The queries on counters, which are reached through a credential that was found with its owner.
#[derive(Debug)]
pub struct Counters<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> Counters<'_, C> {
    /// One counter for each of the limits, in their order; a limit never spent from has an empty one.
    pub async fn of(&self, credential: CredentialId, limits: &Limits) -> Result<Vec<Counter>, StoreError> {
        let rows = Entity::find().filter(Column::CredentialId.eq(credential.uuid())).all(self.0).await?;
        let counter = |row: &Model| Counter {
            // What does not fit is no limit's length: the counter is empty then.
            window_seconds: u32::try_from(row.window_seconds).unwrap_or(0),
            cell: row.cell,
            current: unsigned(row.current),
            previous: unsigned(row.previous),
        };
        Ok(limits
            .iter()
            .map(|limit| rows.iter().find(|row| row.name == limit.name).map(counter).unwrap_or_default())
            .collect())
    }

    /// Writes the counters back: one for each limit, in their order.
    pub async fn put(
        &self,
        credential: CredentialId,
        limits: &Limits,
        counters: &[Counter],
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = limits
            .iter()
            .zip(counters)
            .map(|(limit, counter)| Model {
                credential_id: credential.uuid(),
                name: limit.name.clone(),
                window_seconds: i64::from(counter.window_seconds),
                cell: counter.cell,
                current: signed(counter.current),
                previous: signed(counter.previous),
            })
            .map(IntoActiveModel::into_active_model)
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut replace = OnConflict::columns([Column::CredentialId, Column::Name]);
        replace.update_columns([Column::WindowSeconds, Column::Cell, Column::Current, Column::Previous]);
        Entity::insert_many(rows).on_conflict(replace).exec_without_returning(self.0).await?;
        Ok(())
    }
}
