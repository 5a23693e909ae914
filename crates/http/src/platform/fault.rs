//! The platform surface's words for every fault: those of the problem details, with the published codes in the
//! published envelope.

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use claviger_app::Error;
use claviger_domain::Timestamp;
use claviger_domain::actor::Refusal as Refused;
use claviger_domain::capability::Door;
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::Metadata;
use crate::fault::Fault;
use crate::problem::{Told, binding_requires, told};
use crate::reply::Reply;

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformRefusal, example = json!({
    "success": false,
    "error": {"code": "INVALID_REQUEST", "message": "name is required", "details": {"reason": "invalid_request", "field": "name"}},
    "metadata": {"timestamp": "2026-01-26T12:00:00Z", "requestId": "req_6f1c2d7e9a3b4c5d"}
}))]
pub(crate) struct Refusal {
    /// Always `false`.
    #[schema(example = false)]
    success: bool,
    error: Cause,
    metadata: Metadata,
}

/// What is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PlatformError)]
pub(crate) struct Cause {
    /// The word to switch on; one for each status.
    code: &'static str,
    /// One sentence for people.
    message: String,
    details: Particulars,
}

/// More about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PlatformErrorDetails)]
pub(crate) struct Particulars {
    /// A finer word to switch on.
    reason: &'static str,
    /// The field that is wrong, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Cause {
    /// The cause, and the status that goes with it.
    pub(super) fn of(fault: &Fault) -> (StatusCode, Self) {
        let Told { status, code: reason, detail, field } = told(fault);
        // The words of the scopes are this surface's own.
        let message = match fault {
            Fault::App(Error::Refused(Refused::Lacks(capability) | Refused::NotForBootstrap(capability))) => {
                match Door::Platform.word_of(*capability) {
                    Some(scope) => format!("The scope {scope} is required"),
                    None => "Only the bootstrap key may do that".to_owned(),
                }
            }
            Fault::App(Error::BindingRequires(capability)) => binding_requires(Door::Platform, *capability),
            _ => detail,
        };
        (status, Self { code: code(status), message, details: Particulars { reason, field } })
    }
}

const fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
        StatusCode::CONFLICT => "CONFLICT",
        StatusCode::PRECONDITION_FAILED => "PRECONDITION_FAILED",
        StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UNSUPPORTED_MEDIA_TYPE",
        StatusCode::UNPROCESSABLE_ENTITY => "UNPROCESSABLE_ENTITY",
        StatusCode::TOO_MANY_REQUESTS => "RATE_LIMIT_EXCEEDED",
        StatusCode::INTERNAL_SERVER_ERROR => "INTERNAL_ERROR",
        StatusCode::SERVICE_UNAVAILABLE => "SERVICE_UNAVAILABLE",
        _ => "INVALID_REQUEST",
    }
}

pub(crate) fn word(fault: &Fault, now: Timestamp, request_id: &str) -> Response {
    let (status, error) = Cause::of(fault);
    let metadata = Metadata::new(now, request_id);
    let mut response = Reply::of(status, &Refusal { success: false, error, metadata }).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
