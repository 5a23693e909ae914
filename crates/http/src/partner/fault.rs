//! The partner surface's words for every fault. Its texts and statuses are published: 401 is for a
//! missing key only, a key that opens nothing gets 403, and a revoked thing is not found.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use claviger_app::{Error, Kind, State, candidates};
use claviger_domain::actor::Refusal;
use claviger_domain::capability::Capability;
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::secret::SecretVersion;
use claviger_domain::settings::InvalidLifetime;
use claviger_domain::text::{InvalidMetadata, InvalidText};

use super::wire;
use crate::fault::{Fault, Invalid, Reason};

pub(crate) fn word(fault: &Fault) -> Response {
    let (status, text) = sentence(fault);
    let mut response = wire::refused(status, text).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn sentence(fault: &Fault) -> (StatusCode, String) {
    let bad = |text: &str| (StatusCode::BAD_REQUEST, text.to_owned());
    match fault {
        Fault::NoKey => (StatusCode::UNAUTHORIZED, "Missing or invalid admin API key".to_owned()),
        Fault::App(error) => of_use_case(error),
        Fault::Invalid(invalid) => (StatusCode::BAD_REQUEST, of_field(invalid)),
        Fault::MalformedId(kind) => (StatusCode::BAD_REQUEST, malformed_id(*kind)),
        Fault::MalformedJson => bad("Request body must be valid JSON"),
        Fault::NotAnObject => bad("Request body must be a JSON object"),
        Fault::BrokenBody => bad("Request body could not be read"),
        Fault::SlowBody => (StatusCode::REQUEST_TIMEOUT, "Request body arrives too slowly".to_owned()),
        Fault::NotJson => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json".to_owned())
        }
        Fault::EncodedBody => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not supported".to_owned())
        }
        Fault::BadHost => bad("Exactly one valid Host header is required"),
        Fault::BadTransferEncoding => bad("Transfer-Encoding must be chunked, given once"),
        Fault::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "Request body too large".to_owned()),
        Fault::NothingToChange(Kind::Credential) => {
            bad("At least one field (name or description) must be provided")
        }
        Fault::NothingToChange(_) => bad("At least one field must be provided"),
        Fault::MalformedIdempotencyKey => bad("Idempotency-Key must be 1 to 255 visible ASCII characters"),
        Fault::UnknownQuery(name) => bad(&format!("Unknown query parameter: {name}")),
        Fault::RepeatedQuery(name) => bad(&format!("Duplicate query parameter: {name}")),
        Fault::UnknownRoute => (StatusCode::NOT_FOUND, "Not found".to_owned()),
        Fault::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed".to_owned()),
        Fault::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded".to_owned()),
        Fault::TooMuchInFlight { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many bytes in flight".to_owned())
        }
        Fault::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "Request timed out".to_owned()),
        Fault::Panic => (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error".to_owned()),
    }
}

fn of_use_case(error: &Error) -> (StatusCode, String) {
    let text = |status, text: &str| (status, text.to_owned());
    match error {
        Error::UnknownKey => text(StatusCode::FORBIDDEN, "Invalid admin API key"),
        Error::Refused(refusal) => of_refusal(*refusal),
        Error::AddressNotAllowed => text(StatusCode::FORBIDDEN, "IP address not allowed"),
        // No partner gives scopes, or acts on organizations or roles.
        Error::BeyondCeiling { .. }
        | Error::BindingRequires(_)
        | Error::LooserThanMaker(_)
        | Error::BoundElsewhere
        | Error::OnItself
        | Error::Superseded
        | Error::NoUser => text(StatusCode::FORBIDDEN, "Permission denied"),
        Error::RoleNameTaken
        | Error::RoleInUse
        | Error::Unscoped
        | Error::SystemRole
        | Error::TooManyRoles
        | Error::KeptTooShort(..)
        | Error::SlugTaken
        | Error::LastManagingKey
        | Error::ExcludesCaller(_)
        | Error::NotEmpty => text(StatusCode::CONFLICT, "The request conflicts with the present state"),
        Error::AmbiguousEntity(organizations) => (
            StatusCode::CONFLICT,
            format!(
                "entity_name matches several organizations: {}. Rename all but one of them, or set name_verified to false.",
                candidates(organizations)
            ),
        ),
        Error::TooManySecrets => (
            StatusCode::CONFLICT,
            format!(
                "Credential has {} keys in force. Rotate with a shorter overlap_seconds.",
                SecretVersion::MOST
            ),
        ),
        Error::LimitReached { resource, limit, count } => {
            let what = match resource {
                LimitedResource::ApiKeys => "credentials that are not revoked",
                LimitedResource::Users => "user accounts",
                LimitedResource::Roles => "roles",
                LimitedResource::AdminKeys => "admin keys that are not revoked",
            };
            let sentence = format!("The organization has {count} {what}, and {limit} at most");
            (StatusCode::CONFLICT, sentence)
        }
        Error::LastOwner => text(StatusCode::CONFLICT, "The last owner of an organization cannot be removed"),
        Error::InvalidLifetime(InvalidLifetime::Missing) => {
            text(StatusCode::BAD_REQUEST, "expires_at is required")
        }
        Error::InvalidLifetime(InvalidLifetime::TooLong { most }) => (
            StatusCode::BAD_REQUEST,
            format!("expires_at must be at most {} seconds ahead", most.num_seconds()),
        ),
        Error::NotFound(kind, state) | Error::WrongState(kind, state) => {
            (StatusCode::NOT_FOUND, missing(*kind, *state))
        }
        Error::ExternalIdTaken => text(StatusCode::CONFLICT, "External ID already in use"),
        Error::UserSuspended => text(StatusCode::CONFLICT, "User account is suspended"),
        Error::OrganizationSuspended => text(StatusCode::CONFLICT, "Organization is suspended"),
        Error::ExpiryInThePast => text(StatusCode::BAD_REQUEST, "expires_at must be in the future"),
        Error::InvertedPeriod => text(StatusCode::BAD_REQUEST, "end_date must not be before start_date"),
        Error::PeriodTooLong => text(StatusCode::BAD_REQUEST, "The period must not be longer than 366 days"),
        Error::OutOfReach { .. } => text(StatusCode::BAD_REQUEST, "The instant is out of reach"),
        Error::Stale => {
            text(StatusCode::PRECONDITION_FAILED, "The resource has changed: If-Match does not hold")
        }
        Error::Overtaken => {
            text(StatusCode::CONFLICT, "The resource was changed at the same time. Try again.")
        }
        Error::RepeatDiffers => {
            text(StatusCode::UNPROCESSABLE_ENTITY, "Idempotency-Key was used for a different request")
        }
        Error::RepeatUnderWay => {
            text(StatusCode::CONFLICT, "A request with this Idempotency-Key is still being processed")
        }
        // Usage reports are sent to the gateway surface.
        Error::TooManyReports { .. } => text(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded"),
        Error::Busy | Error::NotCounted(_) | Error::Unavailable(_) => {
            text(StatusCode::SERVICE_UNAVAILABLE, "Service temporarily unavailable")
        }
        Error::Internal(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
    }
}

fn of_refusal(refusal: Refusal) -> (StatusCode, String) {
    match refusal {
        Refusal::NotForBootstrap(Capability::ManageCredentials) => (
            StatusCode::BAD_REQUEST,
            "Bootstrap key cannot manage credentials. Create an admin key first.".to_owned(),
        ),
        Refusal::NotForBootstrap(_) => (
            StatusCode::BAD_REQUEST,
            "Bootstrap key cannot manage users. Create an admin key first.".to_owned(),
        ),
        Refusal::Lacks(Capability::ManageAdminKeys) => {
            (StatusCode::FORBIDDEN, "Permission denied: bootstrap key required".to_owned())
        }
        // Who may manage, may see: there is no other word for it here.
        Refusal::Lacks(Capability::ViewUsers) => of_refusal(Refusal::Lacks(Capability::ManageUsers)),
        Refusal::Lacks(Capability::ViewCredentials) => {
            of_refusal(Refusal::Lacks(Capability::ManageCredentials))
        }
        Refusal::Lacks(capability) => {
            (StatusCode::FORBIDDEN, format!("Permission denied: {} required", capability.word()))
        }
    }
}

fn thing(kind: Kind) -> &'static str {
    match kind {
        Kind::BootstrapKey => "Bootstrap key",
        Kind::AdminKey => "Admin key",
        Kind::Organization => "Organization",
        Kind::UserAccount => "User account",
        Kind::Credential => "Credential",
        Kind::Usage => "Usage",
        Kind::AuditLog => "Audit log",
        Kind::ApiKey => "API key",
        Kind::Settings => "Settings",
        Kind::Role => "Role",
        Kind::Request => "Request",
    }
}

fn missing(kind: Kind, state: State) -> String {
    let thing = thing(kind);
    match state {
        State::Any => format!("{thing} not found"),
        State::NotRevoked => format!("{thing} not found or already revoked"),
        State::NotSuspended => format!("{thing} not found or already suspended"),
        State::Suspended => format!("{thing} not found or not suspended"),
        State::NotDisabled => format!("{thing} not found or already disabled"),
        State::Disabled => format!("{thing} not found or not disabled"),
        State::Member => format!("{thing} not found or not a member"),
        State::NotAMember => format!("{thing} not found or already a member"),
    }
}

fn malformed_id(kind: Kind) -> String {
    let thing = thing(kind);
    let (first, rest) = thing.split_at(1);
    format!("Invalid {}{rest} ID format", first.to_lowercase())
}

fn of_field(Invalid { field, reason }: &Invalid) -> String {
    // Published texts call the name by its name, not by its field.
    let called = if field == "name" { "Name" } else { field };
    match (field.as_str(), reason) {
        ("name", Reason::Missing | Reason::Text(InvalidText::Empty)) => {
            "Name is required and must be a non-empty string".to_owned()
        }
        ("network_id", Reason::Missing) | (_, Reason::Network) => "network_id must be 0, 1 or 2".to_owned(),
        (_, Reason::Missing) => format!("{field} is required"),
        (_, Reason::Unknown) => format!("Unknown field: {field}"),
        (_, Reason::Duplicate) => format!("Duplicate field: {field}"),
        (_, Reason::Type(expected)) => format!("{field} must be {}", expected.phrase()),
        (_, Reason::Text(InvalidText::Empty)) => format!("{field} must be a non-empty string"),
        (_, Reason::Text(InvalidText::TooLong { max })) => {
            format!("{called} must be {max} characters or less")
        }
        (_, Reason::Text(InvalidText::ControlCharacter)) => {
            format!("{called} must not contain control characters")
        }
        ("email", Reason::Text(InvalidText::Form)) => "email must be a valid email address".to_owned(),
        (_, Reason::Text(InvalidText::Form) | Reason::Form) => format!("{field} is not valid"),
        (_, Reason::Metadata(InvalidMetadata::TooLarge { max })) => {
            format!("{field} must be {max} bytes or less")
        }
        (_, Reason::Metadata(InvalidMetadata::TooDeep { max })) => {
            format!("{field} must be nested {max} levels deep or less")
        }
        (_, Reason::Word(words)) => format!("{field} must be one of: {}", words.join(", ")),
        (_, Reason::Integer { min, max }) => format!("{field} must be an integer between {min} and {max}"),
        (_, Reason::Between { min, max }) => format!("{field} must be between {min} and {max}"),
        (_, Reason::NonNegative) => format!("{field} must be a non-negative integer"),
        (_, Reason::Boolean) => format!("{field} must be true or false"),
        (_, Reason::Instant) => format!("{field} must be an ISO 8601 timestamp"),
        (_, Reason::TargetId) => "Invalid target ID format".to_owned(),
        (_, Reason::TooMany { max }) => format!("{field} must have {max} items or less"),
        (_, Reason::Items) => format!("{field} must be an array of strings"),
        (_, Reason::Empty) => format!("{field} must not be empty"),
        (_, Reason::Scopes(_)) => format!("{field} must be a scope expression"),
        (
            _,
            Reason::ScopeList
            | Reason::Limits
            | Reason::Credits
            | Reason::AddressBlocks
            | Reason::MixedBlock
            | Reason::Span
            | Reason::NotWith(_)
            | Reason::Lookback
            | Reason::Origins
            | Reason::Reference,
        ) => {
            format!("{field} is not valid")
        }
        (_, Reason::Address) => format!("{field} must be an IP address"),
        (_, Reason::Action) => format!("{field} must be a known audit action"),
    }
}
