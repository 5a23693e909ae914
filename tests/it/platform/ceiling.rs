//! Nobody gives what they lack, on whichever way.

use serde_json::{Value, json};

use super::{at, code, data, key, operator, organization, refused, text, user};
use crate::support::{Caller, World};

const BEYOND: &str = "You cannot grant scopes you do not hold: ";

/// Tries to make a key with these scopes.
async fn create(caller: &Caller<'_>, organization: &Value, scopes: &[&str]) -> crate::support::Answer {
    let body = json!({"organization_id": organization["id"], "name": "A", "scopes": scopes});
    caller.post("/admin/v1/api-keys", &body).await
}

#[tokio::test]
async fn a_key_is_given_no_more_than_its_maker_holds() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let caller = operator(&world, &["admin:keys", "workflows:*"]).await;
    data(&create(&caller, &acme, &["workflows:read", "admin:keys"]).await, 201);
    // An operator does not hold its tenants' scopes, and gives them all; of its own, only those that it holds.
    data(&create(&caller, &acme, &["transactions:read", "*"]).await, 201);
    for (scopes, beyond) in [
        (vec!["workflows:read", "users:*", "admin:orgs"], "admin:orgs"),
        (vec!["admin:analytics", "admin:users"], "admin:analytics, admin:users"),
        (vec!["admin:*"], "admin:*"),
    ] {
        let answer = create(&caller, &acme, &scopes).await;
        refused(&answer, 403, "scope_not_held", &format!("{BEYOND}{beyond}"));
    }
    data(&create(&operator(&world, &["admin:keys", "*"]).await, &acme, &["a:b", "*"]).await, 201);
    let answer = create(&operator(&world, &["admin:keys", "*"]).await, &acme, &["admin:audit"]).await;
    refused(&answer, 403, "scope_not_held", &format!("{BEYOND}admin:audit"));
    data(&create(&operator(&world, &["admin:*"]).await, &acme, &["a:b", "admin:audit"]).await, 201);
    let included = ["admin:audit", "admin:analytics"];
    data(&create(&operator(&world, &["admin:keys", "admin:orgs"]).await, &acme, &included).await, 201);
}

#[tokio::test]
async fn an_item_of_a_batch_is_given_no_more_either() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let caller = operator(&world, &["admin:keys"]).await;
    let item = |scopes: &[&str]| json!({"organization_id": acme["id"], "name": "A", "scopes": scopes});
    let body = json!({"api_keys": [item(&["admin:keys"]), item(&["admin:orgs"]), item(&[])]});
    let told = data(&caller.post("/admin/v1/api-keys/batch", &body).await, 200);
    let statuses: Vec<_> =
        told["results"].as_array().unwrap().iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 403, 201]);
    let error = &told["results"][1]["error"];
    assert_eq!(
        (&error["code"], &error["details"]["reason"]),
        (&json!("FORBIDDEN"), &json!("scope_not_held"))
    );
    assert_eq!(error["message"], format!("{BEYOND}admin:orgs"));
}

#[tokio::test]
async fn a_stronger_key_is_not_changed_rotated_or_enabled() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let strong = key(&world, &acme, &["admin:orgs", "workflows:read"], json!({})).await;
    let path = at("api-keys", &strong);
    let caller = operator(&world, &["admin:keys", "workflows:read"]).await;
    let beyond = format!("{BEYOND}admin:orgs");
    for patch in [
        json!({"scopes": ["workflows:read"]}),
        json!({"expires_at": null}),
        json!({"rate_limits": null}),
        json!({"credits": {"remaining": 1}}),
        json!({"ip_allowlist": null}),
        json!({"name": "Mine", "ip_allowlist": ["192.0.2.0/24"]}),
        json!({"metadata": {"role": "admin"}}),
    ] {
        refused(&caller.patch(&path, &patch).await, 403, "scope_not_held", &beyond);
    }
    let answer = caller.patch(&path, &json!({"name": "Mine"})).await;
    refused(&answer, 403, "scope_not_held", &beyond);
    data(&caller.patch(&path, &json!({"description": "Still theirs"})).await, 200);
    refused(&caller.post_empty(&format!("{path}/rotate")).await, 403, "scope_not_held", &beyond);
    // Whoever may manage keys may stop any of them.
    data(&caller.post_empty(&format!("{path}/disable")).await, 200);
    refused(&caller.post_empty(&format!("{path}/enable")).await, 403, "scope_not_held", &beyond);
    assert_eq!(code(&world, &strong).await, "DISABLED");
    data(&caller.delete(&path).await, 200);
    let weak = key(&world, &acme, &["workflows:read"], json!({})).await;
    let path = at("api-keys", &weak);
    let answer = caller.patch(&path, &json!({"scopes": ["workflows:read", "admin:users"]})).await;
    refused(&answer, 403, "scope_not_held", &format!("{BEYOND}admin:users"));
    data(&caller.patch(&path, &json!({"scopes": []})).await, 200);
}

#[tokio::test]
async fn a_key_does_not_change_its_own_authority() {
    let world = World::new().await;
    let own = organization(&world, "Operations").await;
    let issued = key(&world, &own, &["admin:keys"], json!({"expires_in": "1d"})).await;
    let caller = world.bearer(text(&issued["key"]));
    let path = at("api-keys", &issued);
    for patch in
        [json!({"expires_at": null}), json!({"scopes": ["admin:keys"]}), json!({"rate_limits": null})]
    {
        let answer = caller.patch(&path, &patch).await;
        refused(&answer, 403, "own_authority", "A key does not change its own authority");
    }
    data(&caller.patch(&path, &json!({"name": "Renamed"})).await, 200);
}

#[tokio::test]
async fn a_role_is_given_and_taken_by_who_holds_what_it_permits() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let (ada, bob) = (user(&world, &acme, "Ada").await, user(&world, &acme, "Bob").await);
    let path = format!("{}/members", at("organizations", &acme));
    let member = |user: &Value| format!("{path}/{}", text(&user["id"]));
    let caller = operator(&world, &["admin:orgs", "users:*"]).await;
    let owner = json!({"user_id": ada["id"], "role": "Owner"});
    refused(&caller.post(&path, &owner).await, 403, "scope_not_held", &format!("{BEYOND}*"));
    let viewer = json!({"user_id": ada["id"], "role": "Viewer"});
    let answer = caller.post(&path, &viewer).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["details"]["reason"]),
        (403, &json!("scope_not_held"))
    );
    let full = operator(&world, &["admin:orgs", "*"]).await;
    data(&full.post(&path, &owner).await, 201);
    data(&full.post(&path, &json!({"user_id": bob["id"], "role": "Owner"})).await, 201);
    let answer = caller.patch(&member(&ada), &json!({"role": "Viewer"})).await;
    assert_eq!(answer.status, 403, "nor is an owner put down by who is none: {}", answer.text);
    assert_eq!(caller.delete(&member(&ada)).await.status, 403);
    data(&full.patch(&member(&ada), &json!({"role": "Viewer"})).await, 200);
    data(&full.delete(&member(&ada)).await, 200);
}

#[tokio::test]
async fn a_key_never_has_more_than_the_user_it_is_bound_to() {
    let world = World::new().await;
    let own = organization(&world, "Operations").await;
    let ada = user(&world, &own, "Ada").await;
    let path = format!("{}/members", at("organizations", &own));
    let bound = async |scopes: &[&str]| {
        let body = json!({"organization_id": own["id"], "name": "A", "scopes": scopes, "user_id": ada["id"]});
        world.bootstrap().post("/admin/v1/api-keys", &body).await
    };
    let lacks = "The user this key is bound to does not hold: ";
    refused(&bound(&["users:read"]).await, 403, "scope_not_held", &format!("{lacks}users:read"));
    data(&world.bootstrap().post(&path, &json!({"user_id": ada["id"], "role": "Owner"})).await, 201);
    data(&bound(&["users:read"]).await, 201);
    // An owner may everything in its organization, and nothing of the platform.
    refused(&bound(&["admin:keys"]).await, 403, "scope_not_held", &format!("{lacks}admin:keys"));
}

#[tokio::test]
async fn a_kept_answer_is_its_own_callers() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let (one, other) = (operator(&world, &["admin:keys"]).await, operator(&world, &["admin:keys"]).await);
    let body = json!({"organization_id": acme["id"], "name": "A", "scopes": []}).to_string();
    let post = async |caller: &Caller<'_>| {
        let request = caller.request("POST", "/admin/v1/api-keys").header("content-type", "application/json");
        data(&caller.send(request.header("idempotency-key", "one"), body.clone()).await, 201)
    };
    let (first, again, others) = (post(&one).await, post(&one).await, post(&other).await);
    assert_eq!(first, again);
    assert_ne!(first["key"], others["key"]);
}
