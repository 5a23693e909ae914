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
    /// `iiak_…`: a key a partner issued to a customer, for one [`Network`].
    Partner,
    /// `ak_live_…`: an organization's production key.
    Live,
    /// `ak_test_…`: an organization's sandbox key.
    Test,
    /// `scim_…`: an organization's key for provisioning by SCIM (RFC 7644).
    Scim,
}

/// Which world a key belongs to; a key of one never reaches the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Production.
    Live,
    /// The sandbox.
    Test,
}

impl Class {
    /// Every class.
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

    /// The class of a word; `None` of any other text. Case matters.
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

    /// The environment whose calls its keys may make. Provisioning keys make none: where a gateway demands an
    /// environment, it serves API calls.
    #[must_use]
    pub const fn serves(self) -> Option<Environment> {
        match self {
            Self::Test => Some(Environment::Test),
            Self::Partner | Self::Live => Some(Environment::Live),
            Self::Scim => None,
        }
    }

    /// The world its keys belong to: the sandbox of test keys, production of all others.
    #[must_use]
    pub const fn environment(self) -> Environment {
        match self {
            Self::Test => Environment::Test,
            Self::Partner | Self::Live | Self::Scim => Environment::Live,
        }
    }
}

impl Environment {
    /// The stable word, as the surfaces hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// The environment of a word; `None` of any other text. Case matters.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Live, Self::Test].into_iter().find(|environment| environment.word() == word)
    }
}

/// The Cardano network a partner credential is for.
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
    /// The `network_id` that the partner surface knows it by.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Mainnet => 0,
            Self::Preview => 1,
            Self::Preprod => 2,
        }
    }

    /// The network of a `network_id`; `None` of any number but 0, 1 and 2.
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
    /// The credential's revision in which the balance was set by hand: what was spent of an earlier grant is not
    /// taken from a later one.
    pub grant: u32,
    /// Units left to spend.
    pub remaining: u64,
    /// How it fills up again; `None`: it never does by itself.
    pub refill: Option<Refill>,
}

/// Sets a balance back to `amount` each `every`, counted from `since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    /// Units after each refill, whatever was left before.
    pub amount: u64,
    /// From one refill to the next, in whole milliseconds and at least one.
    pub every: TimeDelta,
    /// The last refill, or when the count began.
    pub since: Timestamp,
}

/// A balance to be set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Units to spend.
    pub remaining: u64,
    /// How it fills up again; `None`: it never does by itself.
    pub refill: Option<Refill>,
}

impl Credits {
    /// A first balance.
    #[must_use]
    pub const fn granted(remaining: u64, refill: Option<Refill>) -> Self {
        Self { grant: 1, remaining, refill }
    }

    /// The balance after `cost` units were spent at `now`, whether or not there were as many: never
    /// below zero.
    #[must_use]
    pub fn spend(self, cost: u64, now: Timestamp) -> Self {
        let due = self.at(now);
        Self { remaining: due.remaining.saturating_sub(cost), ..due }
    }

    /// The balance as it stands at `now`, with every refill that has come due: however many those are,
    /// the balance is then one refill's amount. A clock set back changes nothing.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let Some(refill) = self.refill else { return self };
        let every = refill.every.num_milliseconds().max(1);
        let due = (now - refill.since).num_milliseconds().div_euclid(every);
        if due < 1 {
            return self;
        }
        let since = refill.since + TimeDelta::milliseconds(due.saturating_mul(every));
        Self { remaining: refill.amount, refill: Some(Refill { since, ..refill }), ..self }
    }
}

/// The end of a credential: final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// From this instant on.
    pub at: Timestamp,
    /// Why, in the revoker's words; `None` when none were given.
    pub reason: Option<Description>,
}

/// What is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Given when it is made; never changes, whatever its secrets do.
    pub id: CredentialId,
    /// The tenant it belongs to; never changes.
    pub organization: OrganizationId,
    /// The admin key that made it; `None` when the organization did.
    pub admin_key: Option<AdminKeyId>,
    /// The customer it was issued to; `None` when it is linked to none.
    pub user_account: Option<UserAccountId>,
    /// What kind of key its secrets are; never changes.
    pub class: Class,
    /// What its owner calls it.
    pub name: Name,
    /// What it is for, in its owner's words; `None` when nothing is said.
    pub description: Option<Description>,
    /// Of the newest secret.
    pub prefix: KeyPrefix,
    /// What calls with it may do; partner credentials have none.
    pub scopes: Scopes,
    /// How fast it may be used; without any, as fast as it likes.
    pub limits: Limits,
    /// The balance its calls spend; `None`: they are not counted against one.
    pub credits: Option<Credits>,
    /// Where it may be used from; its organization's list must admit the address too.
    pub ip_allowlist: IpAllowlist,
    /// Set for partner credentials; `None` for all others.
    pub network: Option<Network>,
    /// The owner's own facts, which verification repeats to gateways; no rule reads them.
    pub metadata: Metadata,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last; `None` until the first change.
    pub updated_at: Option<Timestamp>,
    /// From this instant on it is refused; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// Since when it is switched off; `None` while it is on. Unlike a revocation, it can be taken back.
    pub disabled_at: Option<Timestamp>,
    /// Its end; `None` while it was not revoked.
    pub revoked: Option<Revocation>,
    /// When a call with it was last allowed; `None` before the first.
    pub last_used_at: Option<Timestamp>,
    /// Which of its states this is; use does not make a new one.
    pub revision: Revision,
}

impl Credential {
    /// Ends the credential for good at `now`, and every secret of it.
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

    /// Sets the balance by hand for the revision that `revision` is, or takes it away. What is still being spent of
    /// an earlier grant is not taken from this one.
    #[must_use]
    pub fn granted(self, balance: Option<Balance>, revision: Revision) -> Self {
        let grant = u32::try_from(revision.number()).unwrap_or(u32::MAX);
        let credits = balance.map(|Balance { remaining, refill }| Credits { grant, remaining, refill });
        Self { credits, ..self }
    }

    /// The credential in its next revision, changed at `now`: every change ends with it.
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
        let credits = Credits::granted(3, Some(refill));
        assert_eq!(credits.at(since + TimeDelta::minutes(59)).remaining, 3);
        let later = credits.at(since + TimeDelta::minutes(150));
        assert_eq!(later.remaining, 100);
        assert_eq!(later.refill.map(|refill| refill.since), Some(since + TimeDelta::hours(2)));
        assert_eq!(credits.at(since - TimeDelta::hours(5)), credits, "a clock set back gives nothing");
        assert_eq!(Credits::granted(3, None).at(since + TimeDelta::days(9)).remaining, 3);
    }
}
