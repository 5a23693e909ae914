//! `POST /v1/usage/reports`

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use claviger_app::reports::{self, Outcome, Report};
use claviger_app::{App, Place};
use claviger_domain::ids::CredentialId;
use claviger_domain::text::InvalidText;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::call::{May, VerifyKeys};
use crate::extract::LargeBody;
use crate::fault::{Fault, Reason};
use crate::{instant, strict};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(report_usage))
}

/// What came of calls that were verified.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UsageReports {
    /// At most 1,000.
    #[schema(value_type = Vec<UsageReport>, max_items = 1000)]
    reports: Vec<Value>,
}

/// What came of one call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "id": "call-8f14e45f", "credential_id": "01932a3e-5f00-7000-8000-000000000003", "status": 200, "duration_ms": 41
}))]
struct UsageReport {
    /// Your own id for the call: sent again within 32 days, it is known again.
    #[schema(min_length = 1, max_length = 128)]
    id: String,
    /// The credential, as the verification named it.
    credential_id: String,
    /// The status the call was answered with; 400 and above count as failed.
    #[schema(minimum = 100, maximum = 599)]
    status: i64,
    /// How long the call took, in milliseconds; a day at most.
    #[schema(minimum = 0, maximum = 86_400_000)]
    duration_ms: i64,
    /// Units to bill beyond what the verification cost; default 0.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    units: Option<i64>,
    /// When the call was, within the last 32 days; default now.
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
}

/// What became of the reports, in their order.
#[derive(Debug, Serialize, ToSchema)]
struct UsageReportResults {
    results: Vec<UsageReportResult>,
}

/// What became of one report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "call-8f14e45f", "outcome": "recorded"}))]
struct UsageReportResult {
    id: String,
    /// `recorded`; `duplicate`: it was before; `conflict`: another report was recorded under this id;
    /// `unknown_credential`: you have no such credential.
    #[schema(schema_with = outcomes)]
    outcome: &'static str,
}

/// The words of `outcome`, for clients to switch on.
fn outcomes() -> Schema {
    let all = [Outcome::Recorded, Outcome::Duplicate, Outcome::Conflict, Outcome::UnknownCredential];
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(all.map(word)))
        .description(Some("What became of the report"))
        .into()
}

const MOST_REPORTS: usize = 1_000;
const LONGEST_ID: usize = 128;

/// Report what came of calls
///
/// A verification counts the call; a report tells how it went, how long it took and what more it bills. The answer
/// comes when all reports are stored. Each is taken once: after an error, or an answer that did not arrive, send them
/// again; those that were taken are duplicates. An organization has at most 32 such requests under way.
#[utoipa::path(
    post, path = "/v1/usage/reports", operation_id = "report_usage", tag = "Usage",
    security(("gateway_key" = ["keys:verify"])),
    request_body = UsageReports,
    responses(
        (status = 200, description = "What became of each report", body = UsageReportResults),
        (status = 429, description = "The organization sends too many reports; `Retry-After` tells when to try again", body = crate::problem::Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 1 MiB", body = crate::problem::Problem, content_type = "application/problem+json"),
    ),
)]
async fn report_usage(
    Admitted(call, _place): Admitted,
    LargeBody(body): LargeBody<UsageReports>,
) -> Result<Json<UsageReportResults>, Fault> {
    let (call, UsageReports { reports }) = body.of(call);
    if reports.len() > MOST_REPORTS {
        return Err(Fault::invalid("reports", Reason::TooMany { max: MOST_REPORTS }));
    }
    let given: Vec<UsageReport> = strict::each("reports", reports)?;
    let read = |(place, report): (usize, UsageReport)| {
        Report::try_from(report).map_err(|fault| fault.within("reports", place))
    };
    let reports: Arc<[_]> = given.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
    let outcomes = reports::take(&call, reports.clone()).await?;
    let result = |(Report { id, .. }, outcome): (&Report, Outcome)| UsageReportResult {
        id: id.clone(),
        outcome: word(outcome),
    };
    let results = reports.iter().zip(outcomes).map(result).collect();
    Ok(Json(UsageReportResults { results }))
}

/// The call of a caller whose organization may have another request with reports under way: asked before the body is
/// read.
struct Admitted(May<VerifyKeys>, Place);

impl FromRequestParts<App> for Admitted {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let may = May::from_request_parts(parts, app).await?;
        let place = reports::admit(&may.0)?;
        Ok(Self(may, place))
    }
}

impl TryFrom<UsageReport> for Report {
    type Error = Fault;

    fn try_from(report: UsageReport) -> Result<Self, Fault> {
        let UsageReport { id, credential_id, status, duration_ms, units, occurred_at } = report;
        let bad = |field: &str, reason| Fault::invalid(field, reason);
        match id.chars().count() {
            0 => return Err(bad("id", Reason::Empty)),
            length if length > LONGEST_ID => {
                return Err(bad("id", Reason::Text(InvalidText::TooLong { max: LONGEST_ID })));
            }
            _ => {}
        }
        let within = |field, number: i64, min: i64, max: i64| match (min..=max).contains(&number) {
            true => Ok(number.unsigned_abs()),
            false => Err(bad(field, Reason::Integer { min, max })),
        };
        let status = within("status", status, 100, 599)?;
        let occurred_at = occurred_at
            .map(|text| instant::parse(&text).ok_or_else(|| bad("occurred_at", Reason::Instant)))
            .transpose()?;
        Ok(Self {
            id,
            credential: CredentialId::parse_any(&credential_id)
                .map_err(|_| bad("credential_id", Reason::TargetId))?,
            status: u16::try_from(status).unwrap_or(u16::MAX),
            duration_ms: within("duration_ms", duration_ms, 0, 86_400_000)?,
            units: within("units", units.unwrap_or(0), 0, 1_000_000_000)?,
            occurred_at,
        })
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recorded => "recorded",
        Outcome::Duplicate => "duplicate",
        Outcome::Conflict => "conflict",
        Outcome::UnknownCredential => "unknown_credential",
    }
}
