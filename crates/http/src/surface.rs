//! Which surface a request is for: the one table of path prefixes.

use axum::response::Response;
use claviger_domain::Timestamp;
use claviger_domain::audit::Resource;

use crate::fault::Fault;
use crate::{organization, partner, platform, problem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    Partner,
    Platform,
    Organization,
    Gateway,
    /// Health, metrics, documents, and paths that lead nowhere.
    Other,
}

const PREFIXES: [(&str, Surface); 7] = [
    ("/v1/admin", Surface::Partner),
    ("/admin/v1", Surface::Platform),
    ("/v1/organizations", Surface::Organization),
    ("/v1/users", Surface::Organization),
    ("/v1/keys", Surface::Gateway),
    ("/v1/forward-auth", Surface::Gateway),
    ("/v1/usage", Surface::Gateway),
];

impl Surface {
    pub(crate) fn of(path: &str) -> Self {
        let is_below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        PREFIXES.iter().find(|(prefix, _)| is_below(prefix)).map_or(Self::Other, |(_, surface)| *surface)
    }

    /// Whether calls are counted against the caller's quota and written to the audit log.
    pub(crate) fn is_admin(self) -> bool {
        match self {
            Self::Partner | Self::Platform | Self::Organization => true,
            Self::Gateway | Self::Other => false,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Platform => "platform",
            Self::Organization => "organization",
            Self::Gateway => "gateway",
            Self::Other => "other",
        }
    }

    /// What a route is about, for the audit log.
    pub(crate) fn resource(self, route: &str) -> Option<Resource> {
        match self {
            Self::Partner => partner::resource(route),
            Self::Platform => platform::resource(route),
            Self::Organization => organization::resource(route),
            Self::Gateway | Self::Other => None,
        }
    }

    /// The fault in this surface's own words.
    pub(crate) fn word_fault(self, fault: &Fault, now: Timestamp, request_id: &str) -> Response {
        match self {
            Self::Partner => partner::fault::word(fault),
            Self::Platform => platform::fault::word(fault, now, request_id),
            Self::Organization | Self::Gateway | Self::Other => problem::word(fault, request_id),
        }
    }
}
