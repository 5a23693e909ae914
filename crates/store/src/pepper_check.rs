//! The table of pepper checks: one digest of a fixed text for each pepper that was ever in use here,
//! by which a wrong one is noticed before it locks every key out.

use claviger_domain::Timestamp;
use claviger_domain::secret::{Digest, PepperVersion, SealedSecret};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::StoreError;
use crate::value::{blob, stamp};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pepper_checks")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i64,
        pub digest: Vec<u8>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

impl TryFrom<Model> for SealedSecret {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model { version, digest, created_at: _ } = model;
        let corrupt = || StoreError::Corrupt { table: "pepper_checks", row: version.to_string() };
        let digest = digest.try_into().map_err(|_| corrupt())?;
        let pepper = u32::try_from(version).map_err(|_| corrupt())?;
        Ok(Self { digest: Digest::from_bytes(digest), pepper })
    }
}

/// Peppers belong to the installation: no query here has an owner to ask for.
#[derive(Debug)]
pub struct PepperChecks<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> PepperChecks<'_, C> {
    /// Keeps a check, unless its version has one: of two processes that start at once, the first one's stays.
    pub async fn insert_missing(&self, check: &SealedSecret, now: Timestamp) -> Result<(), StoreError> {
        let SealedSecret { digest, pepper } = check;
        let row = Model { version: i64::from(*pepper), digest: blob(digest), created_at: stamp(now) };
        Entity::insert(row.into_active_model())
            .on_conflict_do_nothing_on([Column::Version])
            .exec_without_returning(self.0)
            .await?;
        Ok(())
    }

    /// Forgets the check of a version. What was made under it counts as damaged from then on.
    pub async fn delete(&self, version: PepperVersion) -> Result<(), StoreError> {
        Entity::delete_by_id(i64::from(version)).exec(self.0).await?;
        Ok(())
    }

    /// Whether a version has a check: some process of this installation was started with it.
    pub async fn is_known_unscoped(&self, version: PepperVersion) -> Result<bool, StoreError> {
        Ok(Entity::find_by_id(i64::from(version)).one(self.0).await?.is_some())
    }

    /// Every check, oldest version first.
    pub async fn list_unscoped(&self) -> Result<Vec<SealedSecret>, StoreError> {
        let rows = Entity::find().order_by_asc(Column::Version).all(self.0).await?;
        rows.into_iter().map(SealedSecret::try_from).collect()
    }
}
