//! What stands in paths: ids, slugs, and the organization a call is about.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use claviger_app::{App, Error, Kind, State};
use claviger_domain::audit::Target;
use claviger_domain::ids::{AdminKeyId, AuditEntryId, CredentialId, OrganizationId, RoleId, UserAccountId};
use uuid::Uuid;

use crate::call::{Learnt, Own};
use crate::fault::{Fault, Reason};
use crate::fields;

/// An id that stands in a path.
pub(crate) trait PathId: FromStr {
    const KIND: Kind;
    fn uuid(&self) -> Uuid;
    fn any(text: &str) -> Option<Self>;
    /// Whether the text has the prefix of such an id.
    fn is_named_by(text: &str) -> bool;
}

/// An id in either spelling. What has the prefix of such an id and is none names nothing that there is; anything else
/// is refused as `bad` says.
pub(crate) fn any_id<T: PathId>(text: &str, bad: impl FnOnce() -> Fault) -> Result<T, Fault> {
    match T::any(text) {
        Some(id) => Ok(id),
        None if T::is_named_by(text) => Err(Fault::App(Error::NotFound(T::KIND, State::Any))),
        None => Err(bad()),
    }
}

macro_rules! path_ids {
    ($($id:ident => $kind:ident;)*) => {$(
        impl PathId for $id {
            const KIND: Kind = Kind::$kind;
            fn uuid(&self) -> Uuid {
                $id::uuid(*self)
            }
            fn any(text: &str) -> Option<Self> {
                $id::parse_any(text).ok()
            }
            fn is_named_by(text: &str) -> bool {
                $id::is_named_by(text)
            }
        }
    )*};
}

path_ids! {
    UserAccountId => UserAccount;
    CredentialId => Credential;
    AdminKeyId => AdminKey;
    OrganizationId => Organization;
    RoleId => Role;
    AuditEntryId => AuditLog;
}

/// The one id in the path.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: PathId> FromRequestParts<App> for Id<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let Segment(text) =
            Segment::from_request_parts(parts, app).await.map_err(|_| Fault::MalformedId(T::KIND))?;
        let id: T = text.parse().map_err(|_| Fault::MalformedId(T::KIND))?;
        note_target(parts, T::KIND, id.uuid());
        Ok(Self(id))
    }
}

fn note_target(parts: &Parts, resource: Kind, id: Uuid) {
    if let Some(learnt) = parts.extensions.get::<Learnt>() {
        learnt.note(|caller| caller.target = Some(Target { resource, id }));
    }
}

/// The last id in the path, in either spelling.
#[derive(Debug)]
pub(crate) struct AnyId<T>(pub(crate) T);

impl<T: PathId> FromRequestParts<App> for AnyId<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let malformed = || Fault::MalformedId(T::KIND);
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| malformed())?;
        let (_, last) = params.iter().last().ok_or_else(malformed)?;
        let id: T = any_id(last, malformed)?;
        note_target(parts, T::KIND, id.uuid());
        Ok(Self(id))
    }
}

/// The organization in the path, by its id in either spelling or by its slug: the caller's own. Any other one is
/// not there, whether there is such a one or not.
#[derive(Debug)]
pub(crate) struct OwnOrganization(pub(crate) OrganizationId);

impl FromRequestParts<App> for OwnOrganization {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let missing = || Fault::App(Error::NotFound(Kind::Organization, State::Any));
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| missing())?;
        let named = params.iter().next().map(|(_, text)| text.to_owned()).ok_or_else(missing)?;
        let Some(Own(own)) = parts.extensions.get::<Own>() else { return Err(missing()) };
        let is_own = named == own.slug.as_str() || OrganizationId::parse_any(&named) == Ok(own.id);
        if is_own { Ok(Self(own.id)) } else { Err(missing()) }
    }
}

/// The organization in the path of the operator's surface, by its id in either spelling or by its slug.
#[derive(Debug)]
pub(crate) struct AnyOrganization(pub(crate) OrganizationId);

impl FromRequestParts<App> for AnyOrganization {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let malformed = || Fault::MalformedId(Kind::Organization);
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| malformed())?;
        let named = params.iter().next().map(|(_, text)| text.to_owned()).ok_or_else(malformed)?;
        let id = fields::organization(app, "id", &named).await.map_err(|fault| match fault {
            Fault::Invalid(_) => malformed(),
            other => other,
        })?;
        note_target(parts, Kind::Organization, id.uuid());
        Ok(Self(id))
    }
}

/// The one variable segment of the path, decoded.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl FromRequestParts<App> for Segment {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Fault::invalid("path", Reason::Form))?;
        let first = params.iter().next().map(|(_, value)| value.to_owned());
        first.map(Self).ok_or(Fault::UnknownRoute)
    }
}
