//! `/v1/organizations/{org}`

use claviger_app::{App, organizations};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Data, Reply};
use crate::call::{EditOrganization, May, ViewOrganization};
use crate::extract::{Body, IfMatch, Query};
use crate::fault::Fault;
use crate::path::OwnOrganization;

mod input;
mod settings;
mod view;

use input::OwnOrganizationPatch;
use view::OrganizationView;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_own_organization, update_own_organization))
}

/// Get the organization
///
/// The organization whose key is presented.
#[utoipa::path(
    get, path = "/v1/organizations/{org}", operation_id = "get_own_organization", tag = "Organization",
    security(("organization_key" = ["organizations:read"])),
    params(("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),),
    responses((status = 200, description = "The organization", body = Data<OrganizationView>)),
)]
async fn get_own_organization(
    May(call, _): May<ViewOrganization>,
    OwnOrganization(organization): OwnOrganization,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(organizations::find(&call, organization).await?))
}

/// Update the organization
///
/// Changes the fields that are present; in force at the gateway at once. Its slug, plan and status are the operator's
/// matter.
#[utoipa::path(
    patch, path = "/v1/organizations/{org}", operation_id = "update_own_organization", tag = "Organization",
    security(("organization_key" = ["organizations:write"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("If-Match" = Option<String>, Header, description = "Change only if the organization still has this `ETag`", example = "\"1\""),
    ),
    request_body = OwnOrganizationPatch,
    responses((status = 200, description = "The organization as it is now", body = Data<OrganizationView>)),
)]
async fn update_own_organization(
    call: May<EditOrganization>,
    OwnOrganization(organization): OwnOrganization,
    IfMatch(precondition): IfMatch,
    body: Body<OwnOrganizationPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    Ok(organizations::update(&call, organization, &precondition, patch.try_into()?, tagged).await?)
}

fn tagged(seen: organizations::Seen) -> Reply {
    let revision = seen.organization.revision;
    wire::data(OrganizationView::from(seen)).tagged(revision)
}
