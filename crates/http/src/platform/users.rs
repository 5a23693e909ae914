//! `/admin/v1/users*`

use claviger_app::{App, Call, users};
use claviger_domain::ids::UserAccountId;
use claviger_domain::text::Email;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::people::UserView;
use super::wire::{self, Deleted, Envelope, Page, Reply};
use crate::call::{DeleteUsers, ManageUsers, May, ViewUsers};
use crate::extract::{Body, IfMatch, NoBody, Query};
use crate::fault::Fault;
use crate::fields;
use crate::input::optional_text;
use crate::path::AnyId;

mod input;

use input::{NewUser, UserPatch};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_platform_users, create_platform_user))
        .routes(routes!(get_platform_user, update_platform_user, delete_platform_user))
        .routes(routes!(suspend_platform_user))
        .routes(routes!(reactivate_platform_user))
}

/// List users
///
/// The accounts of every organization, newest first: partners' customers and organizations' own users.
#[utoipa::path(
    get, path = "/admin/v1/users", operation_id = "list_platform_users", tag = "Users",
    security(("platform_key" = ["admin:users"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50", minimum = 1, maximum = 100, example = 50),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("org_id" = Option<String>, Query, description = "Only those of this organization: its id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("status" = Option<String>, Query, description = "Only `active`, `suspended` or `pending` ones", example = "active"),
        ("search" = Option<String>, Query, description = "Only those whose name or email holds this text, in any case", example = "ada"),
        ("email" = Option<String>, Query, description = "Only those of exactly this address", example = "ada@acme.com"),
    ),
    responses((status = 200, description = "One page of users", body = Page<UserView>)),
)]
async fn list_platform_users(May(call, _): May<ViewUsers>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(wire::USUAL_LIMIT)?;
    let filter = users::Filter {
        status: fields::user_status(&mut query)?,
        search: fields::search(&mut query)?,
        email: optional_text("email", query.take("email"), Email::new)?,
        ..users::Filter::default()
    };
    let organization = query.take("org_id");
    query.end()?;
    let organization = wire::narrowed(&call, organization).await?;
    let found = users::list(&call, organization, &filter, window).await?;
    Ok(wire::page(&call, found, UserView::from))
}

/// Create a user
///
/// The account is active at once, and its organization's own. It has no role before it is made a member.
#[utoipa::path(
    post, path = "/admin/v1/users", operation_id = "create_platform_user", tag = "Users",
    security(("platform_key" = ["admin:users"])),
    request_body = NewUser,
    responses((status = 201, description = "The user", body = Envelope<UserView>)),
)]
async fn create_platform_user(call: May<ManageUsers>, body: Body<NewUser>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let (organization, create) = new.read()?;
    let organization = Some(fields::organization(call.app(), "organization_id", &organization).await?);
    let word = |seen| tagged(&call, seen, wire::created);
    Ok(users::create(&call, users::Create { organization, ..create }, word).await?)
}

/// Get a user
///
/// One account by its id.
#[utoipa::path(
    get, path = "/admin/v1/users/{id}", operation_id = "get_platform_user", tag = "Users",
    security(("platform_key" = ["admin:users"])),
    params(("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "The user", body = Envelope<UserView>)),
)]
async fn get_platform_user(
    May(call, _): May<ViewUsers>,
    AnyId(id): AnyId<UserAccountId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(&call, users::find(&call, id).await?, wire::one))
}

/// Update a user
///
/// Changes the fields that are present. Metadata is replaced, not merged; status and roles have their own operations. Who
/// changes `email` or `external_id` must hold all that the user's roles permit.
#[utoipa::path(
    patch, path = "/admin/v1/users/{id}", operation_id = "update_platform_user", tag = "Users",
    security(("platform_key" = ["admin:users"])),
    params(
        ("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Change only if the user still has this `ETag`", example = "\"1\""),
    ),
    request_body = UserPatch,
    responses((status = 200, description = "The user as it is now", body = Envelope<UserView>)),
)]
async fn update_platform_user(
    call: May<ManageUsers>,
    AnyId(id): AnyId<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: Body<UserPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(&call, seen, wire::one);
    Ok(users::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Delete a user
///
/// For good, and its keys are revoked. Its figures and what the audit log tells of it stay. The last active owner of
/// an organization stays.
#[utoipa::path(
    delete, path = "/admin/v1/users/{id}", operation_id = "delete_platform_user", tag = "Users",
    security(("platform_key" = ["admin:users"])),
    params(
        ("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Delete only if the user still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 200, description = "It is gone", body = Envelope<Deleted>)),
)]
async fn delete_platform_user(
    call: May<DeleteUsers>,
    AnyId(id): AnyId<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |()| wire::one(&call, Deleted::of(id.prefixed()));
    Ok(users::delete(&call, id, &precondition, true, word).await?)
}

/// Suspend a user
///
/// From now on none of its keys is accepted. The last active owner of an organization stays one.
#[utoipa::path(
    post, path = "/admin/v1/users/{id}/suspend", operation_id = "suspend_platform_user", tag = "Users",
    security(("platform_key" = ["admin:users"])),
    params(("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "The user as it is now", body = Envelope<UserView>)),
)]
async fn suspend_platform_user(
    call: May<ManageUsers>,
    AnyId(id): AnyId<UserAccountId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| tagged(&call, seen, wire::one);
    Ok(users::suspend(&call, id, word).await?)
}

/// Reactivate a user
///
/// Its keys are accepted again; revoked ones stay revoked.
#[utoipa::path(
    post, path = "/admin/v1/users/{id}/reactivate", operation_id = "reactivate_platform_user", tag = "Users",
    security(("platform_key" = ["admin:users"])),
    params(("id" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "The user as it is now", body = Envelope<UserView>)),
)]
async fn reactivate_platform_user(
    call: May<ManageUsers>,
    AnyId(id): AnyId<UserAccountId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| tagged(&call, seen, wire::one);
    Ok(users::reactivate(&call, id, word).await?)
}

fn tagged(call: &Call, seen: users::Seen, reply: impl FnOnce(&Call, UserView) -> Reply) -> Reply {
    let revision = seen.account.revision;
    reply(call, UserView::from(seen)).tagged(revision)
}
