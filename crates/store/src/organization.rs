//! The table of organizations.

use claviger_domain::ids::OrganizationId;
use claviger_domain::organization::{Organization, OrganizationSettings, OrganizationStatus, Slug};
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::Revision;
use claviger_domain::settings::{KeptDays, KeyLifetime};
use claviger_domain::text::{Email, Metadata, Name};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockType};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::value::{Row, signed, stamp, unsigned};
use crate::{StoreError, page};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "organizations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub name: String,
        pub is_self_named: bool,
        pub slug: String,
        pub email: Option<String>,
        pub plan: Option<String>,
        pub status: String,
        pub metadata: String,
        pub ip_allowlist: String,
        pub key_lifetime_usual_s: Option<i64>,
        pub key_lifetime_most_s: Option<i64>,
        pub key_expiry_demanded: bool,
        pub default_limits: String,
        pub kept_audit_days: Option<i64>,
        pub kept_usage_days: Option<i64>,
        pub resource_limits: String,
        pub created_at: i64,
        pub updated_at: Option<i64>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

impl TryFrom<Model> for Organization {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model {
            id,
            name,
            is_self_named,
            slug,
            email,
            plan,
            status,
            metadata,
            ip_allowlist,
            key_lifetime_usual_s,
            key_lifetime_most_s,
            key_expiry_demanded,
            default_limits,
            kept_audit_days,
            kept_usage_days,
            resource_limits,
            created_at,
            updated_at,
            revision,
        } = model;
        let row = Row { table: "organizations", id };
        Ok(Self {
            id: OrganizationId::from_uuid(id),
            name: Name::from_stored(name),
            is_self_named,
            slug: Slug::from_stored(slug),
            email: email.map(Email::from_stored),
            plan: plan.map(Name::from_stored),
            status: row.some(OrganizationStatus::of_word(&status))?,
            metadata: Metadata::from_stored(metadata),
            settings: OrganizationSettings {
                ip_allowlist: row.parsed(&ip_allowlist)?,
                key_lifetime: KeyLifetime {
                    usual: row.seconds_or_none(key_lifetime_usual_s)?,
                    most: row.seconds_or_none(key_lifetime_most_s)?,
                    is_demanded: key_expiry_demanded,
                },
                default_limits: row.parsed(&default_limits)?,
                kept_days: KeptDays {
                    audit: row.days_or_none(kept_audit_days)?,
                    usage: row.days_or_none(kept_usage_days)?,
                },
                resource_limits: row.parsed(&resource_limits)?,
            },
            created_at: row.instant(created_at)?,
            updated_at: row.instant_or_none(updated_at)?,
            revision: Revision::from_stored(unsigned(revision)),
        })
    }
}

impl From<&Organization> for Model {
    fn from(organization: &Organization) -> Self {
        let Organization {
            id,
            name,
            is_self_named,
            slug,
            email,
            plan,
            status,
            metadata,
            settings,
            created_at,
            updated_at,
            revision,
        } = organization;
        let OrganizationSettings { ip_allowlist, key_lifetime, default_limits, kept_days, resource_limits } =
            settings;
        let KeyLifetime { usual, most, is_demanded } = key_lifetime;
        let KeptDays { audit, usage } = kept_days;
        Self {
            id: id.uuid(),
            name: name.to_string(),
            is_self_named: *is_self_named,
            slug: slug.to_string(),
            email: email.as_ref().map(ToString::to_string),
            plan: plan.as_ref().map(ToString::to_string),
            status: status.word().to_owned(),
            metadata: metadata.to_string(),
            ip_allowlist: ip_allowlist.to_string(),
            key_lifetime_usual_s: usual.map(|span| span.num_seconds()),
            key_lifetime_most_s: most.map(|span| span.num_seconds()),
            key_expiry_demanded: *is_demanded,
            default_limits: default_limits.to_string(),
            kept_audit_days: audit.map(i64::from),
            kept_usage_days: usage.map(i64::from),
            resource_limits: resource_limits.to_string(),
            created_at: stamp(*created_at),
            updated_at: updated_at.map(stamp),
            revision: signed(revision.number()),
        }
    }
}

/// Which organizations a list shows.
#[derive(Debug, Clone, Default)]
pub struct OrganizationFilter {
    /// Only those of this status.
    pub status: Option<OrganizationStatus>,
    /// Only those whose name, slug or address holds this text, in any case.
    pub search: Option<String>,
}

/// Organizations are the owners themselves: only the platform's own use cases look for them, and
/// those that have already found something of theirs.
#[derive(Debug)]
pub struct Organizations<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> Organizations<'_, C> {
    /// Adds an organization; [`StoreError::Conflict`] when its slug is taken.
    pub async fn insert(&self, organization: &Organization) -> Result<(), StoreError> {
        let row = Model::from(organization).into_active_model();
        Entity::insert(row).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// The organization of this id; `None` when there is none.
    pub async fn find_unscoped(&self, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
        Entity::find_by_id(id.uuid()).one(self.0).await?.map(Organization::try_from).transpose()
    }

    /// As [`Self::find_unscoped`], and holds the row until the transaction ends.
    pub async fn find_for_update_unscoped(
        &self,
        id: OrganizationId,
    ) -> Result<Option<Organization>, StoreError> {
        let found = Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate).one(self.0).await?;
        found.map(Organization::try_from).transpose()
    }

    /// The organization of this slug; `None` when there is none.
    pub async fn find_by_slug_unscoped(&self, slug: &Slug) -> Result<Option<Organization>, StoreError> {
        let found = Entity::find().filter(Column::Slug.eq(slug.as_str())).one(self.0).await?;
        found.map(Organization::try_from).transpose()
    }

    /// The organizations that pass `filter`, newest first; deleted ones never do.
    pub async fn list_unscoped(
        &self,
        filter: &OrganizationFilter,
        window: Window,
    ) -> Result<Slice<Organization>, StoreError> {
        let OrganizationFilter { status, search } = filter;
        let shown = match status {
            Some(status) => Column::Status.eq(status.word()),
            None => Column::Status.ne(OrganizationStatus::Deleted.word()),
        };
        let mut query = Entity::find().filter(shown);
        if let Some(search) = search {
            query = query.filter(page::holding(&[Column::Name, Column::Slug, Column::Email], search));
        }
        let total = query.clone().count(self.0).await?;
        page::newest_first(self.0, query, Column::Id, total, window).await
    }

    /// The organizations that have settled how long their records are kept.
    pub async fn keeping_unscoped(&self) -> Result<Vec<(OrganizationId, KeptDays)>, StoreError> {
        let settled = Column::KeptAuditDays.is_not_null().or(Column::KeptUsageDays.is_not_null());
        let rows: Vec<(Uuid, Option<i64>, Option<i64>)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::KeptAuditDays, Column::KeptUsageDays])
            .filter(settled)
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(self.0)
            .await?;
        rows.into_iter()
            .map(|(id, audit, usage)| {
                let row = Row { table: "organizations", id };
                let kept = KeptDays { audit: row.days_or_none(audit)?, usage: row.days_or_none(usage)? };
                Ok((OrganizationId::from_uuid(id), kept))
            })
            .collect()
    }

    /// The organizations to which the operator gave exactly this name, the oldest first and at most `most`.
    pub async fn find_by_given_name_unscoped(
        &self,
        name: &Name,
        most: u64,
    ) -> Result<Vec<Organization>, StoreError> {
        let rows = Entity::find()
            .filter(Column::Name.eq(name.as_str()))
            .filter(Column::IsSelfNamed.eq(false))
            .filter(Column::Status.ne(OrganizationStatus::Deleted.word()))
            .order_by_asc(Column::Id)
            .limit(page::at_most(most))
            .all(self.0)
            .await?;
        rows.into_iter().map(Organization::try_from).collect()
    }

    /// Whether any organization has this slug.
    pub async fn is_slug_taken_unscoped(&self, slug: &Slug) -> Result<bool, StoreError> {
        Ok(Entity::find().filter(Column::Slug.eq(slug.as_str())).one(self.0).await?.is_some())
    }

    /// The organizations of these ids, in no order; unknown ids are left out.
    pub async fn find_many_unscoped(&self, ids: &[OrganizationId]) -> Result<Vec<Organization>, StoreError> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows = page::of_ids(self.0, Entity::find(), Column::Id, ids).await?;
        rows.into_iter().map(Organization::try_from).collect()
    }

    /// Writes the state of an organization that is in the revision before; [`StoreError::Overtaken`] when it
    /// is in another, [`StoreError::Conflict`] when its new slug is taken.
    pub async fn save(&self, organization: &Organization) -> Result<(), StoreError> {
        let done = Entity::update_many()
            .set(Model::from(organization).into_active_model().reset_all())
            .filter(Column::Id.eq(organization.id.uuid()))
            .filter(Column::Revision.eq(signed(organization.revision.number()) - 1))
            .exec(self.0)
            .await?;
        page::met_its_row(&done)
    }
}
