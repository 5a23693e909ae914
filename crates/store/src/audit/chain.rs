//! The log as chains, in the order of their entries: for verification and for exports, page by page.

use claviger_domain::Timestamp;
use claviger_domain::audit::{ChainId, Entry, Link, Mac, Material, SealedHead};
use claviger_domain::ids::AuditEntryId;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder, QuerySelect};

use super::row::{Column, Entity, Model};
use super::{AuditLog, head};
use crate::value::{stamp, unsigned};
use crate::{StoreError, page};

/// An entry at its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Chained {
    /// Its id.
    pub id: AuditEntryId,
    /// Its place, as the row says.
    pub link: Link,
    /// The entry; `None` when no entry was ever written as this row is.
    pub entry: Option<Entry>,
    place: ChainPlace,
}

/// Up to where a chain was read. Numbers are those of the rows: others than ours may have written them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainPlace(i64, Uuid);

impl ChainPlace {
    /// Before the entry of this number.
    #[must_use]
    pub fn before(sequence: u64) -> Self {
        Self(crate::value::signed(sequence), Uuid::nil())
    }
}

impl Chained {
    /// Where reading goes on behind it.
    #[must_use]
    pub fn place(&self) -> ChainPlace {
        self.place
    }

    /// For a walk along the chain.
    #[must_use]
    pub fn material(&self) -> Material<'_> {
        self.entry.as_ref().map_or(Material::Unreadable, Material::Entry)
    }
}

impl From<Model> for Chained {
    fn from(model: Model) -> Self {
        let id = AuditEntryId::from_uuid(model.id);
        let place = ChainPlace(model.sequence, model.id);
        let link = Link {
            chain: ChainId::from_uuid(model.chain_id),
            sequence: unsigned(model.sequence),
            pepper: u32::try_from(model.pepper).unwrap_or_default(),
            mac: <[u8; 32]>::try_from(model.mac.as_slice()).map_or(Mac::NONE, Mac::from_bytes),
        };
        let entry = Entry::try_from(model.clone()).ok().filter(|entry| {
            // Also the columns that are there for lists alone say what the entry says.
            ChainId::from(entry.organization) == link.chain && Model::new(entry, &link) == model
        });
        Self { id, link, entry, place }
    }
}

impl<C: ConnectionTrait> AuditLog<'_, C> {
    /// The chain after this one, or the first: one that has entries, or a head.
    pub async fn chain_after_unscoped(&self, after: Option<ChainId>) -> Result<Option<ChainId>, StoreError> {
        let mut of_entries = Entity::find().select_only().column(Column::ChainId);
        let mut of_heads = head::Entity::find().select_only().column(head::Column::ChainId);
        if let Some(after) = after {
            of_entries = of_entries.filter(Column::ChainId.gt(after.uuid()));
            of_heads = of_heads.filter(head::Column::ChainId.gt(after.uuid()));
        }
        let of_entries: Option<Uuid> =
            of_entries.order_by_asc(Column::ChainId).limit(1).into_tuple().one(self.0).await?;
        let of_heads: Option<Uuid> =
            of_heads.order_by_asc(head::Column::ChainId).limit(1).into_tuple().one(self.0).await?;
        Ok(of_entries.into_iter().chain(of_heads).min().map(ChainId::from_uuid))
    }

    /// The chain's head; `None` when it has none.
    pub async fn head(&self, chain: ChainId) -> Result<Option<SealedHead>, StoreError> {
        head::find(self.0, chain).await
    }

    /// At most `most` entries of a chain behind a place, by their numbers; from the very first row without
    /// a place.
    pub async fn of_chain(
        &self,
        chain: ChainId,
        after: Option<ChainPlace>,
        most: u64,
    ) -> Result<Vec<Chained>, StoreError> {
        let mut query = Entity::find().filter(Column::ChainId.eq(chain.uuid()));
        if let Some(ChainPlace(sequence, id)) = after {
            // Two of one number cannot be, unless somebody has seen to it: then both are shown.
            let behind = Condition::any().add(Column::Sequence.gt(sequence)).add(Column::Id.gt(id));
            query = query.filter(Column::Sequence.gte(sequence)).filter(behind);
        }
        let rows = query
            .order_by_asc(Column::Sequence)
            .order_by_asc(Column::Id)
            .limit(page::at_most(most))
            .all(self.0)
            .await?;
        Ok(rows.into_iter().map(Chained::from).collect())
    }

    /// The number of the first entry of a chain that is not older than `from`. Entries are in the order in
    /// which they were committed, which is about that of their instants: later ones may be older.
    pub async fn first_since(&self, chain: ChainId, from: Timestamp) -> Result<Option<u64>, StoreError> {
        let query = Entity::find().filter(Column::At.gte(stamp(from))).order_by_asc(Column::Sequence);
        self.number_of(query, chain).await
    }

    /// The number of the last entry of a chain that is not newer than `until`.
    pub async fn last_until(&self, chain: ChainId, until: Timestamp) -> Result<Option<u64>, StoreError> {
        let query = Entity::find().filter(Column::At.lte(stamp(until))).order_by_desc(Column::Sequence);
        self.number_of(query, chain).await
    }

    async fn number_of(
        &self,
        query: sea_orm::Select<Entity>,
        chain: ChainId,
    ) -> Result<Option<u64>, StoreError> {
        let found: Option<i64> = query
            .select_only()
            .column(Column::Sequence)
            .filter(Column::ChainId.eq(chain.uuid()))
            .limit(1)
            .into_tuple()
            .one(self.0)
            .await?;
        Ok(found.map(unsigned))
    }
}
