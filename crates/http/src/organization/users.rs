//! `/v1/organizations/{org}/users*` and `/v1/users/me`

use axum::http::StatusCode;
use claviger_app::{App, users};
use claviger_domain::ids::UserAccountId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Data, DataPage, Reply};
use crate::call::{Anybody, DeleteUsers, ManageUsers, May, ViewUsers};
use crate::extract::{Body, Force, Forceable, IfMatch, Query};
use crate::fault::Fault;
use crate::path::{AnyId, OwnOrganization};

mod input;
mod view;

use input::{NewUser, UserPatch};
use view::{UserDetail, UserView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_organization_users, create_organization_user))
        .routes(routes!(get_organization_user, update_organization_user, delete_organization_user))
        .routes(routes!(get_current_user))
}

/// List users
///
/// The organization's users, newest first, its partners' customers among them.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/users", operation_id = "list_organization_users", tag = "Users",
    security(("organization_key" = ["users:read"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("after" = Option<String>, Query, description = "Only users that follow in the list on the one of this id", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("page" = Option<i64>, Query, description = "The page of this number, counted from 1; not together with `after`", minimum = 1, example = 1),
        ("status" = Option<String>, Query, description = "Only `active`, `suspended` or `pending` ones", example = "active"),
        ("email" = Option<String>, Query, description = "Only those of exactly this address", example = "ada@acme.com"),
        ("search" = Option<String>, Query, description = "Only those whose name or address holds this text, in any case", example = "ada"),
        ("role" = Option<String>, Query, description = "Only those that have the role of this id", example = "role_01h455vb4pex5vsknk084sn02q"),
    ),
    responses((status = 200, description = "One page of users", body = DataPage<UserView>)),
)]
async fn list_organization_users(
    May(call, _): May<ViewUsers>,
    OwnOrganization(organization): OwnOrganization,
    mut query: Query,
) -> Result<Reply, Fault> {
    let window = wire::window::<UserAccountId>(&mut query)?;
    let filter = input::filter(&mut query)?;
    query.end()?;
    let found = users::list(&call, Some(organization), &filter, window).await?;
    Ok(wire::page(found, UserView::from))
}

/// Create a user
///
/// It is active at once. Who gives it roles must hold all that they permit.
#[utoipa::path(
    post, path = "/v1/organizations/{org}/users", operation_id = "create_organization_user", tag = "Users",
    security(("organization_key" = ["users:write"])),
    params(("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),),
    request_body = NewUser,
    responses((status = 201, description = "The user", body = Data<UserDetail>)),
)]
async fn create_organization_user(
    call: May<ManageUsers>,
    OwnOrganization(organization): OwnOrganization,
    body: Body<NewUser>,
) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let create = users::Create { organization: Some(organization), ..new.try_into()? };
    Ok(users::create(&call, create, |seen| tagged(StatusCode::CREATED, seen)).await?)
}

/// Get a user
///
/// One user by its id, with all that its roles permit.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/users/{id}", operation_id = "get_organization_user", tag = "Users",
    security(("organization_key" = ["users:read"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q"),
    ),
    responses((status = 200, description = "The user", body = Data<UserDetail>)),
)]
async fn get_organization_user(
    May(call, _): May<ViewUsers>,
    _: OwnOrganization,
    AnyId(id): AnyId<UserAccountId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(StatusCode::OK, users::find(&call, id).await?))
}

/// Update a user
///
/// Changes the fields that are present; its keys follow at once. Metadata and roles are replaced, not merged. Who
/// changes roles must hold all that the old ones permitted and the new ones permit; who lets a user in again, or changes
/// its name, `email`, `externalId` or metadata, all that its roles permit. A user's own key changes none of these four.
/// The last active owner stays one. If no key could manage the organization's keys afterwards, your own is changed only
/// with `force`.
#[utoipa::path(
    patch, path = "/v1/organizations/{org}/users/{id}", operation_id = "update_organization_user", tag = "Users",
    security(("organization_key" = ["users:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Change only if the user still has this `ETag`", example = "\"1\""),
    ),
    request_body = UserPatch,
    responses((status = 200, description = "The user as it is now", body = Data<UserDetail>)),
)]
async fn update_organization_user(
    call: May<ManageUsers>,
    _: OwnOrganization,
    AnyId(id): AnyId<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: Body<UserPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(StatusCode::OK, seen);
    Ok(users::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Delete a user
///
/// Its keys are revoked with it. The last active owner stays. If no key could manage the organization's keys afterwards,
/// your own user is deleted only with `force=true`.
#[utoipa::path(
    delete, path = "/v1/organizations/{org}/users/{id}", operation_id = "delete_organization_user", tag = "Users",
    security(("organization_key" = ["users:delete"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Delete only if the user still has this `ETag`", example = "\"1\""),
        ("force" = Option<bool>, Query, description = "Even if no key is left that can manage the organization's keys, default false", example = false),
    ),
    responses((status = 204, description = "It is gone")),
)]
async fn delete_organization_user(
    call: May<DeleteUsers>,
    _: OwnOrganization,
    AnyId(id): AnyId<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: Forceable,
) -> Result<Reply, Fault> {
    let (call, Force(force)) = body.of(call);
    let word = |()| Reply::empty(StatusCode::NO_CONTENT);
    Ok(users::delete(&call, id, &precondition, force, word).await?)
}

/// Get the key's own user
///
/// The user to whom the presented key is bound; a key that is bound to none is refused as `no_user`.
#[utoipa::path(
    get, path = "/v1/users/me", operation_id = "get_current_user", tag = "Users",
    security(("organization_key" = [])),
    responses((status = 200, description = "The user", body = Data<UserDetail>)),
)]
async fn get_current_user(May(call, _): May<Anybody>, query: Query) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(StatusCode::OK, users::me(&call).await?))
}

fn tagged(status: StatusCode, seen: users::Seen) -> Reply {
    let revision = seen.account.revision;
    wire::enveloped(status, UserDetail::from(seen)).tagged(revision)
}
