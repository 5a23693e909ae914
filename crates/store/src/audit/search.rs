//! The log newest first, from one entry on: pages that are as fast at the end of a long log as at its
//! beginning, and count nothing.

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::audit::{Action, Entry};
use claviger_domain::ids::{AuditEntryId, OrganizationId};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use super::AuditLog;
use super::row::{Column, Entity as Rows};
use crate::owned::owned;
use crate::value::stamp;
use crate::{StoreError, page};

/// Which entries are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditSearch {
    /// Those of this organization; `None` for all that the owner sees.
    pub organization: Option<OrganizationId>,
    /// Exactly this action; `None` for any.
    pub action: Option<Action>,
    /// What the key or account of this id did; `None` for everybody.
    pub actor: Option<Uuid>,
    /// What was done to the thing of this id, of whatever kind; `None` for anything.
    pub target: Option<Uuid>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Not after this instant.
    pub until: Option<Timestamp>,
    /// Reads, refused and failed calls as well as changes.
    pub include_reads: bool,
}

impl AuditSearch {
    /// Whether an entry is wanted.
    #[must_use]
    pub fn admits(&self, entry: &Entry) -> bool {
        let Self { organization, action, actor, target, from, until, include_reads } = self;
        organization.is_none_or(|id| entry.organization == Some(id))
            && action.is_none_or(|action| entry.action == action)
            && actor.is_none_or(|id| entry.author.id == Some(id))
            && target.is_none_or(|id| entry.target.is_some_and(|target| target.id == id))
            && from.is_none_or(|from| entry.at >= from)
            && until.is_none_or(|until| entry.at <= until)
            && (*include_reads || entry.action.verb.is_change())
    }
}

impl<C: ConnectionTrait> AuditLog<'_, C> {
    /// At most `most` of the owner's entries that are wanted, newest first, and older than the entry `after`.
    pub async fn search(
        &self,
        owner: Owner,
        search: &AuditSearch,
        after: Option<AuditEntryId>,
        most: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let AuditSearch { organization, action, actor, target, from, until, include_reads } = *search;
        let mut query = Rows::find().filter(owned(owner, Column::OrganizationId, Column::AdminKeyId));
        if !include_reads {
            // With something narrower to go by, the index is to be that one's: this form asks for none.
            let narrower = action.is_some() || actor.is_some() || target.is_some();
            let is_change = &Column::IsChange;
            query = query.filter(if narrower { is_change.ne(false) } else { is_change.eq(true) });
        }
        if let Some(organization) = organization {
            query = query.filter(Column::OrganizationId.eq(organization.uuid()));
        }
        if let Some(action) = action {
            query = query.filter(Column::Action.eq(action.to_string()));
        }
        if let Some(actor) = actor {
            query = query.filter(Column::AuthorId.eq(actor));
        }
        if let Some(target) = target {
            query = query.filter(Column::TargetId.eq(target));
        }
        // Ids begin with the instant: the index narrows it to a millisecond, the column to the digit.
        if let Some(from) = from {
            query = query.filter(Column::Id.gte(AuditEntryId::least_of(from).uuid()));
            query = query.filter(Column::At.gte(stamp(from)));
        }
        if let Some(until) = until {
            let beyond = until.checked_add_signed(TimeDelta::milliseconds(1)).unwrap_or(until);
            query = query.filter(Column::Id.lt(AuditEntryId::least_of(beyond).uuid()));
            query = query.filter(Column::At.lte(stamp(until)));
        }
        if let Some(after) = after {
            query = query.filter(Column::Id.lt(after.uuid()));
        }
        let rows = query.order_by_desc(Column::Id).limit(page::at_most(most)).all(self.0).await?;
        rows.into_iter().map(Entry::try_from).collect()
    }
}
