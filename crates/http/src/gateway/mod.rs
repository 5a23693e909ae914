//! The gateway surface, `/v1/keys/*`: may this call pass?

use claviger_app::App;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub(crate) mod fault;
mod verify;

use crate::openapi::Manners;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger gateway API",
        description = "For API gateways and services: present a caller's key, learn whether the call may pass. \
                       Authenticate with the bootstrap key, or with an organization's key that holds `keys:verify`."
    ),
    tags((name = "Verification", description = "Decisions about presented keys")),
    components(schemas(fault::Problem)),
)]
struct Document;

pub(crate) const MANNERS: Manners = Manners {
    scheme: "gateway_key",
    scheme_description: "The bootstrap key, or an organization's key `ak_live_…` that holds the scope `keys:verify`.",
    refusal: "Problem",
    media_type: "application/problem+json",
    is_admin: false,
};

/// Every operation of the surface, and the document made of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(verify::router())
}
