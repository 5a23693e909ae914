//! `POST /v1/keys/revoke-self`

use std::net::IpAddr;

use axum::extract::Request;
use axum::response::Response;
use claviger_app::revoke_self;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::gate::{self, Gate};
use crate::extract::LARGEST_BODY;
use crate::strict;

/// The key to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RevokeSelf, example = json!({"key": "iiak_…"}))]
struct Ended {
    /// The key itself: whoever has it may end it.
    key: String,
}

/// Nothing: whether there was such a key is not told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Done, example = json!({}))]
struct Done {}

/// End a key that you hold
///
/// For keys found where they should not be. The credential or admin key is revoked for good, and with it every key of
/// that credential. The answer is the same for a key that is unknown, or ended already. The bootstrap key is not ended
/// so: `claviger bootstrap-key rotate` replaces it.
#[utoipa::path(
    post, path = "/v1/keys/revoke-self", operation_id = "revoke_own_key", tag = "Verification",
    security(()),
    request_body = Ended,
    responses((status = 200, description = "The key opens nothing any more", body = Done)),
)]
pub(crate) fn revoke_self_key(
    gate: &Gate,
    request: Request,
    peer: Option<IpAddr>,
) -> impl Future<Output = Response> {
    let figures = &gate.metrics().revoke_self;
    // Anybody may send this: its body is waited for here, where it takes no place from those who may write.
    gate.through(figures, request, peer, async |passage, body| {
        let bytes = passage.json(body, LARGEST_BODY).await?;
        let Ended { key } = strict::read(&bytes)?;
        revoke_self::revoke_self(passage.app(), &key, passage.facts()).await?;
        gate::json(&Done {})
    })
}
