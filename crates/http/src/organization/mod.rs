//! The organization surface, `/v1/organizations/{org}/*` and `/v1/users/me`: a tenant's own back end runs its
//! keys, users and roles.

use claviger_app::App;
use claviger_domain::audit::Resource;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

mod api_keys;
mod audit;
mod roles;
mod tenant;
mod usage;
mod users;
mod wire;

use crate::openapi::Manners;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger organization API",
        description = "For a tenant's own back end: its API keys, users, roles, usage and audit log. Authenticate with one of \
                       the organization's live keys as a bearer token. `{org}` is the organization's id or its slug."
    ),
    tags(
        (name = "API keys", description = "The organization's keys"),
        (name = "Users", description = "Its people and its customers"),
        (name = "Roles", description = "What its users may do"),
        (name = "Organization", description = "The organization itself"),
        (name = "Usage", description = "What was called"),
        (name = "Audit", description = "Who did what"),
    ),
    components(schemas(crate::problem::Problem)),
)]
struct Document;

pub(crate) const MANNERS: Manners = Manners {
    scheme: "organization_key",
    scheme_description: "A live key `ak_live_…` of the organization, with the scope that stands beside the operation.",
    refusal: "Problem",
    media_type: "application/problem+json",
    is_admin: true,
    refusals: crate::openapi::REFUSALS,
};

/// Every operation of the surface, and the document made of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(api_keys::router())
        .merge(users::router())
        .merge(roles::router())
        .merge(tenant::router())
        .merge(usage::router())
        .merge(audit::router())
}

/// What a route is about.
pub(crate) fn resource(route: &str) -> Option<Resource> {
    if route == "/v1/users/me" {
        return Some(Resource::UserAccount);
    }
    let rest = route.strip_prefix("/v1/organizations/{org}")?;
    Some(match rest.split('/').nth(1).unwrap_or_default() {
        "" => Resource::Organization,
        "api-keys" => Resource::ApiKey,
        "users" => Resource::UserAccount,
        "roles" | "permissions" | "check-permission" => Resource::Role,
        "usage" => Resource::Usage,
        "audit-logs" => Resource::AuditLog,
        _ => return None,
    })
}
