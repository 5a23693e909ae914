//! The table of journal positions: up to where each lane of an engine's journal has been moved into the
//! database, written in the transaction that moves it, so that no call is moved twice.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, CaseStatement, ExprTrait, OnConflict};
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::StoreError;
use crate::value::{Row, signed};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "journal_positions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub journal_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub lane: i64,
        pub position: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// Journals belong to the installation: no query here has an owner to ask for.
#[derive(Debug)]
pub struct JournalPositions<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> JournalPositions<'_, C> {
    /// The position of each lane of a journal, by lane; a lane of which nothing was moved has none.
    pub async fn of(&self, journal: Uuid) -> Result<Vec<(u32, u64)>, StoreError> {
        let rows = Entity::find()
            .filter(Column::JournalId.eq(journal))
            .order_by_asc(Column::Lane)
            .all(self.0)
            .await?;
        rows.into_iter()
            .map(|Model { journal_id, lane, position }| {
                let row = Row { table: "journal_positions", id: journal_id };
                Ok((row.number(lane)?, row.number(position)?))
            })
            .collect()
    }

    /// Writes the positions of some lanes of a journal. None goes back: where the database is further
    /// already, it stays there.
    pub async fn put(&self, journal: Uuid, positions: &[(u32, u64)]) -> Result<(), StoreError> {
        // One row for each lane: PostgreSQL takes no row twice in one statement.
        let mut furthest = BTreeMap::<u32, u64>::new();
        for (lane, position) in positions {
            let known = furthest.entry(*lane).or_default();
            *known = Ord::max(*known, *position);
        }
        if furthest.is_empty() {
            return Ok(());
        }
        let rows = furthest.into_iter().map(|(lane, position)| Model {
            journal_id: journal,
            lane: i64::from(lane),
            position: signed(position),
        });
        let given = Expr::col((Alias::new("excluded"), Column::Position));
        let kept = Expr::col((Entity, Column::Position));
        let further = CaseStatement::new().case(given.clone().gt(kept.clone()), given).finally(kept);
        let mut advance = OnConflict::columns([Column::JournalId, Column::Lane]);
        advance.value(Column::Position, further);
        Entity::insert_many(rows.map(IntoActiveModel::into_active_model))
            .on_conflict(advance)
            .exec_without_returning(self.0)
            .await?;
        Ok(())
    }
}
