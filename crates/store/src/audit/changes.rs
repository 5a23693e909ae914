//! The audit log as a feed of changes: whoever keeps a copy of the tables learns from it what to read
//! anew.

use claviger_domain::Timestamp;
use claviger_domain::audit::Resource;
use claviger_domain::ids::AuditEntryId;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use super::AuditLog;
use super::row::{Column, Entity};
use crate::value::Row;
use crate::{StoreError, page};

/// That something was changed, and which line tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The line.
    pub entry: AuditEntryId,
    /// When it was.
    pub at: Timestamp,
    /// What kind of thing was changed; `None` of a kind that a newer build knows.
    pub resource: Option<Resource>,
    /// The thing's id.
    pub target: Uuid,
}

impl<C: ConnectionTrait> AuditLog<'_, C> {
    /// At most `most` changes that are told of after the line `after`, by id; those of nothing in
    /// particular are left out.
    ///
    /// Ids are in the order of making, not of committing: where several transactions write at once, as on
    /// PostgreSQL, a line may appear after one with a larger id was read. Who must miss none goes some
    /// seconds back.
    pub async fn changes_after_unscoped(
        &self,
        after: AuditEntryId,
        most: u64,
    ) -> Result<Vec<Change>, StoreError> {
        let rows: Vec<(Uuid, i64, Option<String>, Uuid)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::At, Column::TargetType, Column::TargetId])
            .filter(Column::IsChange.eq(true))
            .filter(Column::Id.gt(after.uuid()))
            .filter(Column::TargetId.is_not_null())
            .order_by_asc(Column::Id)
            .limit(page::at_most(most))
            .into_tuple()
            .all(self.0)
            .await?;
        rows.into_iter()
            .map(|(id, at, resource, target)| {
                let row = Row { table: "audit_log", id };
                let resource = resource.as_deref().and_then(Resource::of_word);
                Ok(Change { entry: AuditEntryId::from_uuid(id), at: row.instant(at)?, resource, target })
            })
            .collect()
    }
}
