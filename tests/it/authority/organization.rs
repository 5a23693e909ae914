//! Every operation of the organization's document, as everybody who may and who may not.

use axum::body::Body;
use claviger_domain::scope::INCLUDED;
use serde_json::{Value, json};

use crate::openapi::OF_A_BOUND_KEY;
use crate::openapi::operations::{Operation, of, text};
use crate::organization::{SCOPES, Tenant, refused};
use crate::support::{Answer, Caller, World};

/// One tenant with one of everything.
pub(crate) struct Scene<'w> {
    tenant: Tenant<'w>,
    /// Who is bound to a user that nothing happens to.
    bound: Caller<'w>,
    user: String,
    role: String,
    key: String,
}

impl<'w> Scene<'w> {
    pub(crate) async fn new(world: &'w World) -> Self {
        let tenant = Tenant::new(world, "Acme Corp").await;
        let somebody = tenant.user("Somebody", &["Owner"]).await;
        let bound = tenant.bound(&somebody, &[]).await.1;
        let user = tenant.user("Ada", &[]).await;
        let role = tenant.role("Reader", &[]).await;
        let key = tenant.key(&[], json!({})).await;
        let id = |thing: &Value| text(&thing["id"]).to_owned();
        Self { bound, user: id(&user), role: id(&role), key: id(&key), tenant }
    }

    /// Puts things into the state in which `operation` succeeds.
    pub(crate) async fn ready_for(&self, operation: &Operation) {
        if operation.id() == "enable_organization_api_key" {
            let path = self.tenant.path(&format!("/api-keys/{}/disable", self.key));
            assert_eq!(self.tenant.owner.post_empty(&path).await.status, 200);
        }
    }

    async fn set_for(world: &'w World, operation: &Operation) -> Self {
        let scene = Self::new(world).await;
        scene.ready_for(operation).await;
        scene
    }

    /// Whoever may do everything here; who a key is, only a bound one can ask.
    pub(crate) fn caller(&self, operation: &Operation) -> Caller<'w> {
        if operation.id() == OF_A_BOUND_KEY { self.bound.clone() } else { self.tenant.owner.clone() }
    }

    pub(crate) fn path(&self, operation: &Operation) -> String {
        operation.at(|name| match name {
            "org" => text(&self.tenant.organization["slug"]).to_owned(),
            "keyId" => self.key.clone(),
            "id" if operation.path.contains("/users/") => self.user.clone(),
            "id" if operation.path.contains("/roles/") => self.role.clone(),
            _ => panic!("what does {} name?", operation.path),
        })
    }

    /// The documented example, about what is there.
    pub(crate) fn body(&self, operation: &Operation) -> Option<Value> {
        let mut body = operation.body_example()?;
        if let Some(member) = body.get_mut("userId") {
            *member = json!(self.user);
        }
        Some(body)
    }

    /// Sends `operation` about what is there, as the document shows it.
    pub(crate) async fn call(&self, caller: &Caller<'_>, operation: &Operation) -> Answer {
        let request = caller.request(&operation.method, &self.path(operation));
        match self.body(operation) {
            Some(body) => {
                caller.send(request.header("content-type", "application/json"), body.to_string()).await
            }
            None => caller.send(request, Body::empty()).await,
        }
    }
}

fn scope(operation: &Operation) -> Option<String> {
    let scope = operation.permissions().unwrap().into_iter().next();
    match &scope {
        Some(scope) => assert!(SCOPES.contains(&scope.as_str()), "{} needs {scope}", operation.id()),
        None => assert_eq!(operation.id(), OF_A_BOUND_KEY),
    }
    scope
}

#[tokio::test]
async fn nobody_and_keys_that_open_nothing_get_nowhere() {
    let world = World::new().await;
    let operations = of("organization");
    assert!(operations.len() > 20, "{} operations", operations.len());
    let scene = Scene::set_for(&world, &operations[0]).await;
    let partner = world.partner().await;
    let test = scene.tenant.key(&["*"], json!({"environment": "test"})).await;
    let scim = scene.tenant.key(&["*"], json!({"type": "scim"})).await;
    let revoked = scene.tenant.key(&["*"], json!({})).await;
    assert_eq!(scene.tenant.owner.delete(&scene.tenant.at("api-keys", &revoked)).await.status, 204);
    let keys = [
        ("garbage", "garbage".to_owned()),
        ("test", text(&test["key"]).to_owned()),
        ("scim", text(&scim["key"]).to_owned()),
        ("revoked", text(&revoked["key"]).to_owned()),
        ("admin", partner.key.clone().unwrap()),
        ("bootstrap", world.bootstrap().key.clone().unwrap()),
    ];
    for operation in operations {
        let answer = scene.call(&world.nobody(), &operation).await;
        refused(&answer, 401, "unauthorized", "Present a key as `Authorization: Bearer …`");
        operation.admits(&answer);
        for (what, key) in &keys {
            let answer = scene.call(&world.bearer(key), &operation).await;
            assert_eq!(answer.status, 401, "{what} on {}: {}", operation.id(), answer.text);
            refused(&answer, 401, "unauthorized", "The presented key opens nothing here");
            operation.admits(&answer);
        }
    }
}

#[tokio::test]
async fn whoever_lacks_exactly_the_scope_is_told_so() {
    let world = World::new().await;
    let operations = of("organization");
    let scene = Scene::set_for(&world, &operations[0]).await;
    for operation in operations {
        let Some(needed) = scope(&operation) else { continue };
        let includes = |scope: &str| INCLUDED.contains(&(needed.as_str(), scope));
        let held: Vec<_> = SCOPES.into_iter().filter(|scope| *scope != needed && !includes(scope)).collect();
        let caller = scene.tenant.holding(&held).await;
        let detail = format!("The scope {needed} is required");
        let answer = scene.call(&caller, &operation).await;
        refused(&answer, 403, "forbidden", &detail);
        operation.admits(&answer);
        // Nor does a malformed request change the order of the checks.
        let path = operation.at(|_| "not%20an%20id".to_owned()) + "?limit=-1&surprise";
        let request = caller.request(&operation.method, &path).header("content-type", "text/plain");
        refused(&caller.send(request, "{").await, 403, "forbidden", &detail);
    }
}

/// The other half of the proof that the declared scope is the one that guards. What a body's example gives away must be
/// held besides.
#[tokio::test]
async fn nothing_but_the_scope_is_needed() {
    for operation in of("organization") {
        let world = World::new().await;
        let scene = Scene::set_for(&world, &operation).await;
        let caller = match scope(&operation) {
            None => {
                let user = json!({"id": scene.user});
                scene.tenant.bound(&user, &[]).await.1
            }
            Some(needed) => {
                let mut held = vec![needed.as_str()];
                match operation.id() {
                    "create_organization_api_key" | "update_organization_api_key" => {
                        held.extend(["users:read", "users:write"]);
                    }
                    "create_role" | "update_role" => held.extend(["invoices:*", "usage:read"]),
                    "create_organization_user" | "update_organization_user" => {
                        let all = "organizations:read users:read roles:read api-keys:read api-keys:write \
                                   keys:verify usage:read";
                        held.extend(all.split_ascii_whitespace());
                    }
                    _ => {}
                }
                scene.tenant.holding(&held).await
            }
        };
        let answer = scene.call(&caller, &operation).await;
        assert!((200..300).contains(&answer.status), "{}: {} {}", operation.id(), answer.status, answer.text);
        operation.admits(&answer);
    }
}
