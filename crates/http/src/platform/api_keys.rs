//! `/admin/v1/api-keys*`

use claviger_app::{App, Call, credentials};
use claviger_domain::credential::Environment;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::revision::Precondition;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Envelope, Page, Reply};
use crate::call::{ManageCredentials, May, ViewCredentials};
use crate::extract::{Body, Force, Forceable, IfMatch, NoBody, OptionalBody, Query};
use crate::fault::{Fault, Reason};
use crate::fields;
use crate::path::{AnyId, any_id};

mod batch;
mod input;
mod view;

use input::{ApiKeyPatch, NewApiKey, Reasoned, Rotation};
use view::{ApiKeyView, IssuedApiKey, RotatedApiKey};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_api_keys, create_api_key))
        .routes(routes!(get_api_key, update_api_key, revoke_api_key))
        .routes(routes!(rotate_api_key))
        .routes(routes!(disable_api_key))
        .routes(routes!(enable_api_key))
        .merge(batch::router())
}

/// List API keys
///
/// The keys of every organization, newest first; expired ones are among them, and those partners made for their
/// customers. Revoked ones only when asked for; the key itself never.
#[utoipa::path(
    get, path = "/admin/v1/api-keys", operation_id = "list_api_keys", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50", minimum = 1, maximum = 100, example = 50),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("org_id" = Option<String>, Query, description = "Only those of this organization: its id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("user_id" = Option<String>, Query, description = "Only those bound to this user", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("environment" = Option<String>, Query, description = "Only `live` or `test` ones", example = "live"),
        ("search" = Option<String>, Query, description = "Only those whose name or prefix holds this text, in any case", example = "production"),
        ("include_revoked" = Option<bool>, Query, description = "Revoked ones as well, default false", example = false),
    ),
    responses((status = 200, description = "One page of keys", body = Page<ApiKeyView>)),
)]
async fn list_api_keys(May(call, _): May<ViewCredentials>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(wire::USUAL_LIMIT)?;
    let bad_user = || Fault::invalid("user_id", Reason::Reference);
    let user = query.take("user_id").map(|id| any_id::<UserAccountId>(&id, bad_user));
    let environment = query.take("environment").map(|word| {
        let known = Environment::of_word(&word);
        known.ok_or(Fault::invalid("environment", Reason::Word(&["live", "test"])))
    });
    let filter = credentials::Filter {
        include_revoked: query.flag("include_revoked")?,
        user_account: user.transpose()?,
        classes: environment.transpose()?.map(fields::classes_of).unwrap_or_default(),
        search: fields::search(&mut query)?,
    };
    let organization = query.take("org_id");
    query.end()?;
    let organization = wire::narrowed(&call, organization).await?;
    let found = credentials::list(&call, organization, &filter, window).await?;
    Ok(wire::page(&call, found, |seen| ApiKeyView::of(seen, call.app().now())))
}

/// Create an API key
///
/// The answer holds the key, this once. You may grant every scope but `admin:` scopes that you do not hold; if the key is
/// bound to a user, the user must hold them as well. A key for a user needs `admin:users`. Unless your key holds
/// `api-keys:unrestrict`, the new key keeps your key's expiry, networks and rate limits or stricter ones, and a key with
/// credits gives none.
#[utoipa::path(
    post, path = "/admin/v1/api-keys", operation_id = "create_api_key", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    request_body = NewApiKey,
    responses((status = 201, description = "What is known of the key, and the key", body = Envelope<IssuedApiKey>)),
)]
async fn create_api_key(call: May<ManageCredentials>, body: Body<NewApiKey>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let now = call.app().now();
    let (organization, create) = new.read(now)?;
    let organization = Some(fields::organization(call.app(), "organization_id", &organization).await?);
    let word = |issued: credentials::Issued| {
        let revision = issued.seen.credential.revision;
        wire::created(&call, IssuedApiKey::of(issued, now)).tagged(revision).secret()
    };
    Ok(credentials::create(&call, credentials::Create { organization, ..create }, word).await?)
}

/// Get an API key
///
/// What is known of one key by its id, whatever its state; the key itself never.
#[utoipa::path(
    get, path = "/admin/v1/api-keys/{id}", operation_id = "get_api_key", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    params(("id" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "What is known of the key", body = Envelope<ApiKeyView>)),
)]
async fn get_api_key(
    May(call, _): May<ViewCredentials>,
    AnyId(id): AnyId<CredentialId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(&call, credentials::find(&call, id).await?))
}

/// Update an API key
///
/// Changes the fields that are present; in force at the gateway at once. Lists and metadata are replaced, not merged.
/// To change what gateways are told of a key or what it may do, you must hold all `admin:` scopes that it has and gets; a
/// key changes none of that of itself but its name. Unless your key holds `api-keys:unrestrict`, what restricts your key
/// restricts every key that you change.
#[utoipa::path(
    patch, path = "/admin/v1/api-keys/{id}", operation_id = "update_api_key", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    params(
        ("id" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Change only if the key still has this `ETag`", example = "\"1\""),
    ),
    request_body = ApiKeyPatch,
    responses((status = 200, description = "What is known of it now", body = Envelope<ApiKeyView>)),
)]
async fn update_api_key(
    call: May<ManageCredentials>,
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
/// From now on it is not accepted, for good. What is known of it stays readable. The last key that can manage its
/// organization's keys ends itself only with `force`.
#[utoipa::path(
    delete, path = "/admin/v1/api-keys/{id}", operation_id = "revoke_api_key", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    params(
        ("id" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Revoke only if the key still has this `ETag`", example = "\"1\""),
    ),
    request_body(content = Option<Reasoned>, description = "May be left out"),
    responses((status = 200, description = "What is left of it", body = Envelope<ApiKeyView>)),
)]
async fn revoke_api_key(
    call: May<ManageCredentials>,
    AnyId(id): AnyId<CredentialId>,
    IfMatch(precondition): IfMatch,
    OptionalBody(body): OptionalBody<Reasoned>,
) -> Result<Reply, Fault> {
    let (call, reasoned) = body.of(call);
    let (reason, force) = reasoned.read()?;
    Ok(credentials::revoke(&call, id, &precondition, reason, force, |seen| tagged(&call, seen)).await?)
}

/// Rotate an API key
///
/// Gives it a new key, shown this once; the ones before it go on working for the overlap. Its id, scopes, limits and
/// usage stay. You must hold every `admin:` scope that it has, and `admin:users` if it is bound to a user; unless your key
/// holds `api-keys:unrestrict`, it must be restricted as much as yours.
#[utoipa::path(
    post, path = "/admin/v1/api-keys/{id}/rotate", operation_id = "rotate_api_key", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    params(("id" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q")),
    request_body(content = Option<Rotation>, description = "May be left out"),
    responses((status = 200, description = "What is known of it, and the new key", body = Envelope<RotatedApiKey>)),
)]
async fn rotate_api_key(
    call: May<ManageCredentials>,
    AnyId(id): AnyId<CredentialId>,
    OptionalBody(body): OptionalBody<Rotation>,
) -> Result<Reply, Fault> {
    let (call, rotation) = body.of(call);
    let word = |rotated: credentials::Rotated| {
        let revision = rotated.issued.seen.credential.revision;
        wire::one(&call, RotatedApiKey::of(rotated, call.app().now())).tagged(revision).secret()
    };
    Ok(credentials::rotate(&call, id, rotation.overlap()?, word).await?)
}

/// Disable an API key
///
/// It is not accepted until it is enabled again. The last key that can manage its organization's keys disables itself only
/// with `force=true`.
#[utoipa::path(
    post, path = "/admin/v1/api-keys/{id}/disable", operation_id = "disable_api_key", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    params(
        ("id" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q"),
        ("force" = Option<bool>, Query, description = "Even if no key is left that can manage the organization's keys, default false", example = false),
    ),
    responses((status = 200, description = "What is known of it now", body = Envelope<ApiKeyView>)),
)]
async fn disable_api_key(
    call: May<ManageCredentials>,
    AnyId(id): AnyId<CredentialId>,
    body: Forceable,
) -> Result<Reply, Fault> {
    let (call, Force(force)) = body.of(call);
    Ok(credentials::disable(&call, id, &Precondition::None, force, |seen| tagged(&call, seen)).await?)
}

/// Enable an API key
///
/// It is accepted again. The rules are those of rotating it.
#[utoipa::path(
    post, path = "/admin/v1/api-keys/{id}/enable", operation_id = "enable_api_key", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    params(("id" = String, Path, description = "The key's id", example = "key_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "What is known of it now", body = Envelope<ApiKeyView>)),
)]
async fn enable_api_key(
    call: May<ManageCredentials>,
    AnyId(id): AnyId<CredentialId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    Ok(credentials::enable(&call, id, &Precondition::None, |seen| tagged(&call, seen)).await?)
}

fn tagged(call: &Call, seen: credentials::Seen) -> Reply {
    let revision = seen.credential.revision;
    wire::one(call, ApiKeyView::of(seen, call.app().now())).tagged(revision)
}
