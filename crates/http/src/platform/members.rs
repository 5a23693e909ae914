//! `/admin/v1/organizations/{id}/members*`

use claviger_app::organizations::members::{self, Become};
use claviger_app::{App, Call, users};
use claviger_domain::ids::UserAccountId;
use claviger_domain::revision::Precondition;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::people::MemberView;
use super::wire::{self, Deleted, Envelope, Page, Reply};
use crate::call::{ManageOrganizations, May};
use crate::extract::{Body, IfMatch, NoBody, Query};
use crate::fault::{Fault, Reason};
use crate::fields;
use crate::path::{AnyId, AnyOrganization, any_id};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_members, add_member))
        .routes(routes!(update_member, remove_member))
}

/// A user of the organization that is to have a role in it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user_id": "user_01h455vb4pex5vsknk084sn02q", "role": "Member"}))]
struct NewMember {
    user_id: String,
    /// A role's id or its name: `Owner`, `Admin`, `Member`, `Viewer`, or one of the organization's own.
    #[schema(min_length = 1, max_length = 255)]
    role: String,
}

/// The role a member has from now on, and no other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "Admin"}))]
struct MemberPatch {
    /// A role's id or its name: `Owner`, `Admin`, `Member`, `Viewer`, or one of the organization's own.
    #[schema(min_length = 1, max_length = 255)]
    role: String,
}

/// List members
///
/// The users that have a role in the organization, newest first.
#[utoipa::path(
    get, path = "/admin/v1/organizations/{id}/members", operation_id = "list_members", tag = "Members",
    security(("platform_key" = ["admin:orgs"])),
    params(
        ("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50", minimum = 1, maximum = 100, example = 50),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
    ),
    responses((status = 200, description = "One page of members", body = Page<MemberView>)),
)]
async fn list_members(
    May(call, _): May<ManageOrganizations>,
    AnyOrganization(id): AnyOrganization,
    mut query: Query,
) -> Result<Reply, Fault> {
    let window = query.window(wire::USUAL_LIMIT)?;
    query.end()?;
    let found = members::list(&call, id, window).await?;
    Ok(wire::page(&call, found, MemberView::from))
}

/// Add a member
///
/// Gives a user of the organization a role in it. Whoever does must hold everything that the role permits.
#[utoipa::path(
    post, path = "/admin/v1/organizations/{id}/members", operation_id = "add_member", tag = "Members",
    security(("platform_key" = ["admin:orgs"])),
    params(("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q")),
    request_body = NewMember,
    responses((status = 201, description = "The member", body = Envelope<MemberView>)),
)]
async fn add_member(
    call: May<ManageOrganizations>,
    AnyOrganization(id): AnyOrganization,
    body: Body<NewMember>,
) -> Result<Reply, Fault> {
    let (call, NewMember { user_id, role }) = body.of(call);
    let user: UserAccountId = any_id(&user_id, || Fault::invalid("user_id", Reason::Reference))?;
    let role = Become::Member(fields::role("role", &role)?);
    let word = |seen| tagged(&call, seen, wire::created);
    Ok(members::set(&call, id, user, &Precondition::None, role, word).await?)
}

/// Change a member's role
///
/// Takes away the roles it has and gives it this one. Whoever does must hold everything that the old ones and the new
/// one permit; the last owner stays one.
#[utoipa::path(
    patch, path = "/admin/v1/organizations/{id}/members/{user}", operation_id = "update_member", tag = "Members",
    security(("platform_key" = ["admin:orgs"])),
    params(
        ("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("user" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Change only if the user still has this `ETag`", example = "\"1\""),
    ),
    request_body = MemberPatch,
    responses((status = 200, description = "The member as it is now", body = Envelope<MemberView>)),
)]
async fn update_member(
    call: May<ManageOrganizations>,
    AnyOrganization(id): AnyOrganization,
    AnyId(user): AnyId<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: Body<MemberPatch>,
) -> Result<Reply, Fault> {
    let (call, MemberPatch { role }) = body.of(call);
    let role = Become::Other(fields::role("role", &role)?);
    let word = |seen| tagged(&call, seen, wire::one);
    Ok(members::set(&call, id, user, &precondition, role, word).await?)
}

/// Remove a member
///
/// Takes away all its roles; the user stays, and so do its keys, which may do nothing that needs a role. The last
/// owner stays.
#[utoipa::path(
    delete, path = "/admin/v1/organizations/{id}/members/{user}", operation_id = "remove_member", tag = "Members",
    security(("platform_key" = ["admin:orgs"])),
    params(
        ("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("user" = String, Path, description = "The user's id", example = "user_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Remove only if the user still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 200, description = "It is no member any more", body = Envelope<Deleted>)),
)]
async fn remove_member(
    call: May<ManageOrganizations>,
    AnyOrganization(id): AnyOrganization,
    AnyId(user): AnyId<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |_: users::Seen| wire::one(&call, Deleted::of(user.prefixed()));
    Ok(members::set(&call, id, user, &precondition, Become::None, word).await?)
}

fn tagged(call: &Call, seen: users::Seen, reply: impl FnOnce(&Call, MemberView) -> Reply) -> Reply {
    let revision = seen.account.revision;
    reply(call, MemberView::from(seen)).tagged(revision)
}
