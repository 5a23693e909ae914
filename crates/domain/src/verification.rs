//! May this call pass? The checks on a presented key, in the order every surface documents.
//!
//! The functions here look at one credential at one instant and change nothing: who holds the
//! counters (the database, or the engine's memory) spends what [`weigh`] found affordable.

use std::net::IpAddr;

use crate::Timestamp;
use crate::account::UserAccount;
use crate::credential::{Credential, Credits, Environment, Network};
use crate::limit::{Counter, Standing};
use crate::organization::Organization;
use crate::scope::ScopeExpression;
use crate::secret::SecretVersion;

/// The outcome of a verification, in the order in which the checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Valid,
    Malformed,
    NotFound,
    Revoked,
    Expired,
    Disabled,
    UserSuspended,
    OrganizationSuspended,
    IpNotAllowed,
    WrongNetwork,
    WrongEnvironment,
    InsufficientScope,
    RateLimited,
    CreditsExhausted,
}

impl Code {
    pub const ALL: [Self; 14] = [
        Self::Valid,
        Self::Malformed,
        Self::NotFound,
        Self::Revoked,
        Self::Expired,
        Self::Disabled,
        Self::UserSuspended,
        Self::OrganizationSuspended,
        Self::IpNotAllowed,
        Self::WrongNetwork,
        Self::WrongEnvironment,
        Self::InsufficientScope,
        Self::RateLimited,
        Self::CreditsExhausted,
    ];

    /// The word callers switch on.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Malformed => "MALFORMED",
            Self::NotFound => "NOT_FOUND",
            Self::Revoked => "REVOKED",
            Self::Expired => "EXPIRED",
            Self::Disabled => "DISABLED",
            Self::UserSuspended => "USER_SUSPENDED",
            Self::OrganizationSuspended => "ORGANIZATION_SUSPENDED",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::WrongNetwork => "WRONG_NETWORK",
            Self::WrongEnvironment => "WRONG_ENVIRONMENT",
            Self::InsufficientScope => "INSUFFICIENT_SCOPE",
            Self::RateLimited => "RATE_LIMITED",
            Self::CreditsExhausted => "CREDITS_EXHAUSTED",
        }
    }
}

/// All that a decision looks at.
#[derive(Debug, Clone)]
pub struct Subject {
    pub credential: Credential,
    /// The version whose secret was presented.
    pub secret: SecretVersion,
    pub user_account: Option<UserAccount>,
    pub organization: Organization,
}

/// What the call needs.
#[derive(Debug, Clone, Default)]
pub struct Demand {
    pub scopes: Option<ScopeExpression>,
    /// Units to spend; 0 asks without spending.
    pub cost: u32,
    /// The end client's address, as the gateway saw it.
    pub address: Option<IpAddr>,
    pub network: Option<Network>,
    pub environment: Option<Environment>,
}

/// Every check that spends nothing: `None` when the call may go on to limits and credits.
#[must_use]
pub fn refuse(subject: &Subject, demand: &Demand, now: Timestamp) -> Option<Code> {
    let Subject { credential, secret, user_account, organization } = subject;
    let expired = credential.expires_at.is_some_and(|end| end <= now) || !secret.is_in_force(now);
    let admitted = credential.ip_allowlist.admits(demand.address)
        && organization.settings.ip_allowlist.admits(demand.address);
    let scoped = demand.scopes.as_ref().is_none_or(|wanted| wanted.is_satisfied_by(&credential.scopes));
    let checks = [
        (credential.revoked.is_some(), Code::Revoked),
        (expired, Code::Expired),
        (credential.disabled_at.is_some(), Code::Disabled),
        (user_account.as_ref().is_some_and(UserAccount::is_suspended), Code::UserSuspended),
        (organization.is_suspended(), Code::OrganizationSuspended),
        (!admitted, Code::IpNotAllowed),
        (demand.network.is_some() && credential.network != demand.network, Code::WrongNetwork),
        (
            demand.environment.is_some_and(|wanted| wanted != credential.class.environment()),
            Code::WrongEnvironment,
        ),
        (!scoped, Code::InsufficientScope),
    ];
    checks.into_iter().find_map(|(fails, code)| fails.then_some(code))
}

/// What a call would meet at its limits and its balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// [`Code::Valid`], [`Code::RateLimited`] or [`Code::CreditsExhausted`].
    pub code: Code,
    /// One for each limit of the credential, in its order, before anything is spent.
    pub standings: Vec<Standing>,
    /// The balance before anything is spent, refills included.
    pub credits: Option<Credits>,
}

/// Weighs `cost` against every limit and the balance: all are spent from, or none.
#[must_use]
pub fn weigh(credential: &Credential, counters: &[Counter], cost: u32, now: Timestamp) -> Weighed {
    let cost = u64::from(cost);
    let standings: Vec<_> = credential
        .limits
        .iter()
        .zip(counters)
        .map(|(limit, counter)| limit.look(*counter, cost, now))
        .collect();
    let credits = credential.credits.map(|credits| credits.at(now));
    let code = if standings.iter().any(|standing| standing.exceeded) {
        Code::RateLimited
    } else if credits.is_some_and(|credits| credits.remaining < cost) {
        Code::CreditsExhausted
    } else {
        Code::Valid
    };
    Weighed { code, standings, credits }
}
