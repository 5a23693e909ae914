//! `POST /v1/keys/verify`

use axum::Json;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use chrono::DateTime;
use claviger_app::App;
use claviger_app::verify::{self, About, Decision};
use claviger_domain::credential::{Environment, Network};
use claviger_domain::scope::ScopeExpression;
use claviger_domain::text::InvalidText;
use claviger_domain::verification::{Code, Demand};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::call::{May, VerifyKeys};
use crate::extract::Body;
use crate::fault::{Fault, Reason};
use crate::instant;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(verify_key))
}

/// A presented key, and what the call needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "iiak_…", "cost": 1, "ip": "192.0.2.7", "network_id": 0}))]
struct VerifyRequest {
    /// The key as the caller presented it.
    key: String,
    #[schema(schema_with = scopes_schema)]
    scopes: Option<Value>,
    /// Units to spend, default 1; 0 asks without spending.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    cost: Option<i64>,
    /// The end client's address, for allowlists.
    ip: Option<String>,
    #[schema(minimum = 0, maximum = 2)]
    network_id: Option<i64>,
    /// `live` or `test`.
    environment: Option<String>,
    /// What the call is about; told to nobody yet.
    #[schema(max_length = 1024)]
    resource: Option<String>,
    /// The call's own method; told to nobody yet.
    #[schema(max_length = 32)]
    method: Option<String>,
    /// At most 20 words of at most 64 characters; told to nobody yet.
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
}

/// A string or a list of strings: no one type says that.
fn scopes_schema() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    OneOfBuilder::new()
        .item(text())
        .item(ArrayBuilder::new().items(text()).max_items(Some(100)))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .description(Some(
            "Scopes joined by `AND` and `OR` with parentheses, or a list of which all must be held.",
        ))
        .examples(["workflows:read AND (transactions:read OR transactions:write)"])
        .into()
}

impl TryFrom<VerifyRequest> for verify::Request {
    type Error = Fault;

    fn try_from(request: VerifyRequest) -> Result<Self, Fault> {
        let VerifyRequest { key, scopes, cost, ip, network_id, environment, resource, method, tags } =
            request;
        let bad = |field, reason| Fault::invalid(field, reason);
        let bounded = |field, text: Option<&String>, max: usize| match text {
            Some(text) if text.chars().count() > max => {
                Err(bad(field, Reason::Text(InvalidText::TooLong { max })))
            }
            _ => Ok(()),
        };
        bounded("resource", resource.as_ref(), 1024)?;
        bounded("method", method.as_ref(), 32)?;
        let tags = tags.unwrap_or_default();
        if tags.len() > 20 {
            return Err(bad("tags", Reason::TooMany { max: 20 }));
        }
        tags.iter().try_for_each(|tag| bounded("tags", Some(tag), 64))?;
        let cost = cost.unwrap_or(1);
        let network =
            network_id.map(|number| Network::of_number(number).ok_or(bad("network_id", Reason::Network)));
        let environment = environment.map(|word| {
            Environment::of_word(&word).ok_or(bad("environment", Reason::Word(&["live", "test"])))
        });
        let address = ip.map(|text| text.parse().map_err(|_| bad("ip", Reason::Address)));
        Ok(Self {
            key: key.parse().ok(),
            demand: Demand {
                scopes: scopes.map(expression).transpose()?,
                cost: u32::try_from(cost)
                    .map_err(|_| bad("cost", Reason::Integer { min: 0, max: u32::MAX.into() }))?,
                address: address.transpose()?,
                network: network.transpose()?,
                environment: environment.transpose()?,
            },
        })
    }
}

fn expression(scopes: Value) -> Result<ScopeExpression, Fault> {
    let bad = || Fault::invalid("scopes", Reason::Scopes);
    let read = |text: &str| text.parse::<ScopeExpression>().map_err(|_| bad());
    match scopes {
        Value::String(text) => read(&text),
        Value::Array(items) if items.len() <= 100 => {
            let one = |item: &Value| item.as_str().ok_or_else(bad).and_then(read);
            items.iter().map(one).collect::<Result<_, _>>().map(ScopeExpression::All)
        }
        _ => Err(bad()),
    }
}

/// The decision. Switch on `code`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "valid": true, "code": "VALID",
    "credential": {"id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "class": "partner", "environment": "live", "metadata": {}},
    "user_account": {"id": "01932a3e-5f00-7000-8000-000000000001", "name": "Acme Corp", "external_id": "customer-123", "metadata": {}},
    "organization": {"id": "01932a3e-5f00-7000-8000-000000000009", "slug": "yourcompany", "name": "YourCompany"},
    "scopes": [],
    "ratelimits": [{"name": "requests", "limit": 60, "remaining": 59, "reset_at": "2026-01-26T12:02:00Z", "exceeded": false}],
    "expires_at": null, "request_id": "req_6f1c2d7e9a3b4c5d"
}))]
struct Verification {
    /// Whether the call may pass: the code is `VALID`.
    valid: bool,
    /// `VALID`, `MALFORMED`, `NOT_FOUND`, `REVOKED`, `EXPIRED`, `DISABLED`, `USER_SUSPENDED`, `ORGANIZATION_SUSPENDED`,
    /// `IP_NOT_ALLOWED`, `WRONG_NETWORK`, `WRONG_ENVIRONMENT`, `INSUFFICIENT_SCOPE`, `RATE_LIMITED` or
    /// `CREDITS_EXHAUSTED`: the first check that failed, in this order.
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<CredentialFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_account: Option<UserFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationFacts>,
    scopes: Vec<String>,
    ratelimits: Vec<LimitFacts>,
    /// The balance, when the credential has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<u64>,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    request_id: String,
}

/// The credential the key belongs to.
#[derive(Debug, Serialize, ToSchema)]
struct CredentialFacts {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    /// `partner`, `live`, `test` or `scim`.
    class: &'static str,
    environment: &'static str,
    #[schema(value_type = Object)]
    metadata: Value,
}

/// The account the credential is linked to.
#[derive(Debug, Serialize, ToSchema)]
struct UserFacts {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    external_id: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
}

/// The organization the credential belongs to.
#[derive(Debug, Serialize, ToSchema)]
struct OrganizationFacts {
    #[schema(format = Uuid)]
    id: String,
    slug: String,
    name: String,
}

/// One limit, as the decision left it.
#[derive(Debug, Serialize, ToSchema)]
struct LimitFacts {
    name: String,
    limit: u32,
    remaining: u32,
    /// When the whole limit is free again.
    #[schema(format = DateTime)]
    reset_at: String,
    /// Whether this limit is why the call was denied.
    exceeded: bool,
}

impl Verification {
    fn of(Decision { code, about }: Decision, request_id: String) -> Self {
        let mut told = Self {
            valid: code == Code::Valid,
            code: code.word(),
            credential: None,
            user_account: None,
            organization: None,
            scopes: Vec::new(),
            ratelimits: Vec::new(),
            credits: None,
            expires_at: None,
            request_id,
        };
        let Some(About { subject, limits, credits }) = about else { return told };
        let credential = subject.credential;
        told.scopes = credential.scopes.iter().map(ToString::to_string).collect();
        told.ratelimits = limits.into_iter().map(LimitFacts::from).collect();
        told.credits = credits.map(|credits| credits.remaining);
        told.expires_at = credential.expires_at.map(instant::print);
        told.credential = Some(CredentialFacts {
            id: credential.id.to_string(),
            name: credential.name.to_string(),
            class: credential.class.word(),
            environment: credential.class.environment().word(),
            metadata: crate::json::object(&credential.metadata),
        });
        told.user_account = subject.user_account.map(|user| UserFacts {
            id: user.id.to_string(),
            name: user.name.to_string(),
            external_id: user.external_id.map(|id| id.to_string()),
            metadata: crate::json::object(&user.metadata),
        });
        told.organization = Some(OrganizationFacts {
            id: subject.organization.id.to_string(),
            slug: subject.organization.slug.to_string(),
            name: subject.organization.name.to_string(),
        });
        told
    }
}

impl From<(claviger_domain::limit::Limit, claviger_domain::limit::Standing)> for LimitFacts {
    fn from((limit, standing): (claviger_domain::limit::Limit, claviger_domain::limit::Standing)) -> Self {
        let reset_at = DateTime::from_timestamp(standing.reset_at_seconds(), 0).unwrap_or_default();
        Self {
            name: limit.name,
            limit: limit.limit,
            remaining: standing.remaining,
            reset_at: instant::print(reset_at),
            exceeded: standing.exceeded,
        }
    }
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
