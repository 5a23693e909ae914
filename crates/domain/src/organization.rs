//! Organizations: the tenants. The entity of a partner's admin key is one.

use std::fmt;

use crate::Timestamp;
use crate::address::IpAllowlist;
use crate::ids::OrganizationId;
use crate::limit::Limits;
use crate::resource_limits::ResourceLimits;
use crate::revision::Revision;
use crate::settings::{KeptDays, KeyLifetime};
use crate::text::{Email, InvalidText, Metadata, Name};

/// Whether an organization's keys may be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationStatus {
    /// In use.
    Active,
    /// Stopped until it is reactivated: neither its credentials nor its admin keys are accepted.
    Suspended,
    /// Gone for good: nobody sees it any more. What it did stays in the figures and in the audit log.
    Deleted,
}

impl OrganizationStatus {
    /// Every status a surface shows, in the order in which they name them.
    pub const SHOWN: [Self; 2] = [Self::Active, Self::Suspended];

    /// The stable word, as the database and every surface hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// The status of a word; `None` of any other text. Case matters.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleted].into_iter().find(|status| status.word() == word)
    }
}

/// The organization is not in the state that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the organization's status does not allow this")]
pub struct WrongStatus;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Given when it is made; never changes.
    pub id: OrganizationId,
    /// What people call it; the partner surface tells it as `admin_entity_name`. Not unique.
    pub name: Name,
    /// Whether it chose the name itself. Such a name says nothing about who it is: admin keys are made for the
    /// entity of a name that the operator gave.
    pub is_self_named: bool,
    /// Its name in addresses, unique in the installation.
    pub slug: Slug,
    /// Where it is reached; `None` when unknown. No mail is sent to it.
    pub email: Option<Email>,
    /// The operator's name of what it pays for; `None` when it has none. No rule reads it.
    pub plan: Option<Name>,
    /// Whether its keys work.
    pub status: OrganizationStatus,
    /// The operator's own facts; no rule reads them.
    pub metadata: Metadata,
    /// What all its keys are held to.
    pub settings: OrganizationSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last; `None` until the first change.
    pub updated_at: Option<Timestamp>,
    /// Which of its states this is.
    pub revision: Revision,
}

/// What an organization's keys are held to, whatever each key says itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationSettings {
    /// Where its keys may be used from; a credential's own list can only narrow it.
    pub ip_allowlist: IpAllowlist,
    /// How long its new keys may live, within what the installation allows.
    pub key_lifetime: KeyLifetime,
    /// Of keys made without limits of their own; empty: the installation's.
    pub default_limits: Limits,
    /// How long its records are kept; `None`: as long as the installation's.
    pub kept_days: KeptDays,
    /// How many things it may have; the operator's to set.
    pub resource_limits: ResourceLimits,
}

impl Organization {
    /// An active organization without settings of its own.
    #[must_use]
    pub fn new(id: OrganizationId, name: Name, slug: Slug, now: Timestamp) -> Self {
        Self {
            id,
            name,
            is_self_named: false,
            slug,
            email: None,
            plan: None,
            status: OrganizationStatus::Active,
            metadata: Metadata::empty(),
            settings: OrganizationSettings::default(),
            created_at: now,
            updated_at: None,
            revision: Revision::FIRST,
        }
    }

    /// Whether its keys are refused.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        match self.status {
            OrganizationStatus::Active => false,
            OrganizationStatus::Suspended | OrganizationStatus::Deleted => true,
        }
    }

    /// Stops all its keys at once.
    ///
    /// # Errors
    /// [`WrongStatus`] when they are stopped already.
    pub fn suspend(self, now: Timestamp) -> Result<Self, WrongStatus> {
        self.turn(OrganizationStatus::Active, OrganizationStatus::Suspended, now)
    }

    /// Lets its keys work again.
    ///
    /// # Errors
    /// [`WrongStatus`] when it is not suspended.
    pub fn reactivate(self, now: Timestamp) -> Result<Self, WrongStatus> {
        self.turn(OrganizationStatus::Suspended, OrganizationStatus::Active, now)
    }

    /// Ends it for good. Its slug is free again.
    #[must_use]
    pub fn delete(self, now: Timestamp) -> Self {
        // No slug that can be given holds a dot.
        let slug = Slug(format!("{}.{}", self.slug, self.id));
        Self { status: OrganizationStatus::Deleted, slug, ..self }.touched(now)
    }

    fn turn(
        self,
        from: OrganizationStatus,
        to: OrganizationStatus,
        now: Timestamp,
    ) -> Result<Self, WrongStatus> {
        if self.status == from { Ok(Self { status: to, ..self }.touched(now)) } else { Err(WrongStatus) }
    }

    /// The organization in its next revision, changed at `now`: every change ends with it.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.updated_at = Some(now);
        self.revision = self.revision.next();
        self
    }
}

/// A short name for addresses: 1 to 63 of `[a-z0-9-]`, and nobody's id: wherever a slug stands, an id may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// The longest slug.
    pub const MAX: usize = 63;

    /// Checks a given slug.
    ///
    /// # Errors
    /// [`InvalidText`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        match text {
            "" => Err(InvalidText::Empty),
            _ if text.len() > Self::MAX => Err(InvalidText::TooLong { max: Self::MAX }),
            _ if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) => {
                Err(InvalidText::Form)
            }
            _ if OrganizationId::parse_any(text).is_ok() => Err(InvalidText::Form),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// A slug made of the letters and digits of a name; `organization` when it has none, or looks like an id.
    #[must_use]
    pub fn derive(name: &Name) -> Self {
        let mut slug = String::new();
        for character in name.as_str().chars().flat_map(char::to_lowercase) {
            if character.is_ascii_alphanumeric() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(Self::MAX);
        Self::new(slug.trim_matches('-')).unwrap_or(Self("organization".to_owned()))
    }

    /// The same slug with the end of an id behind it, for when the short one is taken.
    #[must_use]
    pub fn distinguished_by(&self, id: OrganizationId) -> Self {
        let id = id.prefixed();
        let tail = &id[id.len() - 8..];
        let head: String = self.0.chars().take(Self::MAX - 9).collect();
        Self(format!("{}-{tail}", head.trim_end_matches('-')))
    }

    /// Takes a stored slug back.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_the_name() {
        for (name, slug) in [
            ("Acme Corporation", "acme-corporation"),
            ("  --Ünïcode & Söhne!--", "n-code-s-hne"),
            ("北京", "organization"),
            ("a.b", "a-b"),
            ("01890A5D AC96 774B BCCE B302099A8057", "organization"),
        ] {
            let name = Name::new(name).unwrap();
            assert_eq!(Slug::derive(&name).as_str(), slug);
            assert!(Slug::new(Slug::derive(&name).as_str()).is_ok());
        }
        let long = Name::new(&"a".repeat(200)).unwrap();
        assert_eq!(Slug::derive(&long).as_str().len(), 63);
        let id = OrganizationId::from_uuid(uuid::Uuid::from_u128(u128::MAX));
        assert_eq!(Slug::derive(&long).distinguished_by(id).as_str().len(), 63);
        assert!(Slug::new("With Space").is_err());
        assert!(Slug::new("01890a5d-ac96-774b-bcce-b302099a8057").is_err(), "an organization's id");
    }
}
