//! What keys are held to beyond what each says itself: by their organization, and by the installation.

use chrono::TimeDelta;

use crate::Timestamp;
use crate::limit::Limits;
use crate::resource_limits::ResourceLimits;
use crate::revision::Revision;

/// How long new keys may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyLifetime {
    /// Of a key whose maker says nothing; `None`: it does not expire, or as late as it may.
    pub usual: Option<TimeDelta>,
    /// The longest; `None`: for ever.
    pub most: Option<TimeDelta>,
    /// Whether whoever makes a key must say when it ends, where nothing is usual.
    pub is_demanded: bool,
}

/// An expiry that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLifetime {
    /// Nothing was said, and something must be.
    #[error("an expiry must be given")]
    Missing,
    /// The key would live too long.
    #[error("a key may live for {} seconds from its creation", .most.num_seconds())]
    TooLong {
        /// How long it may live.
        most: TimeDelta,
    },
}

impl KeyLifetime {
    /// When a key that was made at `created_at` ends, if `asked` is asked for at `now`. The longest life counts from
    /// the key's creation, so that no change prolongs it; the usual one from now.
    ///
    /// # Errors
    /// [`InvalidLifetime`] when that is not allowed.
    pub fn settle(
        self,
        asked: Option<Timestamp>,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, InvalidLifetime> {
        let end = match (asked, self.usual) {
            (Some(end), _) => Some(end),
            (None, Some(usual)) => Some(now + usual),
            (None, None) if self.is_demanded => return Err(InvalidLifetime::Missing),
            (None, None) => None,
        };
        let Some(most) = self.most else { return Ok(end) };
        let last = created_at + most;
        let is_too_late = asked.is_some_and(|end| end > last) || last <= now;
        if is_too_late {
            return Err(InvalidLifetime::TooLong { most });
        }
        Ok(Some(end.map_or(last, |end| end.min(last))))
    }

    /// An organization's own rule within the installation's: where it says nothing, that one holds, and no key
    /// lives longer than both allow.
    #[must_use]
    pub fn within(self, installation: Self) -> Self {
        Self {
            usual: self.usual.or(installation.usual),
            most: match (self.most, installation.most) {
                (Some(own), Some(other)) => Some(own.min(other)),
                (own, other) => own.or(other),
            },
            is_demanded: self.is_demanded || installation.is_demanded,
        }
    }
}

/// How many days records are kept; `None`: as long as the installation's, or else its configuration, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptDays {
    /// Lines of the audit log.
    pub audit: Option<u32>,
    /// Usage figures, at every resolution.
    pub usage: Option<u32>,
}

/// How forward-auth answers where the proxy does not say which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardAuthDialect {
    /// Every status as it is.
    #[default]
    Plain,
    /// 402 and 429 told as 403, the only ones nginx passes on.
    Nginx,
}

impl ForwardAuthDialect {
    /// Every dialect.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Nginx];

    /// The stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Nginx => "nginx",
        }
    }

    /// The dialect of a word; `None` of any other text.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.word() == word)
    }
}

/// What holds for the whole installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// For the keys of organizations that say nothing themselves, and the bounds for all.
    pub key_lifetime: KeyLifetime,
    /// Of keys made without limits of their own, where their organization has none either.
    pub default_limits: Limits,
    /// How long records are kept; `None`: as the configuration says.
    pub kept_days: KeptDays,
    /// How many things organizations may have that say nothing themselves.
    pub resource_limits: ResourceLimits,
    /// For proxies that do not say.
    pub forward_auth_dialect: ForwardAuthDialect,
    /// Whose web pages may call, as `scheme://host[:port]`; without any, none may.
    pub cors_origins: Vec<String>,
    /// When they were changed last; `None` until the first change.
    pub updated_at: Option<Timestamp>,
    /// Which of their states this is.
    pub revision: Revision,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key_lifetime: KeyLifetime::default(),
            default_limits: Limits::default(),
            kept_days: KeptDays::default(),
            resource_limits: ResourceLimits::default(),
            forward_auth_dialect: ForwardAuthDialect::default(),
            cors_origins: Vec::new(),
            updated_at: None,
            revision: Revision::FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_settled_by_what_is_usual_and_what_is_allowed() {
        let now = Timestamp::UNIX_EPOCH + TimeDelta::days(20_000);
        let day = TimeDelta::days;
        let rule = |usual: Option<i64>, most: Option<i64>, is_demanded| KeyLifetime {
            usual: usual.map(day),
            most: most.map(day),
            is_demanded,
        };
        let missing = Err(InvalidLifetime::Missing);
        for (rule, asked, expected) in [
            (rule(None, None, false), None, Ok(None)),
            (rule(None, None, false), Some(9_000), Ok(Some(9_000))),
            (rule(Some(30), None, false), None, Ok(Some(30))),
            (rule(Some(30), Some(7), false), None, Ok(Some(7))),
            (rule(None, Some(7), false), None, Ok(Some(7))),
            (rule(None, Some(7), true), None, missing),
            (rule(Some(5), None, true), None, Ok(Some(5))),
            (rule(None, Some(7), false), Some(7), Ok(Some(7))),
            (rule(None, Some(7), false), Some(8), Err(InvalidLifetime::TooLong { most: day(7) })),
        ] {
            let settled = rule.settle(asked.map(|days| now + day(days)), now, now);
            assert_eq!(settled, expected.map(|end| end.map(|days| now + day(days))), "{rule:?} {asked:?}");
        }
        // Of a key that is five days old.
        let late = Err(InvalidLifetime::TooLong { most: day(7) });
        for (usual, most, asked, expected) in [
            (None, Some(7), Some(2), Ok(Some(2))),
            (None, Some(7), Some(3), late),
            (None, Some(7), None, Ok(Some(2))),
            (Some(1), Some(7), None, Ok(Some(1))),
            (Some(4), Some(7), None, Ok(Some(2))),
            (Some(4), None, None, Ok(Some(4))),
            (None, Some(5), None, Err(InvalidLifetime::TooLong { most: day(5) })),
            (None, Some(5), Some(1), Err(InvalidLifetime::TooLong { most: day(5) })),
        ] {
            let rule = rule(usual, most, false);
            let settled = rule.settle(asked.map(|days| now + day(days)), now - day(5), now);
            assert_eq!(settled, expected.map(|end| end.map(|days| now + day(days))), "{rule:?} {asked:?}");
        }
        let both = rule(None, Some(30), false).within(rule(Some(10), Some(20), true));
        assert_eq!(both, rule(Some(10), Some(20), true));
    }
}
