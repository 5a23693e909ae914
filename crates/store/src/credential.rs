//! The table of credentials.

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::capability::manages_keys;
use claviger_domain::credential::{Class, Credential, Credits, Network, Refill, Revocation};
use claviger_domain::ids::{AdminKeyId, CredentialId, OrganizationId, UserAccountId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::Revision;
use claviger_domain::secret::KeyPrefix;
use claviger_domain::text::{Description, Metadata, Name};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockType, SelectStatement};
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait};

use crate::owned::owned;
use crate::value::{Row, signed, stamp, unsigned};
use crate::{StoreError, page, tally};

mod left;

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credentials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub organization_id: Uuid,
        pub admin_key_id: Option<Uuid>,
        pub user_account_id: Option<Uuid>,
        pub class: String,
        pub name: String,
        pub description: Option<String>,
        pub prefix: String,
        pub scopes: String,
        /// Told by the scopes, for finding those that do.
        pub manages_keys: bool,
        pub limits: String,
        pub credits_grant: i64,
        pub credits_remaining: Option<i64>,
        pub credits_refill_amount: Option<i64>,
        pub credits_refill_every_ms: Option<i64>,
        pub credits_refilled_at: Option<i64>,
        pub ip_allowlist: String,
        pub network: Option<i64>,
        pub metadata: String,
        pub created_at: i64,
        pub updated_at: Option<i64>,
        pub expires_at: Option<i64>,
        pub disabled_at: Option<i64>,
        pub revoked_at: Option<i64>,
        pub revocation_reason: Option<String>,
        pub last_used_at: Option<i64>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub use left::Left;
use row::{Column, Entity, Model};

impl TryFrom<Model> for Credential {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model {
            id,
            organization_id,
            admin_key_id,
            user_account_id,
            class,
            name,
            description,
            prefix,
            scopes,
            manages_keys: _,
            limits,
            credits_grant,
            credits_remaining,
            credits_refill_amount,
            credits_refill_every_ms,
            credits_refilled_at,
            ip_allowlist,
            network,
            metadata,
            created_at,
            updated_at,
            expires_at,
            disabled_at,
            revoked_at,
            revocation_reason,
            last_used_at,
            revision,
        } = model;
        let row = Row { table: "credentials", id };
        let refill = match (credits_refill_amount, credits_refill_every_ms, credits_refilled_at) {
            (Some(amount), Some(every), Some(since)) => Some(Refill {
                amount: row.number(amount)?,
                every: row.some(TimeDelta::try_milliseconds(every))?,
                since: row.instant(since)?,
            }),
            _ => None,
        };
        Ok(Self {
            id: CredentialId::from_uuid(id),
            organization: OrganizationId::from_uuid(organization_id),
            admin_key: admin_key_id.map(AdminKeyId::from_uuid),
            user_account: user_account_id.map(UserAccountId::from_uuid),
            class: row.some(Class::of_word(&class))?,
            name: Name::from_stored(name),
            description: description.map(Description::from_stored),
            prefix: KeyPrefix::from_stored(prefix),
            scopes: row.parsed(&scopes)?,
            limits: row.parsed(&limits)?,
            credits: match credits_remaining {
                Some(remaining) => Some(Credits {
                    grant: row.number(credits_grant)?,
                    remaining: unsigned(remaining),
                    refill,
                }),
                None => None,
            },
            ip_allowlist: row.parsed(&ip_allowlist)?,
            network: network.map(|number| row.some(Network::of_number(number))).transpose()?,
            metadata: Metadata::from_stored(metadata),
            created_at: row.instant(created_at)?,
            updated_at: row.instant_or_none(updated_at)?,
            expires_at: row.instant_or_none(expires_at)?,
            disabled_at: row.instant_or_none(disabled_at)?,
            revoked: row
                .instant_or_none(revoked_at)?
                .map(|at| Revocation { at, reason: revocation_reason.map(Description::from_stored) }),
            last_used_at: row.instant_or_none(last_used_at)?,
            revision: Revision::from_stored(unsigned(revision)),
        })
    }
}

impl From<&Credential> for Model {
    fn from(credential: &Credential) -> Self {
        let Credential {
            id,
            organization,
            admin_key,
            user_account,
            class,
            name,
            description,
            prefix,
            scopes,
            limits,
            credits,
            ip_allowlist,
            network,
            metadata,
            created_at,
            updated_at,
            expires_at,
            disabled_at,
            revoked,
            last_used_at,
            revision,
        } = credential;
        let refill = credits.and_then(|credits| credits.refill);
        Self {
            id: id.uuid(),
            organization_id: organization.uuid(),
            admin_key_id: admin_key.map(AdminKeyId::uuid),
            user_account_id: user_account.map(UserAccountId::uuid),
            class: class.word().to_owned(),
            name: name.to_string(),
            description: description.as_ref().map(ToString::to_string),
            prefix: prefix.as_str().to_owned(),
            scopes: scopes.to_string(),
            manages_keys: manages_keys(scopes),
            limits: limits.to_string(),
            credits_grant: credits.map_or(0, |credits| i64::from(credits.grant)),
            credits_remaining: credits.map(|credits| signed(credits.remaining)),
            credits_refill_amount: refill.map(|refill| signed(refill.amount)),
            credits_refill_every_ms: refill.map(|refill| refill.every.num_milliseconds()),
            credits_refilled_at: refill.map(|refill| stamp(refill.since)),
            ip_allowlist: ip_allowlist.to_string(),
            network: network.map(|network| i64::from(network.number())),
            metadata: metadata.to_string(),
            created_at: stamp(*created_at),
            updated_at: updated_at.map(stamp),
            expires_at: expires_at.map(stamp),
            disabled_at: disabled_at.map(stamp),
            revoked_at: revoked.as_ref().map(|revocation| stamp(revocation.at)),
            revocation_reason: revoked.as_ref().and_then(|r| r.reason.as_ref().map(ToString::to_string)),
            last_used_at: last_used_at.map(stamp),
            revision: signed(revision.number()),
        }
    }
}

/// The ids of an owner's credentials, for other queries.
pub(crate) fn ids_of(owner: Owner) -> SelectStatement {
    let ids = Entity::find().select_only().column(Column::Id);
    ids.filter(owned(owner, Column::OrganizationId, Column::AdminKeyId)).into_query()
}

/// Which credentials a list shows.
#[derive(Debug, Clone, Default)]
pub struct CredentialFilter {
    /// Revoked ones as well.
    pub include_revoked: bool,
    /// Only those linked to this account.
    pub user_account: Option<UserAccountId>,
    /// Only those of one of these classes; empty: of any.
    pub classes: Vec<Class>,
    /// Only those whose name or prefix holds this text, in any case.
    pub search: Option<String>,
}

/// The queries on credentials.
#[derive(Debug)]
pub struct Credentials<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> Credentials<'_, C> {
    /// Adds a credential, which has no secret yet.
    pub async fn insert(&self, credential: &Credential) -> Result<(), StoreError> {
        Entity::insert(Model::from(credential).into_active_model()).exec_without_returning(self.0).await?;
        Ok(())
    }

    /// The credential of this id, whatever its state; `None` when the owner has no such credential.
    pub async fn find(&self, owner: Owner, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        self.one(owner, id, false).await
    }

    /// As [`Self::find`], and holds the row until the transaction ends.
    pub async fn find_for_update(
        &self,
        owner: Owner,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError> {
        self.one(owner, id, true).await
    }

    async fn one(
        &self,
        owner: Owner,
        id: CredentialId,
        lock: bool,
    ) -> Result<Option<Credential>, StoreError> {
        // On SQLite this is looked up in the owner's own index, where another owner's id stands as little as one of nothing:
        // by the primary key that row would be read before it is found to be another's, and the time it takes would tell.
        let query = Entity::find()
            .filter(owned(owner, Column::OrganizationId, Column::AdminKeyId))
            .filter(Column::Id.between(id.uuid(), id.uuid()));
        let query = if lock { query.lock(LockType::NoKeyUpdate) } else { query };
        query.one(self.0).await?.map(Credential::try_from).transpose()
    }

    /// The credentials of these ids, in no order; unknown ones and those of other owners are left out.
    pub async fn find_many(&self, owner: Owner, ids: &[CredentialId]) -> Result<Vec<Credential>, StoreError> {
        self.many(owner, ids, false).await
    }

    /// As [`Self::find_many`], and holds the rows until the transaction ends.
    pub async fn find_many_for_update(
        &self,
        owner: Owner,
        ids: &[CredentialId],
    ) -> Result<Vec<Credential>, StoreError> {
        self.many(owner, ids, true).await
    }

    async fn many(
        &self,
        owner: Owner,
        ids: &[CredentialId],
        lock: bool,
    ) -> Result<Vec<Credential>, StoreError> {
        let query = Entity::find().filter(owned(owner, Column::OrganizationId, Column::AdminKeyId));
        let query = if lock { query.order_by_asc(Column::Id).lock(LockType::NoKeyUpdate) } else { query };
        let rows = page::of_ids(self.0, query, Column::Id, ids.iter().map(|id| id.uuid())).await?;
        rows.into_iter().map(Credential::try_from).collect()
    }

    /// At most `most` credentials of everybody that were neither revoked nor had expired by `horizon`, by id: those
    /// after `after`, or the first ones. So all are read in pages, and each page is found as fast as the first.
    pub async fn page_unscoped(
        &self,
        after: Option<CredentialId>,
        horizon: Timestamp,
        most: u64,
    ) -> Result<Vec<Credential>, StoreError> {
        let after = after.map(|id| Column::Id.gt(id.uuid()));
        let lasts = |end: Column| Condition::any().add(end.is_null()).add(end.gt(stamp(horizon)));
        let query = Entity::find()
            .filter(Condition::all().add_option(after))
            .filter(lasts(Column::RevokedAt))
            .filter(lasts(Column::ExpiresAt))
            .order_by_asc(Column::Id);
        let rows = query.limit(page::at_most(most)).all(self.0).await?;
        rows.into_iter().map(Credential::try_from).collect()
    }

    /// The owner's credentials, newest first; expired and disabled ones are among them.
    pub async fn list(
        &self,
        owner: Owner,
        filter: &CredentialFilter,
        window: Window,
    ) -> Result<Slice<Credential>, StoreError> {
        let CredentialFilter { include_revoked, user_account, classes, search } = filter;
        let mut query = Entity::find().filter(owned(owner, Column::OrganizationId, Column::AdminKeyId));
        if !include_revoked {
            query = query.filter(Column::RevokedAt.is_null());
        }
        if let Some(user) = user_account {
            query = query.filter(Column::UserAccountId.eq(user.uuid()));
        }
        if !classes.is_empty() {
            query = query.filter(Column::Class.is_in(classes.iter().map(|class| class.word())));
        }
        if let Some(search) = search {
            query = query.filter(page::holding(&[Column::Name, Column::Prefix], search));
        }
        let is_tallied = user_account.is_none() && classes.is_empty() && search.is_none();
        let tallied = if *include_revoked { "credentials" } else { "credentials.live" };
        let total = match is_tallied {
            true => tally::of(self.0, owner, &[tallied]).await?,
            false => query.clone().count(self.0).await?,
        };
        page::newest_first(self.0, query, Column::Id, total, window).await
    }

    /// How many credentials of the organization are not revoked.
    pub async fn count_live(&self, organization: OrganizationId) -> Result<u64, StoreError> {
        tally::of(self.0, Owner::Organization(organization), &["credentials.live"]).await
    }

    /// The credentials linked to an account that are not revoked, and holds the rows. The account was found with
    /// its owner.
    pub async fn live_of_user_for_update(&self, user: UserAccountId) -> Result<Vec<Credential>, StoreError> {
        let live = Entity::find()
            .filter(Column::UserAccountId.eq(user.uuid()))
            .filter(Column::RevokedAt.is_null())
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate);
        live.all(self.0).await?.into_iter().map(Credential::try_from).collect()
    }

    /// Whether the owner has a credential that is not revoked and has not expired at `now`.
    pub async fn has_live(&self, owner: Owner, now: Timestamp) -> Result<bool, StoreError> {
        let live = Entity::find()
            .filter(owned(owner, Column::OrganizationId, Column::AdminKeyId))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(stamp(now))));
        Ok(live.one(self.0).await?.is_some())
    }

    /// The owner's live keys whose scopes manage keys, as they are at `now` and at most `most`: those of no user first.
    /// `without` is left out.
    pub async fn managing_keys(
        &self,
        owner: Owner,
        without: Option<CredentialId>,
        now: Timestamp,
        most: u64,
    ) -> Result<Vec<Credential>, StoreError> {
        let rows = Entity::find()
            .filter(owned(owner, Column::OrganizationId, Column::AdminKeyId))
            // Without a parameter, which no partial index could be chosen for.
            .filter(Column::ManagesKeys.into_expr())
            .filter(Column::RevokedAt.is_null())
            .filter(Column::DisabledAt.is_null())
            .filter(Column::Class.eq(Class::Live.word()))
            .filter(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(stamp(now))))
            .filter(Condition::all().add_option(without.map(|id| Column::Id.ne(id.uuid()))))
            .order_by_asc(Column::UserAccountId.is_not_null())
            .order_by_asc(Column::Id)
            .limit(page::at_most(most))
            .all(self.0)
            .await?;
        rows.into_iter().map(Credential::try_from).collect()
    }

    /// Writes the state of a credential that is in the revision before; [`StoreError::Overtaken`] when it
    /// is in another. When it was used last is not part of that state.
    pub async fn save(&self, credential: &Credential) -> Result<(), StoreError> {
        let mut row = Model::from(credential).into_active_model().reset_all();
        row.last_used_at = sea_orm::ActiveValue::NotSet;
        let done = Entity::update_many()
            .set(row)
            .filter(Column::Id.eq(credential.id.uuid()))
            .filter(Column::Revision.eq(signed(credential.revision.number()) - 1))
            .exec(self.0)
            .await?;
        page::met_its_row(&done)
    }
}
