//! The last key that can manage an organization's keys stays, unless whoever holds it insists.

use axum::body::Body;
use serde_json::{Value, json};

use super::{Tenant, code, data, refused, text};
use crate::platform;
use crate::support::{Caller, World};

const LAST: &str =
    "No key that can manage the organization's keys would be left: set `force` to do it anyway";

/// An organization with one key, and whoever holds it.
async fn alone<'w>(world: &'w World, name: &str) -> (Value, Value, Caller<'w>) {
    let organization = platform::organization(world, name).await;
    let key = platform::key(world, &organization, &["api-keys:*", "users:*", "roles:*"], json!({})).await;
    let caller = world.bearer(text(&key["key"]));
    (organization, key, caller)
}

#[tokio::test]
async fn the_only_key_neither_disables_nor_revokes_itself_without_force() {
    let world = World::new().await;
    for end in ["disable", "revoke"] {
        let (_, key, caller) = alone(&world, end).await;
        let path = format!("/v1/organizations/{end}/api-keys/{}", text(&key["id"]));
        let call = async |query: &str| match end {
            "disable" => caller.post_empty(&format!("{path}/disable{query}")).await,
            _ => caller.delete(&format!("{path}{query}")).await,
        };
        for query in ["", "?force=false"] {
            refused(&call(query).await, 409, "last_key", LAST);
        }
        super::bad(&call("?force=1").await, "force", "force must be true or false");
        let unknown = call("?surprise=1").await;
        refused(&unknown, 400, "invalid_request", "Unknown query parameter: surprise");
        assert_eq!(code(&world, &key).await, "VALID");
        assert!(call("?force=true").await.status < 300);
        assert_ne!(code(&world, &key).await, "VALID");
    }
}

#[tokio::test]
async fn a_key_that_leaves_another_one_ends_itself() {
    let world = World::new().await;
    let (organization, key, caller) = alone(&world, "Acme").await;
    let path = format!("/v1/organizations/acme/api-keys/{}", text(&key["id"]));
    // None of these could manage keys.
    for (scopes, more) in [
        (&["users:*", "organizations:read"][..], json!({})),
        (&["*"][..], json!({"environment": "test"})),
        (&["*"][..], json!({"type": "scim"})),
        (&["*"][..], json!({"expires_in": "1m"})),
    ] {
        platform::key(&world, &organization, scopes, more).await;
    }
    let disabled = platform::key(&world, &organization, &["*"], json!({})).await;
    let disable = format!("{}/disable", platform::at("api-keys", &disabled));
    platform::data(&world.bootstrap().post_empty(&disable).await, 200);
    let user = platform::user(&world, &organization, "Ada").await;
    let unbound = json!({"user_id": user["id"]});
    platform::key(&world, &organization, &[], unbound).await;
    world.advance(chrono::TimeDelta::minutes(1));
    refused(&caller.delete(&path).await, 409, "last_key", LAST);
    platform::key(&world, &organization, &["organizations:write"], json!({})).await;
    assert_eq!(caller.delete(&path).await.status, 204);
}

#[tokio::test]
async fn a_users_key_counts_as_long_as_the_user_may_manage_keys() {
    let world = World::new().await;
    let (organization, key, caller) = alone(&world, "Acme").await;
    let path = format!("/v1/organizations/acme/api-keys/{}", text(&key["id"]));
    let user = platform::user(&world, &organization, "Ada").await;
    let members = format!("{}/members", platform::at("organizations", &organization));
    let role = |role: &str| json!({"user_id": user["id"], "role": role});
    platform::data(&world.bootstrap().post(&members, &role("Admin")).await, 201);
    let bound = json!({"user_id": user["id"]});
    platform::key(&world, &organization, &["api-keys:*"], bound).await;
    let member = format!("{members}/{}", text(&user["id"]));
    platform::data(&world.bootstrap().patch(&member, &json!({"role": "Viewer"})).await, 200);
    refused(&caller.delete(&path).await, 409, "last_key", LAST);
    platform::data(&world.bootstrap().patch(&member, &json!({"role": "Admin"})).await, 200);
    assert_eq!(caller.delete(&path).await.status, 204);
}

#[tokio::test]
async fn a_users_only_key_does_not_take_its_own_user_away() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    acme.role("Keeper", &["api-keys:*", "users:*", "roles:*"]).await;
    let user = acme.user("Ada", &["Keeper"]).await;
    let role = data(&acme.owner.get(&acme.path("/roles")).await, 200);
    let role = role.as_array().unwrap().iter().find(|role| role["name"] == "Keeper").unwrap().clone();
    let (_, bound) = acme.bound(&user, &["api-keys:*", "users:*", "roles:*"]).await;
    let master = acme.owner.get(&acme.path("/api-keys")).await.json();
    let master =
        master["data"].as_array().unwrap().iter().find(|key| key["userId"].is_null()).unwrap().clone();
    assert_eq!(bound.delete(&acme.at("api-keys", &master)).await.status, 204);
    let (own, roles) = (acme.at("users", &user), acme.at("roles", &role));
    for patch in [json!({"roles": []}), json!({"status": "suspended"})] {
        refused(&bound.patch(&own, &patch).await, 409, "last_key", LAST);
    }
    refused(&bound.delete(&own).await, 409, "last_key", LAST);
    let less = json!({"permissions": ["users:*", "roles:*"]});
    refused(&bound.patch(&roles, &less).await, 409, "last_key", LAST);
    data(&bound.patch(&own, &json!({"firstName": "Ada"})).await, 200);
    let mut forced = less;
    forced["force"] = json!(true);
    data(&bound.patch(&roles, &forced).await, 200);
    assert_eq!(bound.delete(&format!("{own}?force=true")).await.status, 204);
}

#[tokio::test]
async fn an_operators_only_key_does_not_end_itself_by_any_of_its_doors() {
    let world = World::new().await;
    let own = platform::organization(&world, "Operations").await;
    let key = platform::key(&world, &own, &["admin:keys"], json!({})).await;
    let caller = world.bearer(text(&key["key"]));
    let path = platform::at("api-keys", &key);
    platform::refused(&caller.post_empty(&format!("{path}/disable")).await, 409, "last_key", LAST);
    platform::refused(&caller.delete(&path).await, 409, "last_key", LAST);
    // Whatever the order in a batch, one stays.
    let other = platform::key(&world, &own, &["admin:keys"], json!({})).await;
    let batch = async |ids: [&Value; 2], force: Value| {
        let body = json!({"ids": ids.map(|key| key["id"].clone()), "force": force});
        let told = platform::data(&caller.post("/admin/v1/api-keys/batch-revoke", &body).await, 200);
        told["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["status"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(batch([&other, &key], json!(null)).await, [200, 409]);
    let other = platform::key(&world, &own, &["admin:keys"], json!({})).await;
    assert_eq!(batch([&other, &key], json!(true)).await, [200, 200]);
    // The bootstrap key is not held to it.
    let key = platform::key(&world, &own, &["admin:keys"], json!({})).await;
    platform::data(&world.bootstrap().delete(&platform::at("api-keys", &key)).await, 200);
    let key = platform::key(&world, &own, &["admin:keys"], json!({})).await;
    let caller = world.bearer(text(&key["key"]));
    let request =
        caller.request("DELETE", &platform::at("api-keys", &key)).header("content-type", "application/json");
    platform::data(&caller.send(request, Body::from(r#"{"force":true}"#)).await, 200);
}

#[tokio::test]
async fn a_batch_that_ends_its_own_key_first_leaves_the_last_one() {
    let world = World::new().await;
    let own = platform::organization(&world, "Operations").await;
    let [key, other] = [
        platform::key(&world, &own, &["admin:keys"], json!({})).await,
        platform::key(&world, &own, &["api-keys:write"], json!({})).await,
    ];
    let caller = world.bearer(text(&key["key"]));
    let body = json!({"ids": [key["id"], other["id"]]});
    let told = platform::data(&caller.post("/admin/v1/api-keys/batch-revoke", &body).await, 200);
    let statuses = [0, 1].map(|place: usize| told["results"][place]["status"].clone());
    assert_eq!(statuses, [json!(200), json!(409)]);
    assert_eq!(code(&world, &other).await, "VALID");
}

#[tokio::test]
async fn a_leaked_key_is_ended_with_the_key_alone_whatever_follows() {
    let world = World::new().await;
    let (_, key, _) = alone(&world, "Acme").await;
    let body = json!({"key": key["key"]});
    assert_eq!(world.nobody().post("/v1/keys/revoke-self", &body).await.status, 200);
    assert_eq!(code(&world, &key).await, "REVOKED");
}
