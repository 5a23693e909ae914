//! The platform surface: the operator's view of organizations, users, keys, settings and what was done.

mod analytics;
mod api_key_changes;
mod api_keys;
mod audit_logs;
mod batches;
mod ceiling;
mod cors;
mod escalation;
mod limits;
mod members;
mod organizations;
mod settings;
mod users;
mod ways_in;

use serde_json::{Value, json};

use crate::support::{Answer, Caller, World};

/// Well-formed ids of nothing.
pub(crate) const NO_ORGANIZATION: &str = "org_01h455vb4pex5vsknk084sn02q";
pub(crate) const NO_USER: &str = "user_01h455vb4pex5vsknk084sn02q";
pub(crate) const NO_KEY: &str = "key_01h455vb4pex5vsknk084sn02q";

/// Every scope of the surface.
pub(crate) const SCOPES: [&str; 6] =
    ["admin:orgs", "admin:users", "admin:keys", "admin:audit", "admin:analytics", "admin:settings"];

/// `data` of an answer in the surface's envelope, which is as it should be.
#[track_caller]
pub(crate) fn data(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json;charset=utf-8");
    let body = answer.json();
    assert_eq!(body["success"], true);
    // An answer that is told again tells of the call it was made for.
    if answer.headers.get("idempotency-replayed").is_none() {
        assert_eq!(body["metadata"]["requestId"], answer.header("x-request-id"));
    }
    assert!(body["metadata"]["timestamp"].as_str().unwrap().ends_with('Z'));
    body["data"].clone()
}

/// That the surface refused with this status, its code, this finer reason and this sentence.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, reason: &str, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let code = match status {
        400 => "INVALID_REQUEST",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        409 => "CONFLICT",
        412 => "PRECONDITION_FAILED",
        413 => "PAYLOAD_TOO_LARGE",
        415 => "UNSUPPORTED_MEDIA_TYPE",
        422 => "UNPROCESSABLE_ENTITY",
        429 => "RATE_LIMIT_EXCEEDED",
        other => panic!("no refusal: {other}"),
    };
    let body = answer.json();
    assert_eq!((&body["success"], &body["error"]["code"]), (&json!(false), &json!(code)));
    assert_eq!(
        (text(&body["error"]["details"]["reason"]), text(&body["error"]["message"])),
        (reason, message)
    );
    assert_eq!(body["metadata"]["requestId"], answer.header("x-request-id"));
    if status == 401 {
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

/// As [`refused`], for a field.
#[track_caller]
pub(crate) fn bad(answer: &Answer, field: &str, message: &str) {
    refused(answer, 400, "invalid_request", message);
    assert_eq!(answer.json()["error"]["details"]["field"], field);
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// A new organization.
pub(crate) async fn organization(world: &World, name: &str) -> Value {
    data(&world.bootstrap().post("/admin/v1/organizations", &json!({"name": name})).await, 201)
}

/// A new user of an organization.
pub(crate) async fn user(world: &World, organization: &Value, name: &str) -> Value {
    let body = json!({"organization_id": organization["id"], "name": name});
    data(&world.bootstrap().post("/admin/v1/users", &body).await, 201)
}

/// A new key of an organization, with whatever else its body has.
pub(crate) async fn key(world: &World, organization: &Value, scopes: &[&str], more: Value) -> Value {
    let mut body = json!({"organization_id": organization["id"], "name": "A key", "scopes": scopes});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data(&world.bootstrap().post("/admin/v1/api-keys", &body).await, 201)
}

/// A caller with a live key of the operator's own organization that holds these scopes.
pub(crate) async fn operator<'w>(world: &'w World, scopes: &[&str]) -> Caller<'w> {
    let found = world.bootstrap().get("/admin/v1/organizations/operations").await;
    let own = match found.status {
        200 => data(&found, 200),
        _ => organization(world, "Operations").await,
    };
    let issued = key(world, &own, scopes, json!({})).await;
    world.bearer(text(&issued["key"]))
}

/// What the gateway says of a key.
pub(crate) async fn code(world: &World, issued: &Value) -> String {
    let answer = world.bootstrap().post("/v1/keys/verify", &json!({"key": issued["key"]})).await;
    text(&answer.json()["code"]).to_owned()
}

/// The path of a thing.
pub(crate) fn at(collection: &str, thing: &Value) -> String {
    format!("/admin/v1/{collection}/{}", text(&thing["id"]))
}

/// The actions in the audit log, newest first, with their targets' ids; that of the installation's first key is left
/// out.
pub(crate) async fn actions(world: &World, query: &str) -> Vec<(String, Value)> {
    let answer = world.bootstrap().get(&format!("/admin/v1/audit-logs{query}")).await;
    let entries = data(&answer, 200);
    let told = |entry: &Value| (text(&entry["action"]).to_owned(), entry["target"]["id"].clone());
    let of_calls =
        entries.as_array().unwrap().iter().filter(|entry| entry["action"] != "bootstrap_key.created");
    of_calls.map(told).collect()
}
