//! The partner surface, `/v1/admin/*`: a reseller manages its customers and their keys.

use claviger_app::App;
use claviger_domain::audit::Resource;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

mod admin_keys;
mod audit;
mod credentials;
pub(crate) mod fault;
mod usage;
mod users;
mod wire;

use crate::openapi::Manners;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger partner API",
        description = "For resellers: create accounts for customers, issue and revoke their API keys, see their \
                       usage and the audit log. Authenticate with an admin key as a bearer token."
    ),
    tags(
        (name = "Users", description = "Accounts of the partner's customers"),
        (name = "Credentials", description = "The keys customers call with"),
        (name = "Usage", description = "What was called, for billing"),
        (name = "Audit", description = "Who did what"),
        (name = "Admin keys", description = "The operator's part: who may use this API"),
    ),
    components(schemas(wire::Refused)),
)]
struct Document;

pub(crate) const MANNERS: Manners = Manners {
    scheme: "admin_key",
    scheme_description: "An admin key `iiak_admin_…`, or the bootstrap key `iiak_bootstrap_…` where an operation says so. \
                         The list beside it names the permission that is needed.",
    refusal: "Refused",
    media_type: "application/json",
    is_admin: true,
    refusals: [
        "The request is malformed, or the bootstrap key was used for a partner's business",
        "No key was presented",
        "The key is not valid, or lacks the permission",
    ],
};

/// Every operation of the surface, and the document made of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(users::router())
        .merge(usage::router())
        .merge(credentials::router())
        .merge(audit::router())
        .merge(admin_keys::router())
}

/// What a route is about. Usage comes first: it also stands below users.
pub(crate) fn resource(route: &str) -> Option<Resource> {
    let rest = route.strip_prefix("/v1/admin/")?;
    let first = rest.split('/').next().unwrap_or_default();
    Some(match first {
        "usage" => Resource::Usage,
        _ if rest.split('/').any(|segment| segment == "usage") => Resource::Usage,
        "users" => Resource::UserAccount,
        "credentials" => Resource::Credential,
        "audit-logs" => Resource::AuditLog,
        "admin-keys" | "me" => Resource::AdminKey,
        _ => return None,
    })
}
