//! The platform surface, `/admin/v1/*`: the operator runs the installation.

use claviger_app::App;
use claviger_domain::audit::Resource;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

mod analytics;
mod api_keys;
mod audit;
pub(crate) mod fault;
mod members;
mod organizations;
mod people;
mod policy;
mod settings;
mod users;
mod wire;

use crate::openapi::Manners;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger platform API",
        description = "For the operator of the installation: organizations, their members, users and API keys, usage, the \
                       audit log, and settings. Authenticate with the bootstrap key, or with an organization's key that \
                       holds `admin:` scopes, as a bearer token."
    ),
    tags(
        (name = "Organizations", description = "The tenants"),
        (name = "Members", description = "Who has a role in an organization"),
        (name = "Users", description = "Accounts of every organization"),
        (name = "API keys", description = "The keys of every organization"),
        (name = "Analytics", description = "What was called"),
        (name = "Audit", description = "Who did what"),
        (name = "Settings", description = "What holds for the whole installation"),
    ),
    components(schemas(fault::Refusal)),
)]
struct Document;

pub(crate) const MANNERS: Manners = Manners {
    scheme: "platform_key",
    scheme_description: "The bootstrap key `iiak_bootstrap_…`, or a live key `ak_live_…` with the scope that stands beside the \
                         operation.",
    refusal: "PlatformRefusal",
    media_type: "application/json",
    is_admin: true,
    refusals: crate::openapi::REFUSALS,
};

/// Every operation of the surface, and the document made of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(organizations::router())
        .merge(members::router())
        .merge(users::router())
        .merge(api_keys::router())
        .merge(analytics::router())
        .merge(audit::router())
        .merge(settings::router())
}

/// What a route is about. Members come first: they stand below organizations.
pub(crate) fn resource(route: &str) -> Option<Resource> {
    let rest = route.strip_prefix("/admin/v1/")?;
    Some(match rest.split('/').next().unwrap_or_default() {
        "organizations" if rest.contains("/members") => Resource::UserAccount,
        "organizations" => Resource::Organization,
        "users" => Resource::UserAccount,
        "api-keys" => Resource::ApiKey,
        "analytics" => Resource::Usage,
        "audit-logs" => Resource::AuditLog,
        "settings" => Resource::Settings,
        _ => return None,
    })
}
