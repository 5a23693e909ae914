//! The changes that are made while calls fail: of each kind one, on things of its own.

use reqwest::Method;
use serde_json::{Value, json};

use super::ledger::{Answer, Expected, Line, Probe, Reply, ask};
use crate::support::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Rotate,
    Patch,
    Disable,
    Revoke,
    SuspendUser,
    SuspendOrganization,
    CreateBatch,
    RevokeBatch,
    CreateAdminKey,
    RevokeAdminKey,
    ChangeRole,
    ReportUsage,
}

impl Kind {
    pub(super) const ALL: [Self; 13] = [
        Self::Create,
        Self::Rotate,
        Self::Patch,
        Self::Disable,
        Self::Revoke,
        Self::SuspendUser,
        Self::SuspendOrganization,
        Self::CreateBatch,
        Self::RevokeBatch,
        Self::CreateAdminKey,
        Self::RevokeAdminKey,
        Self::ChangeRole,
        Self::ReportUsage,
    ];
}

/// An organization with its admin key; each round has one of its own.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) bootstrap: String,
    pub(super) admin: String,
    pub(super) organization: String,
    pub(super) name: String,
}

/// A credential that a partner made.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) id: String,
    pub(super) key: String,
}

/// A change that is ready to be made.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) kind: Kind,
    method: Method,
    path: String,
    key: String,
    body: Option<Value>,
    /// Of each thing that is changed.
    items: Vec<Vec<Expected>>,
    action: &'static str,
    /// Credentials of the partner that the change is about: their calls are counted.
    pub(super) credentials: Vec<Issued>,
}

/// `data` of an answer to a request that must succeed.
pub(super) async fn sure(server: &Server, path: &str, key: &str, body: &Value) -> Value {
    let (status, answer) = server.post(path, key, body).await;
    assert!(status.is_success(), "{path}: {status}: {answer}");
    if answer["data"].is_null() { answer } else { answer["data"].clone() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn verify(key: &str, before: &str, after: &str) -> Expected {
    let probe = Probe::Verify { key: key.to_owned(), more: false };
    Expected { probe, before: before.to_owned(), after: after.to_owned() }
}

fn described(key: &str, before: &str, after: &str) -> Expected {
    let probe = Probe::Verify { key: key.to_owned(), more: true };
    Expected { probe, before: before.to_owned(), after: after.to_owned() }
}

fn read(path: String, key: &str, pointer: &'static str, before: &str, after: &str) -> Expected {
    let probe = Probe::Read { path, key: key.to_owned(), pointer };
    Expected { probe, before: before.to_owned(), after: after.to_owned() }
}

fn named(path: String, key: &str, name: &str) -> Expected {
    let probe = Probe::Named { path, key: key.to_owned(), name: name.to_owned() };
    Expected { probe, before: "0".to_owned(), after: "1".to_owned() }
}

impl Tenant {
    pub(super) async fn new(server: &Server, bootstrap: &str, name: &str) -> Self {
        let body = json!({
            "entity_name": name,
            "permissions": ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"],
        });
        let made = sure(server, "/v1/admin/admin-keys", bootstrap, &body).await;
        Self {
            bootstrap: bootstrap.to_owned(),
            admin: text(&made["api_key"]),
            organization: text(&made["admin_key"]["organization_id"]),
            name: name.to_owned(),
        }
    }

    pub(super) async fn credential(&self, server: &Server, name: &str, more: &Value) -> Issued {
        let mut body = json!({"name": name, "network_id": 0});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let made = sure(server, "/v1/admin/credentials", &self.admin, &body).await;
        Issued { id: text(&made["credential"]["id"]), key: text(&made["api_key"]) }
    }

    async fn api_key(
        &self,
        server: &Server,
        organization: &str,
        name: &str,
        scopes: &[&str],
    ) -> (String, String) {
        let body = json!({"organization_id": organization, "name": name, "scopes": scopes});
        let made = sure(server, "/admin/v1/api-keys", &self.bootstrap, &body).await;
        (text(&made["id"]), text(&made["key"]))
    }

    fn change(&self, kind: Kind, method: Method, path: String, action: &'static str) -> Change {
        let (key, body) = (self.bootstrap.clone(), None);
        Change { kind, method, path, key, body, items: Vec::new(), action, credentials: Vec::new() }
    }

    /// As [`Self::change`], by the partner.
    fn partners(&self, kind: Kind, method: Method, path: String, action: &'static str) -> Change {
        Change { key: self.admin.clone(), ..self.change(kind, method, path, action) }
    }

    /// Makes what the change needs; `name` is nobody else's.
    pub(super) async fn prepare(&self, server: &Server, kind: Kind, name: &str) -> Change {
        match kind {
            Kind::Create => self.creation(name),
            Kind::Rotate | Kind::Patch | Kind::Revoke | Kind::ReportUsage => {
                let issued = self.credential(server, name, &json!({})).await;
                Change { credentials: vec![issued.clone()], ..self.on_credential(kind, name, &issued) }
            }
            Kind::Disable => {
                let (id, key) = self.api_key(server, &self.organization, name, &["docs:read"]).await;
                let path = format!("/admin/v1/api-keys/{id}/disable");
                let items = vec![vec![verify(&key, "VALID", "DISABLED")]];
                Change { items, ..self.change(kind, Method::POST, path, "api_key.disabled") }
            }
            Kind::SuspendUser => {
                let user = sure(server, "/v1/admin/users", &self.admin, &json!({"name": name})).await;
                let id = text(&user["id"]);
                let issued = self.credential(server, name, &json!({"user_account_id": id})).await;
                let path = format!("/v1/admin/users/{id}");
                let expected = vec![
                    verify(&issued.key, "VALID", "USER_SUSPENDED"),
                    read(path.clone(), &self.admin, "/data/status", "200 \"active\"", "200 \"suspended\""),
                ];
                let (items, credentials, path) = (vec![expected], vec![issued], format!("{path}/suspend"));
                let change = self.partners(kind, Method::POST, path, "user_account.suspended");
                Change { items, credentials, ..change }
            }
            Kind::SuspendOrganization => {
                let made =
                    sure(server, "/admin/v1/organizations", &self.bootstrap, &json!({"name": name})).await;
                let id = text(&made["id"]);
                let (_, key) = self.api_key(server, &id, name, &["docs:read"]).await;
                let path = format!("/admin/v1/organizations/{id}");
                let (active, suspended) = ("200 \"active\"", "200 \"suspended\"");
                let expected = vec![
                    verify(&key, "VALID", "ORGANIZATION_SUSPENDED"),
                    read(path.clone(), &self.bootstrap, "/data/status", active, suspended),
                ];
                // Its entry is in another organization's log than the one that is looked into.
                let change = self.change(kind, Method::POST, format!("{path}/suspend"), "");
                Change { items: vec![expected], ..change }
            }
            Kind::CreateBatch => {
                let names: Vec<_> = (0..4).map(|place| format!("{name}-{place}")).collect();
                let list = format!("/admin/v1/api-keys?org_id={}", self.organization);
                let items =
                    names.iter().map(|name| vec![named(list.clone(), &self.bootstrap, name)]).collect();
                let keys: Vec<_> = names
                    .iter()
                    .map(|name| json!({"organization_id": self.organization, "name": name, "scopes": ["docs:read"]}))
                    .collect();
                let (path, body) = ("/admin/v1/api-keys/batch".to_owned(), Some(json!({"api_keys": keys})));
                Change { body, items, ..self.change(kind, Method::POST, path, "api_key.created") }
            }
            Kind::RevokeBatch => {
                let (mut ids, mut items) = (Vec::new(), Vec::new());
                for place in 0..3 {
                    let name = format!("{name}-{place}");
                    let (id, key) = self.api_key(server, &self.organization, &name, &["docs:read"]).await;
                    items.push(vec![verify(&key, "VALID", "REVOKED")]);
                    ids.push(id);
                }
                let (path, body) = ("/admin/v1/api-keys/batch-revoke".to_owned(), Some(json!({"ids": ids})));
                Change { body, items, ..self.change(kind, Method::POST, path, "api_key.revoked") }
            }
            Kind::CreateAdminKey => {
                let path = "/v1/admin/admin-keys".to_owned();
                let items = vec![vec![named(path.clone(), &self.bootstrap, name)]];
                let body = json!({"entity_name": self.name, "name": name, "permissions": ["view_usage"]});
                let change = self.change(kind, Method::POST, path, "admin_key.created");
                Change { body: Some(body), items, ..change }
            }
            Kind::RevokeAdminKey => {
                let path = "/v1/admin/admin-keys";
                let body = json!({"entity_name": self.name, "name": name, "permissions": ["view_usage"]});
                let made = sure(server, path, &self.bootstrap, &body).await;
                let items = vec![vec![self.works(&text(&made["api_key"]), "200", "403")]];
                let path = format!("{path}/{}", text(&made["admin_key"]["id"]));
                Change { items, ..self.change(kind, Method::DELETE, path, "admin_key.revoked") }
            }
            Kind::ChangeRole => self.role(server, name).await,
        }
    }

    fn works(&self, key: &str, before: &str, after: &str) -> Expected {
        let (before, after) = (format!("{before} null"), format!("{after} null"));
        read("/v1/admin/me".to_owned(), key, "/no/such/member", &before, &after)
    }

    /// A credential to be created.
    pub(super) fn creation(&self, name: &str) -> Change {
        let path = "/v1/admin/credentials".to_owned();
        let items = vec![vec![named(path.clone(), &self.admin, name)]];
        let body = Some(json!({"name": name, "network_id": 0}));
        Change { body, items, ..self.partners(Kind::Create, Method::POST, path, "credential.created") }
    }

    fn on_credential(&self, kind: Kind, name: &str, issued: &Issued) -> Change {
        let Issued { id, key } = issued;
        let path = format!("/v1/admin/credentials/{id}");
        match kind {
            Kind::Rotate => {
                let (body, items) =
                    (json!({"overlap_seconds": 0}), vec![vec![verify(key, "VALID", "EXPIRED")]]);
                let change =
                    self.partners(kind, Method::POST, format!("{path}/rotate"), "credential.rotated");
                Change { body: Some(body), items, ..change }
            }
            Kind::Patch => {
                let new = format!("{name}, renamed");
                let (before, after) = (format!("{name:?}"), format!("{new:?}"));
                let expected = vec![
                    described(key, &format!("VALID {before} []"), &format!("VALID {after} []")),
                    read(
                        path.clone(),
                        &self.admin,
                        "/data/name",
                        &format!("200 {before}"),
                        &format!("200 {after}"),
                    ),
                ];
                let change = self.partners(kind, Method::PATCH, path, "credential.updated");
                Change { body: Some(json!({"name": new})), items: vec![expected], ..change }
            }
            Kind::Revoke => {
                let items = vec![vec![verify(key, "VALID", "REVOKED")]];
                Change { items, ..self.partners(kind, Method::DELETE, path, "credential.revoked") }
            }
            _ => {
                let usage = format!("/v1/admin/usage/{id}");
                let items =
                    vec![vec![read(usage, &self.admin, "/data/avg_response_time_ms", "200 0", "200 40")]];
                let report = |place: u32| json!({"id": format!("{name}-{place}"), "credential_id": id, "status": 200, "duration_ms": 40});
                let body = Some(json!({"reports": [report(0), report(1), report(2)]}));
                Change { body, items, ..self.change(kind, Method::POST, "/v1/usage/reports".to_owned(), "") }
            }
        }
    }

    async fn role(&self, server: &Server, name: &str) -> Change {
        let path = format!("/v1/organizations/{}", self.organization);
        let (_, owner) = self.api_key(server, &self.organization, &format!("{name}, owner"), &["*"]).await;
        let body = json!({"name": name, "permissions": ["docs:read", "docs:write"]});
        let role = sure(server, &format!("{path}/roles"), &owner, &body).await;
        let body = json!({"name": name, "roles": [name]});
        let user = sure(server, &format!("{path}/users"), &owner, &body).await;
        let body = json!({"name": name, "permissions": ["docs:read", "docs:write"], "userId": user["id"]});
        let issued = sure(server, &format!("{path}/api-keys"), &owner, &body).await;
        let shown = |scopes: &str| format!("VALID {name:?} {scopes}");
        let (before, after) = (shown(r#"["docs:read","docs:write"]"#), shown(r#"["docs:read"]"#));
        let items = vec![vec![described(&text(&issued["key"]), &before, &after)]];
        let path = format!("{path}/roles/{}", text(&role["id"]));
        let change = self.change(Kind::ChangeRole, Method::PATCH, path, "role.updated");
        Change { key: owner, body: Some(json!({"permissions": ["docs:read"]})), items, ..change }
    }
}

impl Change {
    pub(super) async fn make(&self, server: &Server) -> Reply {
        ask(server, self.method.clone(), &self.path, &self.key, self.body.as_ref()).await
    }

    /// What was asked for and what was answered. Keys that the answer holds are added to what is to be
    /// looked at, and the partner's credentials among them to those whose calls are counted.
    pub(super) fn lines(&mut self, what: &str, reply: &Reply, tenant: &Tenant) -> Vec<Line> {
        let results = reply.body["data"]["results"].as_array().cloned().unwrap_or_default();
        let mut lines = Vec::new();
        for (place, expected) in self.items.iter().enumerate() {
            let mut expected = expected.clone();
            let (status, made) = match results.get(place) {
                Some(result) => {
                    (result["status"].as_u64().unwrap_or_default() as u16, &result["api_key"]["key"])
                }
                None => (reply.status, &reply.body["data"]["api_key"]),
            };
            let answer = Reply { status, body: results.get(place).unwrap_or(&reply.body).clone() }.answer();
            if let (Answer::Done, Some(key)) = (answer, made.as_str()) {
                expected.push(match self.kind {
                    Kind::CreateAdminKey => tenant.works(key, "403", "200"),
                    _ => verify(key, "NOT_FOUND", "VALID"),
                });
                if let Some(id) = reply.body["data"]["credential"]["id"].as_str() {
                    self.credentials.push(Issued { id: id.to_owned(), key: key.to_owned() });
                }
            }
            let what = format!("{:?} of {what}", self.kind);
            lines.push(Line { what, status, answer, expected, action: self.action });
        }
        lines
    }
}
