//! Organizations: the tenants. The entity of a partner's admin key is one.

use std::fmt;

use crate::Timestamp;
use crate::address::IpAllowlist;
use crate::ids::OrganizationId;
use crate::revision::Revision;
use crate::text::{Email, InvalidText, Metadata, Name};

/// Whether an organization's keys may be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationStatus {
    /// In use.
    Active,
    /// Stopped until it is reactivated: neither its credentials nor its admin keys are accepted.
    Suspended,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Given when it is made; never changes.
    pub id: OrganizationId,
    /// What people call it; the partner surface tells it as `admin_entity_name`. Not unique.
    pub name: Name,
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
    /// Where its credentials may be used from; a credential's own list can only narrow it.
    pub ip_allowlist: IpAllowlist,
}

impl Organization {
    /// An active organization without settings of its own.
    #[must_use]
    pub fn new(id: OrganizationId, name: Name, slug: Slug, now: Timestamp) -> Self {
        Self {
            id,
            name,
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
        self.status == OrganizationStatus::Suspended
    }
}

/// A short name for addresses: 1 to 63 of `[a-z0-9-]`.
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
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// A slug made of the letters and digits of a name; `organization` when it has none.
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
        let slug = slug.trim_matches('-');
        Self(if slug.is_empty() { "organization".to_owned() } else { slug.to_owned() })
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
    }
}
