//! `/admin/v1/analytics/usage`

use claviger_app::App;
use claviger_app::analytics::{self, Question};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, Envelope, Reply};
use crate::call::{May, ViewUsage};
use crate::extract::Query;
use crate::fault::Fault;
use crate::reach;

mod view;

use view::AnalyticsView;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_platform_usage))
}

/// Get usage
///
/// What was called, of one organization or of all: in all, hour by hour (up to seven days) or day by day, by key and by
/// how the calls were decided. Buckets are UTC and counted whole.
#[utoipa::path(
    get, path = "/admin/v1/analytics/usage", operation_id = "get_platform_usage", tag = "Analytics",
    security(("platform_key" = ["admin:analytics"])),
    params(
        ("org_id" = Option<String>, Query, description = "Only of this organization: its id or slug", example = "org_01h455vb4pex5vsknk084sn02q"),
        ("period" = Option<String>, Query, description = "How far back, in hours or days, up to 366d; default 30d", example = "30d"),
        ("start" = Option<String>, Query, description = "Instead of `period`: the first instant or date", example = "2026-01-01"),
        ("end" = Option<String>, Query, description = "Instead of `period`: the last instant or date; default now", example = "2026-01-31"),
        ("keys" = Option<i64>, Query, description = "How many of the busiest keys are told, 1 to 100, default 10", minimum = 1, maximum = 100, example = 10),
    ),
    responses((status = 200, description = "The figures", body = Envelope<AnalyticsView>)),
)]
async fn get_platform_usage(May(call, _): May<ViewUsage>, mut query: Query) -> Result<Reply, Fault> {
    let reach = reach::read(&mut query)?;
    let keys = reach::keys(&mut query)?;
    let organization = query.take("org_id");
    query.end()?;
    let organization = wire::narrowed(&call, organization).await?;
    let told = analytics::usage(&call, Question { organization, reach, keys }).await?;
    Ok(wire::one(&call, AnalyticsView::of(told, organization)))
}
