//! May this call pass? The checks on a presented key, in the order every surface documents.
//!
//! The functions here look at one credential at one instant and change nothing: who holds the
//! counters (the database, or the engine's memory) spends what [`weigh`] found affordable.
//!
//! ```
//! use claviger_domain::limit::{Counter, Limits};
//! use claviger_domain::verification::{Code, Demand, refuse, weigh};
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
//! #     organization: Organization::new(organization, name.clone(), Slug::derive(&name), now),
//! # };
//! // `subject` is a live credential that holds `workflows:*` and may be used 60 times a minute.
//! let demand = Demand { scopes: Some("workflows:read".parse()?), cost: 1, ..Demand::default() };
//! assert_eq!(refuse(&subject, &demand, now), None);
//!
//! // Nothing refuses it: what is left of its limit decides.
//! let limit = subject.credential.limits.iter().next().unwrap();
//! let fresh = Counter::default();
//! let used_up = limit.spend(fresh, 60, now);
//! assert_eq!(weigh(&subject.credential, &[fresh], demand.cost, now).code, Code::Valid);
//! assert_eq!(weigh(&subject.credential, &[used_up], demand.cost, now).code, Code::RateLimited);
//!
//! // Of several reasons, the first in the order of the checks is told.
//! let demand = Demand { scopes: Some("users:read".parse()?), ..demand };
//! assert_eq!(refuse(&subject, &demand, now), Some(Code::InsufficientScope));
//! subject.credential.expires_at = Some(now);
//! assert_eq!(refuse(&subject, &demand, now), Some(Code::Expired));
//! # Ok::<(), claviger_domain::scope::InvalidScope>(())
//! ```

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
    /// It is of the other environment than the demanded one.
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

/// Every check that spends nothing, in the order of [`Code`]: the first that fails, or `None` when the
/// call may go on to [`weigh`].
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
    /// The balance before anything is spent, refills included; `None` when the credential has none.
    pub credits: Option<Credits>,
}

/// Weighs `cost` against every limit and the balance: all are spent from, or none. `counters` has one for
/// each limit of the credential, in their order; an empty one where nothing was spent yet.
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
