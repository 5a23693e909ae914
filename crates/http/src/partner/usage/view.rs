//! What the partner surface shows of usage.

use chrono::NaiveDate;
use claviger_app::usage;
use claviger_domain::account::UserAccount;
use claviger_domain::credential::Credential;
use claviger_domain::usage::Tally;
use serde::Serialize;
use utoipa::ToSchema;

use crate::instant;

/// One account's figures over a period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "user_account_id": "01932a3e-5f00-7000-8000-000000000001", "user_name": "Acme Corp",
    "external_id": "customer-123", "total_requests": 152_400, "successful_requests": 150_200,
    "failed_requests": 2200, "avg_response_time_ms": 45, "credential_count": 3,
    "period_start": "2026-01-01T00:00:00Z", "period_end": "2026-01-31T23:59:59Z"
}))]
pub(super) struct UserUsage {
    #[schema(format = Uuid)]
    user_account_id: String,
    user_name: String,
    #[schema(required)]
    external_id: Option<String>,
    total_requests: u64,
    successful_requests: u64,
    /// Denied, or reported with a status of 400 and above.
    failed_requests: u64,
    /// Of the calls whose duration was reported; 0 of none.
    avg_response_time_ms: u64,
    /// How many credentials the account has or had.
    credential_count: u64,
    #[schema(format = DateTime)]
    period_start: String,
    #[schema(format = DateTime)]
    period_end: String,
}

impl From<usage::OfUser> for UserUsage {
    fn from(usage::OfUser { account, tally, credentials, period }: usage::OfUser) -> Self {
        let Holder { id, name, external_id } = account.into();
        let Figures { total, successful, failed, average_ms } = tally.into();
        Self {
            user_account_id: id,
            user_name: name,
            external_id,
            total_requests: total,
            successful_requests: successful,
            failed_requests: failed,
            avg_response_time_ms: average_ms,
            credential_count: credentials,
            period_start: instant::print(period.start()),
            period_end: instant::print(period.end()),
        }
    }
}

/// One credential's figures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "credential_id": "01932a3e-5f00-7000-8000-000000000003", "credential_name": "Production",
    "api_key_prefix": "iiak_a1b2c3d4", "user_account_id": "01932a3e-5f00-7000-8000-000000000001",
    "user_account_name": "Acme Corp", "total_requests": 15420, "successful_requests": 15200,
    "failed_requests": 220, "last_used_at": "2026-01-26T12:00:00Z"
}))]
pub(super) struct CredentialUsage {
    #[schema(format = Uuid)]
    credential_id: String,
    credential_name: String,
    api_key_prefix: String,
    #[schema(required, format = Uuid)]
    user_account_id: Option<String>,
    #[schema(required)]
    user_account_name: Option<String>,
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
}

impl From<usage::OfCredential> for CredentialUsage {
    fn from(usage::OfCredential { credential, user, tally }: usage::OfCredential) -> Self {
        let Credential {
            id,
            organization: _,
            admin_key: _,
            user_account,
            class: _,
            name,
            description: _,
            prefix,
            scopes: _,
            limits: _,
            credits: _,
            ip_allowlist: _,
            network: _,
            metadata: _,
            created_at: _,
            updated_at: _,
            expires_at: _,
            disabled_at: _,
            revoked: _,
            last_used_at,
            revision: _,
        } = credential;
        let Figures { total, successful, failed, average_ms: _ } = tally.into();
        Self {
            credential_id: id.to_string(),
            credential_name: name.to_string(),
            api_key_prefix: prefix.as_str().to_owned(),
            user_account_id: user_account.map(|id| id.to_string()),
            user_account_name: user.map(|user| Holder::from(user).name),
            total_requests: total,
            successful_requests: successful,
            failed_requests: failed,
            last_used_at: last_used_at.map(instant::print),
        }
    }
}

/// One credential's figures over a period, day by day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "credential_id": "01932a3e-5f00-7000-8000-000000000003", "credential_name": "Production",
    "api_key_prefix": "iiak_a1b2c3d4", "user_account_id": null, "user_account_name": null,
    "total_requests": 12, "successful_requests": 11, "failed_requests": 1, "avg_response_time_ms": 45,
    "last_used_at": "2026-01-26T12:00:00Z", "period_start": "2026-01-26T00:00:00Z",
    "period_end": "2026-01-26T23:59:59Z",
    "daily": [{"date": "2026-01-26", "total_requests": 12, "successful_requests": 11, "failed_requests": 1, "avg_response_time_ms": 45}]
}))]
pub(super) struct CredentialUsageDetail {
    #[schema(format = Uuid)]
    credential_id: String,
    credential_name: String,
    api_key_prefix: String,
    #[schema(required, format = Uuid)]
    user_account_id: Option<String>,
    #[schema(required)]
    user_account_name: Option<String>,
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    avg_response_time_ms: u64,
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    period_start: String,
    #[schema(format = DateTime)]
    period_end: String,
    /// Every UTC day of the period; its last 366 when there are more.
    daily: Vec<DayUsage>,
}

/// One UTC day's figures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"date": "2026-01-26", "total_requests": 12, "successful_requests": 11, "failed_requests": 1, "avg_response_time_ms": 45}))]
pub(super) struct DayUsage {
    #[schema(format = Date)]
    date: String,
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    avg_response_time_ms: u64,
}

impl From<usage::Detailed> for CredentialUsageDetail {
    fn from(usage::Detailed { of, period, days }: usage::Detailed) -> Self {
        let Figures { total: _, successful: _, failed: _, average_ms } = of.tally.into();
        let CredentialUsage {
            credential_id,
            credential_name,
            api_key_prefix,
            user_account_id,
            user_account_name,
            total_requests,
            successful_requests,
            failed_requests,
            last_used_at,
        } = of.into();
        Self {
            credential_id,
            credential_name,
            api_key_prefix,
            user_account_id,
            user_account_name,
            total_requests,
            successful_requests,
            failed_requests,
            avg_response_time_ms: average_ms,
            last_used_at,
            period_start: instant::print(period.start()),
            period_end: instant::print(period.end()),
            daily: days.into_iter().map(DayUsage::from).collect(),
        }
    }
}

impl From<(NaiveDate, Tally)> for DayUsage {
    fn from((date, tally): (NaiveDate, Tally)) -> Self {
        let Figures { total, successful, failed, average_ms } = tally.into();
        Self {
            date: date.to_string(),
            total_requests: total,
            successful_requests: successful,
            failed_requests: failed,
            avg_response_time_ms: average_ms,
        }
    }
}

/// What figures tell of an account.
struct Holder {
    id: String,
    name: String,
    external_id: Option<String>,
}

impl From<UserAccount> for Holder {
    fn from(account: UserAccount) -> Self {
        let UserAccount {
            id,
            organization: _,
            admin_key: _,
            external_id,
            name,
            email: _,
            metadata: _,
            status: _,
            billing_plan: _,
            first_name: _,
            last_name: _,
            created_at: _,
            updated_at: _,
            roles: _,
            revision: _,
        } = account;
        Self { id: id.to_string(), name: name.to_string(), external_id: external_id.map(|id| id.to_string()) }
    }
}

/// What is told of counts.
struct Figures {
    total: u64,
    successful: u64,
    failed: u64,
    average_ms: u64,
}

impl From<Tally> for Figures {
    fn from(tally: Tally) -> Self {
        // Durations are told as their mean only.
        let Tally { total, failed, duration_ms: _, timed: _, units: _ } = tally;
        Self { total, successful: tally.succeeded(), failed, average_ms: tally.average_ms() }
    }
}
