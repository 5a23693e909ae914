//! What the operator's and the tenants' dialects have in common about the audit log: how it is searched and
//! streamed, and how the ids in it are spelt.

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use claviger_app::audit::{self, Export, Format};
use claviger_app::{Call, Error, Kind, State};
use claviger_domain::audit::{Action, AuthorKind, Resource};
use claviger_domain::ids::{AdminKeyId, BootstrapKeyId, CredentialId, OrganizationId, RoleId, UserAccountId};
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::instant;

/// As what the log is wanted; `None`: by pages.
pub(crate) fn format(query: &mut Query) -> Result<Option<Format>, Fault> {
    match query.take("format").as_deref() {
        None | Some("json") => Ok(None),
        Some("ndjson") => Ok(Some(Format::Ndjson)),
        Some("csv") => Ok(Some(Format::Csv)),
        Some(_) => Err(Fault::invalid("format", Reason::Word(&["json", "ndjson", "csv"]))),
    }
}

/// What is asked for, but for whose it is; the names are the surface's own. A stream has reads unless it is asked not to:
/// only a whole one can be verified as a whole.
pub(crate) fn search(
    query: &mut Query,
    format: Option<Format>,
    [actor_name, target_name, reads_name]: [&'static str; 3],
) -> Result<audit::Search, Fault> {
    let bad = |field, reason| Fault::invalid(field, reason);
    let action = query.take("action").map(|word| word.parse::<Action>());
    let mut id = |field| query.take(field).map(|id| any_id(&id, || bad(field, Reason::Reference)));
    let (actor, target) = (id(actor_name).transpose()?, id(target_name).transpose()?);
    let from =
        query.take("from").map(|text| instant::parse(&text).ok_or_else(|| bad("from", Reason::Instant)));
    let until =
        query.take("to").map(|text| instant::parse_end(&text).ok_or_else(|| bad("to", Reason::Instant)));
    Ok(audit::Search {
        organization: None,
        action: action.transpose().map_err(|_| bad("action", Reason::Action))?,
        actor,
        target,
        from: from.transpose()?,
        until: until.transpose()?,
        include_reads: query.flag_or(reads_name, format.is_some())?,
    })
}

/// Everything that is wanted. What fails before the first byte is an answer like any other; what fails later breaks the
/// stream off. Whoever goes away drops the body, and with it the export.
pub(crate) async fn streamed(call: &Call, search: audit::Search, format: Format) -> Result<Response, Fault> {
    let mut export = audit::export(call, search, format).await?;
    let first = export.next().await.transpose()?.unwrap_or_default();
    let rest = stream::unfold(export, async |mut export: Export| Some((export.next().await?, export)));
    let chunks = stream::once(async { Ok(first) }).chain(rest).map(|chunk| chunk.map(Bytes::from));
    let mut response = Response::new(Body::from_stream(chunks));
    let (media_type, file) = match format {
        Format::Ndjson => ("application/x-ndjson", "attachment; filename=\"audit-logs.ndjson\""),
        Format::Csv => ("text/csv;charset=utf-8", "attachment; filename=\"audit-logs.csv\""),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(file));
    Ok(response)
}

/// The id of whoever acted.
pub(crate) fn of_author(kind: AuthorKind, id: Uuid) -> String {
    match kind {
        AuthorKind::Bootstrap => BootstrapKeyId::from_uuid(id).prefixed(),
        AuthorKind::AdminKey => AdminKeyId::from_uuid(id).prefixed(),
        AuthorKind::Credential => CredentialId::from_uuid(id).prefixed(),
        AuthorKind::Operator | AuthorKind::Unknown => id.to_string(),
    }
}

/// The id of what was acted on.
pub(crate) fn of_resource(resource: Resource, id: Uuid) -> String {
    match resource {
        Resource::BootstrapKey => BootstrapKeyId::from_uuid(id).prefixed(),
        Resource::AdminKey => AdminKeyId::from_uuid(id).prefixed(),
        Resource::Organization => OrganizationId::from_uuid(id).prefixed(),
        Resource::UserAccount => UserAccountId::from_uuid(id).prefixed(),
        Resource::Credential | Resource::ApiKey => CredentialId::from_uuid(id).prefixed(),
        Resource::Role => RoleId::from_uuid(id).prefixed(),
        Resource::Usage | Resource::AuditLog | Resource::Settings | Resource::Request => id.to_string(),
    }
}

/// The id of anything, in either spelling.
fn any_id(text: &str, bad: impl FnOnce() -> Fault) -> Result<Uuid, Fault> {
    macro_rules! any_of {
        ($($id:ident),*) => { (
            None$(.or_else(|| $id::parse_any(text).ok().map($id::uuid)))*,
            false$(|| $id::is_named_by(text))*,
        ) };
    }
    match any_of!(CredentialId, UserAccountId, OrganizationId, AdminKeyId, RoleId, BootstrapKeyId) {
        (Some(id), _) => Ok(id),
        (None, true) => Err(Fault::App(Error::NotFound(Kind::AuditLog, State::Any))),
        (None, false) => Err(bad()),
    }
}
