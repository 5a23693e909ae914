//! `ANY /v1/forward-auth`: proxies ask with the request itself, and pass on what the answer's headers say.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use claviger_app::engine::{About, Decision};
use claviger_app::verify;
use claviger_domain::limit::{Limit, Standing};
use claviger_domain::settings::ForwardAuthDialect;
use claviger_domain::text::ExternalId;
use claviger_domain::verification::{Code, Demand};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::gate::{Gate, Passage, set};
use super::verify::words::{cost_of, environment_of, network, scopes_of};
use crate::call::bearer;
use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::problem;

struct Asked {
    demand: Demand,
    dialect: ForwardAuthDialect,
}

/// Decide about a proxied request
///
/// For nginx `auth_request`, Caddy and Traefik `forward_auth`, HAProxy and Envoy. The key is the client's own, as
/// `Authorization: Bearer` or `X-API-Key`; every method is answered alike. 200 has no body: what is known of the key
/// stands in headers, and one that is absent means that there is nothing to say. A value in
/// `X-Claviger-External-Id` is percent-encoded where it is not visible ASCII.
#[utoipa::path(
    get, path = "/v1/forward-auth", operation_id = "forward_auth", tag = "Verification",
    security(("presented_key" = []), ("presented_key_header" = [])),
    params(
        ("scopes" = Option<String>, Query, description = "Scopes joined by `AND` and `OR`, with parentheses", example = "workflows:read AND (transactions:read OR transactions:write)"),
        ("cost" = Option<i64>, Query, minimum = 0, maximum = 4_294_967_295_i64, description = "Units to spend, default 1", example = 1),
        ("network_id" = Option<i64>, Query, minimum = 0, maximum = 2, description = "The network the call is about", example = 0),
        ("environment" = Option<String>, Query, description = "`live` or `test`", example = "live"),
        ("dialect" = Option<String>, Query, description = "`nginx`: 402 and 429 are told as 403 with `X-Claviger-Deny-Status`, for `auth_request` knows no others; `plain`: every status as it is; default: as the installation's settings say", example = "nginx"),
    ),
    responses(
        (status = 200, description = "The call may pass", headers(
            ("X-Claviger-Credential-Id" = String, description = "The credential's id"),
            ("X-Claviger-Organization-Id" = String, description = "Its organization's id"),
            ("X-Claviger-User-Id" = String, description = "The id of the account it is linked to"),
            ("X-Claviger-External-Id" = String, description = "That account's external id"),
            ("X-Claviger-Scopes" = String, description = "Its scopes, separated by spaces"),
            ("X-Claviger-Environment" = String, description = "`live` or `test`"),
        )),
        (status = 401, description = "No key, or one that opens nothing", body = problem::Problem, content_type = "application/problem+json", headers(
            ("X-Claviger-Deny-Code" = String, description = "The code that verification answers with"),
            ("X-Claviger-Deny-Status" = String, description = "The status with `dialect=plain`"),
        )),
        (status = 402, description = "The balance is used up", body = problem::Problem, content_type = "application/problem+json", headers(
            ("X-Claviger-Deny-Code" = String, description = "The code that verification answers with"),
            ("X-Claviger-Deny-Status" = String, description = "The status with `dialect=plain`"),
        )),
        (status = 403, description = "The key may not do this", body = problem::Problem, content_type = "application/problem+json", headers(
            ("X-Claviger-Deny-Code" = String, description = "The code that verification answers with"),
            ("X-Claviger-Deny-Status" = String, description = "The status with `dialect=plain`"),
        )),
        (status = 429, description = "Too many calls; `Retry-After` says when to come back", body = problem::Problem, content_type = "application/problem+json", headers(
            ("X-Claviger-Deny-Code" = String, description = "The code that verification answers with"),
            ("X-Claviger-Deny-Status" = String, description = "The status with `dialect=plain`"),
            ("Retry-After" = i64, description = "Seconds until the cost fits"),
            ("RateLimit-Policy" = String, description = "The limits, as structured fields"),
            ("RateLimit" = String, description = "What is left of them, as structured fields"),
        )),
    ),
)]
pub(crate) fn forward_auth(
    gate: &Gate,
    request: Request,
    peer: Option<IpAddr>,
) -> impl Future<Output = Response> {
    let figures = &gate.metrics().forward_auth;
    // What the client sends to the upstream is none of our business: the body is not read.
    gate.through(figures, request, peer, async |passage, _| {
        let Asked { demand, dialect } = asked(passage)?;
        let key = presented(&passage.parts.headers)?;
        let decision = verify::pass(passage.app(), key, &demand).await?;
        passage.count(&decision);
        Ok(match decision.code {
            Code::Valid => allow(&decision),
            _ => deny(&decision, dialect, passage),
        })
    })
}

fn asked(passage: &Passage<'_>) -> Result<Asked, Fault> {
    let mut query = Query::of(passage.parts.uri.query().unwrap_or_default())?;
    // What is no number at all is out of range, whichever that is.
    let number = |text: String| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().unwrap_or(-1),
        false => -1,
    };
    let cost = query.take("cost").map_or(1, number);
    let network_id = query.take("network_id").map(|text| network(number(text)));
    let dialect = match query.take("dialect") {
        None => passage.app().usual_dialect(),
        Some(word) => {
            let bad = Fault::invalid("dialect", Reason::Word(&["plain", "nginx"]));
            ForwardAuthDialect::of_word(&word).ok_or(bad)?
        }
    };
    let demand = Demand {
        scopes: query.take("scopes").map(|text| scopes_of(&text)).transpose()?,
        cost: cost_of(cost)?,
        address: passage.address(),
        network: network_id.transpose()?,
        environment: query.take("environment").map(|word| environment_of(&word)).transpose()?,
    };
    query.end()?;
    Ok(Asked { demand, dialect })
}

/// The client's key. A credential of another scheme is the upstream's affair, if there is an `X-API-Key`.
fn presented(headers: &HeaderMap) -> Result<&str, Fault> {
    let mut keys = headers.get_all("x-api-key").iter();
    match (bearer(headers), keys.next(), keys.next()) {
        (Ok(key), ..) => Ok(key),
        (Err(_), Some(key), None) => key.to_str().map_err(|_| Fault::NoKey),
        (Err(fault), ..) => Err(fault),
    }
}

const CREDENTIAL_ID: HeaderName = HeaderName::from_static("x-claviger-credential-id");
const ORGANIZATION_ID: HeaderName = HeaderName::from_static("x-claviger-organization-id");
const USER_ID: HeaderName = HeaderName::from_static("x-claviger-user-id");
const EXTERNAL_ID: HeaderName = HeaderName::from_static("x-claviger-external-id");
const SCOPES: HeaderName = HeaderName::from_static("x-claviger-scopes");
const ENVIRONMENT: HeaderName = HeaderName::from_static("x-claviger-environment");
const DENY_CODE: HeaderName = HeaderName::from_static("x-claviger-deny-code");
const DENY_STATUS: HeaderName = HeaderName::from_static("x-claviger-deny-status");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What may not stand in a header as it is, and the sign that encodes it.
const HIDDEN: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

fn allow(decision: &Decision) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(6);
    let Some(About { known, .. }) = &decision.about else { return response };
    let mut buffer = uuid::Uuid::encode_buffer();
    let id = known.snapshot.id.uuid().hyphenated().encode_lower(&mut buffer);
    set(headers, CREDENTIAL_ID, id);
    let id = known.organization.id.uuid().hyphenated().encode_lower(&mut buffer);
    set(headers, ORGANIZATION_ID, id);
    if let Some(account) = &known.user_account {
        let id = account.id.uuid().hyphenated().encode_lower(&mut buffer);
        set(headers, USER_ID, id);
        if let Some(external_id) = account.external_id.as_ref().map(ExternalId::as_str) {
            let encoded = utf8_percent_encode(external_id, HIDDEN).to_string();
            set(headers, EXTERNAL_ID, &encoded);
        }
    }
    let scopes = known.held().scopes();
    if !scopes.is_empty() {
        set(headers, SCOPES, &scopes.to_string());
    }
    set(headers, ENVIRONMENT, known.snapshot.class.environment().word());
    response
}

fn deny(decision: &Decision, dialect: ForwardAuthDialect, passage: &Passage<'_>) -> Response {
    let (status, code, detail) = refusal(decision.code);
    let told = match (dialect, status) {
        (ForwardAuthDialect::Nginx, StatusCode::PAYMENT_REQUIRED | StatusCode::TOO_MANY_REQUESTS) => {
            StatusCode::FORBIDDEN
        }
        _ => status,
    };
    let mut response = problem::problem(told, code, detail.to_owned(), None, passage.request_id);
    let headers = response.headers_mut();
    set(headers, DENY_CODE, decision.code.word());
    set(headers, DENY_STATUS, status.as_str());
    if let (Code::RateLimited, Some(about)) = (decision.code, &decision.about) {
        tell_limits(headers, about, passage.app().now().timestamp_millis());
    }
    response
}

fn refusal(code: Code) -> (StatusCode, &'static str, &'static str) {
    match code {
        // A call that may pass is not refused; that it is asked is a mistake that must not let anybody in.
        Code::Valid => (StatusCode::FORBIDDEN, "forbidden", "The call may not pass"),
        Code::Malformed => (StatusCode::UNAUTHORIZED, "malformed", "What was presented is not a key"),
        Code::NotFound => (StatusCode::UNAUTHORIZED, "not_found", "The key is not known"),
        Code::Revoked => (StatusCode::UNAUTHORIZED, "revoked", "The key was revoked"),
        Code::Expired => (StatusCode::UNAUTHORIZED, "expired", "The key has expired"),
        Code::Disabled => (StatusCode::FORBIDDEN, "disabled", "The key is disabled"),
        Code::UserSuspended => (StatusCode::FORBIDDEN, "user_suspended", "The account is suspended"),
        Code::OrganizationSuspended => {
            (StatusCode::FORBIDDEN, "organization_suspended", "The organization is suspended")
        }
        Code::IpNotAllowed => {
            (StatusCode::FORBIDDEN, "ip_not_allowed", "The key may not be used from this address")
        }
        Code::WrongNetwork => (StatusCode::FORBIDDEN, "wrong_network", "The key is for another network"),
        Code::WrongEnvironment => {
            (StatusCode::FORBIDDEN, "wrong_environment", "The key is for another environment")
        }
        Code::InsufficientScope => {
            (StatusCode::FORBIDDEN, "insufficient_scope", "The key lacks a scope that is needed")
        }
        Code::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many calls"),
        Code::CreditsExhausted => {
            (StatusCode::PAYMENT_REQUIRED, "credits_exhausted", "The balance is used up")
        }
    }
}

/// The fields of the draft "RateLimit header fields for HTTP", one item for each limit, and when to come back.
fn tell_limits(headers: &mut HeaderMap, about: &About, now_ms: i64) {
    let whole_seconds = |ms: i64| ms.max(0).div_euclid(1000) + i64::from(ms.rem_euclid(1000) > 0);
    let (mut policies, mut states) = (Vec::new(), Vec::new());
    let mut retry_at = None;
    let mut never_fits = false;
    for (limit, standing) in about.known.snapshot.limits.iter().zip(&about.standings) {
        let Limit { name, limit, window_seconds, pool: _ } = limit;
        let Standing { remaining, reset_at_ms, retry_at_ms, exceeded } = standing;
        policies.push(format!("\"{name}\";q={limit};w={window_seconds}"));
        states.push(format!("\"{name}\";r={remaining};t={}", whole_seconds(reset_at_ms - now_ms)));
        // All of them must let the call pass.
        retry_at = retry_at.max(*retry_at_ms);
        never_fits |= *exceeded && retry_at_ms.is_none();
    }
    set(headers, RATELIMIT_POLICY, &policies.join(", "));
    set(headers, RATELIMIT, &states.join(", "));
    if let Some(at) = retry_at.filter(|_| !never_fits) {
        set(headers, RETRY_AFTER, &whole_seconds(at - now_ms).max(1).to_string());
    }
}
