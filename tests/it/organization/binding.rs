//! Who may make and handle a key that acts for a user: that user, or whoever sees users and holds all that it holds.

use serde_json::{Value, json};

use super::{Tenant, data, key_body, refused, text};
use crate::platform;
use crate::support::{Answer, Caller, World};

const SEES_NO_USERS: &str = "A key for a user requires the scope users:read, which your key does not hold";
const CANNOT_ACT: &str = "You cannot act for a user who holds scopes you do not hold: ";

#[track_caller]
fn cannot_act(answer: &Answer, scopes: &str) {
    refused(answer, 403, "scope_not_held", &format!("{CANNOT_ACT}{scopes}"));
}

async fn make(caller: &Caller<'_>, acme: &Tenant<'_>, user: &Value) -> Answer {
    caller.post(&acme.path("/api-keys"), &key_body(&[], json!({"userId": user["id"]}))).await
}

#[tokio::test]
async fn a_key_that_only_manages_keys_makes_none_for_the_owner() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let owner = acme.user("Olga", &["Owner"]).await;
    let caller = acme.holding(&["api-keys:write"]).await;
    refused(&make(&caller, &acme, &owner).await, 403, "forbidden", SEES_NO_USERS);
    // Nor does it learn which users there are.
    let nobody = json!({"id": super::NO_USER});
    refused(&make(&caller, &acme, &nobody).await, 403, "forbidden", SEES_NO_USERS);
    for (more, lacks) in [(&["users:read"][..], "*"), (&["users:*", "roles:*", "audit:read"][..], "*")] {
        let caller = acme.holding(&[&["api-keys:write"], more].concat()).await;
        cannot_act(&make(&caller, &acme, &owner).await, lacks);
    }
    assert_eq!(make(&acme.owner, &acme, &owner).await.status, 201);
}

#[tokio::test]
async fn a_key_that_holds_all_that_a_user_holds_makes_keys_for_it() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    acme.role("Reader", &["docs:read"]).await;
    let [reader, customer] = [acme.user("Ada", &["Reader"]).await, acme.user("Bob", &[]).await];
    let caller = acme.holding(&["api-keys:write", "users:read"]).await;
    cannot_act(&make(&caller, &acme, &reader).await, "docs:read");
    assert_eq!(make(&caller, &acme, &customer).await.status, 201, "a customer holds nothing");
    let caller = acme.holding(&["api-keys:write", "users:read", "docs:*"]).await;
    assert_eq!(make(&caller, &acme, &reader).await.status, 201);
}

#[tokio::test]
async fn a_users_own_key_makes_keys_for_that_user() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let owner = acme.user("Olga", &["Owner"]).await;
    let (_, bound) = acme.bound(&owner, &["api-keys:write"]).await;
    assert_eq!(make(&bound, &acme, &owner).await.status, 201);
    assert_eq!(bound.post(&acme.path("/api-keys"), &key_body(&[], json!({}))).await.status, 201);
}

#[tokio::test]
async fn a_weaker_key_neither_rotates_nor_enables_nor_changes_an_owners_key() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let owner = acme.user("Olga", &["Owner"]).await;
    let (hers, _) = acme.bound(&owner, &[]).await;
    let path = acme.at("api-keys", &hers);
    let [blind, weak] =
        [acme.holding(&["api-keys:write"]).await, acme.holding(&["api-keys:write", "users:read"]).await];
    data(&weak.post_empty(&format!("{path}/disable")).await, 200);
    for action in ["rotate", "enable"] {
        let path = format!("{path}/{action}");
        refused(&blind.post_empty(&path).await, 403, "forbidden", SEES_NO_USERS);
        cannot_act(&weak.post_empty(&path).await, "*");
    }
    for patch in [
        json!({"name": "Mine"}),
        json!({"metadata": {"a": 1}}),
        json!({"expiresIn": "1d"}),
        json!({"permissions": []}),
    ] {
        cannot_act(&weak.patch(&path, &patch).await, "*");
    }
    data(&acme.owner.post_empty(&format!("{path}/enable")).await, 200);
    data(&acme.owner.post_empty(&format!("{path}/rotate")).await, 200);
}

#[tokio::test]
async fn an_operators_key_binds_keys_to_users_that_it_sees_alone_and_in_a_batch() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let owner = acme.user("Olga", &["Owner"]).await;
    let body = json!({"organization_id": acme.organization["id"], "name": "A", "scopes": [], "user_id": owner["id"]});
    let batch = json!({"api_keys": [body.clone(), {"organization_id": "acme", "name": "B", "scopes": []}]});
    let [blind, seeing] = [
        platform::operator(&world, &["admin:keys"]).await,
        platform::operator(&world, &["admin:keys", "admin:users"]).await,
    ];
    let refusal = "A key for a user requires the scope admin:users, which your key does not hold";
    platform::refused(&blind.post("/admin/v1/api-keys", &body).await, 403, "forbidden", refusal);
    let told = platform::data(&blind.post("/admin/v1/api-keys/batch", &batch).await, 200);
    assert_eq!(told["results"][0]["error"]["message"], refusal);
    assert_eq!((&told["results"][0]["status"], &told["results"][1]["status"]), (&json!(403), &json!(201)));
    let made = platform::data(&seeing.post("/admin/v1/api-keys", &body).await, 201);
    platform::data(&seeing.post("/admin/v1/api-keys/batch", &batch).await, 200);
    let rotate = format!("{}/rotate", platform::at("api-keys", &made));
    platform::refused(&blind.post_empty(&rotate).await, 403, "forbidden", refusal);
    platform::data(&seeing.post_empty(&rotate).await, 200);
    assert!(text(&made["key"]).starts_with("ak_live_"));
}
