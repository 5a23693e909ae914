//! `POST /v1/keys/verify` and `POST /v1/keys/verify-batch`

use std::net::IpAddr;

use axum::extract::Request;
use axum::response::Response;
use claviger_app::verify;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::gate::{self, Gate};
use crate::extract::{LARGE_BODY, LARGEST_BODY};
use crate::fault::{Fault, Reason};
use crate::strict;

mod input;
mod view;
pub(super) mod words;

use input::VerifyRequest;
use view::Verification;

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
pub(crate) fn verify_key(
    gate: &Gate,
    request: Request,
    peer: Option<IpAddr>,
) -> impl Future<Output = Response> {
    let figures = &gate.metrics().verify_key;
    gate.through(figures, request, peer, async |passage, body| {
        let actor = passage.caller().await?;
        let bytes = passage.json(body, LARGEST_BODY).await?;
        let actor = passage.still(actor).await?;
        let request = input::read(&bytes)?;
        let request = request.parsed()?;
        let decision = verify::verify(passage.app(), &actor, &request).await?;
        passage.count(&decision);
        gate::json(&Verification::of(&decision, passage.request_id))
    })
}

/// Several keys at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyBatch {
    /// At most 100.
    #[schema(value_type = Vec<VerifyRequest>, max_items = 100)]
    requests: Vec<Value>,
}

/// The decisions, in the order of the requests.
#[derive(Debug, Serialize, ToSchema)]
struct Verifications<'a> {
    results: Vec<Verification<'a>>,
}

const MOST_REQUESTS: usize = 100;

/// Verify several keys
///
/// Each request is decided by itself, in their order; all of them are read before the first is decided. A wrong
/// one is refused with all the others, and nothing is spent.
#[utoipa::path(
    post, path = "/v1/keys/verify-batch", operation_id = "verify_keys", tag = "Verification",
    security(("gateway_key" = ["keys:verify"])),
    request_body = VerifyBatch,
    responses(
        (status = 200, description = "The decisions", body = Verifications),
        (status = 413, description = "The body is larger than 1 MiB", body = crate::problem::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) fn verify_keys(
    gate: &Gate,
    request: Request,
    peer: Option<IpAddr>,
) -> impl Future<Output = Response> {
    let figures = &gate.metrics().verify_keys;
    gate.through(figures, request, peer, async |passage, body| {
        let actor = passage.caller().await?;
        let bytes = passage.json(body, LARGE_BODY).await?;
        let actor = passage.still(actor).await?;
        let VerifyBatch { requests } = strict::read(&bytes)?;
        if requests.len() > MOST_REQUESTS {
            return Err(Fault::invalid("requests", Reason::TooMany { max: MOST_REQUESTS }));
        }
        let requests: Vec<VerifyRequest<'_>> = strict::each("requests", requests)?;
        let mut parsed = Vec::with_capacity(requests.len());
        for (place, request) in requests.iter().enumerate() {
            parsed.push(request.parsed().map_err(|fault| fault.within("requests", place))?);
        }
        let decisions = verify::verify_each(passage.app(), &actor, &parsed).await?;
        decisions.iter().for_each(|decision| passage.count(decision));
        let results =
            decisions.iter().map(|decision| Verification::of(decision, passage.request_id)).collect();
        gate::json(&Verifications { results })
    })
}
