//! `/v1/admin/users*`

use claviger_app::{App, Call, users};
use claviger_domain::ids::UserAccountId;
use claviger_domain::text::ExternalId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, One, Page, Reply};
use crate::call::{May, PartnerUsers};
use crate::extract::{Body, IfMatch, NoBody, Query};
use crate::fault::Fault;
use crate::fields;
use crate::path::{Id, Segment};

mod input;
mod view;

use input::{NewUser, UserPatch};
use view::{UserStatus, UserView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_users, create_user))
        .routes(routes!(get_user, update_user))
        .routes(routes!(get_user_by_external_id))
        .routes(routes!(suspend_user))
        .routes(routes!(reactivate_user))
}

/// List user accounts
///
/// The accounts this admin key made, newest first.
#[utoipa::path(
    get, path = "/v1/admin/users", operation_id = "list_users", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("status" = Option<String>, Query, description = "Only `active`, `suspended` or `pending` accounts", example = "active"),
    ),
    responses((status = 200, description = "One page of accounts", body = Page<UserView>)),
)]
async fn list_users(May(call, _): May<PartnerUsers>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let status = fields::user_status(&mut query)?;
    query.end()?;
    let filter = users::Filter { status, ..users::Filter::default() };
    let found = users::list(&call, None, &filter, window).await?;
    Ok(wire::page(found, |seen| UserView::of(seen, call.entity())))
}

/// Create a user account
///
/// The account is active at once. Its `external_id` must not be in use by another account of this admin key.
#[utoipa::path(
    post, path = "/v1/admin/users", operation_id = "create_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    request_body = NewUser,
    responses((status = 201, description = "The account", body = One<UserView>)),
)]
async fn create_user(call: May<PartnerUsers>, body: Body<NewUser>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |seen| tagged(&call, seen, |view| wire::created(view, "User account created successfully"));
    Ok(users::create(&call, new.try_into()?, word).await?)
}

/// Get a user account
///
/// One account by its id.
#[utoipa::path(
    get, path = "/v1/admin/users/{id}", operation_id = "get_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001")),
    responses((status = 200, description = "The account", body = One<UserView>)),
)]
async fn get_user(
    May(call, _): May<PartnerUsers>,
    Id(id): Id<UserAccountId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(&call, users::find(&call, id).await?, wire::one))
}

/// Get a user account by external id
///
/// One account by the partner's own id for it. Reserved characters are percent-encoded.
#[utoipa::path(
    get, path = "/v1/admin/users/by-external-id/{externalId}", operation_id = "get_user_by_external_id", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("externalId" = String, Path, description = "The partner's id for the customer", example = "customer-123")),
    responses((status = 200, description = "The account", body = One<UserView>)),
)]
async fn get_user_by_external_id(
    May(call, _): May<PartnerUsers>,
    Segment(external_id): Segment,
    query: Query,
) -> Result<Reply, Fault> {
    let external_id = wire::text("external_id", &external_id, ExternalId::new)?;
    query.end()?;
    Ok(tagged(&call, users::find_by_external_id(&call, &external_id).await?, wire::one))
}

/// Update a user account
///
/// Changes the fields that are present. Metadata is replaced, not merged; the status has its own operations.
#[utoipa::path(
    patch, path = "/v1/admin/users/{id}", operation_id = "update_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(
        ("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001"),
        ("If-Match" = Option<String>, Header, description = "Change only if the account still has this `ETag`", example = "\"1\""),
    ),
    request_body = UserPatch,
    responses((status = 200, description = "The account as it is now", body = One<UserView>)),
)]
async fn update_user(
    call: May<PartnerUsers>,
    Id(id): Id<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: Body<UserPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(&call, seen, |view| wire::done(view, "User account updated successfully"));
    Ok(users::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Suspend a user account
///
/// From now on none of the account's credentials is accepted.
#[utoipa::path(
    post, path = "/v1/admin/users/{id}/suspend", operation_id = "suspend_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001")),
    responses((status = 200, description = "The account's status", body = One<UserStatus>)),
)]
async fn suspend_user(
    call: May<PartnerUsers>,
    Id(id): Id<UserAccountId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| status(&call, seen, "User account suspended successfully");
    Ok(users::suspend(&call, id, word).await?)
}

/// Reactivate a user account
///
/// The account's credentials are accepted again; revoked ones stay revoked.
#[utoipa::path(
    post, path = "/v1/admin/users/{id}/reactivate", operation_id = "reactivate_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001")),
    responses((status = 200, description = "The account's status", body = One<UserStatus>)),
)]
async fn reactivate_user(
    call: May<PartnerUsers>,
    Id(id): Id<UserAccountId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| status(&call, seen, "User account reactivated successfully");
    Ok(users::reactivate(&call, id, word).await?)
}

fn tagged(call: &Call, seen: users::Seen, reply: impl FnOnce(UserView) -> Reply) -> Reply {
    let revision = seen.account.revision;
    reply(UserView::of(seen, call.entity())).tagged(revision)
}

fn status(call: &Call, seen: users::Seen, message: &'static str) -> Reply {
    tagged(call, seen, |view| wire::done(UserStatus::from(view), message))
}
