//! What the organization surface shows of the audit log.

use claviger_domain::audit::{Author, AuthorKind, AuthorUser, Detail, Entry, Target};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{instant, json, log};

/// One entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationAuditLogEntry, example = json!({
    "id": "audit_01h455vb4pex5vsknk084sn02q", "at": "2026-01-26T12:00:00Z", "action": "api_key.created",
    "actor": {"type": "credential", "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Console", "user": null},
    "target": {"type": "api_key", "id": "key_01h455vb4pex5vsknk084sn02r"}, "ipAddress": "192.0.2.100",
    "requestId": "req_6f1c2d7e9a3b4c5d", "details": {"name": "Production API Key"}
}))]
pub(super) struct EntryView {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    /// What was done, like `api_key.created`.
    action: String,
    actor: ActorView,
    /// What it was done to; `null` where a call named nothing.
    #[schema(required)]
    target: Option<TargetView>,
    #[schema(required)]
    ip_address: Option<String>,
    /// The `X-Request-Id` of the call.
    request_id: String,
    #[schema(value_type = Object)]
    details: Value,
}

/// Who did it, or tried to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationAuditActor, example = json!({
    "type": "credential", "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Console",
    "user": {"id": "user_01h455vb4pex5vsknk084sn02q", "name": "Ada Lovelace"}
}))]
struct ActorView {
    /// `operator`, `bootstrap_key`, `admin_key`, `credential` or `unknown`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The key that was used.
    #[schema(required)]
    id: Option<String>,
    /// What it was called: the key's name, or the entity's of an admin key; `null` of unknown callers.
    #[schema(required)]
    name: Option<String>,
    /// The user that the key was bound to.
    #[schema(required)]
    user: Option<UserView>,
}

/// The user behind a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationAuditUser, example = json!({"id": "user_01h455vb4pex5vsknk084sn02q", "name": "Ada Lovelace"}))]
struct UserView {
    id: String,
    /// What it was called then.
    name: String,
}

/// What something was done to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationAuditTarget, example = json!({"type": "api_key", "id": "key_01h455vb4pex5vsknk084sn02q"}))]
struct TargetView {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let Entry { id, at, action, author, organization: _, target, address, request_id, details } = entry;
        Self {
            id: id.prefixed(),
            at: instant::print(at),
            action: action.to_string(),
            actor: author.into(),
            target: target.map(TargetView::from),
            ip_address: address.map(|address| address.to_string()),
            request_id,
            details: json::detail(Detail::Map(details)),
        }
    }
}

impl From<Author> for ActorView {
    fn from(Author { kind, id, name, organization: _, user }: Author) -> Self {
        Self {
            kind: AuthorKind::word(kind),
            id: id.map(|id| log::of_author(kind, id)),
            name,
            user: user.map(UserView::from),
        }
    }
}

impl From<AuthorUser> for UserView {
    fn from(AuthorUser { id, name }: AuthorUser) -> Self {
        Self { id: id.prefixed(), name }
    }
}

impl From<Target> for TargetView {
    fn from(Target { resource, id }: Target) -> Self {
        Self { kind: resource.word(), id: log::of_resource(resource, id) }
    }
}

/// One line for each entry, as `claviger audit verify` reads them.
#[derive(Debug, ToSchema)]
#[schema(as = OrganizationAuditLines, value_type = String, example = "{\"id\":\"01932a3e-5f00-7000-8000-000000000010\",…}\n")]
pub(super) struct AuditLines(#[expect(dead_code, reason = "it tells the document what is streamed")] String);

/// A header, and one row for each entry.
#[derive(Debug, ToSchema)]
#[schema(as = OrganizationAuditCsv, value_type = String, example = "id,organization_id,…\r\n")]
pub(super) struct AuditCsv(#[expect(dead_code, reason = "it tells the document what is streamed")] String);
