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
    pub id: AdminKeyId,
    pub organization: OrganizationId,
    pub name: Option<Name>,
    pub permissions: CapabilitySet,
    pub prefix: KeyPrefix,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub revision: Revision,
}

/// The key was revoked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("already revoked")]
pub struct AlreadyRevoked;

impl AdminKey {
    /// Whether the key may be used at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// The key as a caller, when it and its organization may be used at `now`.
    #[must_use]
    pub fn actor(&self, organization: &Organization, now: Timestamp) -> Option<Actor> {
        (self.is_live(now) && !organization.is_suspended()).then(|| Actor::AdminKey {
            id: self.id,
            organization: self.organization,
            entity: organization.name.clone(),
            capabilities: self.permissions.clone(),
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

/// The root key of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapKey {
    pub id: BootstrapKeyId,
    pub prefix: KeyPrefix,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}
