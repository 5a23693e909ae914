//! What is told of a decision.

use chrono::DateTime;
use claviger_app::verify::{About, Decision};
use claviger_domain::account::UserAccount;
use claviger_domain::credential::{Credential, Credits};
use claviger_domain::limit::{Limit, Standing};
use claviger_domain::organization::Organization;
use claviger_domain::verification::{Code, Subject};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{instant, json};

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
pub(super) struct Verification {
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
    #[schema(required, format = DateTime)]
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
    #[schema(required)]
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
    pub(super) fn of(Decision { code, about }: Decision, request_id: String) -> Self {
        let (valid, code) = (code == Code::Valid, code.word());
        let Some(About { subject, limits, credits }) = about else {
            return Self {
                valid,
                code,
                credential: None,
                user_account: None,
                organization: None,
                scopes: Vec::new(),
                ratelimits: Vec::new(),
                credits: None,
                expires_at: None,
                request_id,
            };
        };
        let Subject { credential, secret: _, user_account, organization } = subject;
        // The balance and the limits are told as the decision left them, not as they are stored.
        let Credential {
            id,
            organization: _,
            admin_key: _,
            user_account: _,
            class,
            name,
            description: _,
            prefix: _,
            scopes,
            limits: _,
            credits: _,
            ip_allowlist: _,
            network: _,
            metadata,
            created_at: _,
            updated_at: _,
            expires_at,
            disabled_at: _,
            revoked: _,
            last_used_at: _,
            revision: _,
        } = credential;
        Self {
            valid,
            code,
            credential: Some(CredentialFacts {
                id: id.to_string(),
                name: name.to_string(),
                class: class.word(),
                environment: class.environment().word(),
                metadata: json::object(&metadata),
            }),
            user_account: user_account.map(UserFacts::from),
            organization: Some(organization.into()),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            ratelimits: limits.into_iter().map(LimitFacts::from).collect(),
            credits: credits.map(|Credits { remaining, refill: _ }| remaining),
            expires_at: expires_at.map(instant::print),
            request_id,
        }
    }
}

impl From<UserAccount> for UserFacts {
    fn from(account: UserAccount) -> Self {
        let UserAccount {
            id,
            organization: _,
            admin_key: _,
            external_id,
            name,
            email: _,
            metadata,
            status: _,
            billing_plan: _,
            created_at: _,
            updated_at: _,
            revision: _,
        } = account;
        Self {
            id: id.to_string(),
            name: name.to_string(),
            external_id: external_id.map(|id| id.to_string()),
            metadata: json::object(&metadata),
        }
    }
}

impl From<Organization> for OrganizationFacts {
    fn from(organization: Organization) -> Self {
        let Organization {
            id,
            name,
            slug,
            email: _,
            plan: _,
            status: _,
            metadata: _,
            settings: _,
            created_at: _,
            updated_at: _,
            revision: _,
        } = organization;
        Self { id: id.to_string(), slug: slug.to_string(), name: name.to_string() }
    }
}

impl From<(Limit, Standing)> for LimitFacts {
    fn from((limit, standing): (Limit, Standing)) -> Self {
        let reset_at = DateTime::from_timestamp(standing.reset_at_seconds(), 0).unwrap_or_default();
        let Limit { name, limit, window_seconds: _ } = limit;
        let Standing { remaining, reset_at_ms: _, retry_at_ms: _, exceeded } = standing;
        Self { name, limit, remaining, reset_at: instant::print(reset_at), exceeded }
    }
}
