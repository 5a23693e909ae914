//! What is told of a decision.

use claviger_app::Pace;
use claviger_app::engine::{About, Decision};
use claviger_domain::credential::Credits;
use claviger_domain::limit::{Limit, Standing};
use claviger_domain::text::ExternalId;
use claviger_domain::verification::Code;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::super::gate::write;
use super::super::print::{Id, Instant, Stored, Words};
use crate::fault::Fault;

/// The words of `code`, for clients to switch on.
fn codes() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(Code::ALL.map(Code::word)))
        .description(Some("`VALID`, or the first check that failed, in this order"))
        .into()
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
pub(super) struct Verification<'a> {
    /// Whether the call may pass: the code is `VALID`.
    valid: bool,
    /// `VALID`, `MALFORMED`, `NOT_FOUND`, `REVOKED`, `EXPIRED`, `DISABLED`, `USER_SUSPENDED`, `ORGANIZATION_SUSPENDED`,
    /// `IP_NOT_ALLOWED`, `WRONG_NETWORK`, `WRONG_ENVIRONMENT`, `INSUFFICIENT_SCOPE`, `RATE_LIMITED` or
    /// `CREDITS_EXHAUSTED`: the first check that failed, in this order.
    #[schema(schema_with = codes)]
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<CredentialFacts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_account: Option<UserFacts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationFacts<'a>>,
    #[schema(value_type = Vec<String>)]
    scopes: Words<'a>,
    ratelimits: Vec<LimitFacts<'a>>,
    /// The balance, when the credential has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<u64>,
    #[schema(required, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Instant>,
    /// In a batch: `metadata`, `scopes` and `ratelimits` are left empty, for the answer is as long as it may be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    details_omitted: bool,
    request_id: &'a str,
}

/// Bytes after which the results of a batch leave out their details.
const DETAILED: usize = 256 << 10;

/// The answer to a batch. Other tasks run while it is written.
pub(super) async fn batch(decisions: &[Decision], request_id: &str) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::with_capacity(512 * decisions.len());
    body.extend_from_slice(b"{\"results\":[");
    let mut pace = Pace::default();
    let mut is_full = false;
    for (place, decision) in decisions.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        let start = body.len();
        let verification = Verification::of(decision, request_id);
        if !is_full {
            write(&mut body, &verification)?;
            pace.after((body.len() - start) / 512).await;
            is_full = body.len() > DETAILED;
        }
        if is_full {
            body.truncate(start);
            write(&mut body, &verification.without_details())?;
            pace.after(1).await;
        }
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

/// The credential the key belongs to.
#[derive(Debug, Serialize, ToSchema)]
struct CredentialFacts<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: Id,
    name: &'a str,
    /// `partner`, `live`, `test` or `scim`.
    class: &'static str,
    environment: &'static str,
    #[schema(value_type = Object)]
    metadata: Stored<'a>,
}

/// The account the credential is linked to.
#[derive(Debug, Serialize, ToSchema)]
struct UserFacts<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: Id,
    name: &'a str,
    #[schema(required)]
    external_id: Option<&'a str>,
    #[schema(value_type = Object)]
    metadata: Stored<'a>,
}

/// The organization the credential belongs to.
#[derive(Debug, Serialize, ToSchema)]
struct OrganizationFacts<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: Id,
    slug: &'a str,
    name: &'a str,
}

/// One limit, as the decision left it.
#[derive(Debug, Serialize, ToSchema)]
struct LimitFacts<'a> {
    name: &'a str,
    limit: u32,
    remaining: u32,
    /// When the whole limit is free again.
    #[schema(value_type = String, format = DateTime)]
    reset_at: Instant,
    /// Whether this limit is why the call was denied.
    exceeded: bool,
}

impl<'a> Verification<'a> {
    pub(super) fn of(decision: &'a Decision, request_id: &'a str) -> Self {
        let Decision { code, about } = decision;
        let denied = Self {
            valid: *code == Code::Valid,
            code: code.word(),
            credential: None,
            user_account: None,
            organization: None,
            scopes: Words(None),
            ratelimits: Vec::new(),
            credits: None,
            expires_at: None,
            details_omitted: false,
            request_id,
        };
        let Some(About { known, standings, credits, place: _ }) = about else { return denied };
        let snapshot = &known.snapshot;
        let limits = snapshot.limits.iter().zip(standings);
        Self {
            credential: Some(CredentialFacts {
                id: Id(snapshot.id.uuid()),
                name: snapshot.name.as_str(),
                class: snapshot.class.word(),
                environment: snapshot.class.environment().word(),
                metadata: Stored(snapshot.metadata.as_ref()),
            }),
            user_account: known.user_account.as_deref().map(|account| UserFacts {
                id: Id(account.id.uuid()),
                name: account.name.as_str(),
                external_id: account.external_id.as_ref().map(ExternalId::as_str),
                metadata: Stored(account.metadata.as_ref()),
            }),
            organization: Some(OrganizationFacts {
                id: Id(known.organization.id.uuid()),
                slug: known.organization.slug.as_str(),
                name: known.organization.name.as_str(),
            }),
            scopes: Words(Some(known.held())),
            ratelimits: limits.map(|(limit, standing)| LimitFacts::of(limit, standing)).collect(),
            credits: credits.map(|Credits { remaining, .. }| remaining),
            expires_at: snapshot.expires_at.map(|at| Instant(at.timestamp())),
            ..denied
        }
    }
}

impl Verification<'_> {
    /// The same decision, without what may be long.
    fn without_details(mut self) -> Self {
        self.details_omitted = self.credential.is_some();
        self.scopes = Words(None);
        self.ratelimits.clear();
        if let Some(credential) = &mut self.credential {
            credential.metadata = Stored(None);
        }
        if let Some(account) = &mut self.user_account {
            account.metadata = Stored(None);
        }
        self
    }
}

impl<'a> LimitFacts<'a> {
    fn of(limit: &'a Limit, standing: &Standing) -> Self {
        let Limit { name, limit, window_seconds: _, pool: _ } = limit;
        let Standing { remaining, reset_at_ms: _, retry_at_ms: _, exceeded } = *standing;
        let reset_at = Instant(standing.reset_at_seconds());
        Self { name, limit: *limit, remaining, reset_at, exceeded }
    }
}
