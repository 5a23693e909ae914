//! `/v1/admin/audit-logs`

use claviger_app::{App, audit};
use claviger_domain::audit::{Action, Detail, Entry};
use claviger_domain::ids::AdminKeyId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::wire::{self, Page, Reply};
use crate::call::{May, ViewAuditLogs};
use crate::extract::Query;
use crate::fault::{Fault, Reason};
use crate::{instant, json};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_audit_logs))
}

/// One line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLogEntry, example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000010", "action": "credential.created",
    "admin_key_id": "01932a3e-5f00-7000-8000-000000000002", "admin_entity_name": "PartnerCompany",
    "target_id": "01932a3e-5f00-7000-8000-000000000003", "target_type": "credential",
    "ip_address": "192.0.2.100", "details": {"name": "Production"}, "created_at": "2026-01-26T12:00:00Z",
    "request_id": "req_6f1c2d7e9a3b4c5d"
}))]
struct EntryView {
    #[schema(format = Uuid)]
    id: String,
    action: String,
    /// Who acted; `null` for the operator, the bootstrap key and callers without a working key.
    #[schema(format = Uuid)]
    admin_key_id: Option<String>,
    admin_entity_name: Option<String>,
    /// What was acted on; `null` for reads and refused calls.
    #[schema(format = Uuid)]
    target_id: Option<String>,
    target_type: Option<&'static str>,
    ip_address: Option<String>,
    #[schema(value_type = Object)]
    details: Value,
    #[schema(format = DateTime)]
    created_at: String,
    /// The `X-Request-Id` of the call.
    request_id: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let Entry { id, at, action, author, organization: _, target, address, request_id, details } = entry;
        Self {
            id: id.to_string(),
            action: action.to_string(),
            admin_key_id: author.admin_key().map(|id| id.to_string()),
            admin_entity_name: author.admin_key().and(author.name),
            target_id: target.map(|target| target.id.to_string()),
            target_type: target.map(|target| target.resource.word()),
            ip_address: address.map(|address| address.to_string()),
            details: json::detail(Detail::Map(details)),
            created_at: instant::print(at),
            request_id,
        }
    }
}

/// List audit log entries
///
/// What this admin key did, newest first; the bootstrap key sees all. Changes only, unless `include_reads=true` adds
/// reads (`….read`) and refused calls (`….denied`).
#[utoipa::path(
    get, path = "/v1/admin/audit-logs", operation_id = "list_audit_logs", tag = "Audit",
    security(("admin_key" = ["view_audit_logs"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50", minimum = 1, maximum = 100, example = 50),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("action" = Option<String>, Query, description = "Exactly this action", example = "credential.created"),
        ("admin_key_id" = Option<String>, Query, description = "Who acted", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000002"),
        ("target_id" = Option<String>, Query, description = "What was acted on", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003"),
        ("include_reads" = Option<bool>, Query, description = "Reads and refused calls as well, default false", example = false),
    ),
    responses((status = 200, description = "One page of entries", body = Page<EntryView>)),
)]
async fn list_audit_logs(May(call, _): May<ViewAuditLogs>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(50)?;
    let action = query.take("action").map(|word| word.parse::<Action>());
    let admin_key = query.take("admin_key_id").map(|id| id.parse::<AdminKeyId>());
    let target = query.take("target_id").map(|id| id.parse::<Uuid>().ok().filter(|_| id.len() == 36));
    let filter = audit::Filter {
        action: action.transpose().map_err(|_| Fault::invalid("action", Reason::Action))?,
        admin_key: admin_key.transpose().map_err(|_| Fault::MalformedId(claviger_app::Kind::AdminKey))?,
        target: target.map(|id| id.ok_or(Fault::invalid("target_id", Reason::TargetId))).transpose()?,
        include_reads: query.flag("include_reads")?,
    };
    query.end()?;
    Ok(wire::page(audit::list(&call, filter, window).await?, EntryView::from))
}
