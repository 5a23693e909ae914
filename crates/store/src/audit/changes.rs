//! The audit log as a change feed: a process that keeps a copy of the tables learns from it what to reload.
//!
//! Entries are numbered by `revision` when they are inserted. On SQLite, which has one writer, that is the order
//! of commits. On PostgreSQL an entry with a lower revision may become visible later than one with a higher
//! revision; [`Store::oldest_running_transaction`](crate::Store::oldest_running_transaction)
//! tells when that can no longer happen. No clock is involved.

use claviger_domain::audit::Resource;
use claviger_domain::ids::AuditEntryId;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Expr};
use sea_orm::{ExprTrait, Order, QueryOrder, QuerySelect};

use super::AuditLog;
use super::row::{Column, Entity};
use crate::value::Row;
use crate::{StoreError, page};

/// One entry of the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Position in the feed, in the order of insertion.
    pub revision: i64,
    /// The audit entry.
    pub entry: AuditEntryId,
    /// What was changed; `None` when the entry records a read or a refusal, or has no target.
    pub changed: Option<Changed>,
}

/// The thing that a change was made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Its kind; `None` for a kind that only a newer build knows.
    pub resource: Option<Resource>,
    /// Its id.
    pub target: Uuid,
}

type FeedRow = (i64, Uuid, bool, Option<String>, Option<Uuid>);

fn revision() -> Expr {
    Expr::col(Alias::new("revision"))
}

impl<C: ConnectionTrait> AuditLog<'_, C> {
    /// At most `limit` entries with a revision above `after`, in the order of revisions.
    pub async fn changes_after_unscoped(&self, after: i64, limit: u64) -> Result<Vec<Change>, StoreError> {
        let rows: Vec<FeedRow> = Entity::find()
            .select_only()
            .column_as(revision(), "revision")
            .columns([Column::Id, Column::IsChange, Column::TargetType, Column::TargetId])
            .filter(revision().gt(after))
            .order_by(revision(), Order::Asc)
            .limit(page::at_most(limit))
            .into_tuple()
            .all(self.0)
            .await?;
        rows.into_iter()
            .map(|(revision, id, is_change, resource, target)| {
                let row = Row { table: "audit_log", id };
                if revision <= after {
                    return Err(row.corrupt());
                }
                let changed = target.filter(|_| is_change).map(|target| {
                    let resource = resource.as_deref().and_then(Resource::of_word);
                    Changed { resource, target }
                });
                Ok(Change { revision, entry: AuditEntryId::from_uuid(id), changed })
            })
            .collect()
    }

    /// The highest revision that can be seen; 0 for an empty log.
    pub async fn last_revision_unscoped(&self) -> Result<i64, StoreError> {
        let last: Option<i64> = Entity::find()
            .select_only()
            .column_as(revision(), "revision")
            .order_by(revision(), Order::Desc)
            .limit(1)
            .into_tuple()
            .one(self.0)
            .await?;
        Ok(last.unwrap_or_default())
    }
}
