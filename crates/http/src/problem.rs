//! The words for every fault of the surfaces that speak problem details (RFC 9457) with a stable `code`: the
//! gateway's and the organizations'. Paths that belong to no surface are answered in the same form.

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use claviger_app::engine::journal::JournalError;
use claviger_app::{Error, Kind, State, Whose, candidates};
use claviger_domain::actor::Refusal;
use claviger_domain::capability::{Capability, Door, UNRESTRICT};
use claviger_domain::limit::Limit;
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::restriction::Unrestricted;
use claviger_domain::role::RoleIds;
use claviger_domain::scope::{InvalidExpression, Scope, ScopeExpression};
use claviger_domain::secret::SecretVersion;
use claviger_domain::settings::InvalidLifetime;
use serde::Serialize;
use utoipa::ToSchema;

use crate::fault::{Fault, Invalid, Reason};
use crate::instant;

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:claviger:problem:invalid_request", "title": "Bad Request", "status": 400,
    "code": "invalid_request", "detail": "cost must be an integer between 0 and 4294967295",
    "field": "cost", "request_id": "req_6f1c2d7e9a3b4c5d"
}))]
pub(crate) struct Problem {
    /// `urn:claviger:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status' name.
    title: &'static str,
    status: u16,
    /// The word to switch on.
    code: &'static str,
    /// One sentence for people.
    detail: String,
    /// The field that is wrong, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The `X-Request-Id` of the call.
    request_id: String,
}

/// What is told of a fault, in whichever envelope.
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
}

pub(crate) fn told(fault: &Fault) -> Told {
    let (status, code, detail) = sentence(fault);
    let field = match fault {
        Fault::Invalid(Invalid { field, .. }) => Some(field.clone()),
        // Only an organization's own surface refuses these.
        Fault::App(Error::KeptTooShort(Kind::AuditLog, _)) => Some("settings.retention.auditDays".to_owned()),
        Fault::App(Error::KeptTooShort(..)) => Some("settings.retention.usageDays".to_owned()),
        Fault::App(Error::OutOfReach { place }) => Some(format!("reports[{place}].occurred_at")),
        _ => None,
    };
    Told { status, code, detail, field }
}

pub(crate) fn word(fault: &Fault, request_id: &str) -> Response {
    let Told { status, code, detail, field } = told(fault);
    problem(status, code, detail, field, request_id)
}

pub(crate) fn problem(
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    request_id: &str,
) -> Response {
    let problem = Problem {
        kind: format!("urn:claviger:problem:{code}"),
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        code,
        detail,
        field,
        request_id: request_id.to_owned(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn sentence(fault: &Fault) -> (StatusCode, &'static str, String) {
    let bad = |detail: &str| (StatusCode::BAD_REQUEST, "invalid_request", detail.to_owned());
    match fault {
        Fault::NoKey => (
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Present a key as `Authorization: Bearer …`".to_owned(),
        ),
        Fault::App(error) => of_use_case(error),
        Fault::Invalid(invalid) => (StatusCode::BAD_REQUEST, "invalid_request", of_field(invalid)),
        Fault::MalformedId(_) => bad("An id in the path is malformed"),
        Fault::MalformedJson => bad("The body is not valid JSON"),
        Fault::NotAnObject => bad("The body is not a JSON object"),
        Fault::BrokenBody => bad("The body could not be read"),
        Fault::SlowBody => (
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "The body did not arrive: it must begin within 5 seconds and come with 16 KiB a second"
                .to_owned(),
        ),
        Fault::NotJson => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Content-Type must be application/json".to_owned(),
        ),
        Fault::EncodedBody => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_content_encoding",
            "Content-Encoding is not supported: send the body as it is".to_owned(),
        ),
        Fault::BadHost => bad("Exactly one valid Host header is required"),
        Fault::BadTransferEncoding => bad("Transfer-Encoding must be chunked, given once"),
        Fault::TooLarge { most } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            format!("The body is larger than {most} bytes"),
        ),
        Fault::NothingToChange(_) => bad("Nothing is to be changed"),
        Fault::MalformedIdempotencyKey => bad("Idempotency-Key must be 1 to 255 visible ASCII characters"),
        Fault::UnknownQuery(name) => bad(&format!("Unknown query parameter: {name}")),
        Fault::RepeatedQuery(name) => bad(&format!("Duplicate query parameter: {name}")),
        Fault::UnknownRoute => {
            (StatusCode::NOT_FOUND, "not_found", "There is nothing at this path".to_owned())
        }
        Fault::WrongMethod => (
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "`Allow` names the methods of this path".to_owned(),
        ),
        Fault::TooManyRequests => {
            (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "Too many requests".to_owned())
        }
        Fault::TooMuchInFlight { most } => (
            StatusCode::TOO_MANY_REQUESTS,
            "too_much_in_flight",
            format!(
                "Your requests and the answers you have not read take up {most} bytes, which is the most: read the \
                 answers, or send fewer requests at once"
            ),
        ),
        Fault::Timeout => {
            (StatusCode::SERVICE_UNAVAILABLE, "timeout", "The request took too long".to_owned())
        }
        Fault::Panic => internal(),
    }
}

fn internal() -> (StatusCode, &'static str, String) {
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "A mistake of the server's; it was logged".to_owned(),
    )
}

fn of_use_case(error: &Error) -> (StatusCode, &'static str, String) {
    let text = |status, code, detail: &str| (status, code, detail.to_owned());
    match error {
        Error::UnknownKey => {
            text(StatusCode::UNAUTHORIZED, "unauthorized", "The presented key opens nothing here")
        }
        Error::AddressNotAllowed => {
            text(StatusCode::FORBIDDEN, "ip_not_allowed", "The key may not be used from this address")
        }
        Error::Refused(refusal) => (StatusCode::FORBIDDEN, "forbidden", of_refusal(*refusal)),
        Error::BeyondCeiling { lacking, whose } => {
            let scopes: Vec<_> = lacking.iter().map(Scope::as_str).collect();
            let who = match whose {
                Whose::Caller => "You cannot grant scopes you do not hold",
                Whose::CallerForUser => "You cannot act for a user who holds scopes you do not hold",
                Whose::BoundUser => "The user this key is bound to does not hold",
            };
            (StatusCode::FORBIDDEN, "scope_not_held", format!("{who}: {}", scopes.join(", ")))
        }
        Error::BindingRequires(capability) => {
            (StatusCode::FORBIDDEN, "forbidden", binding_requires(Door::Organization, *capability))
        }
        Error::LooserThanMaker(unrestricted) => {
            (StatusCode::FORBIDDEN, "restricted_key", of_restriction(unrestricted))
        }
        Error::LastManagingKey => text(
            StatusCode::CONFLICT,
            "last_key",
            "No key that can manage the organization's keys would be left: set `force` to do it anyway",
        ),
        Error::ExcludesCaller(address) => {
            let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
            let detail = format!(
                "The list does not admit the address of this request ({address}): set `force` to lock it out anyway"
            );
            (StatusCode::CONFLICT, "address_excluded", detail)
        }
        Error::AmbiguousEntity(organizations) => {
            let detail = format!("Several organizations have this name: {}", candidates(organizations));
            (StatusCode::CONFLICT, "ambiguous_name", detail)
        }
        Error::BoundElsewhere => text(
            StatusCode::FORBIDDEN,
            "bound_key",
            "A key of a user makes, rotates and changes keys of that user only",
        ),
        Error::OnItself => {
            text(StatusCode::FORBIDDEN, "own_authority", "A key does not change its own authority")
        }
        Error::Superseded => text(
            StatusCode::FORBIDDEN,
            "superseded_key",
            "This key was rotated: only the newest one of its credential rotates it",
        ),
        Error::LimitReached { resource, limit, count } => {
            let (code, what) = match resource {
                LimitedResource::ApiKeys => ("too_many_api_keys", "API keys that are not revoked"),
                LimitedResource::Users => ("too_many_users", "users"),
                LimitedResource::Roles => ("too_many_roles", "roles of its own"),
                LimitedResource::AdminKeys => ("too_many_admin_keys", "admin keys that are not revoked"),
            };
            let detail = format!(
                "The organization has {count} {what}, and {limit} at most: remove some, or ask the operator for more"
            );
            (StatusCode::CONFLICT, code, detail)
        }
        Error::NoUser => text(StatusCode::FORBIDDEN, "no_user", "The key is bound to no user"),
        Error::NotFound(..) | Error::WrongState(_, State::NotRevoked) => {
            text(StatusCode::NOT_FOUND, "not_found", "There is no such thing among yours")
        }
        Error::WrongState(..) => {
            text(StatusCode::CONFLICT, "wrong_state", "It is not in the state that this needs")
        }
        Error::LastOwner => {
            text(StatusCode::CONFLICT, "last_owner", "The last owner of an organization stays")
        }
        Error::RoleNameTaken => {
            text(StatusCode::CONFLICT, "role_name_taken", "Another role of the organization has this name")
        }
        Error::RoleInUse => text(StatusCode::CONFLICT, "role_in_use", "Some user has this role"),
        Error::SystemRole => text(StatusCode::CONFLICT, "system_role", "A system role does not change"),
        Error::Unscoped => {
            text(StatusCode::CONFLICT, "no_scopes", "A key that a partner issued has no scopes")
        }
        Error::TooManyRoles => text(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            &format!("A user has at most {} roles", RoleIds::MAX),
        ),
        Error::SlugTaken => text(StatusCode::CONFLICT, "slug_taken", "Another organization has this slug"),
        Error::NotEmpty => text(
            StatusCode::CONFLICT,
            "organization_not_empty",
            "Keys of the organization still work: revoke them first",
        ),
        Error::InvalidLifetime(InvalidLifetime::Missing) => {
            text(StatusCode::BAD_REQUEST, "expiry_required", "The organization demands an expiry")
        }
        Error::InvalidLifetime(InvalidLifetime::TooLong { most }) => (
            StatusCode::BAD_REQUEST,
            "expiry_too_late",
            format!(
                "The organization's keys live for at most {} seconds from their creation",
                most.num_seconds()
            ),
        ),
        Error::KeptTooShort(_, least) => (
            StatusCode::BAD_REQUEST,
            "retention_too_short",
            match least {
                Some(days) => {
                    format!("The installation keeps these records for {days} days: keep them as long")
                }
                None => "The installation keeps these records for ever: no days can be given".to_owned(),
            },
        ),
        Error::TooManySecrets => (
            StatusCode::CONFLICT,
            "too_many_secrets",
            format!(
                "{} keys of this credential are in force: rotate with a shorter overlap",
                SecretVersion::MOST
            ),
        ),
        Error::ExternalIdTaken => {
            text(StatusCode::CONFLICT, "external_id_taken", "Another user has this external id")
        }
        Error::UserSuspended => text(StatusCode::CONFLICT, "user_suspended", "The user is suspended"),
        Error::OrganizationSuspended => {
            text(StatusCode::CONFLICT, "organization_suspended", "The organization is suspended")
        }
        Error::Overtaken => {
            text(StatusCode::CONFLICT, "conflict", "It was changed at the same time; try again")
        }
        Error::RepeatUnderWay => text(
            StatusCode::CONFLICT,
            "idempotency_key_in_use",
            "A request with this idempotency key is still under way",
        ),
        Error::ExpiryInThePast => {
            text(StatusCode::BAD_REQUEST, "invalid_request", "An expiry must lie in the future")
        }
        Error::InvertedPeriod => {
            text(StatusCode::BAD_REQUEST, "invalid_request", "A period must not end before it starts")
        }
        Error::PeriodTooLong => {
            text(StatusCode::BAD_REQUEST, "invalid_request", "A period must not be longer than 366 days")
        }
        Error::OutOfReach { place } => (
            StatusCode::BAD_REQUEST,
            "invalid_request",
            format!(
                "reports[{place}].occurred_at must lie within the last 32 days, and at most 5 minutes ahead"
            ),
        ),
        Error::NotCounted(JournalError::Full { .. }) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "usage_journal_full",
            "Calls cannot be counted any more: the usage journal is full and the database does not take it",
        ),
        Error::NotCounted(_) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "usage_journal_unavailable",
            "Calls cannot be counted: the usage journal cannot be written",
        ),
        Error::Stale => {
            text(StatusCode::PRECONDITION_FAILED, "precondition_failed", "If-Match does not hold")
        }
        Error::RepeatDiffers => text(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "The idempotency key was used for another request",
        ),
        Error::TooManyReports { .. } => text(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_exceeded",
            "The organization sends too many usage reports; `Retry-After` tells when to try again",
        ),
        Error::Busy => {
            text(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "Too much is under way; try again")
        }
        Error::Unavailable(_) => {
            text(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "The database is not available")
        }
        Error::Internal(_) => internal(),
    }
}

/// What a caller lacks who would bind a key to a user; the scope's word is the surface's own.
pub(crate) fn binding_requires(door: Door, capability: Capability) -> String {
    let scope = door.word_of(capability).unwrap_or(capability.word());
    format!("A key for a user requires the scope {scope}, which your key does not hold")
}

fn of_restriction(unrestricted: &Unrestricted) -> String {
    let rule = match unrestricted {
        Unrestricted::Expiry(end) => {
            format!("Your key ends at {}: the key must not end later", instant::print(*end))
        }
        Unrestricted::Addresses(list) => {
            format!("Your key is restricted to {list}: the key's networks must lie within these")
        }
        Unrestricted::Limit(Limit { name, limit, window_seconds, pool }) => format!(
            "Your key has the rate limit {name} ({limit} per {window_seconds} seconds, pool {}): \
             the key must keep it, or one as strict",
            pool.word()
        ),
        Unrestricted::Credits => "Your key spends credits: it can give other keys none".to_owned(),
    };
    format!("{rule}, unless your key holds {UNRESTRICT}")
}

fn of_refusal(refusal: Refusal) -> String {
    let (Refusal::Lacks(capability) | Refusal::NotForBootstrap(capability)) = refusal;
    match Door::Organization.word_of(capability) {
        Some(scope) => format!("The scope {scope} is required"),
        None => "This key may not do that".to_owned(),
    }
}

fn of_field(Invalid { field, reason }: &Invalid) -> String {
    match reason {
        Reason::Missing => format!("{field} is required"),
        Reason::Unknown => format!("Unknown field: {field}"),
        Reason::Duplicate => format!("Duplicate field: {field}"),
        Reason::Type(expected) => format!("{field} must be {}", expected.phrase()),
        Reason::Text(error) => format!("{field} is {error}"),
        Reason::Metadata(error) => format!("{field} is {error}"),
        Reason::Word(words) => format!("{field} must be one of: {}", words.join(", ")),
        Reason::Integer { min, max } | Reason::Between { min, max } => {
            format!("{field} must be an integer between {min} and {max}")
        }
        Reason::NonNegative => format!("{field} must be a non-negative integer"),
        Reason::Boolean => format!("{field} must be true or false"),
        Reason::Instant => format!("{field} must be an ISO 8601 timestamp"),
        Reason::Network => format!("{field} must be 0, 1 or 2"),
        Reason::TargetId => format!("{field} must be an id"),
        Reason::TooMany { max } => format!("{field} must have {max} items or less"),
        Reason::Items => format!("{field} must be an array of strings"),
        Reason::Empty => format!("{field} must not be empty"),
        Reason::Scopes(InvalidExpression::Malformed) => {
            format!("{field} must be scopes joined by AND and OR, or a list of scopes")
        }
        Reason::Scopes(InvalidExpression::TooLong) => {
            format!("{field} must be {} bytes or less", ScopeExpression::MAX)
        }
        Reason::Scopes(InvalidExpression::TooManyTerms) => {
            format!("{field} must name {} scopes or less", ScopeExpression::MAX_TERMS)
        }
        Reason::ScopeList => {
            format!("{field} must be scopes like resource:action, resource:* or *; admin: has its own")
        }
        Reason::Limits => format!(
            "{field} must be at most 16 limits of different names, each with a limit and a window in seconds"
        ),
        Reason::Credits => format!(
            "{field} must be a balance with whole numbers up to 9007199254740991, its interval in seconds"
        ),
        Reason::MixedBlock => format!(
            "{field} covers IPv4-mapped addresses (::ffff:0:0/96) and others: give the IPv4 block by itself, like \
             10.0.0.0/8"
        ),
        Reason::AddressBlocks => format!("{field} must be at most 100 addresses or CIDR blocks"),
        Reason::Span => format!("{field} must be a span like 90d, 12h or P1Y"),
        Reason::NotWith(other) => format!("{field} cannot be given together with {other}"),
        Reason::Lookback => format!("{field} must be hours or days, like 24h or 30d, and at most 366d"),
        Reason::Origins => format!("{field} must be at most 100 origins like https://console.example.com"),
        Reason::Reference => format!("{field} names nothing that can be"),
        Reason::Address => format!("{field} must be an IP address"),
        Reason::Action => format!("{field} must be an audit action"),
        Reason::Form => format!("{field} is not valid"),
    }
}
