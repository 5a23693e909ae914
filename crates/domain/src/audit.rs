//! The audit log: who did what, to which thing, from where.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::SecondsFormat;
use uuid::Uuid;

use crate::Timestamp;
use crate::actor::Actor;
use crate::ids::{AdminKeyId, AuditEntryId, OrganizationId, UserAccountId};
use crate::secret::contains_key;
use crate::text::Metadata;

mod chain;
pub mod filtered;
mod finding;
pub mod line;
mod walk;

pub use chain::{AuditKeys, ChainId, Head, InvalidMac, Link, Mac, SealedHead};
pub use finding::{Break, Flaw, Kept, Walked};
pub use walk::{End, Material, Walk};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$note])* $variant,)* }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word, as the log and the surfaces hold it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What a word stands for; `None` of any other text. Case matters.
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
        /// The root key of the installation.
        BootstrapKey = "bootstrap_key",
        /// A partner's admin key.
        AdminKey = "admin_key",
        /// A tenant.
        Organization = "organization",
        /// A customer's account.
        UserAccount = "user_account",
        /// A credential, as the partner surface calls what is verified.
        Credential = "credential",
        /// Usage figures.
        Usage = "usage",
        /// The log itself.
        AuditLog = "audit_log",
        /// A credential, as the platform and organization surfaces call what is verified.
        ApiKey = "api_key",
        /// What an organization, or the installation, is set to.
        Settings = "settings",
        /// A named set of scopes.
        Role = "role",
        /// A call that leads nowhere.
        Request = "request",
    }
}

words! {
    /// What can be done to a thing, and what can be answered instead.
    Verb {
        /// Made; a key: issued.
        Created = "created",
        /// Some of its fields were changed.
        Updated = "updated",
        /// Stopped until it is reactivated.
        Suspended = "suspended",
        /// Let work again.
        Reactivated = "reactivated",
        /// Given a new secret.
        Rotated = "rotated",
        /// Ended for good.
        Revoked = "revoked",
        /// Switched off until it is switched on again.
        Disabled = "disabled",
        /// Switched on again.
        Enabled = "enabled",
        /// Gone for good.
        Deleted = "deleted",
        /// Looked at or listed; or the answer to an earlier change was told again.
        Read = "read",
        /// The caller was refused: the answer's status is 4xx.
        Denied = "denied",
        /// The service could not answer: the answer's status is 5xx.
        Failed = "failed",
    }
}

impl Verb {
    /// Whether the verb tells of a change; reads, refused and failed calls change nothing.
    #[must_use]
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Read | Self::Denied | Self::Failed)
    }
}

/// What happened: printed `resource.verb`, for example `credential.created`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// What it was done to.
    pub resource: Resource,
    /// What was done.
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
    /// What kind of caller it was.
    pub kind: AuthorKind,
    /// The key that was used; `None` for the operator and for callers who proved nothing.
    pub id: Option<Uuid>,
    /// What the caller was called at that time: the entity's name for an admin key, the key's own name for an
    /// organization's key, and fixed words for the bootstrap key and the command line. `None` of unknown callers.
    pub name: Option<String>,
    /// The organization the caller belongs to; `None` of the platform's own callers, and of unknown ones.
    pub organization: Option<OrganizationId>,
    /// The user that an organization's key is bound to.
    pub user: Option<AuthorUser>,
}

/// The user behind a key, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorUser {
    /// Which one.
    pub id: UserAccountId,
    /// Its name at that time.
    pub name: String,
}

words! {
    /// The kinds of caller there are.
    AuthorKind {
        /// The command line on the database itself.
        Operator = "operator",
        /// The root key of the installation.
        Bootstrap = "bootstrap_key",
        /// A partner's admin key.
        AdminKey = "admin_key",
        /// An organization's own key.
        Credential = "credential",
        /// Whoever presented no key that works.
        Unknown = "unknown",
    }
}

impl Author {
    /// A caller without a key that works.
    pub const UNKNOWN: Self =
        Self { kind: AuthorKind::Unknown, id: None, name: None, organization: None, user: None };

    /// The admin key that acted, if one did.
    #[must_use]
    pub fn admin_key(&self) -> Option<AdminKeyId> {
        self.id.filter(|_| self.kind == AuthorKind::AdminKey).map(AdminKeyId::from_uuid)
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        let (kind, id, name) = match actor {
            Actor::Operator => (AuthorKind::Operator, None, Some("command line")),
            Actor::Bootstrap(id) => (AuthorKind::Bootstrap, Some(id.uuid()), Some("bootstrap key")),
            Actor::AdminKey { id, entity, .. } => {
                (AuthorKind::AdminKey, Some(id.uuid()), Some(entity.as_str()))
            }
            Actor::Credential { id, names, .. } => {
                let name = names.as_ref().map(|names| names.key.as_str());
                (AuthorKind::Credential, Some(id.uuid()), name)
            }
        };
        let user = match actor {
            Actor::Credential { user_account: Some(id), names: Some(names), .. } => {
                names.user.as_ref().map(|name| AuthorUser { id: *id, name: loggable(name.as_str()) })
            }
            _ => None,
        };
        Self { kind, id, name: name.map(loggable), organization: actor.organization(), user }
    }
}

/// What the log has instead of a text that contains a key.
const REDACTED: &str = "[redacted: contains a key]";

fn loggable(name: &str) -> String {
    (if contains_key(name) { REDACTED } else { name }).to_owned()
}

/// One value in an entry's details.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Nothing; what was cleared, or never set.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number: the log tells no fractions.
    Number(i64),
    /// Words, an id, or an instant as [`Self::instant`] writes it.
    Text(String),
    /// Several values, in their order.
    List(Vec<Detail>),
    /// Named values, in their order.
    Map(Vec<(String, Detail)>),
}

impl Detail {
    /// A text, or null.
    pub fn text_or_null(text: Option<impl fmt::Display>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_string()))
    }

    /// A count; one beyond what a signed number holds is the most it holds.
    #[must_use]
    pub fn number(count: u64) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Metadata: its JSON text up to [`METADATA_TOLD`](Self::METADATA_TOLD) bytes. Of a longer one the size, the
    /// BLAKE3 hash, by which a copy is recognised, and the beginning; of one that contains a key no text at all.
    #[must_use]
    pub fn metadata(metadata: &Metadata) -> Self {
        let json = metadata.as_str();
        let holds_key = contains_key(json);
        if json.len() <= Self::METADATA_TOLD && !holds_key {
            return Self::Text(json.to_owned());
        }
        let shown = if holds_key { REDACTED } else { &json[..json.floor_char_boundary(Self::METADATA_TOLD)] };
        let hash = blake3::hash(json.as_bytes()).to_hex();
        Self::Map(vec![
            ("bytes".to_owned(), Self::number(json.len() as u64)),
            ("blake3".to_owned(), Self::Text(hash.to_string())),
            ("beginning".to_owned(), Self::Text(shown.to_owned())),
        ])
    }

    /// The most bytes of metadata that one entry tells, before and after a change alike.
    pub const METADATA_TOLD: usize = 1024;

    /// The same without texts that contain a key: somebody pasted it into a name or a description.
    #[must_use]
    pub fn without_keys(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(if contains_key(&text) { REDACTED.to_owned() } else { text }),
            Self::List(items) => Self::List(items.into_iter().map(Self::without_keys).collect()),
            Self::Map(named) => {
                Self::Map(named.into_iter().map(|(name, value)| (name, value.without_keys())).collect())
            }
            plain @ (Self::Null | Self::Flag(_) | Self::Number(_)) => plain,
        }
    }

    /// An instant as every surface tells it: in UTC, in whole seconds.
    #[must_use]
    pub fn instant(at: Timestamp) -> Self {
        Self::Text(at.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

/// Named facts about what happened. Never a secret.
pub type Details = Vec<(String, Detail)>;

/// What the action was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What kind of thing it is; a look at a credential's usage has the credential as its target.
    pub resource: Resource,
    /// Its id, of the kind that `resource` says.
    pub id: Uuid,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Given when the line is written; lists are ordered by it.
    pub id: AuditEntryId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub action: Action,
    /// Who did it, or tried to.
    pub author: Author,
    /// The tenant the line belongs to: the target's where there is one, else the author's.
    pub organization: Option<OrganizationId>,
    /// What it was done to; `None` of lists, and where the call named nothing that can be told apart.
    pub target: Option<Target>,
    /// Where the call came from, as [`client_address`](crate::address::client_address) finds it; `None`
    /// where that is not known, as on the command line.
    pub address: Option<IpAddr>,
    /// The `X-Request-Id` of the call's answer; empty where no one request is meant.
    pub request_id: String,
    /// What is worth knowing beside; empty when there is nothing.
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
