//! Callers: who sends a request.

use std::ops::Deref;

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use serde_json::{Value, json};

use super::World;
use super::answer::Answer;

/// Every permission an admin key can have.
pub(crate) const ALL: [&str; 4] = ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"];

#[derive(Clone)]
pub(crate) struct Caller<'w> {
    world: &'w World,
    pub(crate) key: Option<String>,
}

/// A caller with an admin key.
pub(crate) struct Partner<'w> {
    pub(crate) caller: Caller<'w>,
    pub(crate) id: String,
}

impl<'w> Deref for Partner<'w> {
    type Target = Caller<'w>;

    fn deref(&self) -> &Caller<'w> {
        &self.caller
    }
}

impl<'w> Caller<'w> {
    pub(super) fn new(world: &'w World, key: Option<String>) -> Self {
        Self { world, key }
    }

    /// A request of this caller, to be completed and given to [`Self::send`].
    pub(crate) fn request(&self, method: &str, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(path);
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: Builder, body: impl Into<Body>) -> Answer {
        self.world.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path), Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path), Body::empty()).await
    }

    /// POST without a body.
    pub(crate) async fn post_empty(&self, path: &str) -> Answer {
        self.send(self.request("POST", path), Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.json("PATCH", path, body).await
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("content-type", "application/json");
        self.send(request, body.to_string()).await
    }
}

impl Partner<'_> {
    /// A new user account; answers its `data`.
    pub(crate) async fn user(&self, name: &str) -> Value {
        self.post("/v1/admin/users", &json!({"name": name})).await.data()
    }

    /// A new credential without a user; answers its `data`: `credential` and `api_key`.
    pub(crate) async fn credential(&self, name: &str) -> Value {
        self.post("/v1/admin/credentials", &json!({"name": name, "network_id": 0})).await.data()
    }

    /// A new credential of a user.
    pub(crate) async fn credential_of(&self, user: &Value, name: &str) -> Value {
        let body = json!({"name": name, "network_id": 0, "user_account_id": user["id"]});
        self.post("/v1/admin/credentials", &body).await.data()
    }
}
