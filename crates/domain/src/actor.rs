//! Who calls, on whose behalf, and what they may do.

use crate::capability::{Capability, CapabilitySet};
use crate::ids::{AdminKeyId, BootstrapKeyId, CredentialId, OrganizationId};
use crate::text::Name;

/// The caller of a use case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Whoever sits at the machine and runs the command line on the database itself.
    Operator,
    /// The root key of the installation. It rules the platform, but does not act for a partner.
    Bootstrap(BootstrapKeyId),
    /// A partner's admin key.
    AdminKey {
        /// The key itself: it owns what it makes.
        id: AdminKeyId,
        /// The partner's organization.
        organization: OrganizationId,
        /// The organization's name, for the audit log.
        entity: Name,
        /// The permissions the key was given.
        capabilities: CapabilitySet,
    },
    /// An organization's own key.
    Credential {
        /// The credential whose key was presented.
        id: CredentialId,
        /// The organization it belongs to: it owns what the key may touch.
        organization: OrganizationId,
        /// What the credential's scopes amount to.
        capabilities: CapabilitySet,
    },
}

/// Whose rows a query may touch. Every query takes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// All rows: the operator's view.
    Installation,
    /// The rows of one organization.
    Organization(OrganizationId),
    /// The rows one admin key made.
    AdminKey(AdminKeyId),
}

/// Why a caller was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller was not given this permission.
    #[error("the caller lacks {}", .0.word())]
    Lacks(Capability),
    /// The bootstrap key was used for a partner's business.
    #[error("the bootstrap key does not act for a partner ({})", .0.word())]
    NotForBootstrap(Capability),
}

impl Actor {
    /// Checks that the caller holds `capability`. The operator and the bootstrap key hold those of the
    /// platform without being given any, and none of a partner's.
    ///
    /// # Errors
    /// [`Refusal`] says why it does not. [`Capability::ViewUserUsage`] has no word of its own: what is
    /// named instead is [`Capability::ViewUsage`], and to the bootstrap key [`Capability::ManageUsers`].
    pub fn require(&self, capability: Capability) -> Result<(), Refusal> {
        use Capability as C;
        match (self, capability) {
            (Self::AdminKey { .. } | Self::Credential { .. }, C::RevokeSelf) => Ok(()),
            // It would be the end of the platform's own way in: it is rotated instead.
            (Self::Operator | Self::Bootstrap(_), C::RevokeSelf) => Err(Refusal::Lacks(capability)),
            (
                Self::Operator | Self::Bootstrap(_),
                C::ManageAdminKeys | C::VerifyKeys | C::ViewAuditLogs | C::ViewUsage,
            ) => Ok(()),
            (Self::Operator | Self::Bootstrap(_), C::ManageUsers | C::ManageCredentials) => {
                Err(Refusal::NotForBootstrap(capability))
            }
            (Self::Operator | Self::Bootstrap(_), C::ViewUserUsage) => {
                Err(Refusal::NotForBootstrap(C::ManageUsers))
            }
            (Self::AdminKey { capabilities, .. } | Self::Credential { capabilities, .. }, _) => {
                let needed = if capability == C::ViewUserUsage { C::ViewUsage } else { capability };
                if capabilities.contains(needed) { Ok(()) } else { Err(Refusal::Lacks(needed)) }
            }
        }
    }

    /// Whose rows this caller sees: what its queries are given.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match self {
            Self::Operator | Self::Bootstrap(_) => Owner::Installation,
            Self::AdminKey { id, .. } => Owner::AdminKey(*id),
            Self::Credential { organization, .. } => Owner::Organization(*organization),
        }
    }

    /// The organization the caller belongs to; the platform's own callers have none.
    #[must_use]
    pub fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::Operator | Self::Bootstrap(_) => None,
            Self::AdminKey { organization, .. } | Self::Credential { organization, .. } => {
                Some(*organization)
            }
        }
    }
}
