//! The organization surface: a tenant runs its own keys, users and roles.

mod api_keys;
mod audit_logs;
mod binding;
mod bound_keys;
mod ceiling;
mod escalation;
mod key_changes;
mod lockout;
mod manners;
mod restrictions;
mod roles;
mod strangers;
mod tenants;
mod usage;
mod users;

use serde_json::{Value, json};

use crate::platform;
pub(crate) use crate::platform::{NO_KEY, NO_USER, code, text};
use crate::support::{Answer, Caller, World};

pub(crate) const NO_ROLE: &str = "role_01h455vb4pex5vsknk084sn02q";

/// Every scope of the surface.
pub(crate) const SCOPES: [&str; 11] = [
    "organizations:read",
    "organizations:write",
    "users:read",
    "users:write",
    "users:delete",
    "roles:read",
    "roles:write",
    "api-keys:read",
    "api-keys:write",
    "usage:read",
    "audit:read",
];

/// An organization, and whoever calls for it.
pub(crate) struct Tenant<'w> {
    pub(crate) world: &'w World,
    pub(crate) organization: Value,
    /// Holds a key with every scope.
    pub(crate) owner: Caller<'w>,
}

impl<'w> Tenant<'w> {
    pub(crate) async fn new(world: &'w World, name: &str) -> Self {
        let organization = platform::organization(world, name).await;
        let master = platform::key(world, &organization, &["*"], json!({})).await;
        Self { world, owner: world.bearer(text(&master["key"])), organization }
    }

    /// The path of the organization, or of something in it.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", text(&self.organization["id"]))
    }

    pub(crate) fn at(&self, collection: &str, thing: &Value) -> String {
        self.path(&format!("/{collection}/{}", text(&thing["id"])))
    }

    /// A caller whose key has these scopes.
    pub(crate) async fn holding(&self, scopes: &[&str]) -> Caller<'w> {
        let issued = platform::key(self.world, &self.organization, scopes, json!({})).await;
        self.world.bearer(text(&issued["key"]))
    }

    /// A new key that the owner makes.
    pub(crate) async fn key(&self, permissions: &[&str], more: Value) -> Value {
        let answer = self.owner.post(&self.path("/api-keys"), &key_body(permissions, more)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// A new user with these roles.
    pub(crate) async fn user(&self, name: &str, roles: &[&str]) -> Value {
        let body = json!({"name": name, "roles": roles});
        data(&self.owner.post(&self.path("/users"), &body).await, 201)
    }

    pub(crate) async fn role(&self, name: &str, permissions: &[&str]) -> Value {
        let body = json!({"name": name, "permissions": permissions});
        data(&self.owner.post(&self.path("/roles"), &body).await, 201)
    }

    /// A key bound to a user, and whoever holds it.
    pub(crate) async fn bound(&self, user: &Value, permissions: &[&str]) -> (Value, Caller<'w>) {
        let issued = self.key(permissions, json!({"userId": user["id"]})).await;
        let caller = self.world.bearer(text(&issued["key"]));
        (issued, caller)
    }
}

pub(crate) fn key_body(permissions: &[&str], more: Value) -> Value {
    let mut body = json!({"name": "A key", "permissions": permissions});
    let Value::Object(more) = more else { panic!("{more} is no object") };
    body.as_object_mut().unwrap().extend(more);
    body
}

/// `data` of an answer.
#[track_caller]
pub(crate) fn data(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json;charset=utf-8");
    answer.json()["data"].clone()
}

/// That the surface refused with this status, code and sentence.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str, detail: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body = answer.json();
    assert_eq!((text(&body["code"]), text(&body["detail"])), (code, detail));
    assert_eq!(body["type"], format!("urn:claviger:problem:{code}"));
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    if status == 401 {
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[track_caller]
pub(crate) fn bad(answer: &Answer, field: &str, detail: &str) {
    refused(answer, 400, "invalid_request", detail);
    assert_eq!(answer.json()["field"], field);
}

#[track_caller]
pub(crate) fn missing(answer: &Answer) {
    refused(answer, 404, "not_found", "There is no such thing among yours");
}

/// All that is told, but for the request's own id.
pub(crate) fn told(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    (answer.status, body)
}

/// The ids of a list, in its order.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| text(&item["id"]).to_owned()).collect()
}
