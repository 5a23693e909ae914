//! The table of usage reports that were counted: by their ids, which the reporters choose, a report that
//! comes again is known and not counted again. Of an id only a digest is kept.

use std::collections::BTreeMap;

use claviger_domain::Timestamp;
use claviger_domain::ids::OrganizationId;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{Condition, IntoActiveModel, Order};

use crate::StoreError;
use crate::page::{AT_ONCE, at_most};
use crate::value::{Row, stamp};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_reports")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub organization_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id_digest: Vec<u8>,
        pub fingerprint: Vec<u8>,
        pub received_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// Whose report it is, and a digest of the id the reporter gave it.
pub type ReportId = (OrganizationId, [u8; 32]);

/// The queries on usage reports, which belong to their organizations: the id names the owner.
#[derive(Debug)]
pub struct UsageReports<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> UsageReports<'_, C> {
    /// The fingerprints of those of these reports that were counted, in no order.
    pub async fn fingerprints_of(
        &self,
        reports: &[ReportId],
    ) -> Result<Vec<(ReportId, [u8; 32])>, StoreError> {
        let mut fingerprints = Vec::new();
        for chunk in reports.chunks(AT_ONCE) {
            let mut digests = BTreeMap::<OrganizationId, Vec<Vec<u8>>>::new();
            for (organization, digest) in chunk {
                digests.entry(*organization).or_default().push(digest.to_vec());
            }
            let any = digests.into_iter().fold(Condition::any(), |any, (organization, digests)| {
                let of_organization = Condition::all().add(Column::OrganizationId.eq(organization.uuid()));
                any.add(of_organization.add(Column::IdDigest.is_in(digests)))
            });
            for row in Entity::find().filter(any).all(self.0).await? {
                fingerprints.push(read(row)?);
            }
        }
        Ok(fingerprints)
    }

    /// Keeps the fingerprints of reports that were received at `at`; [`StoreError::Conflict`] when one of
    /// them is kept already, or is among them twice.
    pub async fn insert_many(
        &self,
        reports: &[(ReportId, [u8; 32])],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for chunk in reports.chunks(AT_ONCE) {
            let rows = chunk.iter().map(|((organization, digest), fingerprint)| Model {
                organization_id: organization.uuid(),
                id_digest: digest.to_vec(),
                fingerprint: fingerprint.to_vec(),
                received_at: stamp(at),
            });
            Entity::insert_many(rows.map(IntoActiveModel::into_active_model))
                .exec_without_returning(self.0)
                .await?;
        }
        Ok(())
    }

    /// Forgets reports received before `before`, the oldest first and at most `most` of them; answers how
    /// many there were.
    pub async fn delete_older_unscoped(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        let key = [Column::OrganizationId, Column::IdDigest];
        let oldest = Query::select()
            .columns(key)
            .from(Entity)
            .and_where(Column::ReceivedAt.lt(stamp(before)))
            .order_by(Column::ReceivedAt, Order::Asc)
            .limit(at_most(most))
            .take();
        let done = Entity::delete_many()
            .filter(Expr::tuple(key.map(Expr::col)).in_subquery(oldest))
            .exec(self.0)
            .await?;
        Ok(done.rows_affected)
    }
}

fn read(row: Model) -> Result<(ReportId, [u8; 32]), StoreError> {
    let Model { organization_id, id_digest, fingerprint, received_at: _ } = row;
    let row = Row { table: "usage_reports", id: organization_id };
    let bytes = |bytes: Vec<u8>| bytes.try_into().map_err(|_| row.corrupt());
    Ok(((OrganizationId::from_uuid(organization_id), bytes(id_digest)?), bytes(fingerprint)?))
}
