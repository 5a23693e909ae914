//! User accounts: the customers whose keys are verified.

use crate::Timestamp;
use crate::ids::{AdminKeyId, OrganizationId, UserAccountId};
use crate::revision::Revision;
use crate::text::{BillingPlan, Email, ExternalId, Metadata, Name};

/// Whether an account's credentials may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    Active,
    Suspended,
    /// Known, but not taken into use yet; its credentials work.
    Pending,
}

impl AccountStatus {
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Pending];

    /// The stable word, as the database and every surface hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Pending => "pending",
        }
    }

    /// The status of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// A customer's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAccount {
    pub id: UserAccountId,
    pub organization: OrganizationId,
    /// The admin key that made it; `None` when the organization did.
    pub admin_key: Option<AdminKeyId>,
    pub external_id: Option<ExternalId>,
    pub name: Name,
    pub email: Option<Email>,
    pub metadata: Metadata,
    pub status: AccountStatus,
    pub billing_plan: Option<BillingPlan>,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
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

    /// The account in its next revision.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.updated_at = Some(now);
        self.revision = self.revision.next();
        self
    }

    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.status == AccountStatus::Suspended
    }
}
