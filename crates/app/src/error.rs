//! What a use case can answer instead of success. Facts only: each surface has its own words.

use std::net::IpAddr;

use claviger_domain::actor::Refusal;
use claviger_domain::audit::Resource;
use claviger_domain::capability::Capability;
use claviger_domain::ids::OrganizationId;
use claviger_domain::organization::Slug;
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::restriction::Unrestricted;
use claviger_domain::scope::Scope;
use claviger_domain::settings::InvalidLifetime;
use claviger_engine::journal::JournalError;
use claviger_store::{Constraint, StoreError};

/// The kinds of thing that can be missing.
pub type Kind = Resource;

/// The state a use case needs the thing to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Any,
    NotRevoked,
    NotSuspended,
    Suspended,
    NotDisabled,
    Disabled,
    Member,
    NotAMember,
}

/// Who lacks the scopes of [`Error::BeyondCeiling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The caller, which would grant them.
    Caller,
    /// The caller, which would act for a user who has them.
    CallerForUser,
    /// The user that the key is bound to.
    BoundUser,
}

/// Organizations as errors name them.
#[must_use]
pub fn candidates(organizations: &[(OrganizationId, Slug)]) -> String {
    let named: Vec<_> =
        organizations.iter().map(|(id, slug)| format!("{} ({slug})", id.prefixed())).collect();
    named.join(", ")
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is well-formed, but opens nothing here: unknown, revoked, expired, or of another kind.
    #[error("the presented key opens nothing here")]
    UnknownKey,
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing among the caller's, whatever exists elsewhere.
    #[error("no such {0:?}")]
    NotFound(Kind, State),
    /// The thing is there, but not in the state that is needed.
    #[error("the {0:?} is not {1:?}")]
    WrongState(Kind, State),
    /// The key is good, but not from where it was presented.
    #[error("the key may not be used from this address")]
    AddressNotAllowed,
    /// The caller would give what somebody does not hold.
    #[error("{whose:?} lacks what the caller wants to give")]
    BeyondCeiling { lacking: Vec<Scope>, whose: Whose },
    /// Binding a key to a user needs this capability beside the right to manage keys.
    #[error("binding a key to a user needs {}", .0.word())]
    BindingRequires(Capability),
    /// The caller's own key is restricted, and a key that it makes or changes would not be.
    #[error(transparent)]
    LooserThanMaker(#[from] Unrestricted),
    /// Nobody could manage the organization's keys any more.
    #[error("no key is left that could manage the organization's keys")]
    LastManagingKey,
    /// The caller would shut out its own address; `None`: nobody can tell which one it is.
    #[error("the list does not admit the caller's own address")]
    ExcludesCaller(Option<IpAddr>),
    /// More than one organization has the name of an entity: these among others.
    #[error("entity_name matches several organizations: {}", candidates(.0))]
    AmbiguousEntity(Vec<(OrganizationId, Slug)>),
    /// A key of one user would make or strengthen another's, or nobody's.
    #[error("a user's key stays with the user")]
    BoundElsewhere,
    /// A partner's credential would get scopes; it has none.
    #[error("a partner's credential has no scopes")]
    Unscoped,
    /// A key would change what it may do itself.
    #[error("a key does not change its own authority")]
    OnItself,
    /// A key would rotate itself that was rotated before, and works until it ends.
    #[error("only the newest key of a credential rotates it")]
    Superseded,
    /// The organization has as many things of this kind as it may.
    #[error("the organization has {count} of at most {limit} {}", .resource.word())]
    LimitReached { resource: LimitedResource, limit: u64, count: u64 },
    /// The organization would be left without an active owner.
    #[error("the last owner stays")]
    LastOwner,
    #[error("the role's name is in use")]
    RoleNameTaken,
    #[error("a user has no more roles than that")]
    TooManyRoles,
    #[error("the role is some user's")]
    RoleInUse,
    #[error("a system role does not change")]
    SystemRole,
    #[error("the slug is in use")]
    SlugTaken,
    /// The organization has keys that still work.
    #[error("something live hangs on the organization")]
    NotEmpty,
    /// The key belongs to no user.
    #[error("the key is bound to no user")]
    NoUser,
    #[error(transparent)]
    InvalidLifetime(#[from] InvalidLifetime),
    /// An organization would keep these records for less time than the installation, which keeps them for so many
    /// days, or for ever.
    #[error("the {0:?} is kept for {1:?} days at least")]
    KeptTooShort(Kind, Option<u32>),
    /// So many keys of one credential are in force that there is no place for another.
    #[error("a credential has no more keys than that")]
    TooManySecrets,
    #[error("the external id is in use")]
    ExternalIdTaken,
    #[error("the user account is suspended")]
    UserSuspended,
    #[error("the organization is suspended")]
    OrganizationSuspended,
    #[error("an expiry must lie in the future")]
    ExpiryInThePast,
    #[error("a period ends before it starts")]
    InvertedPeriod,
    #[error("a period is longer than figures are told of")]
    PeriodTooLong,
    /// A report tells of a call that is too old, or too far in the future.
    #[error("the instant of report {place} is out of reach")]
    OutOfReach {
        /// Which of the reports, counted from 0.
        place: usize,
    },
    /// The resource is not in the state the change was meant for (`If-Match`).
    #[error("the precondition does not hold")]
    Stale,
    /// The resource was changed while this change was being made.
    #[error("overtaken by another change")]
    Overtaken,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    RepeatDiffers,
    /// The first request with this idempotency key has not been answered yet.
    #[error("a request with this idempotency key is under way")]
    RepeatUnderWay,
    /// More of this kind is under way than the database is to be burdened with.
    #[error("too much is under way")]
    Busy,
    /// The organization has sent more usage reports than it may for now.
    #[error("too many usage reports")]
    TooManyReports {
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// A decided call cannot be written down, or not brought to disk: its answer is withheld.
    #[error("the call cannot be counted")]
    NotCounted(#[source] JournalError),
    /// The database does not answer.
    #[error("the database is not available")]
    Unavailable(#[source] StoreError),
    /// Something is not as this code wrote it. For the log; callers learn only that.
    #[error("a mistake of this server's")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the request is to blame, and the same request would be refused again: then what else was asked
    /// for together with it can be done.
    pub(crate) fn is_of_the_request(&self) -> bool {
        match self {
            Self::UnknownKey
            | Self::AddressNotAllowed
            | Self::Refused(_)
            | Self::NoUser
            | Self::Overtaken
            | Self::RepeatDiffers
            | Self::RepeatUnderWay
            | Self::Busy
            | Self::TooManyReports { .. }
            | Self::NotCounted(_)
            | Self::Unavailable(_)
            | Self::Internal(_) => false,
            Self::BeyondCeiling { .. }
            | Self::BindingRequires(_)
            | Self::LooserThanMaker(_)
            | Self::LastManagingKey
            | Self::ExcludesCaller(_)
            | Self::AmbiguousEntity(_)
            | Self::BoundElsewhere
            | Self::OnItself
            | Self::Superseded
            | Self::LimitReached { .. }
            | Self::LastOwner
            | Self::RoleNameTaken
            | Self::TooManyRoles
            | Self::RoleInUse
            | Self::Unscoped
            | Self::SystemRole
            | Self::SlugTaken
            | Self::NotEmpty
            | Self::InvalidLifetime(_)
            | Self::KeptTooShort(..)
            | Self::TooManySecrets
            | Self::NotFound(..)
            | Self::WrongState(..)
            | Self::ExternalIdTaken
            | Self::UserSuspended
            | Self::OrganizationSuspended
            | Self::ExpiryInThePast
            | Self::InvertedPeriod
            | Self::PeriodTooLong
            | Self::OutOfReach { .. }
            | Self::Stale => true,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(Constraint::ExternalId) => Self::ExternalIdTaken,
            StoreError::Conflict(Constraint::KeptAnswer) => Self::RepeatUnderWay,
            StoreError::Conflict(Constraint::RoleName) => Self::RoleNameTaken,
            // Something two callers took at once: whoever tries again finds the other's.
            StoreError::Conflict(Constraint::Slug | Constraint::UsageReport) | StoreError::Overtaken => {
                Self::Overtaken
            }
            StoreError::Unavailable(_) | StoreError::MissingPepper(_) => Self::Unavailable(error),
            other => Self::Internal(other.into()),
        }
    }
}
