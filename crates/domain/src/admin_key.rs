//! Admin keys: with one, a partner manages its own customers. And the bootstrap key above them.

use crate::Timestamp;
use crate::actor::Actor;
use crate::capability::CapabilitySet;
use crate::ids::{AdminKeyId, BootstrapKeyId, OrganizationId};
use crate::organization::Organization;
use crate::revision::Revision;
use crate::secret::KeyPrefix;
use crate::text::Name;

/// A partner's key to the partner surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminKey {
    /// Given when it is made; never changes. The accounts and credentials it makes carry it.
    pub id: AdminKeyId,
    /// The partner: the key's entity is this organization.
    pub organization: OrganizationId,
    /// What the operator calls the key; `None` when it was given no name.
    pub name: Option<Name>,
    /// Of [`Capability::PARTNER`](crate::capability::Capability::PARTNER).
    pub permissions: CapabilitySet,
    /// What is shown of the key: `iiak_admin_` and eight characters.
    pub prefix: KeyPrefix,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last; `None` until the first change.
    pub updated_at: Option<Timestamp>,
    /// From this instant on it is not accepted; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// When it was last accepted, as far as noted: that is done in batches. `None` before the first use.
    pub last_used_at: Option<Timestamp>,
    /// When it was ended for good; `None` while it was not.
    pub revoked_at: Option<Timestamp>,
    /// Which of its states this is; use does not make a new one.
    pub revision: Revision,
}

/// The key was revoked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("already revoked")]
pub struct AlreadyRevoked;

impl AdminKey {
    /// Whether the key may be used at `now`: it is not revoked, and its expiry has not come.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// The key as a caller, when it and its `organization` may be used at `now`; `None` otherwise.
    /// `organization` is the key's own.
    #[must_use]
    pub fn actor(&self, organization: &Organization, now: Timestamp) -> Option<Actor> {
        (self.is_live(now) && !organization.is_suspended()).then(|| Actor::AdminKey {
            id: self.id,
            organization: self.organization,
            entity: organization.name.clone(),
            capabilities: self.permissions.with_sight(),
        })
    }

    /// Ends the key for good.
    ///
    /// # Errors
    /// [`AlreadyRevoked`] when it has been ended before.
    pub fn revoke(mut self, now: Timestamp) -> Result<Self, AlreadyRevoked> {
        if self.revoked_at.is_some() {
            return Err(AlreadyRevoked);
        }
        self.revoked_at = Some(now);
        self.updated_at = Some(now);
        self.revision = self.revision.next();
        Ok(self)
    }
}

/// The root key of the installation: one is in force at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapKey {
    /// Given when it is made; its replacement has another.
    pub id: BootstrapKeyId,
    /// What is shown of the key: `iiak_bootstrap_` and eight characters.
    pub prefix: KeyPrefix,
    /// The process that put it in force, in words for the operator: command, host name and process id.
    pub made_by: String,
    /// When it came into force.
    pub created_at: Timestamp,
    /// When another one replaced it; `None` while it is in force.
    pub revoked_at: Option<Timestamp>,
}
