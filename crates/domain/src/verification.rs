//! May this call pass? The checks on a presented key, in the order every surface documents.
//!
//! [`refuse`] looks at what is known of a key, and changes nothing; [`settle`] then weighs what the call
//! costs, and spends it. Who holds the counters (the engine's memory, or a database) lends them.
//!
//! ```
//! use claviger_domain::limit::{Counter, Limits};
//! use claviger_domain::verification::{Code, Demand, refuse, settle};
//! # use claviger_domain::Timestamp;
//! # use claviger_domain::credential::{Class, Credential};
//! # use claviger_domain::ids::{CredentialId, OrganizationId, SecretId};
//! # use claviger_domain::organization::{Organization, Slug};
//! # use claviger_domain::revision::Revision;
//! # use claviger_domain::secret::{Digest, KeyPrefix, SealedSecret, SecretVersion};
//! # use claviger_domain::text::{Metadata, Name};
//! # use claviger_domain::verification::Subject;
//! # let now = Timestamp::UNIX_EPOCH;
//! # let id = uuid::Uuid::nil();
//! # let name = Name::new("Acme").unwrap();
//! # let organization = OrganizationId::from_uuid(id);
//! # let mut subject = Subject {
//! #     credential: Credential {
//! #         id: CredentialId::from_uuid(id),
//! #         organization,
//! #         admin_key: None,
//! #         user_account: None,
//! #         class: Class::Live,
//! #         name: name.clone(),
//! #         description: None,
//! #         prefix: KeyPrefix::from_stored("ak_live_a1b2c3d4".to_owned()),
//! #         scopes: "workflows:*".parse().unwrap(),
//! #         limits: Limits::per_minute(60),
//! #         credits: None,
//! #         ip_allowlist: Default::default(),
//! #         network: None,
//! #         metadata: Metadata::empty(),
//! #         created_at: now,
//! #         updated_at: None,
//! #         expires_at: None,
//! #         disabled_at: None,
//! #         revoked: None,
//! #         last_used_at: None,
//! #         revision: Revision::FIRST,
//! #     },
//! #     secret: SecretVersion {
//! #         id: SecretId::from_uuid(id),
//! #         number: 1,
//! #         sealed: SealedSecret { digest: Digest::from_bytes([0; 32]), pepper: 1 },
//! #         created_at: now,
//! #         ends_at: None,
//! #     },
//! #     user_account: None,
//! #     permissions: Default::default(),
//! #     organization: Organization::new(organization, name.clone(), Slug::derive(&name), now),
//! # };
//! // `subject` is a live credential that holds `workflows:*` and may be used 60 times a minute.
//! let demand = Demand { scopes: Some("workflows:read".parse()?), cost: 40, ..Demand::default() };
//! let refused = refuse(&subject.facts(), &demand, now);
//! assert_eq!(refused, None);
//!
//! // Nothing refuses it: what is left of its limit decides.
//! let mut counters = [Counter::default()];
//! let mut call = || {
//!     settle(refused, &subject.credential.limits, &mut counters, &mut None, demand.cost, now)
//! };
//! assert_eq!(call().code, Code::Valid);
//! assert_eq!(call().code, Code::RateLimited);
//!
//! // Of several reasons, the first in the order of the checks is told.
//! let demand = Demand { scopes: Some("users:read".parse()?), ..demand };
//! assert_eq!(refuse(&subject.facts(), &demand, now), Some(Code::InsufficientScope));
//! subject.credential.expires_at = Some(now);
//! assert_eq!(refuse(&subject.facts(), &demand, now), Some(Code::Expired));
//! # Ok::<(), claviger_domain::scope::InvalidExpression>(())
//! ```

use std::net::IpAddr;

use crate::Timestamp;
use crate::account::UserAccount;
use crate::address::IpAllowlist;
use crate::credential::{Credential, Credits, Environment, Network};
use crate::limit::{Counter, Limits, Standing};
use crate::organization::Organization;
use crate::scope::{Held, ScopeExpression, Scopes};
use crate::secret::SecretVersion;

/// The outcome of a verification, in the order in which the checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The call may pass.
    Valid,
    /// What was presented has not the form of a key: no store was asked.
    Malformed,
    /// No key like this is known, or it is another organization's than the asking caller's.
    NotFound,
    /// The credential was ended for good.
    Revoked,
    /// The credential has expired, or a rotation has ended the secret that was presented.
    Expired,
    /// The credential is switched off.
    Disabled,
    /// The account it is linked to is suspended.
    UserSuspended,
    /// Its organization is suspended.
    OrganizationSuspended,
    /// An allowlist, the credential's or its organization's, does not admit the client's address.
    IpNotAllowed,
    /// It is for another network than the demanded one, or for none.
    WrongNetwork,
    /// It is of the other environment than the demanded one, or, as a provisioning key, of none.
    WrongEnvironment,
    /// Its scopes do not satisfy the demanded ones.
    InsufficientScope,
    /// The cost does not fit into one of its limits now.
    RateLimited,
    /// The cost is more than its balance.
    CreditsExhausted,
}

impl Code {
    /// Every code, in the order in which the checks are made.
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
    /// Whose key was presented.
    pub credential: Credential,
    /// The version whose secret was presented.
    pub secret: SecretVersion,
    /// The account the credential is linked to; `None` when it is linked to none.
    pub user_account: Option<UserAccount>,
    /// What that account's roles permit, see [`RoleIds::permissions`](crate::role::RoleIds::permissions): the
    /// credential has no more than that.
    pub permissions: Scopes,
    /// The credential's organization.
    pub organization: Organization,
}

/// What the call needs.
#[derive(Debug, Clone, Default)]
pub struct Demand {
    /// What the credential's scopes must satisfy; `None` asks for nothing.
    pub scopes: Option<ScopeExpression>,
    /// Units to spend; 0 asks without spending.
    pub cost: u32,
    /// The end client's address, as the gateway saw it; `None`, when unknown, passes no allowlist.
    pub address: Option<IpAddr>,
    /// The network the call is about; `None` leaves it open.
    pub network: Option<Network>,
    /// The environment the call is served in; `None` takes either.
    pub environment: Option<Environment>,
}

/// What [`refuse`] looks at, wherever it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The credential was ended for good.
    pub is_revoked: bool,
    /// From when on the credential is refused.
    pub expires_at: Option<Timestamp>,
    /// From when on the presented secret is refused.
    pub secret_ends_at: Option<Timestamp>,
    /// The credential is switched off.
    pub is_disabled: bool,
    /// The account it is linked to is suspended.
    pub is_user_suspended: bool,
    /// Its organization is suspended.
    pub is_organization_suspended: bool,
    /// Its own allowlist and its organization's: both must admit the address.
    pub allowlists: [&'a IpAllowlist; 2],
    /// The network it is for.
    pub network: Option<Network>,
    /// The environment whose calls it may make; `None`: calls of neither.
    pub environment: Option<Environment>,
    /// What calls with it may do.
    pub scopes: Held<'a>,
}

impl Subject {
    /// What decides about it.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let Self { credential, secret, user_account, permissions, organization } = self;
        Facts {
            is_revoked: credential.revoked.is_some(),
            expires_at: credential.expires_at,
            secret_ends_at: secret.ends_at,
            is_disabled: credential.disabled_at.is_some(),
            is_user_suspended: user_account.as_ref().is_some_and(UserAccount::is_suspended),
            is_organization_suspended: organization.is_suspended(),
            allowlists: [&credential.ip_allowlist, &organization.settings.ip_allowlist],
            network: credential.network,
            environment: credential.class.serves(),
            scopes: Held::new(&credential.scopes, user_account.as_ref().map(|_| permissions)),
        }
    }
}

/// Every check that spends nothing, in the order of [`Code`]: the first that fails, or `None` when the
/// call may go on to [`settle`].
#[must_use]
pub fn refuse(facts: &Facts<'_>, demand: &Demand, now: Timestamp) -> Option<Code> {
    let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    if facts.is_revoked {
        Some(Code::Revoked)
    } else if over(facts.expires_at) || over(facts.secret_ends_at) {
        Some(Code::Expired)
    } else if facts.is_disabled {
        Some(Code::Disabled)
    } else if facts.is_user_suspended {
        Some(Code::UserSuspended)
    } else if facts.is_organization_suspended {
        Some(Code::OrganizationSuspended)
    } else if !facts.allowlists.iter().all(|list| list.admits(demand.address)) {
        Some(Code::IpNotAllowed)
    } else if demand.network.is_some() && facts.network != demand.network {
        Some(Code::WrongNetwork)
    } else if demand.environment.is_some() && facts.environment != demand.environment {
        Some(Code::WrongEnvironment)
    } else if !demand.scopes.as_ref().is_none_or(|wanted| wanted.is_satisfied_by(facts.scopes)) {
        Some(Code::InsufficientScope)
    } else {
        None
    }
}

/// How a call came out at its limits and its balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What it was refused for before, or [`Code::Valid`], [`Code::RateLimited`], [`Code::CreditsExhausted`].
    pub code: Code,
    /// One for each limit, in their order, as the call leaves it.
    pub standings: Vec<Standing>,
    /// Whether anything was spent: otherwise the lent counters and balance say what they said before.
    pub is_spent: bool,
}

/// Weighs `cost` against every limit and the balance, and spends it from all of them or from none.
///
/// `refused` is what [`refuse`] answered: then nothing is spent. `counters` has one for each of `limits`, in
/// their order; an empty one where nothing was spent yet. The balance is brought up to `now`, refills included.
#[must_use]
pub fn settle(
    refused: Option<Code>,
    limits: &Limits,
    counters: &mut [Counter],
    credits: &mut Option<Credits>,
    cost: u32,
    now: Timestamp,
) -> Settled {
    let cost = if refused.is_some() { 0 } else { u64::from(cost) };
    *credits = credits.map(|credits| credits.at(now));
    let mut standings: Vec<_> =
        limits.iter().zip(&*counters).map(|(limit, counter)| limit.look(*counter, cost, now)).collect();
    let code = match refused {
        Some(code) => code,
        None if standings.iter().any(|standing| standing.exceeded) => Code::RateLimited,
        None if credits.is_some_and(|credits| credits.remaining < cost) => Code::CreditsExhausted,
        None => Code::Valid,
    };
    let is_spent = code == Code::Valid && cost > 0;
    if is_spent {
        for ((limit, counter), standing) in limits.iter().zip(counters).zip(&mut standings) {
            *counter = limit.spend(*counter, cost, now);
            *standing = limit.look(*counter, 0, now);
        }
        *credits = credits.map(|credits| credits.spend(cost, now));
    }
    Settled { code, standings, is_spent }
}
