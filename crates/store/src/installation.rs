//! The table of the installation: one row with its id, and whether a server has the database open.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, Statement};

use crate::value::{Row, unsigned};
use crate::{StoreError, page};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "installation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub installation_id: Uuid,
        pub is_open: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// The one row.
const ONLY: i64 = 1;

/// What the database says of the installation it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// Made on the first start; the data directory holds it too.
    pub id: Uuid,
    /// A server has the database open, or ended without closing it.
    pub is_open: bool,
}

/// The record of the installation. It has no owner but the installation itself.
#[derive(Debug)]
pub struct InstallationRecord<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> InstallationRecord<'_, C> {
    /// The record; `None` before the first start is complete. Fails where the table is missing.
    pub async fn find_unscoped(&self) -> Result<Option<Installation>, StoreError> {
        let found = Entity::find_by_id(ONLY).one(self.0).await?;
        Ok(found
            .map(|Model { id: _, installation_id, is_open }| Installation { id: installation_id, is_open }))
    }

    /// Keeps the id, unless there is one: of two servers that start at once, the first one's stays.
    pub async fn insert_missing(&self, id: Uuid) -> Result<(), StoreError> {
        let row = Model { id: ONLY, installation_id: id, is_open: false };
        Entity::insert(row.into_active_model())
            .on_conflict_do_nothing_on([Column::Id])
            .exec_without_returning(self.0)
            .await?;
        Ok(())
    }

    /// Records whether a server has the database open.
    pub async fn set_open(&self, is_open: bool) -> Result<(), StoreError> {
        let done = Entity::update_many()
            .col_expr(Column::IsOpen, Expr::value(is_open))
            .filter(Column::Id.eq(ONLY))
            .exec(self.0)
            .await?;
        page::met_its_row(&done)
    }

    /// Inserts a row and deletes it again: the transaction changes nothing, and its commit has to write. An update
    /// to the same values would not do: SQLite leaves pages alone that stay the same.
    ///
    /// Of two transactions with the same `number`, one waits for the other.
    pub async fn try_write(&self, number: u32) -> Result<(), StoreError> {
        // Negative, and therefore never the one row.
        let id = -1 - i64::from(number);
        let row = Model { id, installation_id: Uuid::nil(), is_open: false };
        Entity::insert(row.into_active_model()).exec_without_returning(self.0).await?;
        Entity::delete_by_id(id).exec(self.0).await?;
        Ok(())
    }

    /// A number that grows with every audit entry and every batch of counted calls, and never goes back.
    /// A database with a smaller one than was seen before has lost something.
    pub async fn progress_unscoped(&self) -> Result<u64, StoreError> {
        let sum = "SELECT CAST((SELECT COALESCE(SUM(sequence), 0) FROM audit_chains) \
                   + (SELECT COALESCE(SUM(position), 0) FROM journal_positions) AS BIGINT) AS progress";
        let statement = Statement::from_string(self.0.get_database_backend(), sum);
        let row = self.0.query_one_raw(statement).await?;
        let unreadable = || Row { table: "audit_chains", id: Uuid::nil() };
        let row = unreadable().some(row)?;
        Ok(unsigned(row.try_get("", "progress")?))
    }
}
