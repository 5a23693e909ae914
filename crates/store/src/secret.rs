//! The table of secrets: the versions each credential has had.

use claviger_domain::Timestamp;
use claviger_domain::ids::{CredentialId, SecretId};
use claviger_domain::secret::{Digest, SecretVersion};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect};

use crate::value::{Row, blob, stamp};
use crate::{StoreError, page};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "secrets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub credential_id: Uuid,
        pub number: i64,
        pub digest: Vec<u8>,
        pub pepper: i64,
        pub created_at: i64,
        pub ends_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::credential::row::Entity",
            from = "Column::CredentialId",
            to = "crate::credential::row::Column::Id"
        )]
        Credential,
    }

    impl Related<crate::credential::row::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Credential.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

impl TryFrom<Model> for SecretVersion {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model { id, credential_id: _, number, digest, pepper, created_at, ends_at } = model;
        let row = Row { table: "secrets", id };
        Ok(Self {
            id: SecretId::from_uuid(id),
            number: row.number(number)?,
            sealed: row.sealed(&digest, pepper)?,
            created_at: row.instant(created_at)?,
            ends_at: row.instant_or_none(ends_at)?,
        })
    }
}

/// Secrets are reached through a credential that was found with its owner, or by the key itself.
#[derive(Debug)]
pub struct Secrets<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> Secrets<'_, C> {
    /// Adds a version to a credential. Its number and its digest must be new.
    pub async fn insert(&self, credential: CredentialId, secret: &SecretVersion) -> Result<(), StoreError> {
        let SecretVersion { id, number, sealed, created_at, ends_at } = secret;
        let row = Model {
            id: id.uuid(),
            credential_id: credential.uuid(),
            number: i64::from(*number),
            digest: blob(&sealed.digest),
            pepper: i64::from(sealed.pepper),
            created_at: stamp(*created_at),
            ends_at: ends_at.map(stamp),
        };
        Entity::insert(row.into_active_model()).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// The secret with one of these digests, ended or not, and whose it is; `None` when none has one.
    pub async fn find_unscoped(
        &self,
        digests: &[Digest],
    ) -> Result<Option<(CredentialId, SecretVersion)>, StoreError> {
        let row = Entity::find().filter(Column::Digest.is_in(digests.iter().map(blob))).one(self.0).await?;
        row.map(|row| Ok((CredentialId::from_uuid(row.credential_id), row.try_into()?))).transpose()
    }

    /// This version of a credential.
    pub async fn find(
        &self,
        credential: CredentialId,
        number: u32,
    ) -> Result<Option<SecretVersion>, StoreError> {
        let row = Entity::find()
            .filter(Column::CredentialId.eq(credential.uuid()))
            .filter(Column::Number.eq(i64::from(number)))
            .one(self.0)
            .await?;
        row.map(SecretVersion::try_from).transpose()
    }

    /// The highest version number of a credential; 0 when it has no secret.
    pub async fn newest_number_of(&self, credential: CredentialId) -> Result<u32, StoreError> {
        let newest: Option<i64> = Entity::find()
            .select_only()
            .column(Column::Number)
            .filter(Column::CredentialId.eq(credential.uuid()))
            .order_by_desc(Column::Number)
            .into_tuple()
            .one(self.0)
            .await?;
        Ok(newest.map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// Every version of a credential, newest first.
    pub async fn versions_of(&self, credential: CredentialId) -> Result<Vec<SecretVersion>, StoreError> {
        let rows = Entity::find()
            .filter(Column::CredentialId.eq(credential.uuid()))
            .order_by_desc(Column::Number)
            .all(self.0)
            .await?;
        rows.into_iter().map(SecretVersion::try_from).collect()
    }

    /// Forgets the versions of a credential up to this one: their keys are unknown from then on.
    pub async fn delete_through(&self, credential: CredentialId, number: u32) -> Result<(), StoreError> {
        Entity::delete_many()
            .filter(Column::CredentialId.eq(credential.uuid()))
            .filter(Column::Number.lte(i64::from(number)))
            .exec(self.0)
            .await?;
        Ok(())
    }

    /// Every version of these credentials, ended or not, and whose each is, in no order.
    pub async fn of_many(
        &self,
        credentials: &[CredentialId],
    ) -> Result<Vec<(CredentialId, SecretVersion)>, StoreError> {
        let holders = credentials.iter().map(|credential| credential.uuid());
        let rows = page::of_ids(self.0, Entity::find(), Column::CredentialId, holders).await?;
        rows.into_iter()
            .map(|row| Ok((CredentialId::from_uuid(row.credential_id), row.try_into()?)))
            .collect()
    }

    /// Gives every version of a credential that would live longer an end at `end`; the others keep theirs.
    pub async fn end_all_of(&self, credential: CredentialId, end: Timestamp) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::EndsAt, Expr::value(stamp(end)))
            .filter(Column::CredentialId.eq(credential.uuid()))
            .filter(Condition::any().add(Column::EndsAt.is_null()).add(Column::EndsAt.gt(stamp(end))))
            .exec(self.0)
            .await?;
        Ok(())
    }
}
