//! The table of the roles organizations made themselves.

use claviger_domain::ids::{OrganizationId, RoleId};
use claviger_domain::revision::Revision;
use claviger_domain::role::Role;
use claviger_domain::text::{Description, Name};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::value::{Row, signed, stamp, unsigned};
use crate::{StoreError, page};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "roles")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub organization_id: Uuid,
        pub name: String,
        /// Without its case: unique in an organization.
        pub name_key: String,
        pub description: Option<String>,
        pub permissions: String,
        pub created_at: i64,
        pub updated_at: Option<i64>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

impl TryFrom<Model> for Role {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model {
            id,
            organization_id,
            name,
            name_key: _,
            description,
            permissions,
            created_at,
            updated_at,
            revision,
        } = model;
        let row = Row { table: "roles", id };
        Ok(Self {
            id: RoleId::from_uuid(id),
            organization: OrganizationId::from_uuid(organization_id),
            name: Name::from_stored(name),
            description: description.map(Description::from_stored),
            permissions: row.parsed(&permissions)?,
            created_at: row.instant(created_at)?,
            updated_at: row.instant_or_none(updated_at)?,
            revision: Revision::from_stored(unsigned(revision)),
        })
    }
}

impl From<&Role> for Model {
    fn from(role: &Role) -> Self {
        let Role { id, organization, name, description, permissions, created_at, updated_at, revision } =
            role;
        Self {
            id: id.uuid(),
            organization_id: organization.uuid(),
            name: name.to_string(),
            name_key: name.as_str().to_lowercase(),
            description: description.as_ref().map(ToString::to_string),
            permissions: permissions.to_string(),
            created_at: stamp(*created_at),
            updated_at: updated_at.map(stamp),
            revision: signed(revision.number()),
        }
    }
}

/// The queries on roles. Their owners are organizations, and nobody else.
#[derive(Debug)]
pub struct Roles<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> Roles<'_, C> {
    /// Adds a role; [`StoreError::Conflict`] when its organization has another of this name.
    pub async fn insert(&self, role: &Role) -> Result<(), StoreError> {
        Entity::insert(Model::from(role).into_active_model()).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// The role of this id; `None` when the organization made no such role.
    pub async fn find(&self, owner: OrganizationId, id: RoleId) -> Result<Option<Role>, StoreError> {
        let found = Entity::find_by_id(id.uuid()).filter(Column::OrganizationId.eq(owner.uuid()));
        found.one(self.0).await?.map(Role::try_from).transpose()
    }

    /// As [`Self::find`], and holds the row until the transaction ends.
    pub async fn find_for_update(
        &self,
        owner: OrganizationId,
        id: RoleId,
    ) -> Result<Option<Role>, StoreError> {
        let found = Entity::find_by_id(id.uuid())
            .filter(Column::OrganizationId.eq(owner.uuid()))
            .lock(LockType::NoKeyUpdate);
        found.one(self.0).await?.map(Role::try_from).transpose()
    }

    /// As [`Self::find`], and keeps others from changing the row until the transaction ends.
    pub async fn find_to_refer_to(
        &self,
        owner: OrganizationId,
        id: RoleId,
    ) -> Result<Option<Role>, StoreError> {
        let found =
            Entity::find_by_id(id.uuid()).filter(Column::OrganizationId.eq(owner.uuid())).lock_shared();
        found.one(self.0).await?.map(Role::try_from).transpose()
    }

    /// The organization's role of this name, in any case.
    pub async fn find_by_name(&self, owner: OrganizationId, name: &Name) -> Result<Option<Role>, StoreError> {
        named(owner, name).one(self.0).await?.map(Role::try_from).transpose()
    }

    /// As [`Self::find_by_name`], and keeps others from changing the row until the transaction ends.
    pub async fn find_by_name_to_refer_to(
        &self,
        owner: OrganizationId,
        name: &Name,
    ) -> Result<Option<Role>, StoreError> {
        named(owner, name).lock_shared().one(self.0).await?.map(Role::try_from).transpose()
    }

    /// Every role the organization made, by name.
    pub async fn list(&self, owner: OrganizationId) -> Result<Vec<Role>, StoreError> {
        let roles = Entity::find()
            .filter(Column::OrganizationId.eq(owner.uuid()))
            .order_by_asc(Column::NameKey)
            .order_by_asc(Column::Id);
        roles.all(self.0).await?.into_iter().map(Role::try_from).collect()
    }

    /// How many roles the organization made.
    pub async fn count(&self, owner: OrganizationId) -> Result<u64, StoreError> {
        Ok(Entity::find().filter(Column::OrganizationId.eq(owner.uuid())).count(self.0).await?)
    }

    /// The roles of these ids, of whichever organization, in no order; unknown ids are left out.
    pub async fn find_many_unscoped(&self, ids: &[RoleId]) -> Result<Vec<Role>, StoreError> {
        let rows = page::of_ids(self.0, Entity::find(), Column::Id, ids.iter().map(|id| id.uuid())).await?;
        rows.into_iter().map(Role::try_from).collect()
    }

    /// Writes the state of a role that is in the revision before; [`StoreError::Overtaken`] when it is in
    /// another, [`StoreError::Conflict`] when its new name is another one's.
    pub async fn save(&self, role: &Role) -> Result<(), StoreError> {
        let done = Entity::update_many()
            .set(Model::from(role).into_active_model().reset_all())
            .filter(Column::Id.eq(role.id.uuid()))
            .filter(Column::Revision.eq(signed(role.revision.number()) - 1))
            .exec(self.0)
            .await?;
        page::met_its_row(&done)
    }

    /// Removes a role that was found with its owner.
    pub async fn delete(&self, id: RoleId) -> Result<(), StoreError> {
        Entity::delete_by_id(id.uuid()).exec(self.0).await?;
        Ok(())
    }
}

fn named(owner: OrganizationId, name: &Name) -> Select<Entity> {
    Entity::find()
        .filter(Column::OrganizationId.eq(owner.uuid()))
        .filter(Column::NameKey.eq(name.as_str().to_lowercase()))
}
