//! `/v1/admin/credentials*`

use claviger_app::{App, Call, credentials};
use claviger_domain::ids::CredentialId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, One, Page, Reply};
use crate::call::{May, PartnerCredentials};
use crate::extract::{Body, IfMatch, NoBody, OptionalBody, Query};
use crate::fault::Fault;
use crate::path::Id;

mod input;
mod view;

use input::{CredentialPatch, NewCredential, Rotation};
use view::{CredentialView, IssuedCredential, RevokedCredential, RotatedCredential};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_credentials, create_credential))
        .routes(routes!(get_credential, update_credential, revoke_credential))
        .routes(routes!(rotate_credential))
}

/// List credentials
///
/// The credentials this admin key made, newest first. Revoked ones only when asked for; the key itself never.
#[utoipa::path(
    get, path = "/v1/admin/credentials", operation_id = "list_credentials", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("includeRevoked" = Option<bool>, Query, description = "Revoked ones as well, default false", example = false),
    ),
    responses((status = 200, description = "One page of credentials", body = Page<CredentialView>)),
)]
async fn list_credentials(May(call, _): May<PartnerCredentials>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let include_revoked = query.flag("includeRevoked")?;
    query.end()?;
    let filter = credentials::Filter { include_revoked, ..credentials::Filter::default() };
    let found = credentials::list(&call, None, &filter, window).await?;
    Ok(wire::page(found, |seen| CredentialView::of(seen, call.entity())))
}

/// Create a credential
///
/// The answer holds the key, this once. The account it is linked to must be one of this admin key's and not suspended.
#[utoipa::path(
    post, path = "/v1/admin/credentials", operation_id = "create_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    request_body = NewCredential,
    responses((status = 201, description = "The credential and its key", body = One<IssuedCredential>)),
)]
async fn create_credential(call: May<PartnerCredentials>, body: Body<NewCredential>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |issued: credentials::Issued| {
        let revision = issued.seen.credential.revision;
        let message = "API key created. Store the api_key securely - it will not be shown again.";
        wire::created(IssuedCredential::of(issued, call.entity()), message).tagged(revision).secret()
    };
    Ok(credentials::create(&call, new.try_into()?, word).await?)
}

/// Get a credential
///
/// One credential by its id, revoked or not.
#[utoipa::path(
    get, path = "/v1/admin/credentials/{id}", operation_id = "get_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003")),
    responses((status = 200, description = "The credential", body = One<CredentialView>)),
)]
async fn get_credential(
    May(call, _): May<PartnerCredentials>,
    Id(id): Id<CredentialId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(&call, credentials::find(&call, id).await?, wire::one))
}

/// Update a credential
///
/// Changes its name or its description; nothing else can change.
#[utoipa::path(
    patch, path = "/v1/admin/credentials/{id}", operation_id = "update_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(
        ("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003"),
        ("If-Match" = Option<String>, Header, description = "Change only if the credential still has this `ETag`", example = "\"1\""),
    ),
    request_body = CredentialPatch,
    responses((status = 200, description = "The credential as it is now", body = One<CredentialView>)),
)]
async fn update_credential(
    call: May<PartnerCredentials>,
    Id(id): Id<CredentialId>,
    IfMatch(precondition): IfMatch,
    body: Body<CredentialPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(&call, seen, |view| wire::done(view, "Credential updated successfully"));
    Ok(credentials::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Revoke a credential
///
/// From now on its keys are not accepted, for good. It stays readable by its id.
#[utoipa::path(
    delete, path = "/v1/admin/credentials/{id}", operation_id = "revoke_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(
        ("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003"),
        ("If-Match" = Option<String>, Header, description = "Revoke only if the credential still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 200, description = "What is left of it", body = One<RevokedCredential>)),
)]
async fn revoke_credential(
    call: May<PartnerCredentials>,
    Id(id): Id<CredentialId>,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| {
        tagged(&call, seen, |view| {
            wire::done(RevokedCredential::from(view), "Credential revoked successfully")
        })
    };
    Ok(credentials::revoke(&call, id, &precondition, None, false, word).await?)
}

/// Rotate a credential
///
/// Gives it a new key, shown this once; the keys before it go on working for the overlap. Its id, limits and usage stay.
#[utoipa::path(
    post, path = "/v1/admin/credentials/{id}/rotate", operation_id = "rotate_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003")),
    request_body(content = Option<Rotation>, description = "May be left out"),
    responses((status = 200, description = "The credential and its new key", body = One<RotatedCredential>)),
)]
async fn rotate_credential(
    call: May<PartnerCredentials>,
    Id(id): Id<CredentialId>,
    OptionalBody(body): OptionalBody<Rotation>,
) -> Result<Reply, Fault> {
    let (call, rotation) = body.of(call);
    let word = |rotated: credentials::Rotated| {
        let revision = rotated.issued.seen.credential.revision;
        let message = "API key rotated. Store the api_key securely - it will not be shown again.";
        wire::done(RotatedCredential::of(rotated, call.entity()), message).tagged(revision).secret()
    };
    Ok(credentials::rotate(&call, id, rotation.overlap()?, word).await?)
}

fn tagged(call: &Call, seen: credentials::Seen, reply: impl FnOnce(CredentialView) -> Reply) -> Reply {
    let revision = seen.credential.revision;
    reply(CredentialView::of(seen, call.entity())).tagged(revision)
}
