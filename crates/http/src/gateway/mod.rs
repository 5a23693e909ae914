//! The gateway surface, `/v1/keys/*`: may this call pass?

use claviger_app::App;
use utoipa::openapi::OpenApi as OpenApiDocument;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

mod forward_auth;
mod gate;
mod in_flight;
mod print;
mod reports;
mod revoke_self;
mod verify;

pub(crate) use forward_auth::forward_auth;
pub(crate) use gate::Gate;
pub(crate) use revoke_self::revoke_self_key;
pub(crate) use verify::{verify_key, verify_keys};

use crate::openapi::Manners;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger gateway API",
        description = "For API gateways and services: present a caller's key, learn whether the call may pass. \
                       Authenticate with the bootstrap key, or with an organization's key that holds `keys:verify`."
    ),
    tags(
        (name = "Verification", description = "Decisions about presented keys"),
        (name = "Usage", description = "What came of the calls"),
    ),
    paths(
        verify::verify_key,
        verify::verify_keys,
        forward_auth::forward_auth,
        revoke_self::revoke_self_key,
    ),
    components(schemas(crate::problem::Problem)),
    modifiers(&PresentedKey),
)]
struct Document;

/// How the client's own key comes in where a proxy asks.
struct PresentedKey;

impl Modify for PresentedKey {
    fn modify(&self, document: &mut OpenApiDocument) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The key the client presented, which is what is decided about."))
            .build();
        components.add_security_scheme("presented_key", SecurityScheme::Http(bearer));
        let header = ApiKeyValue::with_description(
            "X-API-Key",
            "The same, where `Authorization` is the upstream's own affair.",
        );
        components
            .add_security_scheme("presented_key_header", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

pub(crate) const MANNERS: Manners = Manners {
    scheme: "gateway_key",
    scheme_description: "The bootstrap key, or an organization's key `ak_live_…` that holds the scope `keys:verify`.",
    refusal: "Problem",
    media_type: "application/problem+json",
    is_admin: false,
    refusals: crate::openapi::REFUSALS,
};

/// The document of every operation of the surface, and the routes of those that the [`Front`](crate::Front) does not
/// answer itself.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(reports::router())
}
