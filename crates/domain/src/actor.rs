//! Who calls, on whose behalf, and what they may do.

use std::sync::Arc;

use crate::capability::{Capability, CapabilitySet, Door, UNRESTRICT};
use crate::ids::{AdminKeyId, BootstrapKeyId, CredentialId, OrganizationId, UserAccountId};
use crate::scope::{Held, Scope, Scopes};
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
        /// Which of its secrets the key is.
        secret: u32,
        /// The organization it belongs to.
        organization: OrganizationId,
        /// The user it is bound to.
        user_account: Option<UserAccountId>,
        /// Through which door it came: whether it speaks for its organization or for the operator.
        door: Door,
        /// What it may give to others: what it holds itself. `None` behind the gateways' door, where nothing is
        /// given.
        scopes: Option<Arc<Scopes>>,
        /// Whether it sees every organization's rows, and not only its own's.
        sees_all: bool,
        /// What its scopes amount to behind that door.
        capabilities: CapabilitySet,
        /// What it is called, for the audit log; `None` where nothing is logged.
        names: Option<Arc<CallerNames>>,
    },
}

/// What an organization's key, and the user it is bound to, are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerNames {
    /// The key's name.
    pub key: Name,
    /// The user's.
    pub user: Option<Name>,
}

/// The credential behind a key that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    /// Which one.
    pub credential: CredentialId,
    /// Which of its secrets the key is.
    pub secret: u32,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// The user it is bound to.
    pub user_account: Option<UserAccountId>,
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
    /// An organization's key as a caller, with all that it holds.
    #[must_use]
    pub fn credential<'a>(key: Presented, door: Door, held: impl Into<Held<'a>>) -> Self {
        let Presented { credential, secret, organization, user_account } = key;
        let held = held.into();
        let mut capabilities = door.capabilities(held);
        // The operator's surface has no scope of its own for this.
        if door == Door::Platform && held.cover_word(UNRESTRICT) {
            capabilities = capabilities.iter().chain([Capability::LiftRestrictions]).collect();
        }
        let (scopes, sees_all) = match door {
            Door::Platform => (Some(Arc::new(held.scopes().into_owned())), true),
            Door::Organization => (Some(Arc::new(held.scopes().into_owned())), false),
            // The operator's own gateways ask about everybody's keys. They come millions of times: nothing is copied.
            Door::Gateway => (None, !Door::Platform.capabilities(held).is_empty()),
        };
        Self::Credential {
            id: credential,
            secret,
            organization,
            user_account,
            door,
            scopes,
            sees_all,
            capabilities,
            names: None,
        }
    }

    /// The same caller with its names, if it is an organization's key.
    #[must_use]
    pub fn named(mut self, called: CallerNames) -> Self {
        if let Self::Credential { names, .. } = &mut self {
            *names = Some(Arc::new(called));
        }
        self
    }

    /// Checks that the caller holds `capability`. The operator and the bootstrap key hold every one.
    ///
    /// # Errors
    /// [`Refusal::Lacks`] when it does not.
    pub fn require(&self, capability: Capability) -> Result<(), Refusal> {
        use Capability as C;
        match (self, capability) {
            (Self::AdminKey { .. } | Self::Credential { .. }, C::RevokeSelf) => Ok(()),
            // It would be the end of the platform's own way in: it is rotated instead.
            (Self::Operator | Self::Bootstrap(_), C::RevokeSelf) => Err(Refusal::Lacks(capability)),
            (Self::Operator | Self::Bootstrap(_), _) => Ok(()),
            (Self::AdminKey { capabilities, .. } | Self::Credential { capabilities, .. }, _) => {
                if capabilities.contains(capability) {
                    Ok(())
                } else {
                    Err(Refusal::Lacks(capability))
                }
            }
        }
    }

    /// As [`require`](Self::require), for what only a partner does: the platform's own callers, whatever they
    /// may do elsewhere, do not do a partner's business.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    pub fn require_partner(&self, capability: Capability) -> Result<(), Refusal> {
        match self {
            Self::Operator | Self::Bootstrap(_) => Err(Refusal::NotForBootstrap(capability)),
            Self::AdminKey { .. } | Self::Credential { .. } => self.require(capability),
        }
    }

    /// Those of `wanted` that the caller may not give to anybody, because it lacks them itself. The operator and
    /// the bootstrap key lack none; admin keys have no scopes to give. An operator's key that may manage keys gives
    /// all but `admin:` scopes: it does not hold its tenants' scopes, and makes the keys that do.
    #[must_use]
    pub fn may_not_grant(&self, wanted: &Scopes) -> Vec<Scope> {
        match self {
            Self::Operator | Self::Bootstrap(_) => Vec::new(),
            Self::AdminKey { .. } => wanted.iter().cloned().collect(),
            Self::Credential { scopes: Some(scopes), door, capabilities, .. } => {
                let gives_all =
                    *door == Door::Platform && capabilities.contains(Capability::ManageCredentials);
                let mut lacking = scopes.lacking(wanted);
                lacking.retain(|scope| scope.is_platform() || !gives_all);
                lacking
            }
            Self::Credential { scopes: None, .. } => wanted.iter().cloned().collect(),
        }
    }

    /// Whether the restrictions of the caller's own key bind what it makes and changes
    /// ([`Restrictions`](crate::restriction::Restrictions)). The operator and the bootstrap key have none, and the
    /// credentials that an admin key issues open nothing of Claviger's.
    #[must_use]
    pub fn passes_restrictions_on(&self) -> bool {
        match self {
            Self::Operator | Self::Bootstrap(_) | Self::AdminKey { .. } => false,
            Self::Credential { capabilities, .. } => !capabilities.contains(Capability::LiftRestrictions),
        }
    }

    /// The user whose keys are the only ones this caller makes, or makes stronger: a key that is bound to a user
    /// would else leave a key behind that the user's end does not end, or act as somebody else. Who holds every
    /// scope is free of it.
    #[must_use]
    pub fn confined_to(&self) -> Option<UserAccountId> {
        match self {
            Self::Credential { user_account, scopes, .. } => {
                let holds_all =
                    scopes.as_ref().is_some_and(|scopes| scopes.lacking(&Scopes::everything()).is_empty());
                user_account.filter(|_| !holds_all)
            }
            Self::Operator | Self::Bootstrap(_) | Self::AdminKey { .. } => None,
        }
    }

    /// Whose rows this caller sees: what its queries are given.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match self {
            Self::Operator | Self::Bootstrap(_) => Owner::Installation,
            Self::AdminKey { id, .. } => Owner::AdminKey(*id),
            Self::Credential { sees_all: true, .. } => Owner::Installation,
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
