//! An admin key reaches what it made itself, and nothing else: what is another's looks exactly like what
//! does not exist, even between two keys of one entity.

use serde_json::{Value, json};

use super::{NOTHING, code_of, text};
use crate::support::{Partner, World};

/// What one admin key owns.
struct Estate {
    user: Value,
    issued: Value,
}

impl Estate {
    async fn of(partner: &Partner<'_>) -> Self {
        let new = json!({"name": "Acme Corp", "external_id": "customer-123"});
        let user = partner.post("/v1/admin/users", &new).await.data();
        let issued = partner.credential_of(&user, "Production").await;
        Self { user, issued }
    }

    fn user_id(&self) -> &str {
        text(&self.user["id"])
    }

    fn credential_id(&self) -> &str {
        text(&self.issued["credential"]["id"])
    }
}

/// Every call that names a user or a credential.
fn calls(user: &str, credential: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let with_user = json!({"name": "A", "network_id": 0, "user_account_id": user});
    vec![
        ("GET", format!("/v1/admin/users/{user}"), None),
        ("PATCH", format!("/v1/admin/users/{user}"), Some(json!({"name": "Taken over"}))),
        ("POST", format!("/v1/admin/users/{user}/reactivate"), None),
        ("POST", format!("/v1/admin/users/{user}/suspend"), None),
        ("GET", format!("/v1/admin/users/{user}/usage"), None),
        ("GET", format!("/v1/admin/usage?user_account_id={user}"), None),
        ("POST", "/v1/admin/credentials".to_owned(), Some(with_user)),
        ("GET", format!("/v1/admin/credentials/{credential}"), None),
        ("PATCH", format!("/v1/admin/credentials/{credential}"), Some(json!({"name": "Taken over"}))),
        ("POST", format!("/v1/admin/credentials/{credential}/rotate"), None),
        ("GET", format!("/v1/admin/usage/{credential}"), None),
        ("DELETE", format!("/v1/admin/credentials/{credential}"), None),
    ]
}

#[tokio::test]
async fn what_another_key_made_looks_like_nothing_at_all() {
    let world = World::new().await;
    let partner = world.partner().await;
    let estate = Estate::of(&partner).await;
    let before = partner.get(&format!("/v1/admin/credentials/{}", estate.credential_id())).await.data();
    for other in [world.partner().await, world.stranger().await] {
        let theirs = calls(estate.user_id(), estate.credential_id());
        for ((method, path, body), (_, nowhere, _)) in theirs.into_iter().zip(calls(NOTHING, NOTHING)) {
            let send = async |path: &str, body: Option<Value>| {
                let request = other.request(method, path).header("content-type", "application/json");
                other.send(request, body.map(|body| body.to_string()).unwrap_or_default()).await
            };
            let unknown = body.clone().map(|mut body| {
                if body.get("user_account_id").is_some() {
                    body["user_account_id"] = json!(NOTHING);
                }
                body
            });
            let (real, none) = (send(&path, body).await, send(&nowhere, unknown).await);
            assert_eq!((real.status, real.text), (404, none.text), "{method} {path}");
        }
        let found = other.get("/v1/admin/users/by-external-id/customer-123").await;
        found.refused(404, "User account not found");
    }
    let read = partner.get(&format!("/v1/admin/credentials/{}", estate.credential_id())).await.data();
    assert_eq!(read, before, "and nothing of it was touched");
    assert_eq!(partner.get(&format!("/v1/admin/users/{}", estate.user_id())).await.data(), estate.user);
    assert_eq!(code_of(&world, &estate.issued["api_key"]).await, "VALID");
}

#[tokio::test]
async fn lists_and_totals_hold_only_what_the_key_made_itself() {
    let world = World::new().await;
    let (one, two, three) = (world.partner().await, world.partner().await, world.stranger().await);
    let mut estates = Vec::new();
    for key in [&one, &two, &three] {
        let estate = Estate::of(key).await;
        code_of(&world, &estate.issued["api_key"]).await;
        estates.push(estate);
    }
    for (key, estate) in [&one, &two, &three].into_iter().zip(&estates) {
        for (path, field, id) in [
            ("/v1/admin/users", "id", estate.user_id()),
            ("/v1/admin/users?status=active", "id", estate.user_id()),
            ("/v1/admin/users/usage/summary", "user_account_id", estate.user_id()),
            ("/v1/admin/credentials", "id", estate.credential_id()),
            ("/v1/admin/credentials?includeRevoked=true", "id", estate.credential_id()),
            ("/v1/admin/usage", "credential_id", estate.credential_id()),
        ] {
            let answer = key.get(path).await.json();
            let ids: Vec<_> =
                answer["data"].as_array().unwrap().iter().map(|row| text(&row[field])).collect();
            assert_eq!(ids, [id], "{path}");
            assert_eq!(answer["pagination"]["total"], 1, "{path}");
        }
        let entries = key.get("/v1/admin/audit-logs").await.json();
        assert_eq!(entries["pagination"]["total"], 2, "its user and its credential");
        for entry in entries["data"].as_array().unwrap() {
            assert_eq!(entry["admin_key_id"], key.id);
        }
    }
}

#[tokio::test]
async fn another_keys_trail_cannot_be_asked_for() {
    let world = World::new().await;
    let partner = world.partner().await;
    let estate = Estate::of(&partner).await;
    for other in [world.partner().await, world.stranger().await] {
        for query in [
            format!("admin_key_id={}", partner.id),
            format!("target_id={}", estate.user_id()),
            format!("target_id={}", estate.credential_id()),
            format!("admin_key_id={}&include_reads=true", partner.id),
            "action=credential.created".to_owned(),
        ] {
            let answer = other.get(&format!("/v1/admin/audit-logs?{query}")).await.json();
            assert_eq!((&answer["data"], &answer["pagination"]["total"]), (&json!([]), &json!(0)), "{query}");
        }
    }
}

#[tokio::test]
async fn a_credential_and_its_user_are_of_one_key() {
    let world = World::new().await;
    let (one, two) = (world.partner().await, world.partner().await);
    let (first, second) = (Estate::of(&one).await, Estate::of(&two).await);
    assert_eq!(first.issued["credential"]["admin_key_id"], one.id);
    assert_eq!(second.issued["credential"]["admin_key_id"], two.id);
    assert_eq!(
        first.issued["credential"]["admin_entity_name"],
        second.issued["credential"]["admin_entity_name"]
    );
    let crossed = json!({"name": "A", "network_id": 0, "user_account_id": second.user["id"]});
    one.post("/v1/admin/credentials", &crossed).await.refused(404, "User account not found");
}
