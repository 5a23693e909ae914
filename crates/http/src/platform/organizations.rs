//! `/admin/v1/organizations*`

use claviger_app::{App, Call, organizations};
use claviger_domain::organization::{Organization, OrganizationStatus};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Deleted, Envelope, Page, Reply};
use crate::call::{EditOrganization, ManageOrganizations, May, ViewOrganization};
use crate::extract::{Body, IfMatch, NoBody, Query};
use crate::fault::{Fault, Reason};
use crate::fields;
use crate::path::AnyOrganization;

mod input;
mod view;

use input::{NewOrganization, OrganizationPatch};
use view::OrganizationView;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_organizations, create_organization))
        .routes(routes!(get_organization, update_organization, delete_organization))
        .routes(routes!(suspend_organization))
        .routes(routes!(reactivate_organization))
}

/// List organizations
///
/// Every organization, newest first; suspended ones are among them.
#[utoipa::path(
    get, path = "/admin/v1/organizations", operation_id = "list_organizations", tag = "Organizations",
    security(("platform_key" = ["admin:orgs"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50", minimum = 1, maximum = 100, example = 50),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("search" = Option<String>, Query, description = "Only those whose name, slug or email holds this text, in any case", example = "acme"),
        ("status" = Option<String>, Query, description = "Only `active` or `suspended` ones", example = "active"),
    ),
    responses((status = 200, description = "One page of organizations", body = Page<OrganizationView>)),
)]
async fn list_organizations(
    May(call, _): May<ManageOrganizations>,
    mut query: Query,
) -> Result<Reply, Fault> {
    let window = query.window(wire::USUAL_LIMIT)?;
    let search = fields::search(&mut query)?;
    let status = query.take("status").map(|word| {
        let shown = OrganizationStatus::SHOWN.into_iter().find(|status| status.word() == word);
        shown.ok_or(Fault::invalid("status", Reason::Word(&["active", "suspended"])))
    });
    let filter = organizations::Filter { status: status.transpose()?, search };
    query.end()?;
    let found = organizations::list(&call, &filter, window).await?;
    Ok(wire::page(&call, found, OrganizationView::from))
}

/// Create an organization
///
/// It is active at once. Without a slug it gets one made of its name.
#[utoipa::path(
    post, path = "/admin/v1/organizations", operation_id = "create_organization", tag = "Organizations",
    security(("platform_key" = ["admin:orgs"])),
    request_body = NewOrganization,
    responses((status = 201, description = "The organization", body = Envelope<OrganizationView>)),
)]
async fn create_organization(
    call: May<ManageOrganizations>,
    body: Body<NewOrganization>,
) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |organization| tagged(&call, organization, wire::created);
    Ok(organizations::create(&call, new.try_into()?, word).await?)
}

/// Get an organization
///
/// One organization by its id or its slug.
#[utoipa::path(
    get, path = "/admin/v1/organizations/{id}", operation_id = "get_organization", tag = "Organizations",
    security(("platform_key" = ["admin:orgs"])),
    params(("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "The organization", body = Envelope<OrganizationView>)),
)]
async fn get_organization(
    May(call, _): May<ViewOrganization>,
    AnyOrganization(id): AnyOrganization,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(&call, organizations::find(&call, id).await?.organization, wire::one))
}

/// Update an organization
///
/// Changes the fields that are present; in force at the gateway at once. Metadata and each part of the settings are
/// replaced, not merged; the status has its own operations.
#[utoipa::path(
    patch, path = "/admin/v1/organizations/{id}", operation_id = "update_organization", tag = "Organizations",
    security(("platform_key" = ["admin:orgs"])),
    params(
        ("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Change only if the organization still has this `ETag`", example = "\"1\""),
    ),
    request_body = OrganizationPatch,
    responses((status = 200, description = "The organization as it is now", body = Envelope<OrganizationView>)),
)]
async fn update_organization(
    call: May<EditOrganization>,
    AnyOrganization(id): AnyOrganization,
    IfMatch(precondition): IfMatch,
    body: Body<OrganizationPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen: organizations::Seen| tagged(&call, seen.organization, wire::one);
    Ok(organizations::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Delete an organization
///
/// For good, and only when none of its keys works any more. Its slug is free again; its figures and its audit log stay.
#[utoipa::path(
    delete, path = "/admin/v1/organizations/{id}", operation_id = "delete_organization", tag = "Organizations",
    security(("platform_key" = ["admin:orgs"])),
    params(
        ("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("If-Match" = Option<String>, Header, description = "Delete only if the organization still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 200, description = "It is gone", body = Envelope<Deleted>)),
)]
async fn delete_organization(
    call: May<ManageOrganizations>,
    AnyOrganization(id): AnyOrganization,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |()| wire::one(&call, Deleted::of(id.prefixed()));
    Ok(organizations::delete(&call, id, &precondition, word).await?)
}

/// Suspend an organization
///
/// From now on none of its keys is accepted, at the gateway as well as on every other surface.
#[utoipa::path(
    post, path = "/admin/v1/organizations/{id}/suspend", operation_id = "suspend_organization", tag = "Organizations",
    security(("platform_key" = ["admin:orgs"])),
    params(("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "The organization as it is now", body = Envelope<OrganizationView>)),
)]
async fn suspend_organization(
    call: May<ManageOrganizations>,
    AnyOrganization(id): AnyOrganization,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |organization| tagged(&call, organization, wire::one);
    Ok(organizations::suspend(&call, id, word).await?)
}

/// Reactivate an organization
///
/// Its keys are accepted again; revoked ones stay revoked.
#[utoipa::path(
    post, path = "/admin/v1/organizations/{id}/reactivate", operation_id = "reactivate_organization", tag = "Organizations",
    security(("platform_key" = ["admin:orgs"])),
    params(("id" = String, Path, description = "The organization's id or slug", example = "org_01h455vb4pex5vsknk084sn02q")),
    responses((status = 200, description = "The organization as it is now", body = Envelope<OrganizationView>)),
)]
async fn reactivate_organization(
    call: May<ManageOrganizations>,
    AnyOrganization(id): AnyOrganization,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |organization| tagged(&call, organization, wire::one);
    Ok(organizations::reactivate(&call, id, word).await?)
}

fn tagged(
    call: &Call,
    organization: Organization,
    reply: impl FnOnce(&Call, OrganizationView) -> Reply,
) -> Reply {
    let revision = organization.revision;
    reply(call, OrganizationView::from(organization)).tagged(revision)
}
