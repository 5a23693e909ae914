//! `/v1/organizations/{org}/roles*`, `/permissions` and `/check-permission`

use axum::http::StatusCode;
use claviger_app::{App, roles};
use claviger_domain::ids::RoleId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Data, DataList, Reply};
use crate::call::{ManageRoles, May, ViewRoles};
use crate::extract::{Body, IfMatch, NoBody, Query};
use crate::fault::Fault;
use crate::path::{AnyId, OwnOrganization};

mod input;
mod view;

use input::{NewRole, PermissionQuestion, RolePatch};
use view::{PermissionAnswer, PermissionView, RoleDetail, RoleView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_roles, create_role))
        .routes(routes!(get_role, update_role, delete_role))
        .routes(routes!(list_permissions))
        .routes(routes!(check_permission))
}

/// List roles
///
/// All of them at once: the four that every organization has, then its own by name.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/roles", operation_id = "list_roles", tag = "Roles",
    security(("organization_key" = ["roles:read"])),
    params(("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),),
    responses((status = 200, description = "Every role", body = DataList<RoleView>)),
)]
async fn list_roles(
    May(call, _): May<ViewRoles>,
    OwnOrganization(organization): OwnOrganization,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    let found = roles::list(&call, organization).await?;
    Ok(wire::list(found.into_iter().map(RoleView::from)))
}

/// Create a role
///
/// Nobody gives a role more than they hold themselves.
#[utoipa::path(
    post, path = "/v1/organizations/{org}/roles", operation_id = "create_role", tag = "Roles",
    security(("organization_key" = ["roles:write"])),
    params(("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),),
    request_body = NewRole,
    responses((status = 201, description = "The role", body = Data<RoleDetail>)),
)]
async fn create_role(
    call: May<ManageRoles>,
    OwnOrganization(organization): OwnOrganization,
    body: Body<NewRole>,
) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |role: claviger_domain::role::Role| {
        let seen = roles::Seen { users: 0, created_at: role.created_at, role: roles::Known::Custom(role) };
        tagged(StatusCode::CREATED, seen, Vec::new())
    };
    Ok(roles::create(&call, organization, new.try_into()?, word).await?)
}

/// Get a role
///
/// One role by its id, and who has it.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/roles/{id}", operation_id = "get_role", tag = "Roles",
    security(("organization_key" = ["roles:read"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("id" = String, Path, description = "The role's id", example = "role_01h455vb4pex5vsknk084sn02q"),
    ),
    responses((status = 200, description = "The role", body = Data<RoleDetail>)),
)]
async fn get_role(
    May(call, _): May<ViewRoles>,
    OwnOrganization(organization): OwnOrganization,
    AnyId(id): AnyId<RoleId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    let (seen, holders) = roles::find(&call, organization, id).await?;
    Ok(tagged(StatusCode::OK, seen, holders))
}

/// Update a role
///
/// Changes the fields that are present; whoever has it has what it permits now, and so have their keys. Who changes what
/// it permits, or its name, must hold all that it permitted and permits then. A system role does not change.
#[utoipa::path(
    patch, path = "/v1/organizations/{org}/roles/{id}", operation_id = "update_role", tag = "Roles",
    security(("organization_key" = ["roles:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("id" = String, Path, description = "The role's id", example = "role_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Change only if the role still has this `ETag`", example = "\"1\""),
    ),
    request_body = RolePatch,
    responses((status = 200, description = "The role as it is now", body = Data<RoleDetail>)),
)]
async fn update_role(
    call: May<ManageRoles>,
    OwnOrganization(organization): OwnOrganization,
    AnyId(id): AnyId<RoleId>,
    IfMatch(precondition): IfMatch,
    body: Body<RolePatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |(seen, holders)| tagged(StatusCode::OK, seen, holders);
    Ok(roles::update(&call, organization, id, &precondition, patch.try_into()?, word).await?)
}

/// Delete a role
///
/// Only one that nobody has. A system role stays.
#[utoipa::path(
    delete, path = "/v1/organizations/{org}/roles/{id}", operation_id = "delete_role", tag = "Roles",
    security(("organization_key" = ["roles:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("id" = String, Path, description = "The role's id", example = "role_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Delete only if the role still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 204, description = "It is gone")),
)]
async fn delete_role(
    call: May<ManageRoles>,
    OwnOrganization(organization): OwnOrganization,
    AnyId(id): AnyId<RoleId>,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |()| Reply::empty(StatusCode::NO_CONTENT);
    Ok(roles::delete(&call, organization, id, &precondition, word).await?)
}

/// List permissions
///
/// Every permission that has a meaning here. Keys and roles may hold words of your own services besides.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/permissions", operation_id = "list_permissions", tag = "Roles",
    security(("organization_key" = ["roles:read"])),
    params(("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),),
    responses((status = 200, description = "Every permission", body = DataList<PermissionView>)),
)]
async fn list_permissions(
    May(call, _): May<ViewRoles>,
    _: OwnOrganization,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(wire::list(roles::catalogue(&call)?.into_iter().map(PermissionView::from)))
}

/// Check a permission
///
/// Whether a user may do something, and why.
#[utoipa::path(
    post, path = "/v1/organizations/{org}/check-permission", operation_id = "check_permission", tag = "Roles",
    security(("organization_key" = ["roles:read"])),
    params(("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),),
    request_body = PermissionQuestion,
    responses((status = 200, description = "The answer", body = Data<PermissionAnswer>)),
)]
async fn check_permission(
    call: May<ViewRoles>,
    OwnOrganization(organization): OwnOrganization,
    body: Body<PermissionQuestion>,
) -> Result<Reply, Fault> {
    let (call, question) = body.of(call);
    let (user, permission) = question.read()?;
    let checked = roles::check(&call, organization, user, permission).await?;
    Ok(wire::data(PermissionAnswer::from(checked)))
}

fn tagged(
    status: StatusCode,
    seen: roles::Seen,
    holders: Vec<claviger_domain::account::UserAccount>,
) -> Reply {
    let revision = seen.role.revision();
    wire::enveloped(status, RoleDetail::of(seen, holders)).tagged(revision)
}
