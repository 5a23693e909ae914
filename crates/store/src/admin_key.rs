//! The table of admin keys.

use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::capability::{Capability, CapabilitySet};
use claviger_domain::ids::{AdminKeyId, OrganizationId};
use claviger_domain::organization::Organization;
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::Revision;
use claviger_domain::secret::{Digest, KeyPrefix, SealedSecret};
use claviger_domain::text::Name;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockType};
use sea_orm::{ActiveValue, Condition, IntoActiveModel, QuerySelect};

use crate::owned::owned;
use crate::value::{Row, blob, signed, stamp, unsigned};
use crate::{StoreError, organization, page};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "admin_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub organization_id: Uuid,
        pub name: Option<String>,
        pub permissions: String,
        pub digest: Vec<u8>,
        pub pepper: i64,
        pub prefix: String,
        pub created_at: i64,
        pub updated_at: Option<i64>,
        pub expires_at: Option<i64>,
        pub last_used_at: Option<i64>,
        pub revoked_at: Option<i64>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::organization::row::Entity",
            from = "Column::OrganizationId",
            to = "crate::organization::row::Column::Id"
        )]
        Organization,
    }

    impl Related<crate::organization::row::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Organization.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

impl TryFrom<Model> for AdminKey {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model {
            id,
            organization_id,
            name,
            permissions,
            digest: _,
            pepper: _,
            prefix,
            created_at,
            updated_at,
            expires_at,
            last_used_at,
            revoked_at,
            revision,
        } = model;
        let row = Row { table: "admin_keys", id };
        let permissions: Option<CapabilitySet> =
            permissions.split_ascii_whitespace().map(Capability::of_partner_word).collect();
        Ok(Self {
            id: AdminKeyId::from_uuid(id),
            organization: OrganizationId::from_uuid(organization_id),
            name: name.map(Name::from_stored),
            permissions: row.some(permissions)?,
            prefix: KeyPrefix::from_stored(prefix),
            created_at: row.instant(created_at)?,
            updated_at: row.instant_or_none(updated_at)?,
            expires_at: row.instant_or_none(expires_at)?,
            last_used_at: row.instant_or_none(last_used_at)?,
            revoked_at: row.instant_or_none(revoked_at)?,
            revision: Revision::from_stored(unsigned(revision)),
        })
    }
}

fn model(key: &AdminKey, sealed: &SealedSecret) -> Model {
    let AdminKey {
        id,
        organization,
        name,
        permissions,
        prefix,
        created_at,
        updated_at,
        expires_at,
        last_used_at,
        revoked_at,
        revision,
    } = key;
    Model {
        id: id.uuid(),
        organization_id: organization.uuid(),
        name: name.as_ref().map(ToString::to_string),
        permissions: permissions.words().join(" "),
        digest: blob(&sealed.digest),
        pepper: i64::from(sealed.pepper),
        prefix: prefix.as_str().to_owned(),
        created_at: stamp(*created_at),
        updated_at: updated_at.map(stamp),
        expires_at: expires_at.map(stamp),
        last_used_at: last_used_at.map(stamp),
        revoked_at: revoked_at.map(stamp),
        revision: signed(revision.number()),
    }
}

/// The queries on admin keys. An admin key owns itself: as an owner, it finds no other.
#[derive(Debug)]
pub struct AdminKeys<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> AdminKeys<'_, C> {
    /// Whether an organization has an admin key that is not revoked and has not expired at `now`.
    pub async fn has_live(&self, owner: OrganizationId, now: Timestamp) -> Result<bool, StoreError> {
        let live = Entity::find()
            .filter(Column::OrganizationId.eq(owner.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(stamp(now))));
        Ok(live.one(self.0).await?.is_some())
    }

    /// How many keys of the organization are not revoked.
    pub async fn count_live(&self, organization: OrganizationId) -> Result<u64, StoreError> {
        let live = Entity::find()
            .filter(Column::OrganizationId.eq(organization.uuid()))
            .filter(Column::RevokedAt.is_null());
        Ok(live.count(self.0).await?)
    }

    /// Adds a key, with what is kept of its text.
    pub async fn insert(&self, key: &AdminKey, sealed: &SealedSecret) -> Result<(), StoreError> {
        Entity::insert(model(key, sealed).into_active_model()).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// The key with one of these digests and its organization, whatever their states; `None` when no key
    /// has one.
    pub async fn find_by_digest_unscoped(
        &self,
        digests: &[Digest],
    ) -> Result<Option<(AdminKey, Organization)>, StoreError> {
        let query = Entity::find().filter(Column::Digest.is_in(digests.iter().map(blob)));
        self.with_organization(query).await
    }

    /// The key of this id and its organization, whatever their states; `None` when there is no such key.
    pub async fn find_unscoped(
        &self,
        id: AdminKeyId,
    ) -> Result<Option<(AdminKey, Organization)>, StoreError> {
        self.with_organization(Entity::find_by_id(id.uuid())).await
    }

    /// In one statement: every call asks this, and every change once more.
    async fn with_organization(
        &self,
        query: Select<Entity>,
    ) -> Result<Option<(AdminKey, Organization)>, StoreError> {
        match query.find_also_related(organization::row::Entity).one(self.0).await? {
            Some((key, Some(organization))) => Ok(Some((key.try_into()?, organization.try_into()?))),
            // The schema's reference forbids a key without its organization.
            Some((key, None)) => Err(Row { table: "admin_keys", id: key.id }.corrupt()),
            None => Ok(None),
        }
    }

    /// The key of this id, whatever its state; `None` when the owner has no such key.
    pub async fn find(&self, owner: Owner, id: AdminKeyId) -> Result<Option<AdminKey>, StoreError> {
        self.one(owner, id, false).await
    }

    /// As [`Self::find`], and holds the row until the transaction ends.
    pub async fn find_for_update(
        &self,
        owner: Owner,
        id: AdminKeyId,
    ) -> Result<Option<AdminKey>, StoreError> {
        self.one(owner, id, true).await
    }

    async fn one(&self, owner: Owner, id: AdminKeyId, lock: bool) -> Result<Option<AdminKey>, StoreError> {
        let query = Entity::find_by_id(id.uuid()).filter(owned(owner, Column::OrganizationId, Column::Id));
        let query = if lock { query.lock(LockType::NoKeyUpdate) } else { query };
        query.one(self.0).await?.map(AdminKey::try_from).transpose()
    }

    /// The owner's keys, newest first; revoked ones only when asked for, expired ones always.
    pub async fn list(
        &self,
        owner: Owner,
        include_revoked: bool,
        window: Window,
    ) -> Result<Slice<AdminKey>, StoreError> {
        let mut query = Entity::find().filter(owned(owner, Column::OrganizationId, Column::Id));
        if !include_revoked {
            query = query.filter(Column::RevokedAt.is_null());
        }
        let total = query.clone().count(self.0).await?;
        page::newest_first(self.0, query, Column::Id, total, window).await
    }

    /// Writes the state of a key that is in the revision before; [`StoreError::Overtaken`] when it is in
    /// another. Its secret never changes, and when it
    /// was used last is not part of that state.
    pub async fn save(&self, key: &AdminKey) -> Result<(), StoreError> {
        let nothing = SealedSecret { digest: Digest::from_bytes([0; 32]), pepper: 0 };
        let mut row = model(key, &nothing).into_active_model().reset_all();
        row.digest = ActiveValue::NotSet;
        row.pepper = ActiveValue::NotSet;
        row.last_used_at = ActiveValue::NotSet;
        let done = Entity::update_many()
            .set(row)
            .filter(Column::Id.eq(key.id.uuid()))
            .filter(Column::Revision.eq(signed(key.revision.number()) - 1))
            .exec(self.0)
            .await?;
        page::met_its_row(&done)
    }

    /// Notes when a key was used last; the note never moves back. An unknown id is passed over.
    pub async fn touch_unscoped(&self, id: AdminKeyId, used_at: Timestamp) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(stamp(used_at)))
            .filter(Column::Id.eq(id.uuid()))
            .filter(
                Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(stamp(used_at))),
            )
            .exec(self.0)
            .await?;
        Ok(())
    }
}
