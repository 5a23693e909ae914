//! Many keys at once: each is its own result.

use serde_json::{Value, json};

use super::{NO_KEY, NO_ORGANIZATION, actions, bad, code, data, key, organization, refused, text};
use crate::support::World;

const CREATE: &str = "/admin/v1/api-keys/batch";
const REVOKE: &str = "/admin/v1/api-keys/batch-revoke";

#[tokio::test]
async fn what_is_wrong_with_one_is_no_matter_of_the_others() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let new = |name: &str| json!({"organization_id": acme["id"], "name": name, "scopes": ["workflows:read"]});
    let mut late = new("late");
    late["expires_at"] = json!("2020-01-01");
    let items = json!([
        new("one"), 7, {"name": "no organization", "scopes": []}, new(""),
        {"organization_id": NO_ORGANIZATION, "name": "A", "scopes": []}, late,
        {"organization_id": "acme", "name": "two", "scopes": [], "environment": "test"},
    ]);
    let answer = world.bootstrap().post(CREATE, &json!({"api_keys": items})).await;
    let told = data(&answer, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let results = told["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 400, 400, 400, 404, 400, 201]);
    for (place, code, reason, field) in [
        (1, "INVALID_REQUEST", "invalid_request", json!("api_keys[1]")),
        (2, "INVALID_REQUEST", "invalid_request", json!("organization_id")),
        (3, "INVALID_REQUEST", "invalid_request", json!("name")),
        (4, "NOT_FOUND", "not_found", Value::Null),
        (5, "INVALID_REQUEST", "invalid_request", Value::Null),
    ] {
        let error = &results[place]["error"];
        assert_eq!((&error["code"], &error["details"]["reason"]), (&json!(code), &json!(reason)), "{place}");
        assert_eq!(error["details"]["field"], field, "{place}");
        assert!(results[place].get("api_key").is_none(), "{place}");
    }
    for (place, name, prefix) in [(0, "one", "ak_live_"), (6, "two", "ak_test_")] {
        let issued = &results[place]["api_key"];
        assert_eq!(issued["name"], name);
        assert!(text(&issued["key"]).starts_with(prefix));
        assert_eq!(code_of(&world, issued).await, "VALID");
        assert!(results[place].get("error").is_none());
    }
    assert_eq!(actions(&world, "?action=api_key.created").await.len(), 2);
}

async fn code_of(world: &World, issued: &Value) -> String {
    code(world, issued).await
}

#[tokio::test]
async fn keys_are_revoked_together_each_by_itself() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let one = key(&world, &acme, &[], json!({})).await;
    let two = key(&world, &acme, &[], json!({})).await;
    let ids = json!([one["id"], "nonsense", NO_KEY, two["id"], one["id"]]);
    let body = json!({"ids": ids, "reason": "Leaked"});
    let told = data(&world.bootstrap().post(REVOKE, &body).await, 200);
    let results = told["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 400, 404, 200, 404]);
    assert_eq!(results[0]["api_key"]["revocation_reason"], "Leaked");
    assert_eq!(results[1]["error"]["details"]["field"], "ids[1]");
    for issued in [&one, &two] {
        assert_eq!(code(&world, issued).await, "REVOKED");
    }
    assert_eq!(actions(&world, "?action=api_key.revoked").await.len(), 2);
}

#[tokio::test]
async fn a_batch_has_at_most_a_hundred() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let item = json!({"organization_id": acme["id"], "name": "A", "scopes": []});
    let answer = world.bootstrap().post(CREATE, &json!({"api_keys": vec![item.clone(); 101]})).await;
    bad(&answer, "api_keys", "api_keys must have 100 items or less");
    let answer = world.bootstrap().post(REVOKE, &json!({"ids": vec![NO_KEY; 101]})).await;
    bad(&answer, "ids", "ids must have 100 items or less");
    let told = data(&world.bootstrap().post(CREATE, &json!({"api_keys": vec![item; 100]})).await, 200);
    let results = told["results"].as_array().unwrap();
    assert_eq!(results.len(), 100);
    assert!(results.iter().all(|result| result["status"] == 201));
    let answer = world.bootstrap().post(CREATE, &json!({"api_keys": []})).await;
    assert_eq!(data(&answer, 200), json!({"results": []}));
    bad(&world.bootstrap().post(CREATE, &json!({})).await, "api_keys", "api_keys is required");
    bad(
        &world.bootstrap().post(REVOKE, &json!({"ids": [7]})).await,
        "ids",
        "ids must be an array of strings",
    );
}

#[tokio::test]
async fn a_repeated_batch_issues_its_keys_once() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let caller = world.bootstrap();
    let item = json!({"organization_id": acme["id"], "name": "A", "scopes": []});
    let body = json!({"api_keys": [item, 7]}).to_string();
    let post = async || {
        let request = caller.request("POST", CREATE).header("content-type", "application/json");
        caller.send(request.header("idempotency-key", "one"), body.clone()).await
    };
    let (first, again) = (post().await, post().await);
    assert_eq!((first.status, &first.text), (200, &again.text));
    assert_eq!(caller.get("/admin/v1/api-keys").await.json()["pagination"]["total"], 1);
}

#[tokio::test]
async fn a_batch_may_be_larger_than_other_bodies() {
    let world = World::new().await;
    let caller = world.bootstrap();
    let padded = |size: usize| {
        let body = json!({"ids": []}).to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    let send = async |size: usize| {
        let request = caller.request("POST", REVOKE).header("content-type", "application/json");
        caller.send(request, padded(size)).await
    };
    assert_eq!(send(1024 * 1024).await.status, 200);
    let answer = send(1024 * 1024 + 1).await;
    refused(&answer, 413, "payload_too_large", "The body is larger than 1048576 bytes");
}
