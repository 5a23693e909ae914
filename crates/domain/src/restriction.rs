//! What restricts a key, and what that means for the keys that it makes and changes.

use crate::Timestamp;
use crate::address::IpAllowlist;
use crate::capability::UNRESTRICT;
use crate::credential::{Balance, Credential, Credits};
use crate::ids::UserAccountId;
use crate::limit::{Limit, Limits, Pool};
use crate::scope::Scopes;

/// What restricts a key. Unless it holds [`UNRESTRICT`](crate::capability::UNRESTRICT), no key that it makes or changes
/// is restricted less:
///
/// - *expiry*: it ends no later;
/// - *addresses*: its networks lie within the maker's;
/// - *rate limits*: each limit of the maker has a counterpart that is as strict or stricter. A limit that the maker
///   shares with its user or its organization stays in the shared pool: a second pool would double it;
/// - *credits*: a maker with a balance gives none. A copy of a balance could be spent twice, so a new key starts with
///   nothing left, and an existing one can only be set to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restrictions {
    /// When the key ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Where it may be used from.
    pub ip_allowlist: IpAllowlist,
    /// How fast it may be used.
    pub limits: Limits,
    /// What it may still spend; `None`: as much as it likes.
    pub credits: Option<Credits>,
    /// Whose pools it shares beside its organization's.
    pub user_account: Option<UserAccountId>,
}

/// One restriction of the maker that a key would not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrestricted {
    /// The key would end after its maker.
    #[error("the key would end after {0}")]
    Expiry(Timestamp),
    /// The key could be used from outside these networks.
    #[error("the key could be used from outside {0}")]
    Addresses(IpAllowlist),
    /// The key would have nothing as strict as this limit.
    #[error("the key would not keep the rate limit {}", .0.name)]
    Limit(Limit),
    /// The key would have more to spend than its maker may give.
    #[error("the key would have credits that its maker may not give")]
    Credits,
}

impl From<&Credential> for Restrictions {
    fn from(credential: &Credential) -> Self {
        Self {
            expires_at: credential.expires_at,
            ip_allowlist: credential.ip_allowlist.clone(),
            limits: credential.limits.clone(),
            credits: credential.credits,
            user_account: credential.user_account,
        }
    }
}

impl Restrictions {
    /// When a key ends whose maker says nothing, and which would end at `end` otherwise.
    #[must_use]
    pub fn inherited_expiry(&self, end: Option<Timestamp>) -> Option<Timestamp> {
        end.into_iter().chain(self.expires_at).min()
    }

    /// The limits of a key whose maker says nothing, and which would have `usual` otherwise: the maker's, beside those
    /// of the usual ones that are stricter or limit something else.
    #[must_use]
    pub fn inherited_limits(&self, usual: Limits) -> Limits {
        let missing: Vec<_> = self.limits.iter().filter(|limit| !self.is_kept(limit, &usual)).collect();
        if missing.is_empty() {
            return usual;
        }
        let is_free = |limit: &&Limit| missing.iter().all(|other| other.name != limit.name);
        let limits = missing.iter().copied().chain(usual.iter().filter(is_free)).cloned();
        // There are never more than that of the maker's own.
        Limits::new(limits.take(Limits::MAX).collect()).unwrap_or_else(|_| self.limits.clone())
    }

    /// The balance of a key whose maker says nothing.
    #[must_use]
    pub fn inherited_balance(&self) -> Option<Balance> {
        self.credits.map(|_| Balance { remaining: 0, refill: None })
    }

    /// Whether a key may hold these scopes: a restricted key makes none that is free of restrictions
    /// ([`UNRESTRICT`]), which would then free the first one.
    #[must_use]
    pub fn admit_scopes(&self, scopes: &Scopes) -> bool {
        let Self { expires_at, ip_allowlist, limits, credits, user_account: _ } = self;
        let is_unrestricted = expires_at.is_none()
            && *ip_allowlist == IpAllowlist::default()
            && limits.is_empty()
            && credits.is_none();
        is_unrestricted || !scopes.cover_word(UNRESTRICT)
    }

    /// Whether a key may end at `end`.
    ///
    /// # Errors
    /// [`Unrestricted::Expiry`] when it may not.
    pub fn admit_expiry(&self, end: Option<Timestamp>) -> Result<(), Unrestricted> {
        match self.expires_at {
            Some(last) if end.is_none_or(|end| end > last) => Err(Unrestricted::Expiry(last)),
            _ => Ok(()),
        }
    }

    /// Whether a key may be used from these networks.
    ///
    /// # Errors
    /// [`Unrestricted::Addresses`] when it may not.
    pub fn admit_addresses(&self, list: &IpAllowlist) -> Result<(), Unrestricted> {
        match list.is_within(&self.ip_allowlist) {
            true => Ok(()),
            false => Err(Unrestricted::Addresses(self.ip_allowlist.clone())),
        }
    }

    /// Whether a key may have these limits and no others.
    ///
    /// # Errors
    /// [`Unrestricted::Limit`] names the first one that is lacking.
    pub fn admit_limits(&self, limits: &Limits) -> Result<(), Unrestricted> {
        match self.limits.iter().find(|limit| !self.is_kept(limit, limits)) {
            Some(lacking) => Err(Unrestricted::Limit(lacking.clone())),
            None => Ok(()),
        }
    }

    /// Whether a key may be given this balance.
    ///
    /// # Errors
    /// [`Unrestricted::Credits`] when it may not.
    pub fn admit_balance(&self, balance: Option<Balance>) -> Result<(), Unrestricted> {
        match (self.credits, balance) {
            (None, _) | (Some(_), Some(Balance { remaining: 0, refill: None })) => Ok(()),
            (Some(_), _) => Err(Unrestricted::Credits),
        }
    }

    /// Whether a key that is there may be handed out, switched on or given scopes as it is: it is restricted by all
    /// that restricts its maker. It has a balance already, which may be as large as its maker's.
    ///
    /// # Errors
    /// [`Unrestricted`] names the first restriction that it lacks.
    pub fn admit(&self, key: &Self, now: Timestamp) -> Result<(), Unrestricted> {
        self.admit_expiry(key.expires_at)?;
        self.admit_addresses(&key.ip_allowlist)?;
        self.admit_limits(&key.limits)?;
        match (self.credits, key.credits) {
            (None, _) => Ok(()),
            (Some(own), Some(other)) if is_no_more(other.at(now), own.at(now)) => Ok(()),
            (Some(_), _) => Err(Unrestricted::Credits),
        }
    }

    fn is_kept(&self, limit: &Limit, by: &Limits) -> bool {
        let is_shared = match limit.pool {
            Pool::Credential => false,
            Pool::UserAccount => self.user_account.is_some(),
            Pool::Organization => true,
        };
        by.iter().any(|other| {
            let same_pool = other.pool == limit.pool
                && other.name == limit.name
                && other.window_seconds == limit.window_seconds;
            is_as_strict(other, limit) && (same_pool || !is_shared)
        })
    }
}

/// Whether no more passes `one` in any window of `other` than `other` lets pass.
fn is_as_strict(one: &Limit, other: &Limit) -> bool {
    let windows = u64::from(other.window_seconds.div_ceil(one.window_seconds.max(1)));
    windows * u64::from(one.limit) <= u64::from(other.limit)
}

/// Whether neither what is left nor what comes back is more.
fn is_no_more(one: Credits, other: Credits) -> bool {
    let comes_back = match (one.refill, other.refill) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(one), Some(other)) => {
            let per = |amount: u64, every: chrono::TimeDelta| {
                i128::from(amount) * i128::from(every.num_milliseconds())
            };
            one.amount > other.amount || per(one.amount, other.every) > per(other.amount, one.every)
        }
    };
    one.remaining <= other.remaining && !comes_back
}

#[cfg(test)]
mod tests;
