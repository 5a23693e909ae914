//! A key that is bound to a user never has more than the user has now.

use serde_json::json;

use super::{Tenant, code, data, key_body, refused};
use crate::support::World;

#[tokio::test]
async fn a_key_is_not_bound_to_a_user_who_has_less() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let viewer = acme.user("Ada", &["Viewer"]).await;
    let body = |scopes: &[&str]| key_body(scopes, json!({"userId": viewer["id"]}));
    let answer = acme.owner.post(&acme.path("/api-keys"), &body(&["users:read", "users:write"])).await;
    refused(&answer, 403, "scope_not_held", "The user this key is bound to does not hold: users:write");
    assert_eq!(acme.owner.post(&acme.path("/api-keys"), &body(&["users:read"])).await.status, 201);
    let (issued, _) = acme.bound(&viewer, &["users:read"]).await;
    let answer = acme.owner.patch(&acme.at("api-keys", &issued), &json!({"permissions": ["users:*"]})).await;
    refused(&answer, 403, "scope_not_held", "The user this key is bound to does not hold: users:*");
}

#[tokio::test]
async fn what_its_user_loses_the_key_loses_at_once() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    acme.user("Somebody", &["Owner"]).await;
    let user = acme.user("Ada", &["Owner"]).await;
    let (issued, bound) = acme.bound(&user, &["*"]).await;
    let path = acme.at("users", &user);
    let new = key_body(&["users:read"], json!({}));
    assert_eq!(bound.post(&acme.path("/api-keys"), &new).await.status, 201);
    data(&acme.owner.patch(&path, &json!({"roles": ["Viewer"]})).await, 200);
    let answer = bound.post(&acme.path("/api-keys"), &new).await;
    refused(&answer, 403, "forbidden", "The scope api-keys:write is required");
    data(&bound.get(&acme.path("/users")).await, 200);
    let verified = world.bootstrap().post("/v1/keys/verify", &json!({"key": issued["key"]})).await.json();
    assert!(!verified["scopes"].to_string().contains("\"*\""), "{verified}");
    data(&acme.owner.patch(&path, &json!({"roles": []})).await, 200);
    refused(&bound.get(&acme.path("/users")).await, 403, "forbidden", "The scope users:read is required");
    data(&acme.owner.patch(&path, &json!({"roles": ["Viewer"]})).await, 200);
    data(&bound.get(&acme.path("/users")).await, 200);
    data(&acme.owner.patch(&path, &json!({"status": "suspended"})).await, 200);
    for answer in [
        bound.get(&acme.path("/users")).await,
        bound.get("/v1/users/me").await,
        bound.post(&acme.path("/api-keys"), &new).await,
    ] {
        refused(&answer, 401, "unauthorized", "The presented key opens nothing here");
    }
    assert_eq!(acme.owner.delete(&path).await.status, 204);
    assert_eq!(code(&world, &issued).await, "REVOKED");
    refused(&bound.get("/v1/users/me").await, 401, "unauthorized", "The presented key opens nothing here");
}

const STAYS: &str = "A key of a user makes, rotates and changes keys of that user only";

#[tokio::test]
async fn a_users_key_makes_and_strengthens_keys_of_that_user_only() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let ada = acme.user("Ada", &["Admin"]).await;
    let owner = acme.user("Olga", &["Owner"]).await;
    let (own, bound) = acme.bound(&ada, &["api-keys:*", "users:read"]).await;
    // An owner's key without a scope would still be told to be the owner's.
    for scopes in [&["users:read"][..], &[]] {
        let body = key_body(scopes, json!({"userId": owner["id"]}));
        refused(&bound.post(&acme.path("/api-keys"), &body).await, 403, "bound_key", STAYS);
    }
    // Whatever it makes ends with the user.
    let made = bound.post(&acme.path("/api-keys"), &key_body(&["users:read"], json!({}))).await.json();
    assert_eq!(data(&acme.owner.get(&acme.at("api-keys", &made)).await, 200)["userId"], ada["id"]);
    let (hers, _) = acme.bound(&owner, &["users:read"]).await;
    let nobodys = acme.key(&["users:read"], json!({})).await;
    for other in [&hers, &nobodys] {
        let path = acme.at("api-keys", other);
        refused(&bound.post_empty(&format!("{path}/rotate")).await, 403, "bound_key", STAYS);
        let answer = bound.patch(&path, &json!({"rateLimits": null})).await;
        refused(&answer, 403, "bound_key", STAYS);
        data(&bound.post_empty(&format!("{path}/disable")).await, 200);
        refused(&bound.post_empty(&format!("{path}/enable")).await, 403, "bound_key", STAYS);
    }
    assert_eq!(bound.post_empty(&format!("{}/rotate", acme.at("api-keys", &made))).await.status, 200);
    assert_eq!(bound.post_empty(&format!("{}/rotate", acme.at("api-keys", &own))).await.status, 200);
    // Who holds everything could do it all in other ways.
    let (_, free) = acme.bound(&owner, &["*"]).await;
    let made = free.post(&acme.path("/api-keys"), &key_body(&["users:read"], json!({}))).await;
    assert_eq!(made.status, 201);
    assert_eq!(code(&world, &made.json()).await, "VALID");
}
