//! The table of the audit log, and beside it that of its chains' heads.

use claviger_domain::actor::Owner;
use claviger_domain::audit::{
    Action, Author, AuthorKind, AuthorUser, Detail, Details, Entry, Link, Resource, Target, line,
};
use claviger_domain::ids::{AdminKeyId, AuditEntryId, OrganizationId, UserAccountId};
use claviger_domain::page::{Slice, Window};
use sea_orm::entity::prelude::*;
use serde_json::Value;

use crate::owned::owned;
use crate::value::{Row, signed, stamp};
use crate::{StoreError, page, tally};

mod append;
mod chain;
mod changes;
pub(crate) mod head;
mod prune;
mod search;

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_log")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub at: i64,
        pub action: String,
        pub is_change: bool,
        pub author_kind: String,
        pub author_id: Option<Uuid>,
        pub author_name: Option<String>,
        pub author_organization_id: Option<Uuid>,
        pub author_user_id: Option<Uuid>,
        pub author_user_name: Option<String>,
        /// The author, when it is an admin key: whose entry this is on the partner surface.
        pub admin_key_id: Option<Uuid>,
        pub organization_id: Option<Uuid>,
        pub target_type: Option<String>,
        pub target_id: Option<Uuid>,
        pub address: Option<String>,
        pub request_id: String,
        pub details: String,
        /// Whose entries it is one of; nil of the installation's.
        pub chain_id: Uuid,
        pub sequence: i64,
        pub pepper: i64,
        pub mac: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub use chain::{ChainPlace, Chained};
pub use changes::{Change, Changed};
pub use search::AuditSearch;

use row::{Column, Entity, Model};

impl TryFrom<Model> for Entry {
    type Error = StoreError;

    fn try_from(model: Model) -> Result<Self, StoreError> {
        let Model {
            id,
            at,
            action,
            is_change: _,
            author_kind,
            author_id,
            author_name,
            author_organization_id,
            author_user_id,
            author_user_name,
            admin_key_id: _,
            organization_id,
            target_type,
            target_id,
            address,
            request_id,
            details,
            chain_id: _,
            sequence: _,
            pepper: _,
            mac: _,
        } = model;
        let row = Row { table: "audit_log", id };
        let target = match (target_type, target_id) {
            (Some(kind), Some(id)) => Some(Target { resource: row.some(Resource::of_word(&kind))?, id }),
            _ => None,
        };
        Ok(Self {
            id: AuditEntryId::from_uuid(id),
            at: row.instant(at)?,
            action: row.parsed(&action)?,
            author: Author {
                kind: row.some(AuthorKind::of_word(&author_kind))?,
                id: author_id,
                name: author_name,
                organization: author_organization_id.map(OrganizationId::from_uuid),
                user: author_user_id.map(|id| AuthorUser {
                    id: UserAccountId::from_uuid(id),
                    name: author_user_name.unwrap_or_default(),
                }),
            },
            organization: organization_id.map(OrganizationId::from_uuid),
            target,
            address: address.map(|address| row.parsed(&address)).transpose()?,
            request_id,
            details: details_of(&details).ok_or_else(|| row.corrupt())?,
        })
    }
}

impl Model {
    /// An entry as it is kept at its place.
    fn new(entry: &Entry, link: &Link) -> Self {
        let Entry { id, at, action, author, organization, target, address, request_id, details } = entry;
        let Author { kind, id: author_id, name, organization: author_organization, user } = author;
        let Link { chain, sequence, pepper, mac } = link;
        Self {
            id: id.uuid(),
            at: stamp(*at),
            action: action.to_string(),
            is_change: action.verb.is_change(),
            author_kind: kind.word().to_owned(),
            author_id: *author_id,
            author_name: name.clone(),
            author_organization_id: author_organization.map(OrganizationId::uuid),
            author_user_id: user.as_ref().map(|user| user.id.uuid()),
            author_user_name: user.as_ref().map(|user| user.name.clone()),
            admin_key_id: author.admin_key().map(AdminKeyId::uuid),
            organization_id: organization.map(OrganizationId::uuid),
            target_type: target.map(|target| target.resource.word().to_owned()),
            target_id: target.map(|target| target.id),
            address: address.map(|address| address.to_string()),
            request_id: request_id.clone(),
            details: json_of(details),
            chain_id: chain.uuid(),
            sequence: signed(*sequence),
            pepper: i64::from(*pepper),
            mac: mac.as_bytes().to_vec(),
        }
    }
}

/// As it stands in the entry's line.
fn json_of(details: &Details) -> String {
    let mut json = String::new();
    line::write_details(&mut json, details);
    json
}

fn details_of(text: &str) -> Option<Details> {
    match detail_of(serde_json::from_str(text).ok()?) {
        Detail::Map(members) => Some(members),
        _ => None,
    }
}

fn detail_of(json: Value) -> Detail {
    match json {
        Value::Null => Detail::Null,
        Value::Bool(flag) => Detail::Flag(flag),
        Value::Number(number) => Detail::Number(number.as_i64().unwrap_or_default()),
        Value::String(text) => Detail::Text(text),
        Value::Array(items) => Detail::List(items.into_iter().map(detail_of).collect()),
        Value::Object(members) => {
            Detail::Map(members.into_iter().map(|(name, json)| (name, detail_of(json))).collect())
        }
    }
}

/// Which entries a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Exactly this action; `None` for any.
    pub action: Option<Action>,
    /// What this admin key did; `None` for every author.
    pub admin_key: Option<AdminKeyId>,
    /// What was done to the thing of this id, of whatever kind; `None` for anything.
    pub target: Option<Uuid>,
    /// Reads, refused and failed calls as well as changes.
    pub include_reads: bool,
}

/// The queries on the audit log: lines are added and read, never changed.
#[derive(Debug)]
pub struct AuditLog<'a, C>(pub(crate) &'a C);

impl<C: ConnectionTrait> AuditLog<'_, C> {
    /// The owner's lines that pass `filter`, newest first. An admin key sees what it did itself, and so
    /// nothing when the filter names another; an organization sees the lines that belong to it.
    pub async fn list(
        &self,
        owner: Owner,
        filter: AuditFilter,
        window: Window,
    ) -> Result<Slice<Entry>, StoreError> {
        let AuditFilter { action, admin_key, target, include_reads } = filter;
        let mut query = Entity::find().filter(owned(owner, Column::OrganizationId, Column::AdminKeyId));
        if !include_reads {
            // With something narrower to go by, the index is to be that one's: this form asks for none.
            let narrower = action.is_some() || target.is_some();
            let is_change = &Column::IsChange;
            query = query.filter(if narrower { is_change.ne(false) } else { is_change.eq(true) });
        }
        if let Some(action) = action {
            query = query.filter(Column::Action.eq(action.to_string()));
        }
        if let Some(admin_key) = admin_key {
            query = query.filter(Column::AdminKeyId.eq(admin_key.uuid()));
        }
        if let Some(target) = target {
            query = query.filter(Column::TargetId.eq(target));
        }
        let whole = action.is_none() && target.is_none();
        let author = match (owner, admin_key) {
            (Owner::AdminKey(id), None) => Some(id),
            (Owner::AdminKey(id), Some(same)) if id == same => Some(id),
            (Owner::Installation, only) => only,
            _ => None,
        };
        let total = match author {
            Some(id) if whole => {
                tally::of(
                    self.0,
                    Owner::AdminKey(id),
                    &[if include_reads { "audit" } else { "audit.changes" }],
                )
                .await?
            }
            _ => query.clone().count(self.0).await?,
        };
        page::newest_first(self.0, query, Column::Id, total, window).await
    }
}
