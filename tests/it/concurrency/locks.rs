//! On PostgreSQL, where rows are held one by one: changes that need the same rows wait for them in one order, and
//! never for one another.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use claviger_test_postgres::Database;
use serde_json::{Value, json};

use super::request;
use crate::organization::{Tenant, data};
use crate::platform::text;
use crate::support::{Caller, Settled, World};

/// What one round of calls is made of.
struct Scene<'w> {
    tenant: &'w Caller<'w>,
    operator: &'w Caller<'w>,
    organization: String,
    users: Vec<Value>,
    roles: Vec<Value>,
    keys: Vec<Value>,
}

impl Scene<'_> {
    fn at(&self, collection: &str, thing: &Value) -> String {
        format!("/v1/organizations/{}/{collection}/{}", self.organization, text(&thing["id"]))
    }

    /// The `turn`th of many calls that go through the same few rows from different sides.
    fn call(&self, turn: usize) -> Request<Body> {
        let [user, key] = [&self.users[turn % self.users.len()], &self.keys[turn / 3 % self.keys.len()]];
        let mut roles: Vec<_> = self.roles.iter().map(|role| &role["name"]).collect();
        if turn.is_multiple_of(2) {
            roles.reverse();
        }
        let owner = json!("Owner");
        roles.push(&owner);
        let of = |method, path: &str, body: Value| request(self.tenant, method, path, &body);
        let users = format!("/v1/organizations/{}/users", self.organization);
        match turn % 12 {
            0 => of("PATCH", &self.at("users", user), json!({"roles": roles})),
            1 => of("PATCH", &self.at("users", user), json!({"roles": ["Viewer"]})),
            2 => of("PATCH", &self.at("users", user), json!({"status": "suspended"})),
            3 => of("PATCH", &self.at("users", user), json!({"status": "active"})),
            4 => of("POST", &users, json!({"name": "New", "roles": roles})),
            5 => of("PATCH", &self.at("api-keys", key), json!({"permissions": ["users:read"]})),
            6 => {
                let keys = format!("/v1/organizations/{}/api-keys", self.organization);
                of("POST", &keys, json!({"name": "K", "permissions": ["users:read"], "userId": user["id"]}))
            }
            7 => of(
                "PATCH",
                &self.at("roles", &self.roles[turn % 2]),
                json!({"permissions": ["users:read", "a:b"]}),
            ),
            11 => {
                let names = [json!({"name": "One"}), json!({"name": "Two"})];
                of("PATCH", &self.at("roles", &self.roles[turn % 2]), names[turn / 12 % 2].clone())
            }
            8 => of("DELETE", &self.at("users", user), Value::Null),
            9 => {
                let mut ids: Vec<_> = self.keys.iter().map(|key| &key["id"]).collect();
                if turn.is_multiple_of(2) {
                    ids.reverse();
                }
                request(self.operator, "POST", "/admin/v1/api-keys/batch-revoke", &json!({"ids": ids}))
            }
            _ => {
                let path = format!("/v1/organizations/{}", self.organization);
                of("PATCH", &path, json!({"metadata": {"turn": turn}}))
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_that_meet_do_not_wait_for_one_another() {
    let database = Database::migrated().await;
    let world = World::settled(Settled { postgres: Some(database.url()), ..Settled::default() }).await;
    let world = Arc::new(world);
    for round in 0..6 {
        let acme = Tenant::new(&world, &format!("Acme {round}")).await;
        let roles = vec![acme.role("One", &["users:read"]).await, acme.role("Two", &["users:read"]).await];
        let mut users = Vec::new();
        let mut keys = Vec::new();
        for n in 0..3 {
            let user = acme.user(&format!("User {n}"), &["Owner", "One", "Two"]).await;
            for _ in 0..2 {
                keys.push(acme.key(&["users:read"], json!({"userId": user["id"]})).await);
            }
            users.push(user);
        }
        // One owner stays, whatever becomes of the others.
        acme.user("Last", &["Owner"]).await;
        let organization = text(&acme.organization["id"]).to_owned();
        let operator = world.bootstrap();
        let scene = Scene { tenant: &acme.owner, operator: &operator, organization, users, roles, keys };
        let calls = (0..88).map(|turn| scene.call(turn * 7 + round)).collect();
        for answer in super::at_once(&world, calls).await {
            let is_fine = answer.status < 500 && !answer.text.contains("changed at the same time");
            assert!(is_fine, "{} {}", answer.status, answer.text);
        }
        data(&acme.owner.get(&acme.path("")).await, 200);
    }
    world.app.store().clone().close().await;
    database.remove().await;
}
