//! Credentials: what is verified. Limits, credits, usage and ids hang on the credential; its secrets
//! come and go.

use chrono::TimeDelta;

use crate::Timestamp;
use crate::address::IpAllowlist;
use crate::admin_key::AlreadyRevoked;
use crate::ids::{AdminKeyId, CredentialId, OrganizationId, UserAccountId};
use crate::limit::Limits;
use crate::revision::Revision;
use crate::scope::Scopes;
use crate::secret::{KeyFormat, KeyPrefix};
use crate::text::{Description, Metadata, Name};

/// What kind of key a credential's secrets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Partner,
    Live,
    Test,
    Scim,
}

/// Which world a key belongs to; a key of one never reaches the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Live,
    Test,
}

impl Class {
    pub const ALL: [Self; 4] = [Self::Partner, Self::Live, Self::Test, Self::Scim];

    /// The stable word, as the database and the surfaces hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Live => "live",
            Self::Test => "test",
            Self::Scim => "scim",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// The form of this class' secrets.
    #[must_use]
    pub const fn format(self) -> KeyFormat {
        match self {
            Self::Partner => KeyFormat::Partner,
            Self::Live => KeyFormat::Live,
            Self::Test => KeyFormat::Test,
            Self::Scim => KeyFormat::Scim,
        }
    }

    #[must_use]
    pub const fn environment(self) -> Environment {
        match self {
            Self::Test => Environment::Test,
            Self::Partner | Self::Live | Self::Scim => Environment::Live,
        }
    }
}

impl Environment {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Live, Self::Test].into_iter().find(|environment| environment.word() == word)
    }
}

/// The network a partner credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// 0: Cardano mainnet.
    Mainnet,
    /// 1: Cardano preview.
    Preview,
    /// 2: Cardano preprod.
    Preprod,
}

impl Network {
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Mainnet => 0,
            Self::Preview => 1,
            Self::Preprod => 2,
        }
    }

    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        [Self::Mainnet, Self::Preview, Self::Preprod]
            .into_iter()
            .find(|network| i64::from(network.number()) == number)
    }
}

/// A balance that calls spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credits {
    pub remaining: u64,
    pub refill: Option<Refill>,
}

/// Sets a balance back to `amount` each `every`, counted from `since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    pub amount: u64,
    pub every: TimeDelta,
    pub since: Timestamp,
}

impl Credits {
    /// The balance as it stands at `now`, with every refill that has come due.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let Some(refill) = self.refill else { return self };
        let every = refill.every.num_milliseconds().max(1);
        let due = (now - refill.since).num_milliseconds().div_euclid(every);
        if due < 1 {
            return self;
        }
        let since = refill.since + TimeDelta::milliseconds(due.saturating_mul(every));
        Self { remaining: refill.amount, refill: Some(Refill { since, ..refill }) }
    }
}

/// The end of a credential: final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub at: Timestamp,
    pub reason: Option<Description>,
}

/// What is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub organization: OrganizationId,
    /// The admin key that made it; `None` when the organization did.
    pub admin_key: Option<AdminKeyId>,
    pub user_account: Option<UserAccountId>,
    pub class: Class,
    pub name: Name,
    pub description: Option<Description>,
    /// Of the newest secret.
    pub prefix: KeyPrefix,
    pub scopes: Scopes,
    pub limits: Limits,
    pub credits: Option<Credits>,
    pub ip_allowlist: IpAllowlist,
    pub network: Option<Network>,
    pub metadata: Metadata,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub revoked: Option<Revocation>,
    pub last_used_at: Option<Timestamp>,
    pub revision: Revision,
}

impl Credential {
    /// Ends the credential for good.
    ///
    /// # Errors
    /// [`AlreadyRevoked`] when it has been ended before.
    pub fn revoke(mut self, reason: Option<Description>, now: Timestamp) -> Result<Self, AlreadyRevoked> {
        if self.revoked.is_some() {
            return Err(AlreadyRevoked);
        }
        self.revoked = Some(Revocation { at: now, reason });
        Ok(self.touched(now))
    }

    /// The credential in its next revision.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.updated_at = Some(now);
        self.revision = self.revision.next();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refill_sets_the_balance_back_once_per_interval() {
        let since = Timestamp::UNIX_EPOCH;
        let refill = Refill { amount: 100, every: TimeDelta::hours(1), since };
        let credits = Credits { remaining: 3, refill: Some(refill) };
        assert_eq!(credits.at(since + TimeDelta::minutes(59)).remaining, 3);
        let later = credits.at(since + TimeDelta::minutes(150));
        assert_eq!(later.remaining, 100);
        assert_eq!(later.refill.map(|refill| refill.since), Some(since + TimeDelta::hours(2)));
        assert_eq!(credits.at(since - TimeDelta::hours(5)), credits, "a clock set back gives nothing");
        assert_eq!(Credits { remaining: 3, refill: None }.at(since + TimeDelta::days(9)).remaining, 3);
    }
}
