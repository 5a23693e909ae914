//! `/v1/organizations/{org}/api-keys*`

use axum::http::StatusCode;
use claviger_app::{App, Call, credentials};
use claviger_domain::ids::CredentialId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Data, DataPage, Reply};
use crate::call::{ManageCredentials, May, ViewCredentials};
use crate::extract::{Body, Force, Forceable, IfMatch, NoBody, OptionalBody, Query};
use crate::fault::Fault;
use crate::path::{AnyId, OwnOrganization};

mod input;
mod view;

use input::{ApiKeyPatch, NewApiKey, Rotation};
use view::{ApiKeyView, CreatedApiKey, RotatedApiKey};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_organization_api_keys, create_organization_api_key))
        .routes(routes!(get_organization_api_key, update_organization_api_key, revoke_organization_api_key))
        .routes(routes!(rotate_organization_api_key))
        .routes(routes!(disable_organization_api_key))
        .routes(routes!(enable_organization_api_key))
}

/// List API keys
///
/// The organization's keys, newest first, those of its partners' customers among them. Revoked ones only when asked
/// for; the key itself never.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/api-keys", operation_id = "list_organization_api_keys", tag = "API keys",
    security(("organization_key" = ["api-keys:read"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("after" = Option<String>, Query, description = "Only keys that follow in the list on the one of this id", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("page" = Option<i64>, Query, description = "The page of this number, counted from 1; not together with `after`", minimum = 1, example = 1),
        ("includeRevoked" = Option<bool>, Query, description = "Revoked ones as well, default false", example = false),
        ("environment" = Option<String>, Query, description = "Only `live` or only `test` keys", example = "live"),
        ("userId" = Option<String>, Query, description = "Only those bound to this user", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("search" = Option<String>, Query, description = "Only those whose name or prefix holds this text, in any case", example = "prod"),
    ),
    responses((status = 200, description = "One page of keys", body = DataPage<ApiKeyView>)),
)]
async fn list_organization_api_keys(
    May(call, _): May<ViewCredentials>,
    OwnOrganization(organization): OwnOrganization,
    mut query: Query,
) -> Result<Reply, Fault> {
    let window = wire::window::<CredentialId>(&mut query)?;
    let filter = input::filter(&mut query)?;
    query.end()?;
    let now = call.app().now();
    let found = credentials::list(&call, Some(organization), &filter, window).await?;
    Ok(wire::page(found, |seen| ApiKeyView::of(seen, now)))
}

/// Create an API key
///
/// The answer holds the key, this once. You cannot grant permissions you do not hold. A key for another user needs
/// `users:read`, and all permissions that the user holds. Unless your key holds `api-keys:unrestrict`, the new key keeps
/// your key's expiry, networks and rate limits or stricter ones, and a key with credits gives none.
#[utoipa::path(
    post, path = "/v1/organizations/{org}/api-keys", operation_id = "create_organization_api_key", tag = "API keys",
    security(("organization_key" = ["api-keys:write"])),
    params(("org" = String, Path, description = "The organization's id or slug", example = "acme-corp")),
    request_body = NewApiKey,
    responses((status = 201, description = "The key", body = CreatedApiKey)),
)]
async fn create_organization_api_key(
    call: May<ManageCredentials>,
    OwnOrganization(organization): OwnOrganization,
    body: Body<NewApiKey>,
) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let now = call.app().now();
    let create = credentials::Create { organization: Some(organization), ..new.read(now)? };
    let word = |issued: credentials::Issued| {
        let revision = issued.seen.credential.revision;
        wire::bare(StatusCode::CREATED, CreatedApiKey::of(issued, now)).tagged(revision).secret()
    };
    Ok(credentials::create(&call, create, word).await?)
}

/// Get an API key
///
/// One key by its id, revoked or not.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/api-keys/{keyId}", operation_id = "get_organization_api_key", tag = "API keys",
    security(("organization_key" = ["api-keys:read"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("keyId" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
    ),
    responses((status = 200, description = "The key", body = Data<ApiKeyView>)),
)]
async fn get_organization_api_key(
    May(call, _): May<ViewCredentials>,
    _: OwnOrganization,
    AnyId(id): AnyId<CredentialId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(&call, credentials::find(&call, id).await?))
}

/// Update an API key
///
/// Changes the fields that are present. To change what gateways are told of a key or what it may do, you must hold all
/// permissions that it has and gets, and be able to act for the user it is bound to. A key changes none of that of itself but
/// its name. Unless your key holds `api-keys:unrestrict`, what restricts your key restricts every key that you change.
#[utoipa::path(
    patch, path = "/v1/organizations/{org}/api-keys/{keyId}", operation_id = "update_organization_api_key", tag = "API keys",
    security(("organization_key" = ["api-keys:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("keyId" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Change only if the key still has this `ETag`", example = "\"1\""),
    ),
    request_body = ApiKeyPatch,
    responses((status = 200, description = "The key as it is now", body = Data<ApiKeyView>)),
)]
async fn update_organization_api_key(
    call: May<ManageCredentials>,
    _: OwnOrganization,
    AnyId(id): AnyId<CredentialId>,
    IfMatch(precondition): IfMatch,
    body: Body<ApiKeyPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let update = patch.read(call.app().now())?;
    Ok(credentials::update(&call, id, &precondition, update, |seen| tagged(&call, seen)).await?)
}

/// Revoke an API key
///
/// From now on it is not accepted, for good. It stays readable by its id. The last key that can manage the organization's
/// keys ends itself only with `force=true`.
#[utoipa::path(
    delete, path = "/v1/organizations/{org}/api-keys/{keyId}", operation_id = "revoke_organization_api_key", tag = "API keys",
    security(("organization_key" = ["api-keys:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("keyId" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Revoke only if the key still has this `ETag`", example = "\"1\""),
        ("force" = Option<bool>, Query, description = "Even if no key is left that can manage the organization's keys, default false", example = false),
    ),
    responses((status = 204, description = "It is revoked")),
)]
async fn revoke_organization_api_key(
    call: May<ManageCredentials>,
    _: OwnOrganization,
    AnyId(id): AnyId<CredentialId>,
    IfMatch(precondition): IfMatch,
    body: Forceable,
) -> Result<Reply, Fault> {
    let (call, Force(force)) = body.of(call);
    let word = |_| Reply::empty(StatusCode::NO_CONTENT);
    Ok(credentials::revoke(&call, id, &precondition, None, force, word).await?)
}

/// Rotate an API key
///
/// Gives it a new secret, shown this once; the ones before it go on working for the overlap. Its id, limits and usage
/// stay. You must hold all permissions that it has, and be able to act for the user it is bound to; unless your key holds
/// `api-keys:unrestrict`, it must be restricted as much as yours.
#[utoipa::path(
    post, path = "/v1/organizations/{org}/api-keys/{keyId}/rotate", operation_id = "rotate_organization_api_key", tag = "API keys",
    security(("organization_key" = ["api-keys:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("keyId" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
    ),
    request_body(content = Option<Rotation>, description = "May be left out"),
    responses((status = 200, description = "The key with its new secret", body = Data<RotatedApiKey>)),
)]
async fn rotate_organization_api_key(
    call: May<ManageCredentials>,
    _: OwnOrganization,
    AnyId(id): AnyId<CredentialId>,
    OptionalBody(body): OptionalBody<Rotation>,
) -> Result<Reply, Fault> {
    let (call, rotation) = body.of(call);
    let now = call.app().now();
    let word = |rotated: credentials::Rotated| {
        let revision = rotated.issued.seen.credential.revision;
        wire::data(RotatedApiKey::of(rotated, now)).tagged(revision).secret()
    };
    Ok(credentials::rotate(&call, id, rotation.overlap()?, word).await?)
}

/// Disable an API key
///
/// From now on it is not accepted, until it is enabled again. The last key that can manage the organization's keys
/// disables itself only with `force=true`.
#[utoipa::path(
    post, path = "/v1/organizations/{org}/api-keys/{keyId}/disable", operation_id = "disable_organization_api_key", tag = "API keys",
    security(("organization_key" = ["api-keys:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("keyId" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("force" = Option<bool>, Query, description = "Even if no key is left that can manage the organization's keys, default false", example = false),
    ),
    responses((status = 200, description = "The key as it is now", body = Data<ApiKeyView>)),
)]
async fn disable_organization_api_key(
    call: May<ManageCredentials>,
    _: OwnOrganization,
    AnyId(id): AnyId<CredentialId>,
    body: Forceable,
) -> Result<Reply, Fault> {
    let (call, Force(force)) = body.of(call);
    Ok(credentials::disable(&call, id, &Default::default(), force, |seen| tagged(&call, seen)).await?)
}

/// Enable an API key
///
/// It is accepted again. The rules are those of rotating it.
#[utoipa::path(
    post, path = "/v1/organizations/{org}/api-keys/{keyId}/enable", operation_id = "enable_organization_api_key", tag = "API keys",
    security(("organization_key" = ["api-keys:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("keyId" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
    ),
    responses((status = 200, description = "The key as it is now", body = Data<ApiKeyView>)),
)]
async fn enable_organization_api_key(
    call: May<ManageCredentials>,
    _: OwnOrganization,
    AnyId(id): AnyId<CredentialId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    Ok(credentials::enable(&call, id, &Default::default(), |seen| tagged(&call, seen)).await?)
}

fn tagged(call: &Call, seen: credentials::Seen) -> Reply {
    let revision = seen.credential.revision;
    wire::data(ApiKeyView::of(seen, call.app().now())).tagged(revision)
}
