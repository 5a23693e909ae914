//! The gateway surface, `/v1/keys/*`: may this call pass?

use axum::Router;
use claviger_app::App;
use utoipa::openapi::OpenApi as OpenApiDocument;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

pub(crate) mod fault;
mod forward_auth;
mod gate;
mod print;
mod reports;
mod revoke_self;
mod verify;

pub(crate) use gate::Gate;

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
    components(schemas(fault::Problem)),
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
};

/// The operations that come millions of times, or from anybody; they stand in the [`Gate`]'s frame and in no other.
fn busy() -> OpenApiRouter<Gate> {
    OpenApiRouter::new().merge(verify::router()).merge(forward_auth::router()).merge(revoke_self::router())
}

fn calm() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(reports::router())
}

/// The document of every operation of the surface, and the routes of those in the usual frame.
pub(crate) fn router() -> OpenApiRouter<App> {
    let (_, busy) = busy().split_for_parts();
    let mut document = Document::openapi();
    document.merge(busy);
    OpenApiRouter::with_openapi(document).merge(calm())
}

/// The routes of the busy operations, to be served beside the usual frame.
pub(crate) fn busy_routes(gate: Gate) -> Router<App> {
    Router::from(busy()).method_not_allowed_fallback(gate::wrong_method).with_state(gate)
}
