//! `POST /v1/keys/verify`

use axum::Json;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use claviger_app::{App, verify};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::call::{May, VerifyKeys};
use crate::extract::Body;
use crate::fault::Fault;

mod input;
mod view;

use input::VerifyRequest;
use view::Verification;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(verify_key))
}

const NO_STORE: [(HeaderName, HeaderValue); 1] = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// Verify a key
///
/// Decides whether a call with this key may pass, spends what it costs, and counts it. The answer is always 200;
/// a key of another organization than the asking key's is `NOT_FOUND`.
#[utoipa::path(
    post, path = "/v1/keys/verify", operation_id = "verify_key", tag = "Verification",
    security(("gateway_key" = ["keys:verify"])),
    request_body = VerifyRequest,
    responses((status = 200, description = "The decision", body = Verification)),
)]
async fn verify_key(
    call: May<VerifyKeys>,
    body: Body<VerifyRequest>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Verification>), Fault> {
    let (call, request) = body.of(call);
    let decision = verify::verify(&call, request.try_into()?).await?;
    Ok((NO_STORE, Json(Verification::of(decision, call.request_id().to_owned()))))
}
