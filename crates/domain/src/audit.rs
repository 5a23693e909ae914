//! The audit log: who did what, to which thing, from where.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use uuid::Uuid;

use crate::Timestamp;
use crate::actor::Actor;
use crate::ids::{AdminKeyId, AuditEntryId, OrganizationId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }
        }
    };
}

words! {
    /// The kinds of thing that calls are about.
    Resource {
        BootstrapKey = "bootstrap_key",
        AdminKey = "admin_key",
        Organization = "organization",
        UserAccount = "user_account",
        Credential = "credential",
        Usage = "usage",
        AuditLog = "audit_log",
        ApiKey = "api_key",
        Settings = "settings",
        Role = "role",
    }
}

words! {
    /// What can be done to a thing, and what can be answered instead.
    Verb {
        Created = "created",
        Updated = "updated",
        Suspended = "suspended",
        Reactivated = "reactivated",
        Rotated = "rotated",
        Revoked = "revoked",
        Read = "read",
        Denied = "denied",
    }
}

impl Verb {
    /// Whether the verb tells of a change; reads and refused calls change nothing.
    #[must_use]
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Read | Self::Denied)
    }
}

/// What happened: printed `resource.verb`, for example `credential.created`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    pub resource: Resource,
    pub verb: Verb,
}

/// The text names no action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an audit action")]
pub struct UnknownAction;

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.resource.word(), self.verb.word())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let (resource, verb) = text.split_once('.').ok_or(UnknownAction)?;
        Resource::of_word(resource)
            .zip(Verb::of_word(verb))
            .map(|(resource, verb)| Self { resource, verb })
            .ok_or(UnknownAction)
    }
}

/// Who acted, as the log keeps it: the words stay true when keys and names are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub kind: AuthorKind,
    /// The key that was used; `None` for the operator and for callers who proved nothing.
    pub id: Option<Uuid>,
    /// The entity's name at that time.
    pub entity: Option<String>,
    pub organization: Option<OrganizationId>,
}

words! {
    /// The kinds of caller there are.
    AuthorKind {
        Operator = "operator",
        Bootstrap = "bootstrap_key",
        AdminKey = "admin_key",
        Credential = "credential",
        Unknown = "unknown",
    }
}

impl Author {
    /// A caller without a key that works.
    pub const UNKNOWN: Self = Self { kind: AuthorKind::Unknown, id: None, entity: None, organization: None };

    /// The admin key that acted, if one did.
    #[must_use]
    pub fn admin_key(&self) -> Option<AdminKeyId> {
        self.id.filter(|_| self.kind == AuthorKind::AdminKey).map(AdminKeyId::from_uuid)
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        let (kind, id, entity) = match actor {
            Actor::Operator => (AuthorKind::Operator, None, None),
            Actor::Bootstrap(id) => (AuthorKind::Bootstrap, Some(id.uuid()), None),
            Actor::AdminKey { id, entity, .. } => {
                (AuthorKind::AdminKey, Some(id.uuid()), Some(entity.as_str().to_owned()))
            }
            Actor::Credential { id, .. } => (AuthorKind::Credential, Some(id.uuid()), None),
        };
        Self { kind, id, entity, organization: actor.organization() }
    }
}

/// One value in an entry's details.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    Null,
    Flag(bool),
    Number(i64),
    Text(String),
    List(Vec<Detail>),
    Map(Vec<(String, Detail)>),
}

impl Detail {
    /// A text, or null.
    pub fn text_or_null(text: Option<impl fmt::Display>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_string()))
    }
}

/// Named facts about what happened. Never a secret.
pub type Details = Vec<(String, Detail)>;

/// What the action was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub resource: Resource,
    pub id: Uuid,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: AuditEntryId,
    pub at: Timestamp,
    pub action: Action,
    pub author: Author,
    /// The tenant the line belongs to: the target's where there is one, else the author's.
    pub organization: Option<OrganizationId>,
    pub target: Option<Target>,
    pub address: Option<IpAddr>,
    pub request_id: String,
    pub details: Details,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_dotted_words() {
        for text in ["credential.created", "user_account.suspended", "admin_key.revoked", "usage.read"] {
            assert_eq!(text.parse::<Action>().map(|action| action.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "credential", "credential.", "credential.created.twice", "Credential.Created"] {
            assert_eq!(text.parse::<Action>(), Err(UnknownAction));
        }
    }
}
