//! `/v1/admin/usage*` and `/v1/admin/users/…/usage`

use claviger_app::{App, usage};
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::usage::Tally;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{One, Page, Reply};
use crate::call::{May, ViewUsage, ViewUserUsage};
use crate::extract::{Id, Query};
use crate::fault::{Fault, Reason};
use crate::instant;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_users_usage))
        .routes(routes!(get_user_usage))
        .routes(routes!(list_usage))
        .routes(routes!(get_credential_usage))
}

/// One account's figures over a period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "user_account_id": "01932a3e-5f00-7000-8000-000000000001", "user_name": "Acme Corp",
    "external_id": "customer-123", "total_requests": 152_400, "successful_requests": 150_200,
    "failed_requests": 2200, "avg_response_time_ms": 45, "credential_count": 3,
    "period_start": "2026-01-01T00:00:00Z", "period_end": "2026-01-31T23:59:59Z"
}))]
struct UserUsage {
    #[schema(format = Uuid)]
    user_account_id: String,
    user_name: String,
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
        Self {
            user_account_id: account.id.to_string(),
            user_name: account.name.to_string(),
            external_id: account.external_id.map(|id| id.to_string()),
            total_requests: tally.total,
            successful_requests: tally.succeeded(),
            failed_requests: tally.failed,
            avg_response_time_ms: tally.average_ms(),
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
struct CredentialUsage {
    #[schema(format = Uuid)]
    credential_id: String,
    credential_name: String,
    api_key_prefix: String,
    #[schema(format = Uuid)]
    user_account_id: Option<String>,
    user_account_name: Option<String>,
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

impl From<usage::OfCredential> for CredentialUsage {
    fn from(usage::OfCredential { credential, user, tally }: usage::OfCredential) -> Self {
        Self {
            credential_id: credential.id.to_string(),
            credential_name: credential.name.to_string(),
            api_key_prefix: credential.prefix.as_str().to_owned(),
            user_account_id: credential.user_account.map(|id| id.to_string()),
            user_account_name: user.map(|user| user.name.to_string()),
            total_requests: tally.total,
            successful_requests: tally.succeeded(),
            failed_requests: tally.failed,
            last_used_at: credential.last_used_at.map(instant::print),
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
struct CredentialUsageDetail {
    #[schema(format = Uuid)]
    credential_id: String,
    credential_name: String,
    api_key_prefix: String,
    #[schema(format = Uuid)]
    user_account_id: Option<String>,
    user_account_name: Option<String>,
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    avg_response_time_ms: u64,
    #[schema(format = DateTime)]
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
struct DayUsage {
    #[schema(format = Date)]
    date: String,
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    avg_response_time_ms: u64,
}

impl From<usage::Detailed> for CredentialUsageDetail {
    fn from(usage::Detailed { of, period, days }: usage::Detailed) -> Self {
        let average = of.tally.average_ms();
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
        let day = |(date, tally): (chrono::NaiveDate, Tally)| DayUsage {
            date: date.to_string(),
            total_requests: tally.total,
            successful_requests: tally.succeeded(),
            failed_requests: tally.failed,
            avg_response_time_ms: tally.average_ms(),
        };
        Self {
            credential_id,
            credential_name,
            api_key_prefix,
            user_account_id,
            user_account_name,
            total_requests,
            successful_requests,
            failed_requests,
            avg_response_time_ms: average,
            last_used_at,
            period_start: instant::print(period.start()),
            period_end: instant::print(period.end()),
            daily: days.into_iter().map(day).collect(),
        }
    }
}

fn asked(query: &mut Query) -> Result<usage::Asked, Fault> {
    let mut read = |name: &'static str, parse: fn(&str) -> Option<claviger_domain::Timestamp>| {
        let given = query.take(name);
        given.map(|text| parse(&text).ok_or(Fault::invalid(name, Reason::Instant))).transpose()
    };
    Ok(usage::Asked {
        start: read("start_date", instant::parse)?,
        end: read("end_date", instant::parse_end)?,
    })
}

/// Get a user's usage
///
/// One account's figures over a period, by default the last 30 days. A date without a time means the whole day.
#[utoipa::path(
    get, path = "/v1/admin/users/{id}/usage", operation_id = "get_user_usage", tag = "Usage",
    security(("admin_key" = ["view_usage"])),
    params(
        ("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001"),
        ("start_date" = Option<String>, Query, description = "ISO 8601, default 30 days before the end", example = "2026-01-01"),
        ("end_date" = Option<String>, Query, description = "ISO 8601, default now", example = "2026-01-31"),
    ),
    responses((status = 200, description = "The figures", body = One<UserUsage>)),
)]
async fn get_user_usage(
    May(call, _): May<ViewUserUsage>,
    Id(id): Id<UserAccountId>,
    mut query: Query,
) -> Result<Reply, Fault> {
    let asked = asked(&mut query)?;
    query.end()?;
    Ok(Reply::one(UserUsage::from(usage::of_user(&call, id, asked).await?)))
}

/// Get all users' usage
///
/// Every account of this admin key, busiest first, then by name. By default over the last 30 days.
#[utoipa::path(
    get, path = "/v1/admin/users/usage/summary", operation_id = "get_users_usage_summary", tag = "Usage",
    security(("admin_key" = ["view_usage"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("start_date" = Option<String>, Query, description = "ISO 8601, default 30 days before the end", example = "2026-01-01"),
        ("end_date" = Option<String>, Query, description = "ISO 8601, default now", example = "2026-01-31"),
    ),
    responses((status = 200, description = "One page of figures", body = Page<UserUsage>)),
)]
async fn get_users_usage(May(call, _): May<ViewUserUsage>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let asked = asked(&mut query)?;
    query.end()?;
    Ok(Reply::page(usage::by_user(&call, asked, window).await?, UserUsage::from))
}

/// List usage by credential
///
/// Credentials with requests in the period, busiest first, then by id; revoked ones included. Without dates: all time.
#[utoipa::path(
    get, path = "/v1/admin/usage", operation_id = "list_usage", tag = "Usage",
    security(("admin_key" = ["view_usage"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("start_date" = Option<String>, Query, description = "ISO 8601, no default", example = "2026-01-01"),
        ("end_date" = Option<String>, Query, description = "ISO 8601, default now", example = "2026-01-31"),
        ("user_account_id" = Option<String>, Query, description = "Only this account's credentials", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001"),
    ),
    responses((status = 200, description = "One page of figures", body = Page<CredentialUsage>)),
)]
async fn list_usage(May(call, _): May<ViewUsage>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let asked = asked(&mut query)?;
    let user = query.take("user_account_id").map(|id| id.parse::<UserAccountId>());
    let user = user.transpose().map_err(|_| Fault::MalformedId(claviger_app::Kind::UserAccount))?;
    query.end()?;
    Ok(Reply::figures(usage::by_credential(&call, user, asked, window).await?, CredentialUsage::from))
}

/// Get a credential's usage
///
/// One credential's figures, day by day. Without dates: since the credential was made.
#[utoipa::path(
    get, path = "/v1/admin/usage/{id}", operation_id = "get_credential_usage", tag = "Usage",
    security(("admin_key" = ["view_usage"])),
    params(
        ("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003"),
        ("start_date" = Option<String>, Query, description = "ISO 8601, default when the credential was made", example = "2026-01-01"),
        ("end_date" = Option<String>, Query, description = "ISO 8601, default now", example = "2026-01-31"),
    ),
    responses((status = 200, description = "The figures", body = One<CredentialUsageDetail>)),
)]
async fn get_credential_usage(
    May(call, _): May<ViewUsage>,
    Id(id): Id<CredentialId>,
    mut query: Query,
) -> Result<Reply, Fault> {
    let asked = asked(&mut query)?;
    query.end()?;
    Ok(Reply::one(CredentialUsageDetail::from(usage::of_credential(&call, id, asked).await?)))
}
