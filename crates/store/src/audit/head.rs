//! The table of chains' heads: where each chain of the log ends, and up to where it was pruned.

use claviger_domain::audit::{ChainId, Head, Mac, SealedHead};
use claviger_domain::secret::PepperVersion;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::StoreError;
use crate::page::{AT_ONCE, at_most};
use crate::value::{signed, unsigned};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_chains")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub chain_id: Uuid,
        pub sequence: i64,
        pub mac: Vec<u8>,
        pub pruned_through: i64,
        pub pruned_mac: Vec<u8>,
        pub pruned_from_age_s: Option<i64>,
        pub pepper: i64,
        pub seal: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::Model;
pub(crate) use row::{Column, Entity};

/// Damage is no error here: what cannot be read was not sealed so.
impl From<Model> for SealedHead {
    fn from(model: Model) -> Self {
        let Model { chain_id, sequence, mac, pruned_through, pruned_mac, pruned_from_age_s, pepper, seal } =
            model;
        let [mac, pruned_mac, seal] =
            [mac, pruned_mac, seal].map(|mac| <[u8; 32]>::try_from(mac).ok().map(Mac::from_bytes));
        let pepper = u32::try_from(pepper).ok();
        let readable = mac.is_some() && pruned_mac.is_some() && sequence >= 0 && pruned_through >= 0;
        Self {
            head: Head {
                chain: ChainId::from_uuid(chain_id),
                sequence: unsigned(sequence),
                mac: mac.unwrap_or(Mac::NONE),
                pruned_through: unsigned(pruned_through),
                pruned_mac: pruned_mac.unwrap_or(Mac::NONE),
                pruned_from_age: pruned_from_age_s.map(unsigned),
            },
            pepper: pepper.unwrap_or_default(),
            seal: seal.filter(|_| readable && pepper.is_some()),
        }
    }
}

impl From<&SealedHead> for Model {
    fn from(sealed: &SealedHead) -> Self {
        let SealedHead { head, pepper, seal } = sealed;
        let Head { chain, sequence, mac, pruned_through, pruned_mac, pruned_from_age } = head;
        Self {
            chain_id: chain.uuid(),
            sequence: signed(*sequence),
            mac: mac.as_bytes().to_vec(),
            pruned_through: signed(*pruned_through),
            pruned_mac: pruned_mac.as_bytes().to_vec(),
            pruned_from_age_s: pruned_from_age.map(signed),
            pepper: i64::from(*pepper),
            seal: seal.map(|seal| seal.as_bytes().to_vec()).unwrap_or_default(),
        }
    }
}

/// A chain's head; `None` when the chain has none.
pub(super) async fn find<C: ConnectionTrait>(
    connection: &C,
    chain: ChainId,
) -> Result<Option<SealedHead>, StoreError> {
    Ok(Entity::find_by_id(chain.uuid()).one(connection).await?.map(SealedHead::from))
}

/// As [`find`], and nobody else may add to the chain before this transaction ends.
pub(super) async fn find_for_update<C: ConnectionTrait>(
    connection: &C,
    chain: ChainId,
) -> Result<Option<SealedHead>, StoreError> {
    let found = Entity::find_by_id(chain.uuid()).lock_exclusive().one(connection).await?;
    Ok(found.map(SealedHead::from))
}

/// The heads of these chains, made where there was none: nobody else may add to them before this
/// transaction ends.
///
/// The chains are in one order, that of their ids, and what is made is made in the same statement as what is
/// there is locked: two transactions with several chains cannot wait for each other.
pub(super) async fn lock_all<C: ConnectionTrait>(
    connection: &C,
    chains: impl Iterator<Item = ChainId>,
) -> Result<Vec<SealedHead>, StoreError> {
    let new = |chain| SealedHead { head: Head::new(chain), pepper: 0, seal: None };
    let rows: Vec<_> = chains.map(|chain| Model::from(&new(chain))).collect();
    let mut heads = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(AT_ONCE) {
        // Nothing is changed by it, but it locks the row, and answers what others have just committed.
        let mut lock = OnConflict::column(Column::ChainId);
        lock.value(Column::Sequence, Expr::col((Entity, Column::Sequence)));
        let locked = Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(lock)
            .exec_with_returning(connection)
            .await?;
        heads.extend(locked.into_iter().map(SealedHead::from));
    }
    Ok(heads)
}

/// At most `most` heads that were sealed under these peppers, in the order of their chains; nobody else may
/// add to the chains before this transaction ends.
pub(super) async fn under_for_update<C: ConnectionTrait>(
    connection: &C,
    peppers: impl Iterator<Item = PepperVersion>,
    most: u64,
) -> Result<Vec<SealedHead>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Pepper.is_in(peppers.map(i64::from)))
        .order_by_asc(Column::ChainId)
        .limit(at_most(most))
        .lock_exclusive()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(SealedHead::from).collect())
}

/// Writes heads that were locked.
pub(super) async fn put_all<C: ConnectionTrait>(
    connection: &C,
    heads: &[SealedHead],
) -> Result<(), StoreError> {
    use Column::{ChainId, Mac, Pepper, PrunedFromAgeS, PrunedMac, PrunedThrough, Seal, Sequence};
    for chunk in heads.chunks(AT_ONCE) {
        let mut update = OnConflict::column(ChainId);
        update.update_columns([Sequence, Mac, PrunedThrough, PrunedMac, PrunedFromAgeS, Pepper, Seal]);
        Entity::insert_many(chunk.iter().map(|head| Model::from(head).into_active_model()))
            .on_conflict(update)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}
