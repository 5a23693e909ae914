//! What the platform surface shows of the audit log.

use claviger_domain::audit::{Author, AuthorUser, Detail, Entry, Target};
use claviger_domain::ids::OrganizationId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{instant, json, log};

/// One entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformAuditLogEntry, example = json!({
    "id": "audit_01h455vb4pex5vsknk084sn02q", "organization_id": "org_01h455vb4pex5vsknk084sn02q",
    "at": "2026-01-26T12:00:00Z", "action": "api_key.created",
    "actor": {"type": "bootstrap_key", "id": "boot_01h455vb4pex5vsknk084sn02q", "name": "bootstrap key", "user": null, "organization_id": null},
    "target": {"type": "api_key", "id": "key_01h455vb4pex5vsknk084sn02q"}, "ip_address": "192.0.2.100",
    "request_id": "req_6f1c2d7e9a3b4c5d", "details": {"name": "Production API Key"}
}))]
pub(super) struct EntryView {
    id: String,
    /// Whose entry it is; `null`: the installation's.
    #[schema(required)]
    organization_id: Option<String>,
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
#[schema(as = PlatformAuditActor, example = json!({
    "type": "credential", "id": "key_01h455vb4pex5vsknk084sn02q", "name": "Console",
    "user": {"id": "user_01h455vb4pex5vsknk084sn02q", "name": "Ada Lovelace"},
    "organization_id": "org_01h455vb4pex5vsknk084sn02q"
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
    #[schema(required)]
    organization_id: Option<String>,
}

/// The user behind a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformAuditUser, example = json!({"id": "user_01h455vb4pex5vsknk084sn02q", "name": "Ada Lovelace"}))]
struct UserView {
    id: String,
    /// What it was called then.
    name: String,
}

/// What something was done to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformAuditTarget, example = json!({"type": "api_key", "id": "key_01h455vb4pex5vsknk084sn02q"}))]
struct TargetView {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let Entry { id, at, action, author, organization, target, address, request_id, details } = entry;
        Self {
            id: id.prefixed(),
            organization_id: organization.map(OrganizationId::prefixed),
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
    fn from(Author { kind, id, name, organization, user }: Author) -> Self {
        Self {
            kind: kind.word(),
            id: id.map(|id| log::of_author(kind, id)),
            name,
            user: user.map(UserView::from),
            organization_id: organization.map(OrganizationId::prefixed),
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
#[schema(as = PlatformAuditLines, value_type = String, example = "{\"id\":\"01932a3e-5f00-7000-8000-000000000010\",…}\n")]
pub(super) struct AuditLines(#[expect(dead_code, reason = "it tells the document what is streamed")] String);

/// A header, and one row for each entry.
#[derive(Debug, ToSchema)]
#[schema(as = PlatformAuditCsv, value_type = String, example = "id,organization_id,…\r\n")]
pub(super) struct AuditCsv(#[expect(dead_code, reason = "it tells the document what is streamed")] String);
