//! The table of user accounts.

use claviger_domain::account::{AccountStatus, UserAccount};
use claviger_domain::actor::Owner;
use claviger_domain::ids::{AdminKeyId, OrganizationId, RoleId, UserAccountId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::Revision;
use claviger_domain::role::RoleIds;
use claviger_domain::text::{BillingPlan, Email, ExternalId, Metadata, Name};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, SimpleExpr};
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect};

use crate::owned::owned;
use crate::value::{Row, signed, stamp, unsigned};
use crate::{StoreError, page, tally};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_accounts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub organization_id: Uuid,
        pub admin_key_id: Option<Uuid>,
        pub external_id: Option<String>,
        pub name: String,
        pub email: Option<String>,
        pub metadata: String,
        pub status: String,
        pub billing_plan: Option<String>,
        pub first_name: Option<String>,
        pub last_name: Option<String>,
        pub roles: String,
        pub created_at: i64,
        pub updated_at: Option<i64>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

impl TryFrom<Model> for UserAccount {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model {
            id,
            organization_id,
            admin_key_id,
            external_id,
            name,
            email,
            metadata,
            status,
            billing_plan,
            first_name,
            last_name,
            roles,
            created_at,
            updated_at,
            revision,
        } = model;
        let row = Row { table: "user_accounts", id };
        Ok(Self {
            id: UserAccountId::from_uuid(id),
            organization: OrganizationId::from_uuid(organization_id),
            admin_key: admin_key_id.map(AdminKeyId::from_uuid),
            external_id: external_id.map(ExternalId::from_stored),
            name: Name::from_stored(name),
            email: email.map(Email::from_stored),
            metadata: Metadata::from_stored(metadata),
            status: row.some(AccountStatus::from_stored(&status))?,
            billing_plan: billing_plan.map(BillingPlan::from_stored),
            first_name: first_name.map(Name::from_stored),
            last_name: last_name.map(Name::from_stored),
            roles: row.parsed(&roles)?,
            created_at: row.instant(created_at)?,
            updated_at: row.instant_or_none(updated_at)?,
            revision: Revision::from_stored(unsigned(revision)),
        })
    }
}

impl From<&UserAccount> for Model {
    fn from(account: &UserAccount) -> Self {
        let UserAccount {
            id,
            organization,
            admin_key,
            external_id,
            name,
            email,
            metadata,
            status,
            billing_plan,
            first_name,
            last_name,
            roles,
            created_at,
            updated_at,
            revision,
        } = account;
        Self {
            id: id.uuid(),
            organization_id: organization.uuid(),
            admin_key_id: admin_key.map(AdminKeyId::uuid),
            external_id: external_id.as_ref().map(ToString::to_string),
            name: name.to_string(),
            email: email.as_ref().map(ToString::to_string),
            metadata: metadata.to_string(),
            status: status.word().to_owned(),
            billing_plan: billing_plan.as_ref().map(ToString::to_string),
            first_name: first_name.as_ref().map(ToString::to_string),
            last_name: last_name.as_ref().map(ToString::to_string),
            roles: roles.to_string(),
            created_at: stamp(*created_at),
            updated_at: updated_at.map(stamp),
            revision: signed(revision.number()),
        }
    }
}

/// Which accounts a list shows.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only those of this status.
    pub status: Option<AccountStatus>,
    /// Only those of exactly this address.
    pub email: Option<Email>,
    /// Only those whose name or address holds this text, in any case.
    pub search: Option<String>,
    /// Only those that have this role.
    pub role: Option<RoleId>,
    /// Only those that have any role.
    pub only_members: bool,
}

/// The queries on user accounts. Deleted accounts are found by [`find_many`](Self::find_many) alone.
#[derive(Debug)]
pub struct UserAccounts<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> UserAccounts<'_, C> {
    /// Adds an account. Answers [`StoreError::Conflict`] of the external id when another account of its
    /// admin key has it.
    pub async fn insert(&self, account: &UserAccount) -> Result<(), StoreError> {
        Entity::insert(Model::from(account).into_active_model()).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// The account of this id; `None` when the owner has no such account.
    pub async fn find(&self, owner: Owner, id: UserAccountId) -> Result<Option<UserAccount>, StoreError> {
        self.one(of_id(owner, id)).await
    }

    /// As [`Self::find`], and holds the row until the transaction ends.
    pub async fn find_for_update(
        &self,
        owner: Owner,
        id: UserAccountId,
    ) -> Result<Option<UserAccount>, StoreError> {
        self.one(of_id(owner, id).lock(LockType::NoKeyUpdate)).await
    }

    /// As [`Self::find`], and keeps others from changing the row until the transaction ends.
    pub async fn find_to_refer_to(
        &self,
        owner: Owner,
        id: UserAccountId,
    ) -> Result<Option<UserAccount>, StoreError> {
        self.one(of_id(owner, id).lock_shared()).await
    }

    async fn one(&self, query: Select<Entity>) -> Result<Option<UserAccount>, StoreError> {
        query.one(self.0).await?.map(UserAccount::try_from).transpose()
    }

    /// The account with this external id; the oldest, where an organization's admin keys use it more than
    /// once. `None` when the owner has none.
    pub async fn find_by_external_id(
        &self,
        owner: Owner,
        external_id: &ExternalId,
    ) -> Result<Option<UserAccount>, StoreError> {
        Entity::find()
            .filter(owned(owner, Column::OrganizationId, Column::AdminKeyId))
            .filter(Column::ExternalId.eq(external_id.as_str()))
            .order_by_asc(Column::Id)
            .one(self.0)
            .await?
            .map(UserAccount::try_from)
            .transpose()
    }

    /// Whether an account of the other kind has this external id in the organization: one of its own where `admin_key`
    /// asks, one of any partner's where the organization itself does.
    ///
    /// No index keeps the two kinds apart: whoever asks holds the organization's row until it has written.
    pub async fn is_external_id_of_other_kind_unscoped(
        &self,
        organization: OrganizationId,
        admin_key: Option<AdminKeyId>,
        external_id: &ExternalId,
    ) -> Result<bool, StoreError> {
        let kind = match admin_key {
            Some(_) => Column::AdminKeyId.is_null(),
            None => Column::AdminKeyId.is_not_null(),
        };
        let found = Entity::find()
            .filter(Column::OrganizationId.eq(organization.uuid()))
            .filter(Column::ExternalId.eq(external_id.as_str()))
            .filter(kind)
            .one(self.0)
            .await?;
        Ok(found.is_some())
    }

    /// The accounts of these ids, in no order; unknown ones and those of other owners are left out.
    pub async fn find_many(
        &self,
        owner: Owner,
        ids: &[UserAccountId],
    ) -> Result<Vec<UserAccount>, StoreError> {
        let query = Entity::find().filter(owned(owner, Column::OrganizationId, Column::AdminKeyId));
        let rows = page::of_ids(self.0, query, Column::Id, ids.iter().map(|id| id.uuid())).await?;
        rows.into_iter().map(UserAccount::try_from).collect()
    }

    /// The owner's accounts that pass `filter`, newest first; deleted ones never do.
    pub async fn list(
        &self,
        owner: Owner,
        filter: &UserFilter,
        window: Window,
    ) -> Result<Slice<UserAccount>, StoreError> {
        let UserFilter { status, email, search, role, only_members } = filter;
        let mut query = Entity::find().filter(live(owner));
        if let Some(status) = status {
            query = query.filter(Column::Status.eq(status.word()));
        }
        if let Some(email) = email {
            query = query.filter(Column::Email.eq(email.as_str()));
        }
        if let Some(search) = search {
            query = query.filter(page::holding(&[Column::Name, Column::Email], search));
        }
        if *only_members || role.is_some() {
            query = query.filter(members());
        }
        if let Some(role) = role {
            query = query.filter(Column::Roles.contains(role.to_string()));
        }
        let is_tallied = email.is_none() && search.is_none() && role.is_none() && !only_members;
        let total = match is_tallied {
            true => count(self.0, owner, *status).await?,
            false => query.clone().count(self.0).await?,
        };
        page::newest_first(self.0, query, Column::Id, total, window).await
    }

    /// The owner's accounts that have this role, the oldest first, and no more than `most` of them.
    pub async fn holders(
        &self,
        owner: Owner,
        role: RoleId,
        most: u64,
    ) -> Result<Vec<UserAccount>, StoreError> {
        let query = having(owner, role).order_by_asc(Column::Id).limit(page::at_most(most));
        query.all(self.0).await?.into_iter().map(UserAccount::try_from).collect()
    }

    /// Whether any active account of the owner's has this role.
    pub async fn has_active_holder(&self, owner: Owner, role: RoleId) -> Result<bool, StoreError> {
        let active = Column::Status.eq(AccountStatus::Active.word());
        Ok(having(owner, role).filter(active).one(self.0).await?.is_some())
    }

    /// How many accounts the owner has; deleted ones are not counted.
    pub async fn count_all(&self, owner: Owner) -> Result<u64, StoreError> {
        count(self.0, owner, None).await
    }

    /// How many of the owner's accounts have any role.
    pub async fn count_members(&self, owner: Owner) -> Result<u64, StoreError> {
        Ok(Entity::find().filter(live(owner)).filter(members()).count(self.0).await?)
    }

    /// How many of the owner's accounts have the same roles, for all roles that occur together.
    pub async fn counted_by_roles(&self, owner: Owner) -> Result<Vec<(RoleIds, u64)>, StoreError> {
        let counted: Vec<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::Roles)
            .column_as(Column::Id.count(), "accounts")
            .filter(live(owner))
            .filter(members())
            .group_by(Column::Roles)
            .into_tuple()
            .all(self.0)
            .await?;
        let row = Row { table: "user_accounts", id: Uuid::nil() };
        counted.iter().map(|(roles, accounts)| Ok((row.parsed(roles)?, unsigned(*accounts)))).collect()
    }

    /// Writes the state of an account that is in the revision before; [`StoreError::Overtaken`] when it is
    /// in another. A new external id that is in use is a [`StoreError::Conflict`], as on inserting.
    pub async fn save(&self, account: &UserAccount) -> Result<(), StoreError> {
        let done = Entity::update_many()
            .set(Model::from(account).into_active_model().reset_all())
            .filter(Column::Id.eq(account.id.uuid()))
            .filter(Column::Revision.eq(signed(account.revision.number()) - 1))
            .exec(self.0)
            .await?;
        page::met_its_row(&done)
    }
}

/// The owner's rows that are not deleted.
fn live(owner: Owner) -> Condition {
    owned(owner, Column::OrganizationId, Column::AdminKeyId)
        .add(Column::Status.ne(AccountStatus::Deleted.word()))
}

fn of_id(owner: Owner, id: UserAccountId) -> Select<Entity> {
    Entity::find_by_id(id.uuid()).filter(live(owner))
}

fn having(owner: Owner, role: RoleId) -> Select<Entity> {
    Entity::find().filter(live(owner)).filter(members()).filter(Column::Roles.contains(role.to_string()))
}

/// Whoever has a role; in the words of the index that knows them.
fn members() -> SimpleExpr {
    Column::Roles.ne("")
}

/// How many accounts an owner has, in `status` when one is given; deleted ones are not counted.
pub(crate) async fn count<C: ConnectionTrait>(
    connection: &C,
    owner: Owner,
    status: Option<AccountStatus>,
) -> Result<u64, StoreError> {
    let wanted = AccountStatus::SHOWN.into_iter().filter(|known| status.is_none_or(|only| only == *known));
    let words: Vec<_> = wanted.map(|status| format!("users.{}", status.word())).collect();
    tally::of(connection, owner, &words.iter().map(String::as_str).collect::<Vec<_>>()).await
}
