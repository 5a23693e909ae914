//! `/v1/admin/usage*` and `/v1/admin/users/…/usage`

use claviger_app::{App, Kind, usage};
use claviger_domain::Timestamp;
use claviger_domain::ids::{CredentialId, UserAccountId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, One, Page, Reply};
use crate::call::{May, PartnerUserUsage, ViewUsage};
use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::instant;
use crate::path::Id;

mod view;

use view::{CredentialUsage, CredentialUsageDetail, UserUsage};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_users_usage))
        .routes(routes!(get_user_usage))
        .routes(routes!(list_usage))
        .routes(routes!(get_credential_usage))
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
    May(call, _): May<PartnerUserUsage>,
    Id(id): Id<UserAccountId>,
    mut query: Query,
) -> Result<Reply, Fault> {
    let asked = asked(&mut query)?;
    query.end()?;
    Ok(wire::one(UserUsage::from(usage::of_user(&call, id, asked).await?)))
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
async fn get_users_usage(May(call, _): May<PartnerUserUsage>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let asked = asked(&mut query)?;
    query.end()?;
    Ok(wire::page(usage::by_user(&call, asked, window).await?, UserUsage::from))
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
    let user = user.transpose().map_err(|_| Fault::MalformedId(Kind::UserAccount))?;
    query.end()?;
    Ok(wire::figures(usage::by_credential(&call, user, asked, window).await?, CredentialUsage::from))
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
    Ok(wire::one(CredentialUsageDetail::from(usage::of_credential(&call, id, asked).await?)))
}

fn asked(query: &mut Query) -> Result<usage::Asked, Fault> {
    let mut read = |name: &'static str, parse: fn(&str) -> Option<Timestamp>| {
        let given = query.take(name);
        given.map(|text| parse(&text).ok_or(Fault::invalid(name, Reason::Instant))).transpose()
    };
    Ok(usage::Asked {
        start: read("start_date", instant::parse)?,
        end: read("end_date", instant::parse_end)?,
    })
}
