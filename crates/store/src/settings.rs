//! The installation's settings: one row, or none before the first change.

use claviger_domain::revision::Revision;
use claviger_domain::settings::{ForwardAuthDialect, KeptDays, KeyLifetime, Settings};
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use crate::value::{Row, signed, stamp, unsigned};
use crate::{StoreError, page};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub key_lifetime_usual_s: Option<i64>,
        pub key_lifetime_most_s: Option<i64>,
        pub key_expiry_demanded: bool,
        pub default_limits: String,
        pub kept_audit_days: Option<i64>,
        pub kept_usage_days: Option<i64>,
        pub resource_limits: String,
        pub forward_auth_dialect: String,
        /// Separated by spaces: an origin has none.
        pub cors_origins: String,
        pub updated_at: Option<i64>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

/// The one row.
const ONLY: i64 = 1;

impl TryFrom<Model> for Settings {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model {
            id: _,
            key_lifetime_usual_s,
            key_lifetime_most_s,
            key_expiry_demanded,
            default_limits,
            kept_audit_days,
            kept_usage_days,
            resource_limits,
            forward_auth_dialect,
            cors_origins,
            updated_at,
            revision,
        } = model;
        let row = Row { table: "settings", id: Uuid::nil() };
        Ok(Self {
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
            forward_auth_dialect: row.some(ForwardAuthDialect::of_word(&forward_auth_dialect))?,
            cors_origins: cors_origins.split_ascii_whitespace().map(str::to_owned).collect(),
            updated_at: row.instant_or_none(updated_at)?,
            revision: Revision::from_stored(unsigned(revision)),
        })
    }
}

impl From<&Settings> for Model {
    fn from(settings: &Settings) -> Self {
        let Settings {
            key_lifetime,
            default_limits,
            kept_days,
            resource_limits,
            forward_auth_dialect,
            cors_origins,
            updated_at,
            revision,
        } = settings;
        let KeyLifetime { usual, most, is_demanded } = key_lifetime;
        let KeptDays { audit, usage } = kept_days;
        Self {
            id: ONLY,
            key_lifetime_usual_s: usual.map(|span| span.num_seconds()),
            key_lifetime_most_s: most.map(|span| span.num_seconds()),
            key_expiry_demanded: *is_demanded,
            default_limits: default_limits.to_string(),
            kept_audit_days: audit.map(i64::from),
            kept_usage_days: usage.map(i64::from),
            resource_limits: resource_limits.to_string(),
            forward_auth_dialect: forward_auth_dialect.word().to_owned(),
            cors_origins: cors_origins.join(" "),
            updated_at: updated_at.map(stamp),
            revision: signed(revision.number()),
        }
    }
}

/// The installation's settings. They have no owner but the installation itself.
#[derive(Debug)]
pub struct InstallationSettings<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> InstallationSettings<'_, C> {
    /// The settings as they are; those of a new installation before the first change.
    pub async fn read_unscoped(&self) -> Result<Settings, StoreError> {
        let found = Entity::find_by_id(ONLY).one(self.0).await?;
        found.map_or_else(|| Ok(Settings::default()), Settings::try_from)
    }

    /// Writes settings that are in the revision before; [`StoreError::Overtaken`] when they are in another.
    pub async fn save(&self, settings: &Settings) -> Result<(), StoreError> {
        let first = Model::from(&Settings::default()).into_active_model();
        Entity::insert(first).on_conflict_do_nothing_on([Column::Id]).exec_without_returning(self.0).await?;
        let done = Entity::update_many()
            .set(Model::from(settings).into_active_model().reset_all())
            .filter(Column::Id.eq(ONLY))
            .filter(Column::Revision.eq(signed(settings.revision.number()) - 1))
            .exec(self.0)
            .await?;
        page::met_its_row(&done)
    }
}
