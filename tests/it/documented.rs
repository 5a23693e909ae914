//! The published examples of the platform and the organization API, with the published words and nothing else.

use serde_json::{Value, json};

use crate::organization::{self, Tenant, missing};
use crate::platform::{self, text};
use crate::support::World;

/// The three that the platform's page documents.
const ADMIN: [&str; 3] = ["admin:users", "admin:orgs", "admin:keys"];

/// The twelve that the organization's page documents.
const PERMISSIONS: [&str; 12] = [
    "users:read",
    "users:write",
    "users:delete",
    "organizations:read",
    "organizations:write",
    "roles:read",
    "roles:write",
    "idp:read",
    "idp:write",
    "audit:read",
    "webhooks:read",
    "webhooks:write",
];

#[tokio::test]
async fn every_example_of_the_platform_api_runs_with_the_three_admin_scopes() {
    let world = World::new().await;
    let caller = platform::operator(&world, &ADMIN).await;
    let new = json!({"name": "Acme Corporation", "email": "admin@acme.com", "plan": "enterprise"});
    let acme = platform::data(&caller.post("/admin/v1/organizations", &new).await, 201);
    let id = text(&acme["id"]);
    let key = json!({
        "organization_id": id, "name": "Production API Key", "scopes": ["workflows:read", "transactions:write"]
    });
    let issued = platform::data(&caller.post("/admin/v1/api-keys", &key).await, 201);
    let usage = format!("/admin/v1/analytics/usage?org_id={id}&period=30d");
    platform::data(&caller.get(&usage).await, 200);
    platform::data(&caller.get(&format!("/admin/v1/audit-logs?org_id={id}")).await, 200);
    // What the page lists without an endpoint: users, memberships, and the end of a key.
    let user = json!({"organization_id": id, "name": "Ada", "email": "ada@acme.com"});
    let user = platform::data(&caller.post("/admin/v1/users", &user).await, 201);
    let path = platform::at("users", &user);
    platform::data(&caller.patch(&path, &json!({"name": "Ada L."})).await, 200);
    let members = format!("/admin/v1/organizations/{id}/members");
    platform::data(&caller.post(&members, &json!({"user_id": user["id"], "role": "Owner"})).await, 201);
    platform::data(&caller.get(&members).await, 200);
    platform::data(&caller.delete(&platform::at("api-keys", &issued)).await, 200);
}

#[tokio::test]
async fn every_example_of_the_organization_api_runs_with_the_twelve_permissions() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme Corp").await;
    let caller = acme.holding(&PERMISSIONS).await;
    let at = |rest: &str| format!("/v1/organizations/acme-corp{rest}");
    let new = json!({"name": "Production API Key", "permissions": ["users:read", "users:write"], "expiresIn": "365d"});
    let answer = caller.post(&at("/api-keys"), &new).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let issued = answer.json();
    assert_eq!(issued["permissions"], new["permissions"]);
    let users = world.bearer(text(&issued["key"]));
    organization::data(&users.get(&at("/users")).await, 200);
    organization::data(&caller.get(&at("/api-keys")).await, 200);
    assert_eq!(caller.delete(&at(&format!("/api-keys/{}", text(&issued["id"])))).await.status, 204);

    organization::data(&caller.get(&at("")).await, 200);
    organization::data(&caller.patch(&at(""), &json!({"metadata": {"tier": 1}})).await, 200);
    organization::data(&caller.get(&at("/usage")).await, 200);
    organization::data(&caller.get(&at("/audit-logs")).await, 200);

    let user = |role: &str| {
        json!({
            "email": "ada@acme.com", "name": "Ada Lovelace", "roles": [role],
            "profile": {"title": "Engineer", "department": "Engines", "phone": "+1"}, "metadata": {"team": "engines"}
        })
    };
    // The page's `admin` is more than the twelve: nobody grants what they do not hold.
    let answer = caller.post(&at("/users"), &user("admin")).await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("scope_not_held")), "{}", answer.text);
    let ada = organization::data(&caller.post(&at("/users"), &user("viewer")).await, 201);
    let list = "/users?limit=20&status=active&search=ada&email=ada@acme.com";
    assert_eq!(organization::ids(&organization::data(&caller.get(&at(list)).await, 200)), [text(&ada["id"])]);
    let path = at(&format!("/users/{}", text(&ada["id"])));
    organization::data(&caller.get(&path).await, 200);
    organization::data(&caller.patch(&path, &json!({"displayName": "Ada L."})).await, 200);

    let role =
        json!({"name": "Auditor", "description": "Sees all", "permissions": ["users:read", "audit:read"]});
    let role = organization::data(&caller.post(&at("/roles"), &role).await, 201);
    let roles = at(&format!("/roles/{}", text(&role["id"])));
    organization::data(&caller.get(&at("/roles")).await, 200);
    organization::data(&caller.get(&roles).await, 200);
    organization::data(&caller.patch(&roles, &json!({"permissions": ["users:read"]})).await, 200);
    organization::data(&caller.get(&at("/permissions")).await, 200);
    let question = json!({"userId": ada["id"], "permission": "users:read"});
    organization::data(&caller.post(&at("/check-permission"), &question).await, 200);
    assert_eq!(caller.delete(&roles).await.status, 204);

    let own = json!({"name": "Ada's", "permissions": ["users:read"], "userId": ada["id"]});
    let own = caller.post(&at("/api-keys"), &own).await.json();
    organization::data(&world.bearer(text(&own["key"])).get("/v1/users/me").await, 200);
    assert_eq!(caller.delete(&path).await.status, 204);
}

const NOTHING: &str = "There is no such thing among yours";

#[tokio::test]
async fn the_literal_ids_of_the_platforms_page_name_nothing() {
    let world = World::new().await;
    let acme = platform::organization(&world, "Acme").await;
    let operator = world.bootstrap();
    let id = text(&acme["id"]);
    for path in [
        "/admin/v1/organizations/org_123".to_owned(),
        "/admin/v1/organizations/org_123/members".to_owned(),
        "/admin/v1/analytics/usage?org_id=org_123&period=30d".to_owned(),
        "/admin/v1/audit-logs?org_id=org_123".to_owned(),
        "/admin/v1/audit-logs?actor_id=key_abc123".to_owned(),
        "/admin/v1/audit-logs?target_id=user_abc123".to_owned(),
        "/admin/v1/audit-logs?after=audit_1".to_owned(),
        "/admin/v1/users?org_id=org_123".to_owned(),
        "/admin/v1/users/user_abc123".to_owned(),
        "/admin/v1/api-keys?org_id=org_123".to_owned(),
        "/admin/v1/api-keys?user_id=user_abc123".to_owned(),
        "/admin/v1/api-keys/key_abc123".to_owned(),
    ] {
        platform::refused(&operator.get(&path).await, 404, "not_found", NOTHING);
    }
    let key = |organization: &str, more: Value| {
        let mut body = json!({"organization_id": organization, "name": "A", "scopes": []});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let member = json!({"user_id": "user_abc123", "role": "Viewer"});
    for (path, body) in [
        ("/admin/v1/api-keys".to_owned(), key("org_123", json!({}))),
        ("/admin/v1/api-keys".to_owned(), key(id, json!({"user_id": "user_abc123"}))),
        ("/admin/v1/users".to_owned(), json!({"organization_id": "org_123", "name": "A"})),
        (format!("/admin/v1/organizations/{id}/members"), member.clone()),
        ("/admin/v1/organizations/org_123/members".to_owned(), member),
        ("/admin/v1/organizations/org_123/suspend".to_owned(), json!({})),
        ("/admin/v1/api-keys/key_abc123/rotate".to_owned(), json!({})),
    ] {
        platform::refused(&operator.post(&path, &body).await, 404, "not_found", NOTHING);
    }
    let batch = json!({"api_keys": [key("org_123", json!({})), key(id, json!({}))]});
    let told = platform::data(&operator.post("/admin/v1/api-keys/batch", &batch).await, 200);
    assert_eq!([&told["results"][0]["status"], &told["results"][1]["status"]], [&json!(404), &json!(201)]);
    let revoke = json!({"ids": ["key_abc123"]});
    let told = platform::data(&operator.post("/admin/v1/api-keys/batch-revoke", &revoke).await, 200);
    assert_eq!(told["results"][0]["status"], 404);
    // A slug that looks a little like an id is a slug.
    let body = json!({"name": "Org 123", "slug": "org-123"});
    platform::data(&operator.post("/admin/v1/organizations", &body).await, 201);
    platform::data(&operator.get("/admin/v1/organizations/org-123").await, 200);
    let answer = operator.post("/admin/v1/organizations", &json!({"name": "A", "slug": "org_123"})).await;
    platform::bad(&answer, "slug", "slug is not of the expected form");
}

#[tokio::test]
async fn the_literal_ids_of_the_organizations_page_name_nothing() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    for path in [
        "/api-keys/key_abc123",
        "/api-keys?userId=user_abc123",
        "/api-keys?after=key_abc123",
        "/users/user_abc123",
        "/users?after=user_abc123",
        "/users?role=role_admin",
        "/roles/role_admin",
        "/audit-logs?actorId=key_abc123",
        "/audit-logs?after=audit_1",
    ] {
        missing(&acme.owner.get(&acme.path(path)).await);
    }
    missing(&acme.owner.get("/v1/organizations/org_acme").await);
    missing(&acme.owner.delete(&acme.path("/api-keys/key_abc123")).await);
    missing(&acme.owner.delete(&acme.path("/users/user_abc123")).await);
    missing(&acme.owner.patch(&acme.path("/roles/role_admin"), &json!({"description": "A"})).await);
    missing(&acme.owner.post_empty(&acme.path("/api-keys/key_abc123/rotate")).await);
    for (path, body) in [
        ("/api-keys", json!({"name": "A", "permissions": [], "userId": "user_abc123"})),
        ("/users", json!({"name": "A", "roles": ["role_admin"]})),
        ("/check-permission", json!({"userId": "user_abc123", "permission": "users:read"})),
    ] {
        missing(&acme.owner.post(&acme.path(path), &body).await);
    }
}
