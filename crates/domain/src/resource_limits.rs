//! How many things of each kind one organization may have.

use std::fmt;
use std::str::FromStr;

/// A kind of thing whose number is limited by organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitedResource {
    /// Credentials that are not revoked; expired and disabled ones are counted.
    ApiKeys,
    /// Users that are not deleted.
    Users,
    /// The organization's own roles.
    Roles,
    /// Admin keys that are not revoked; expired ones are counted.
    AdminKeys,
}

impl LimitedResource {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::ApiKeys, Self::Users, Self::Roles, Self::AdminKeys];

    /// The stable word, as the database and the surfaces hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ApiKeys => "api_keys",
            Self::Users => "users",
            Self::Roles => "roles",
            Self::AdminKeys => "admin_keys",
        }
    }

    /// The limit where neither the organization nor the installation has one.
    #[must_use]
    pub const fn default_limit(self) -> u32 {
        match self {
            Self::ApiKeys | Self::Users => 100_000,
            Self::Roles => 500,
            Self::AdminKeys => 1_000,
        }
    }
}

/// Limits by kind; where one says nothing, the next wider scope decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceLimits([Option<u32>; 4]);

/// The text is not one that [`ResourceLimits`] prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of resource limits")]
pub struct InvalidResourceLimits;

impl ResourceLimits {
    /// The limits that `of` answers.
    pub fn new(of: impl FnMut(LimitedResource) -> Option<u32>) -> Self {
        Self(LimitedResource::ALL.map(of))
    }

    /// The limit of a kind; `None` when nothing is said.
    #[must_use]
    pub const fn get(self, resource: LimitedResource) -> Option<u32> {
        self.0[resource as usize]
    }

    /// The limit in force for an organization with these limits, in an installation with those.
    #[must_use]
    pub fn effective(self, installation: Self, resource: LimitedResource) -> u64 {
        let said = self.get(resource).or(installation.get(resource));
        said.unwrap_or_else(|| resource.default_limit()).into()
    }
}

/// As in `api_keys:100,users:50`; empty of none.
impl fmt::Display for ResourceLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = LimitedResource::ALL.into_iter().filter_map(|it| Some((it.word(), self.get(it)?)));
        for (place, (word, limit)) in said.enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{word}:{limit}")?;
        }
        Ok(())
    }
}

impl FromStr for ResourceLimits {
    type Err = InvalidResourceLimits;

    fn from_str(text: &str) -> Result<Self, InvalidResourceLimits> {
        let mut limits = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (word, limit) = part.split_once(':').ok_or(InvalidResourceLimits)?;
            let resource = LimitedResource::ALL.into_iter().find(|it| it.word() == word);
            let resource = resource.ok_or(InvalidResourceLimits)?;
            limits.0[resource as usize] = Some(limit.parse().map_err(|_| InvalidResourceLimits)?);
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organizations_limit_is_its_own_or_the_installations_or_the_default() {
        let only = |resource, limit| ResourceLimits::new(|it| (it == resource).then_some(limit));
        let own = only(LimitedResource::Users, 7);
        let installation = ResourceLimits::new(|_| Some(9));
        assert_eq!(own.effective(installation, LimitedResource::Users), 7);
        assert_eq!(own.effective(installation, LimitedResource::Roles), 9);
        assert_eq!(own.effective(ResourceLimits::default(), LimitedResource::Roles), 500);
    }

    #[test]
    fn limits_are_read_as_they_are_printed() {
        for text in ["", "api_keys:5", "users:0,admin_keys:4294967295"] {
            assert_eq!(text.parse::<ResourceLimits>().unwrap().to_string(), text);
        }
        for text in ["api_keys", "api_keys:x", "keys:5", "users:4294967296"] {
            assert_eq!(text.parse::<ResourceLimits>(), Err(InvalidResourceLimits), "{text}");
        }
    }
}
