//! User accounts: the customers whose keys are verified.

use crate::Timestamp;
use crate::ids::{AdminKeyId, OrganizationId, UserAccountId};
use crate::revision::Revision;
use crate::role::{RoleIds, SystemRole};
use crate::text::{BillingPlan, Email, ExternalId, Metadata, Name};

/// Whether an account's credentials may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    /// In use; every account begins so.
    Active,
    /// Stopped until it is reactivated; so are its credentials.
    Suspended,
    /// Known, but not taken into use yet; its credentials work.
    Pending,
    /// Gone for good: nobody sees it any more, and its credentials were revoked with it.
    Deleted,
}

impl AccountStatus {
    /// Every status a surface shows, in the order in which they name them.
    pub const SHOWN: [Self; 3] = [Self::Active, Self::Suspended, Self::Pending];

    /// The stable word, as the database and every surface hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Pending => "pending",
            Self::Deleted => "deleted",
        }
    }

    /// The status of a word that a surface shows; `None` of any other text. Case matters.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::SHOWN.into_iter().find(|status| status.word() == word)
    }

    /// The status of a stored word; `None` of any other text.
    #[must_use]
    pub fn from_stored(word: &str) -> Option<Self> {
        if word == Self::Deleted.word() { Some(Self::Deleted) } else { Self::of_word(word) }
    }
}

/// A customer's account. Credentials may be linked to it, and are stopped with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAccount {
    /// Given when it is made; never changes.
    pub id: UserAccountId,
    /// The tenant it belongs to; never changes.
    pub organization: OrganizationId,
    /// The admin key that made it; `None` when the organization did.
    pub admin_key: Option<AdminKeyId>,
    /// The partner's own id for this customer, unique among the accounts of one admin key, or among
    /// those of an organization that none made; `None` when it gave none.
    pub external_id: Option<ExternalId>,
    /// What the partner calls the customer.
    pub name: Name,
    /// Where the customer is reached; `None` when unknown. No mail is sent to it.
    pub email: Option<Email>,
    /// The partner's own facts, which verification repeats to gateways; no rule reads them.
    pub metadata: Metadata,
    /// Changed by [`suspend`](Self::suspend) and [`reactivate`](Self::reactivate) only.
    pub status: AccountStatus,
    /// The partner's own plan id, for its bills; no rule reads it.
    pub billing_plan: Option<BillingPlan>,
    /// Of a person, as its organization told it; `None` when it did not. No rule reads it.
    pub first_name: Option<Name>,
    /// As `first_name`: which part of a name is which, nobody guesses.
    pub last_name: Option<Name>,
    /// What it may do in its organization, and its keys no more than that; without any it is a customer, and no
    /// member.
    pub roles: RoleIds,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last; `None` until the first change.
    pub updated_at: Option<Timestamp>,
    /// Which of its states this is.
    pub revision: Revision,
}

/// The account is already in the state that was asked for, or cannot leave the one it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account's status does not allow this")]
pub struct WrongStatus;

impl UserAccount {
    /// Stops the account's credentials at once.
    ///
    /// # Errors
    /// [`WrongStatus`] when it is suspended already.
    pub fn suspend(self, now: Timestamp) -> Result<Self, WrongStatus> {
        if self.status == AccountStatus::Suspended {
            return Err(WrongStatus);
        }
        Ok(Self { status: AccountStatus::Suspended, ..self }.touched(now))
    }

    /// Lets the account's credentials work again; revoked ones stay revoked.
    ///
    /// # Errors
    /// [`WrongStatus`] when it is not suspended.
    pub fn reactivate(self, now: Timestamp) -> Result<Self, WrongStatus> {
        if self.status != AccountStatus::Suspended {
            return Err(WrongStatus);
        }
        Ok(Self { status: AccountStatus::Active, ..self }.touched(now))
    }

    /// Ends the account for good: its external id is free again, and it has no role any more.
    #[must_use]
    pub fn delete(self, now: Timestamp) -> Self {
        let roles = RoleIds::default();
        Self { status: AccountStatus::Deleted, external_id: None, roles, ..self }.touched(now)
    }

    /// Whether it owns its organization: the last one that does stays.
    #[must_use]
    pub fn is_active_owner(&self) -> bool {
        self.status == AccountStatus::Active && self.roles.contains(SystemRole::Owner.id())
    }

    /// The account in its next revision, changed at `now`: every change ends with it.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.updated_at = Some(now);
        self.revision = self.revision.next();
        self
    }

    /// Whether its credentials are refused. A pending account is not suspended.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        matches!(self.status, AccountStatus::Suspended | AccountStatus::Deleted)
    }
}
