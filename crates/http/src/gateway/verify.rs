//! `POST /v1/keys/verify` and `POST /v1/keys/verify-batch`

use std::net::IpAddr;

use axum::extract::Request;
use axum::response::Response;
use claviger_app::{Pace, verify};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::gate::Gate;
use super::in_flight::{self, SMALL};
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
    responses(
        (status = 200, description = "The decision", body = Verification),
        (status = 429, description = "Too many bytes of requests and unread answers are in flight", body = crate::problem::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) fn verify_key(
    gate: &Gate,
    request: Request,
    peer: Option<IpAddr>,
) -> impl Future<Output = Response> {
    let figures = &gate.metrics().verify_key;
    gate.through(figures, request, peer, async |passage, body| {
        let actor = passage.caller().await?;
        passage.admit(&actor)?;
        let held = passage.hold_body(&actor, &body, LARGEST_BODY)?;
        let bytes = passage.json(body, LARGEST_BODY).await?;
        let actor = passage.still(actor).await?;
        let request = input::read(&bytes)?;
        let request = request.parsed()?;
        let decision = verify::verify(passage.app(), &actor, &request).await?;
        passage.count(&decision);
        drop(held);
        passage.answer(&actor, &Verification::of(&decision, passage.request_id))
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
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's schema; the answer is written piece by piece")]
struct Verifications<'a> {
    results: Vec<Verification<'a>>,
}

const MOST_REQUESTS: usize = 100;
/// Bytes that are counted as in flight for each request of a batch until its answer is written.
const USUAL_RESULT: usize = 4 << 10;

/// Verify several keys
///
/// Each request is decided by itself, in their order; all of them are read before the first is decided. A wrong
/// one is refused with all the others, and nothing is spent.
///
/// Once the answer has 256 KiB, the results that follow leave out `metadata`, `scopes` and `ratelimits`, and say so
/// with `details_omitted`: ask for these keys in another request. One caller's requests and unread answers
/// may take up 32 MiB at once; beyond that, requests are refused with 429 and nothing is spent.
#[utoipa::path(
    post, path = "/v1/keys/verify-batch", operation_id = "verify_keys", tag = "Verification",
    security(("gateway_key" = ["keys:verify"])),
    request_body = VerifyBatch,
    responses(
        (status = 200, description = "The decisions", body = Verifications),
        (status = 413, description = "The body is larger than 1 MiB", body = crate::problem::Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many bytes of requests and unread answers are in flight", body = crate::problem::Problem, content_type = "application/problem+json"),
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
        let mut held = passage.hold_body(&actor, &body, LARGE_BODY)?;
        let bytes = passage.json(body, LARGE_BODY).await?;
        let actor = passage.still(actor).await?;
        held.set(if bytes.len() > SMALL { bytes.len() } else { 0 });
        let requests = match bytes.len() > LARGEST_BODY {
            true => passage.aside(move || requests(&bytes)).await?,
            false => requests(&bytes)?,
        };
        let mut pace = Pace::default();
        let mut parsed = Vec::with_capacity(requests.len());
        for (place, request) in requests.iter().enumerate() {
            parsed.push(request.parsed().map_err(|fault| fault.within("requests", place))?);
            pace.after(request.steps()).await;
        }
        // Refused before anything is decided, and so before anything is spent.
        held.grow_to(parsed.len() * USUAL_RESULT)?;
        let decisions = verify::verify_each(passage.app(), &actor, &parsed).await?;
        decisions.iter().for_each(|decision| passage.count(decision));
        let body = view::batch(&decisions, passage.request_id).await?;
        Ok(in_flight::answer(body, held))
    })
}

fn requests(body: &[u8]) -> Result<Vec<VerifyRequest<'static>>, Fault> {
    let VerifyBatch { requests } = strict::read(body)?;
    if requests.len() > MOST_REQUESTS {
        return Err(Fault::invalid("requests", Reason::TooMany { max: MOST_REQUESTS }));
    }
    strict::each("requests", requests)
}
