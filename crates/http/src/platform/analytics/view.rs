//! What the platform surface shows of usage.

use chrono::DateTime;
use claviger_app::analytics::{Analytics, KeyUsage};
use claviger_domain::ids::OrganizationId;
use claviger_domain::usage::Tally;
use serde::Serialize;
use utoipa::ToSchema;

use crate::instant;

/// What was called in a period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformUsage, example = json!({
    "organization_id": "org_01h455vb4pex5vsknk084sn02q", "start": "2026-01-25T12:00:00Z",
    "end": "2026-01-26T12:00:00Z", "resolution": "hour",
    "totals": {"total_requests": 3, "successful_requests": 2, "failed_requests": 1, "avg_response_time_ms": 41, "units": 2},
    "series": [{
        "start": "2026-01-26T12:00:00Z", "total_requests": 3, "successful_requests": 2, "failed_requests": 1,
        "avg_response_time_ms": 41, "units": 2
    }],
    "by_key": [{
        "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "prefix": "ak_live_3kTm9Qzb",
        "organization_id": "org_01h455vb4pex5vsknk084sn02q", "total_requests": 3, "successful_requests": 2,
        "failed_requests": 1, "avg_response_time_ms": 41, "units": 2
    }],
    "by_outcome": [{"code": "VALID", "total_requests": 2}, {"code": "RATE_LIMITED", "total_requests": 1}]
}))]
pub(super) struct AnalyticsView {
    /// Whose figures; `null`: of all organizations.
    #[schema(required)]
    organization_id: Option<String>,
    /// The first instant that was asked for.
    #[schema(format = DateTime)]
    start: String,
    /// The last instant that was asked for.
    #[schema(format = DateTime)]
    end: String,
    /// How long the buckets of the series are: `hour` or `day`.
    resolution: &'static str,
    /// The sum of the series.
    totals: FiguresView,
    /// Every bucket, oldest first, those without calls included.
    series: Vec<BucketView>,
    /// The busiest keys, busiest first; revoked ones included.
    by_key: Vec<KeyUsageView>,
    /// Calls by the code they were decided with; codes that did not occur are left out.
    by_outcome: Vec<OutcomeView>,
}

/// Figures of calls.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformFigures, example = json!({
    "total_requests": 3, "successful_requests": 2, "failed_requests": 1, "avg_response_time_ms": 41, "units": 2
}))]
struct FiguresView {
    total_requests: u64,
    successful_requests: u64,
    /// Denied, or reported with a status of 400 and above.
    failed_requests: u64,
    /// Of the calls whose duration was reported; 0 of none.
    avg_response_time_ms: u64,
    /// What the calls cost, and what was reported on top.
    units: u64,
}

/// One bucket of the series.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformUsageBucket, example = json!({
    "start": "2026-01-26T12:00:00Z", "total_requests": 3, "successful_requests": 2, "failed_requests": 1,
    "avg_response_time_ms": 41, "units": 2
}))]
struct BucketView {
    #[schema(format = DateTime)]
    start: String,
    #[serde(flatten)]
    figures: FiguresView,
}

/// What one key used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformKeyUsage, example = json!({
    "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Production API Key", "prefix": "ak_live_3kTm9Qzb",
    "organization_id": "org_01h455vb4pex5vsknk084sn02q", "total_requests": 3, "successful_requests": 2,
    "failed_requests": 1, "avg_response_time_ms": 41, "units": 2
}))]
struct KeyUsageView {
    id: String,
    name: String,
    prefix: String,
    organization_id: String,
    #[serde(flatten)]
    figures: FiguresView,
}

/// How many calls were decided in one way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformUsageOutcome, example = json!({"code": "VALID", "total_requests": 2}))]
struct OutcomeView {
    /// As verification answers it: `VALID`, `RATE_LIMITED` and so on.
    code: &'static str,
    total_requests: u64,
}

impl From<Tally> for FiguresView {
    fn from(tally: Tally) -> Self {
        Self {
            total_requests: tally.total,
            successful_requests: tally.succeeded(),
            failed_requests: tally.failed,
            avg_response_time_ms: tally.average_ms(),
            units: tally.units,
        }
    }
}

impl AnalyticsView {
    pub(super) fn of(told: Analytics, organization: Option<OrganizationId>) -> Self {
        // What was reported is in the totals and the series.
        let Analytics { over, totals, series, by_key, by_outcome, reported: _ } = told;
        let bucket = |(start, tally): (i64, Tally)| {
            Some(BucketView {
                start: instant::print(DateTime::from_timestamp(start, 0)?),
                figures: tally.into(),
            })
        };
        let key = |KeyUsage { credential, tally }: KeyUsage| KeyUsageView {
            id: credential.id.prefixed(),
            name: credential.name.to_string(),
            prefix: credential.prefix.as_str().to_owned(),
            organization_id: credential.organization.prefixed(),
            figures: tally.into(),
        };
        Self {
            organization_id: organization.map(OrganizationId::prefixed),
            start: instant::print(over.start()),
            end: instant::print(over.end()),
            resolution: over.resolution().word(),
            totals: totals.into(),
            series: series.into_iter().filter_map(bucket).collect(),
            by_key: by_key.into_iter().map(key).collect(),
            by_outcome: by_outcome
                .into_iter()
                .map(|(code, tally)| OutcomeView { code: code.word(), total_requests: tally.total })
                .collect(),
        }
    }
}
