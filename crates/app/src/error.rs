//! What a use case can answer instead of success. Facts only: each surface has its own words.

use claviger_domain::actor::Refusal;
use claviger_domain::audit::Resource;
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

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(Constraint::ExternalId) => Self::ExternalIdTaken,
            StoreError::Conflict(Constraint::KeptAnswer) => Self::RepeatUnderWay,
            // Something two callers took at once: whoever tries again finds the other's.
            StoreError::Conflict(Constraint::Slug | Constraint::UsageReport) | StoreError::Overtaken => {
                Self::Overtaken
            }
            StoreError::Unavailable(_) => Self::Unavailable(error),
            other => Self::Internal(other.into()),
        }
    }
}
