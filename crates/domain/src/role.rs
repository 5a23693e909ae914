//! Roles: what the users of an organization may do. Four are every organization's; others it makes itself.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::Timestamp;
use crate::ids::{InvalidId, OrganizationId, RoleId};
use crate::revision::Revision;
use crate::scope::Scopes;
use crate::text::{Description, Name};

/// The roles that every organization has. They cannot be changed, and their ids are the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemRole {
    /// May do everything; the last active one of an organization stays.
    Owner,
    /// Runs the organization's users, roles and keys.
    Admin,
    /// Makes keys and uses them.
    Member,
    /// Sees, and changes nothing.
    Viewer,
}

impl SystemRole {
    /// Every system role, the one with the most permissions first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    /// Its id, in every organization.
    #[must_use]
    pub const fn id(self) -> RoleId {
        let number = match self {
            Self::Owner => 1,
            Self::Admin => 2,
            Self::Member => 3,
            Self::Viewer => 4,
        };
        // A version 7 id of the first millisecond there is.
        RoleId::from_uuid(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 + number))
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Member => "Member",
            Self::Viewer => "Viewer",
        }
    }

    /// What it is for.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Owner => "Full access to the organization",
            Self::Admin => "Manages users, roles and API keys",
            Self::Member => "Makes and uses API keys",
            Self::Viewer => "Read-only access",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Owner => "*",
            Self::Admin => {
                "organizations:read users:* roles:* api-keys:* keys:verify usage:read audit:read webhooks:* idp:*"
            }
            Self::Member => {
                "organizations:read users:read roles:read api-keys:read api-keys:write keys:verify usage:read"
            }
            Self::Viewer => "organizations:read users:read roles:read api-keys:read usage:read",
        }
    }

    /// What it permits.
    #[must_use]
    pub fn permissions(self) -> Scopes {
        // The words are this file's own, and tested.
        self.words().parse().unwrap_or_default()
    }

    /// The system role of this id; `None` of any other.
    #[must_use]
    pub fn of_id(id: RoleId) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }

    /// The system role of this name, in any case; `None` of any other text.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name))
    }
}

/// A role an organization made itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Given when it is made; never changes.
    pub id: RoleId,
    /// Whose role it is; never changes.
    pub organization: OrganizationId,
    /// Unique in its organization, whatever the case; no system role's.
    pub name: Name,
    /// What it is for; `None` when nothing is said.
    pub description: Option<Description>,
    /// What its holders may do.
    pub permissions: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last; `None` until the first change.
    pub updated_at: Option<Timestamp>,
    /// Which of its states this is.
    pub revision: Revision,
}

impl Role {
    /// The role in its next revision, changed at `now`: every change ends with it.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.updated_at = Some(now);
        self.revision = self.revision.next();
        self
    }
}

/// The roles of one user, none twice, in the order they were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleIds(Vec<RoleId>);

/// More roles than one user may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} roles")]
pub struct TooManyRoles {
    /// The most there may be.
    pub max: usize,
}

impl RoleIds {
    /// The most roles of one user.
    pub const MAX: usize = 20;

    /// These roles; one that is named twice counts once.
    ///
    /// # Errors
    /// [`TooManyRoles`] of more than [`Self::MAX`].
    pub fn new(given: impl IntoIterator<Item = RoleId>) -> Result<Self, TooManyRoles> {
        let mut ids = Vec::new();
        for id in given {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.len() > Self::MAX { Err(TooManyRoles { max: Self::MAX }) } else { Ok(Self(ids)) }
    }

    /// Whether this role is among them.
    #[must_use]
    pub fn contains(&self, id: RoleId) -> bool {
        self.0.contains(&id)
    }

    /// Whether there is none: the user is no member of its organization then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The roles, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = RoleId> + '_ {
        self.0.iter().copied()
    }

    /// What they permit together: the system roles among them, and those of `custom` that are.
    #[must_use]
    pub fn permissions<'a>(&self, custom: impl IntoIterator<Item = &'a Role>) -> Scopes {
        let system: Vec<_> = self.iter().filter_map(SystemRole::of_id).map(SystemRole::permissions).collect();
        let custom = custom.into_iter().filter(|role| self.contains(role.id)).map(|role| &role.permissions);
        system.iter().chain(custom).flat_map(Scopes::iter).collect()
    }
}

impl fmt::Display for RoleIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, id) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{id}")?;
        }
        Ok(())
    }
}

impl FromStr for RoleIds {
    type Err = InvalidId;

    /// Reads ids separated by spaces; the empty text is no roles.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_roles_are_found_by_id_and_by_name() {
        for role in SystemRole::ALL {
            assert_eq!(SystemRole::of_id(role.id()), Some(role));
            assert_eq!(SystemRole::of_name(&role.name().to_uppercase()), Some(role));
            assert!(!role.permissions().is_empty());
            assert!(SystemRole::Owner.permissions().lacking(&role.permissions()).is_empty());
        }
        let viewer = SystemRole::Viewer.permissions();
        assert!(viewer.iter().all(|scope| scope.as_str().ends_with(":read")));
    }

    #[test]
    fn a_user_may_what_any_of_its_roles_permits() {
        let custom = Role {
            id: RoleId::from_uuid(Uuid::from_u128(9)),
            organization: OrganizationId::from_uuid(Uuid::from_u128(1)),
            name: Name::new("Billing").unwrap(),
            description: None,
            permissions: "invoices:* usage:read".parse().unwrap(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: None,
            revision: Revision::FIRST,
        };
        let roles = RoleIds::new([SystemRole::Viewer.id(), custom.id, custom.id]).unwrap();
        let may = roles.permissions([&custom]);
        assert!(may.cover_word("invoices:pay") && may.cover_word("users:read"));
        assert!(!may.cover_word("users:write"));
        assert!(!roles.permissions([]).cover_word("invoices:pay"), "a role that is gone gives nothing");
        assert_eq!(roles.to_string().parse(), Ok(roles));
    }
}
