//! Nobody raises itself, and nobody gives what they lack, on whichever way.

use serde_json::{Value, json};

use super::{SCOPES, Tenant, code, data, key_body, refused, text};
use crate::support::{Answer, World};

#[track_caller]
fn beyond(answer: &Answer, scopes: &str) {
    refused(answer, 403, "scope_not_held", &format!("You cannot grant scopes you do not hold: {scopes}"));
}

#[track_caller]
fn cannot_act(answer: &Answer, scopes: &str) {
    let detail = format!("You cannot act for a user who holds scopes you do not hold: {scopes}");
    refused(answer, 403, "scope_not_held", &detail);
}

#[tokio::test]
async fn a_key_is_given_no_more_than_its_maker_holds() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let caller = acme.holding(&["api-keys:write", "workflows:*"]).await;
    let make =
        async |scopes: &[&str]| caller.post(&acme.path("/api-keys"), &key_body(scopes, json!({}))).await;
    assert_eq!(make(&["workflows:read", "api-keys:write"]).await.status, 201);
    beyond(&make(&["users:read"]).await, "users:read");
    beyond(&make(&["workflows:read", "*"]).await, "*");
    beyond(&make(&["api-keys:*"]).await, "api-keys:*");
    // The operator's scopes are beyond every tenant's reach, `*` included.
    for scope in ["admin:keys", "admin:*"] {
        let answer = acme.owner.post(&acme.path("/api-keys"), &key_body(&[scope], json!({}))).await;
        beyond(&answer, scope);
    }
    // Nor by another kind of key, which would be found in live data or kept for later.
    for more in [json!({"environment": "test"}), json!({"type": "scim"})] {
        let answer = caller.post(&acme.path("/api-keys"), &key_body(&["users:read"], more)).await;
        beyond(&answer, "users:read");
    }
}

#[tokio::test]
async fn a_stronger_key_is_not_changed_rotated_or_enabled() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let strong = acme.key(&["users:write", "workflows:read"], json!({})).await;
    let path = acme.at("api-keys", &strong);
    let caller = acme.holding(&["api-keys:write", "workflows:read"]).await;
    for patch in [
        json!({"permissions": ["workflows:read"]}),
        json!({"expiresAt": null}),
        json!({"expiresIn": "1d"}),
        json!({"rateLimits": null}),
        json!({"credits": {"remaining": 1}}),
        json!({"ipAllowlist": null}),
        json!({"name": "Mine", "ipAllowlist": ["192.0.2.0/24"]}),
        // Gateways are told of it: the application may read a role or a plan there.
        json!({"metadata": {"role": "admin"}}),
    ] {
        beyond(&caller.patch(&path, &patch).await, "users:write");
    }
    // Of its name, too; its description is for its owner only.
    beyond(&caller.patch(&path, &json!({"name": "Mine"})).await, "users:write");
    data(&caller.patch(&path, &json!({"description": "Still theirs"})).await, 200);
    beyond(&caller.post_empty(&format!("{path}/rotate")).await, "users:write");
    // Whoever may manage keys may stop any of them, but not start it again.
    data(&caller.post_empty(&format!("{path}/disable")).await, 200);
    beyond(&caller.post_empty(&format!("{path}/enable")).await, "users:write");
    assert_eq!(code(&world, &strong).await, "DISABLED");
    let weak = acme.key(&["workflows:read"], json!({})).await;
    beyond(
        &caller.patch(&acme.at("api-keys", &weak), &json!({"permissions": ["users:read"]})).await,
        "users:read",
    );
}

#[tokio::test]
async fn a_key_does_not_raise_itself() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let own = acme.key(&["api-keys:*"], json!({"expiresIn": "1d", "ipAllowlist": ["192.0.2.0/24"]})).await;
    let caller = world.bearer(text(&own["key"]));
    let path = acme.at("api-keys", &own);
    for patch in [
        json!({"permissions": ["*"]}),
        json!({"permissions": ["api-keys:read"]}),
        json!({"expiresAt": null}),
        json!({"expiresIn": "365d"}),
        json!({"rateLimits": []}),
        json!({"credits": null}),
        json!({"ipAllowlist": []}),
        json!({"metadata": {"plan": "enterprise"}}),
    ] {
        let answer = caller.patch(&path, &patch).await;
        refused(&answer, 403, "own_authority", "A key does not change its own authority");
    }
    data(&caller.patch(&path, &json!({"name": "Renamed"})).await, 200);
    let rotated = data(&caller.post_empty(&format!("{path}/rotate")).await, 200);
    assert_eq!(rotated["permissions"], json!(["api-keys:*"]));
    assert_eq!(rotated["expiresAt"], own["expiresAt"]);
}

#[tokio::test]
async fn roles_are_no_way_around() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let caller = acme.holding(&["roles:write", "users:write", "users:read"]).await;
    let roles = acme.path("/roles");
    let make = async |permissions: &[&str]| {
        caller.post(&roles, &json!({"name": "Mine", "permissions": permissions})).await
    };
    beyond(&make(&["users:delete"]).await, "users:delete");
    beyond(&make(&["*"]).await, "*");
    beyond(&make(&["admin:*"]).await, "admin:*");
    let mine = data(&make(&["users:read"]).await, 201);
    let path = acme.at("roles", &mine);
    beyond(&caller.patch(&path, &json!({"permissions": ["users:read", "audit:read"]})).await, "audit:read");
    let strong = acme.role("Strong", &["audit:read"]).await;
    beyond(&caller.patch(&acme.at("roles", &strong), &json!({"permissions": []})).await, "audit:read");
    data(&caller.patch(&acme.at("roles", &strong), &json!({"description": "Only words"})).await, 200);
    // Roles are given by name: who swaps names has others give what they lack themselves.
    beyond(&caller.patch(&acme.at("roles", &strong), &json!({"name": "Mine too"})).await, "audit:read");

    let users = acme.path("/users");
    for role in ["Owner", "Admin", "Strong"] {
        let answer = caller.post(&users, &json!({"name": "A", "roles": [role]})).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (403, json!("scope_not_held")), "{role}");
    }
    let ada = data(&caller.post(&users, &json!({"name": "Ada", "roles": ["Mine"]})).await, 201);
    let path = acme.at("users", &ada);
    beyond(&caller.patch(&path, &json!({"roles": ["Strong"]})).await, "audit:read");
    // What somebody else was given, is not taken away by whoever could not give it.
    let eve = acme.user("Eve", &["Strong"]).await;
    beyond(&caller.patch(&acme.at("users", &eve), &json!({"roles": []})).await, "audit:read");
    beyond(&caller.patch(&acme.at("users", &eve), &json!({"roles": ["Mine"]})).await, "audit:read");
    // Nor does deleting and making anew.
    let answer = caller.delete(&acme.at("users", &eve)).await;
    refused(&answer, 403, "forbidden", "The scope users:delete is required");
}

#[tokio::test]
async fn a_user_does_not_raise_itself_through_its_key() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let staff = acme.role("Staff", &["users:*", "roles:*", "api-keys:*"]).await;
    let user = acme.user("Ada", &["Staff"]).await;
    let (_, bound) = acme.bound(&user, &["users:*", "roles:*", "api-keys:*"]).await;
    let answer = bound.patch(&acme.at("users", &user), &json!({"roles": ["Owner"]})).await;
    beyond(&answer, "*");
    beyond(&bound.patch(&acme.at("roles", &staff), &json!({"permissions": ["*"]})).await, "*");
    beyond(&bound.post(&acme.path("/api-keys"), &key_body(&["*"], json!({}))).await, "*");
    // Nor by what gateways are told of it.
    for patch in [
        json!({"metadata": {"plan": "enterprise"}}),
        json!({"externalId": "ceo"}),
        json!({"email": "ceo@acme.com"}),
        json!({"name": "The CEO"}),
    ] {
        let answer = bound.patch(&acme.at("users", &user), &patch).await;
        refused(&answer, 403, "own_authority", "A key does not change its own authority");
    }
    data(&bound.patch(&acme.at("users", &user), &json!({"lastName": "Lovelace"})).await, 200);
    let sibling = bound.post(&acme.path("/api-keys"), &key_body(&["users:read"], json!({}))).await;
    assert_eq!(sibling.status, 201, "{}", sibling.text);
}

#[tokio::test]
async fn a_key_that_lost_a_scope_cannot_give_it_any_more() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let maker = acme.key(&["api-keys:write", "users:read"], json!({})).await;
    let caller = world.bearer(text(&maker["key"]));
    let body = key_body(&["users:read"], json!({}));
    assert_eq!(caller.post(&acme.path("/api-keys"), &body).await.status, 201);
    let less = json!({"permissions": ["api-keys:write"]});
    data(&acme.owner.patch(&acme.at("api-keys", &maker), &less).await, 200);
    beyond(&caller.post(&acme.path("/api-keys"), &body).await, "users:read");
    data(&acme.owner.post_empty(&format!("{}/disable", acme.at("api-keys", &maker))).await, 200);
    assert_eq!(caller.post(&acme.path("/api-keys"), &body).await.status, 401);
}

#[tokio::test]
async fn a_user_is_let_in_again_by_who_holds_what_it_may() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let user = acme.user("Ada", &["Admin"]).await;
    let path = acme.at("users", &user);
    let caller = acme.holding(&["users:write"]).await;
    let (stopped, active) = (json!({"status": "suspended"}), json!({"status": "active"}));
    data(&caller.patch(&path, &stopped).await, 200);
    let answer = caller.patch(&path, &active).await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("scope_not_held")), "{}", answer.text);
    data(&acme.owner.patch(&path, &active).await, 200);
}

#[tokio::test]
async fn nobody_becomes_somebody_who_may_more_by_being_called_so() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let caller = acme.holding(&["users:*"]).await;
    let owner = acme.user("Olga", &["Owner"]).await;
    let path = acme.at("users", &owner);
    for patch in [
        json!({"externalId": "olga"}),
        json!({"email": "eve@example.com"}),
        json!({"name": "Olga II"}),
        json!({"metadata": {"desk": 4}}),
    ] {
        cannot_act(&caller.patch(&path, &patch).await, "*");
        data(&acme.owner.patch(&path, &patch).await, 200);
        // The same again is no change.
        data(&caller.patch(&path, &patch).await, 200);
        if patch.get("name").is_some() || patch.get("metadata").is_some() {
            continue;
        }
        let cleared = patch.as_object().unwrap().keys().map(|field| (field.clone(), Value::Null)).collect();
        cannot_act(&caller.patch(&path, &Value::Object(cleared)).await, "*");
    }
    data(&caller.patch(&path, &json!({"firstName": "Olga"})).await, 200);
    let nobody = acme.user("Ada", &[]).await;
    data(&caller.patch(&acme.at("users", &nobody), &json!({"externalId": "ada"})).await, 200);
}

#[tokio::test]
async fn a_partners_key_is_strengthened_by_who_may_everything() {
    let world = World::new().await;
    let estate = crate::tenancy::estate::Estate::of(&world, "Acme Corporation").await;
    let (partner, tenant) = (&estate.callers[0].1, &estate.callers[1].1);
    let keys = format!("/v1/organizations/{}/api-keys", estate.organization);
    let created = partner.post("/v1/admin/credentials", &json!({"name": "A", "network_id": 0})).await.data();
    let path = format!("{keys}/{}", text(&created["credential"]["id"]));
    let weak = tenant.post(&keys, &key_body(&["api-keys:write"], json!({}))).await.json();
    let weak = world.bearer(text(&weak["key"]));
    beyond(&weak.post_empty(&format!("{path}/rotate")).await, "*");
    beyond(&weak.patch(&path, &json!({"expiresAt": null})).await, "*");
    beyond(&weak.patch(&path, &json!({"metadata": {"plan": "free"}})).await, "*");
    data(&weak.post_empty(&format!("{path}/disable")).await, 200);
    beyond(&weak.post_empty(&format!("{path}/enable")).await, "*");
    data(&tenant.post_empty(&format!("{path}/enable")).await, 200);
    let answer = tenant.patch(&path, &json!({"permissions": ["users:read"]})).await;
    refused(&answer, 409, "no_scopes", "A key that a partner issued has no scopes");
}

#[tokio::test]
async fn a_partner_does_not_let_in_whom_an_organization_made_more_of() {
    let world = World::new().await;
    let estate = crate::tenancy::estate::Estate::of(&world, "Acme Corporation").await;
    let (partner, tenant) = (&estate.callers[0].1, &estate.callers[1].1);
    let path = format!("/v1/organizations/{}/users/{}", estate.organization, estate.customer);
    let own = format!("/v1/admin/users/{}", estate.customer);
    let reactivate = format!("{own}/reactivate");
    data(&tenant.patch(&path, &json!({"status": "suspended"})).await, 200);
    assert_eq!(partner.post_empty(&reactivate).await.status, 200, "its own customer");
    data(&tenant.patch(&path, &json!({"roles": ["Owner"]})).await, 200);
    data(&tenant.patch(&path, &json!({"status": "suspended"})).await, 200);
    partner.post_empty(&reactivate).await.refused(403, "Permission denied");
    partner.patch(&own, &json!({"external_id": "ceo"})).await.refused(403, "Permission denied");
    partner.patch(&own, &json!({"name": "Renamed"})).await.refused(403, "Permission denied");
    partner.patch(&own, &json!({"metadata": {"a": 1}})).await.refused(403, "Permission denied");
    assert_eq!(partner.patch(&own, &json!({"billing_plan": "pro"})).await.status, 200);
    data(&tenant.patch(&path, &json!({"status": "active"})).await, 200);
}

#[tokio::test]
async fn what_the_operator_alone_decides_is_no_field_here() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    for (field, value) in
        [("plan", json!("enterprise")), ("status", json!("active")), ("slug", json!("other"))]
    {
        let mut patch = serde_json::Map::new();
        patch.insert(field.to_owned(), value);
        let answer = acme.owner.patch(&acme.path(""), &Value::Object(patch)).await;
        super::bad(&answer, field, &format!("Unknown field: {field}"));
    }
    // Every scope of this surface opens nothing of the operator's.
    let caller = acme.holding(&SCOPES).await;
    assert_eq!(caller.get("/admin/v1/organizations").await.status, 403);
}
