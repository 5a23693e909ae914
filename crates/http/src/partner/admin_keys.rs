//! `/v1/admin/admin-keys*` and `/v1/admin/me`

use claviger_app::{App, admin_keys};
use claviger_domain::ids::AdminKeyId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, One, Page, Reply};
use crate::call::{Anybody, ManageAdminKeys, May};
use crate::extract::{Body, IfMatch, NoBody, Query};
use crate::fault::Fault;
use crate::path::Id;

mod input;
mod view;

use input::{AdminKeyPatch, NewAdminKey};
use view::{AdminKeyView, IssuedAdminKey};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_admin_keys, create_admin_key))
        .routes(routes!(get_admin_key, update_admin_key, revoke_admin_key))
        .routes(routes!(get_me))
}

/// List admin keys
///
/// All admin keys, newest first; revoked ones only when asked for. Bootstrap key only.
#[utoipa::path(
    get, path = "/v1/admin/admin-keys", operation_id = "list_admin_keys", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("includeRevoked" = Option<bool>, Query, description = "Revoked ones as well, default false", example = false),
    ),
    responses((status = 200, description = "One page of admin keys", body = Page<AdminKeyView>)),
)]
async fn list_admin_keys(May(call, _): May<ManageAdminKeys>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let include_revoked = query.flag("includeRevoked")?;
    query.end()?;
    Ok(wire::page(admin_keys::list(&call, include_revoked, window).await?, AdminKeyView::from))
}

/// Create an admin key
///
/// The answer holds the key, this once. Bootstrap key only.
#[utoipa::path(
    post, path = "/v1/admin/admin-keys", operation_id = "create_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    request_body = NewAdminKey,
    responses((status = 201, description = "The admin key and its text", body = One<IssuedAdminKey>)),
)]
async fn create_admin_key(call: May<ManageAdminKeys>, body: Body<NewAdminKey>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |issued: admin_keys::Issued| {
        let revision = issued.seen.key.revision;
        let message = "Admin key created. Store the api_key securely - it will not be shown again.";
        wire::created(IssuedAdminKey::from(issued), message).tagged(revision).secret()
    };
    Ok(admin_keys::create(&call, new.try_into()?, word).await?)
}

/// Get an admin key
///
/// One admin key by its id, revoked or not. Bootstrap key only.
#[utoipa::path(
    get, path = "/v1/admin/admin-keys/{id}", operation_id = "get_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(("id" = String, Path, description = "The admin key's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000002")),
    responses((status = 200, description = "The admin key", body = One<AdminKeyView>)),
)]
async fn get_admin_key(
    May(call, _): May<ManageAdminKeys>,
    Id(id): Id<AdminKeyId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(admin_keys::find(&call, id).await?, wire::one))
}

/// Update an admin key
///
/// Changes its name, permissions or expiry, in force for its next call. Bootstrap key only.
#[utoipa::path(
    patch, path = "/v1/admin/admin-keys/{id}", operation_id = "update_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(
        ("id" = String, Path, description = "The admin key's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000002"),
        ("If-Match" = Option<String>, Header, description = "Change only if the admin key still has this `ETag`", example = "\"1\""),
    ),
    request_body = AdminKeyPatch,
    responses((status = 200, description = "The admin key as it is now", body = One<AdminKeyView>)),
)]
async fn update_admin_key(
    call: May<ManageAdminKeys>,
    Id(id): Id<AdminKeyId>,
    IfMatch(precondition): IfMatch,
    body: Body<AdminKeyPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(seen, |view| wire::done(view, "Admin key updated successfully"));
    Ok(admin_keys::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Revoke an admin key
///
/// From now on it is not accepted, for good. The accounts and credentials it made stay and go on working.
/// Bootstrap key only.
#[utoipa::path(
    delete, path = "/v1/admin/admin-keys/{id}", operation_id = "revoke_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(
        ("id" = String, Path, description = "The admin key's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000002"),
        ("If-Match" = Option<String>, Header, description = "Revoke only if the admin key still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 200, description = "The admin key as it ended", body = One<AdminKeyView>)),
)]
async fn revoke_admin_key(
    call: May<ManageAdminKeys>,
    Id(id): Id<AdminKeyId>,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| tagged(seen, |view| wire::done(view, "Admin key revoked successfully"));
    Ok(admin_keys::revoke(&call, id, &precondition, word).await?)
}

/// Get the calling key
///
/// What the presented key is and may do. Any admin key may ask, and so may the bootstrap key.
#[utoipa::path(
    get, path = "/v1/admin/me", operation_id = "get_me", tag = "Admin keys",
    security(("admin_key" = [])),
    responses((status = 200, description = "The key that asks", body = One<AdminKeyView>)),
)]
async fn get_me(May(call, _): May<Anybody>, query: Query) -> Result<Reply, Fault> {
    query.end()?;
    Ok(match admin_keys::me(&call).await? {
        admin_keys::Me::AdminKey(seen) => tagged(*seen, wire::one),
        me @ admin_keys::Me::Bootstrap { .. } => wire::one(AdminKeyView::from(me)),
    })
}

fn tagged(seen: admin_keys::Seen, reply: impl FnOnce(AdminKeyView) -> Reply) -> Reply {
    let revision = seen.key.revision;
    reply(seen.into()).tagged(revision)
}
