//! How entries leave the log: the oldest of a chain, for their age, and the head says so.

use std::collections::BTreeSet;

use claviger_domain::Timestamp;
use claviger_domain::audit::{AuditKeys, ChainId, End, Walk};
use claviger_domain::ids::AuditEntryId;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use super::row::{Column, Entity};
use super::{AuditLog, ChainPlace, head};
use crate::value::signed;
use crate::{StoreError, page};

impl<C: ConnectionTrait> AuditLog<'_, C> {
    /// Chains among the `most` oldest entries older than `before`, behind the entry `after`, and the last of
    /// these entries; `None` when there is none.
    pub async fn old_chains_unscoped(
        &self,
        before: Timestamp,
        after: Option<AuditEntryId>,
        most: u64,
    ) -> Result<Option<(BTreeSet<ChainId>, AuditEntryId)>, StoreError> {
        let mut query = Entity::find().filter(Column::Id.lt(AuditEntryId::least_of(before).uuid()));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.uuid()));
        }
        let rows: Vec<(Uuid, Uuid)> = query
            .select_only()
            .columns([Column::Id, Column::ChainId])
            .order_by_asc(Column::Id)
            .limit(page::at_most(most))
            .into_tuple()
            .all(self.0)
            .await?;
        let last = rows.last().map(|(id, _)| AuditEntryId::from_uuid(*id));
        let chains = rows.into_iter().map(|(_, chain)| ChainId::from_uuid(chain)).collect();
        Ok(last.map(|last| (chains, last)))
    }

    /// Removes the oldest entries of a chain, at most `most`, up to the first that is not older than `before`:
    /// what remains has no hole. The head says how old the youngest of them is at `now`. Answers how many there were.
    ///
    /// Only what holds is removed: a chain that was tampered with keeps its traces.
    pub async fn prune(
        &self,
        keys: &AuditKeys,
        chain: ChainId,
        before: Timestamp,
        now: Timestamp,
        most: u64,
    ) -> Result<u64, StoreError> {
        let Some(sealed) = head::find_for_update(self.0, chain).await? else { return Ok(0) };
        let head = sealed.head;
        let place = ChainPlace::before(head.pruned_through + 1);
        let rows = self.of_chain(chain, Some(place), most).await?;
        let mut walk = Walk::whole(keys, &head, &[]);
        // Entries stand in the order of their commits, which is about that of their instants.
        let mut youngest = None;
        for row in rows {
            let Some(entry) = row.entry.as_ref().filter(|entry| entry.at < before) else { break };
            youngest = youngest.max(Some(entry.at));
            walk.take(row.id, &row.link, row.material());
        }
        let walked = walk.end(End::Open);
        if walked.broken.is_some() || (walked.held > 0 && keys.holds(&sealed) != Some(true)) {
            tracing::error!(%chain, "old entries of the audit log stay: `claviger audit verify` tells why");
            return Ok(0);
        }
        let Some(youngest) = youngest else { return Ok(0) };
        Entity::delete_many()
            .filter(Column::ChainId.eq(chain.uuid()))
            .filter(Column::Sequence.gt(signed(head.pruned_through)))
            .filter(Column::Sequence.lte(signed(walked.last)))
            .exec(self.0)
            .await?;
        let age = u64::try_from((now - youngest).num_seconds()).unwrap_or_default();
        let pruned = head.pruned(walked.last, walked.mac, age);
        head::put_all(self.0, &[keys.seal(pruned)]).await?;
        Ok(walked.held)
    }
}
