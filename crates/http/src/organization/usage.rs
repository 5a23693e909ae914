//! `/v1/organizations/{org}/usage`

use claviger_app::App;
use claviger_app::analytics::{self, Question};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Data, Reply};
use crate::call::{May, ViewUsage};
use crate::extract::Query;
use crate::fault::Fault;
use crate::path::OwnOrganization;
use crate::reach;

mod view;

use view::UsageView;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_organization_usage))
}

/// Get usage
///
/// What was called with the organization's keys: in all, hour by hour (up to seven days) or day by day, by key and by how
/// the calls were decided. Buckets are UTC and counted whole.
#[utoipa::path(
    get, path = "/v1/organizations/{org}/usage", operation_id = "get_organization_usage", tag = "Usage",
    security(("organization_key" = ["usage:read"])),
    params(
        ("org" = String, Path, description = "The organization's id or slug", example = "acme-corp"),
        ("period" = Option<String>, Query, description = "How far back, in hours or days, up to 366d; default 30d", example = "30d"),
        ("start" = Option<String>, Query, description = "Instead of `period`: the first instant or date", example = "2026-01-01"),
        ("end" = Option<String>, Query, description = "Instead of `period`: the last instant or date; default now", example = "2026-01-31"),
        ("keys" = Option<i64>, Query, description = "How many of the busiest keys are told, 1 to 100, default 10", minimum = 1, maximum = 100, example = 10),
    ),
    responses((status = 200, description = "The figures", body = Data<UsageView>)),
)]
async fn get_organization_usage(
    May(call, _): May<ViewUsage>,
    OwnOrganization(organization): OwnOrganization,
    mut query: Query,
) -> Result<Reply, Fault> {
    let reach = reach::read(&mut query)?;
    let keys = reach::keys(&mut query)?;
    query.end()?;
    let told = analytics::usage(&call, Question { organization: Some(organization), reach, keys }).await?;
    Ok(wire::data(UsageView::from(told)))
}
