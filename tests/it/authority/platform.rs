//! Every operation of the platform's document, as everybody who may and who may not.

use axum::body::Body;
use claviger_domain::scope::INCLUDED;
use serde_json::{Value, json};

use crate::openapi::operations::{Operation, of, text};
use crate::platform::{self, SCOPES, data, refused};
use crate::support::{Answer, Caller, World};

/// One organization with one of everything.
pub(crate) struct Scene {
    organization: String,
    /// A user without a role, and one that has one.
    user: String,
    member: String,
    key: String,
}

impl Scene {
    pub(crate) async fn new(world: &World) -> Self {
        let operator = world.bootstrap();
        let acme = platform::organization(world, "Acme").await;
        let (user, member) =
            (platform::user(world, &acme, "Ada").await, platform::user(world, &acme, "Bob").await);
        let path = format!("{}/members", platform::at("organizations", &acme));
        let viewer = json!({"user_id": member["id"], "role": "Viewer"});
        data(&operator.post(&path, &viewer).await, 201);
        let key = platform::key(world, &acme, &["workflows:read"], json!({})).await;
        let id = |thing: &Value| text(&thing["id"]).to_owned();
        Self { organization: id(&acme), user: id(&user), member: id(&member), key: id(&key) }
    }

    /// Puts things into the state in which `operation` succeeds.
    pub(crate) async fn ready_for(&self, world: &World, operation: &Operation) {
        let Self { organization, user, member: _, key } = self;
        let operator = world.bootstrap();
        let answer = match operation.id() {
            "reactivate_organization" => {
                operator.post_empty(&format!("/admin/v1/organizations/{organization}/suspend")).await
            }
            "reactivate_platform_user" => {
                operator.post_empty(&format!("/admin/v1/users/{user}/suspend")).await
            }
            "enable_api_key" => operator.post_empty(&format!("/admin/v1/api-keys/{key}/disable")).await,
            "delete_organization" => operator.delete(&format!("/admin/v1/api-keys/{key}")).await,
            _ => return,
        };
        data(&answer, 200);
    }

    async fn set_for(world: &World, operation: &Operation) -> Self {
        let scene = Self::new(world).await;
        scene.ready_for(world, operation).await;
        scene
    }

    pub(crate) fn path(&self, operation: &Operation) -> String {
        let rest = operation.path.trim_start_matches("/admin/v1/");
        operation.at(|name| match (rest.split('/').next().unwrap(), name) {
            (_, "user") => self.member.clone(),
            ("organizations", _) => self.organization.clone(),
            ("users", _) => self.user.clone(),
            ("api-keys", _) => self.key.clone(),
            _ => panic!("what does {} name?", operation.path),
        })
    }

    /// The documented example, about what is there.
    pub(crate) fn body(&self, operation: &Operation) -> Option<Value> {
        let mut body = operation.body_example()?;
        for (pointer, id) in [
            ("/organization_id", &self.organization),
            ("/user_id", &self.user),
            ("/ids/0", &self.key),
            ("/api_keys/0/organization_id", &self.organization),
        ] {
            if let Some(member) = body.pointer_mut(pointer) {
                *member = json!(id);
            }
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

fn scope(operation: &Operation) -> String {
    let [scope] = <[String; 1]>::try_from(operation.permissions().unwrap()).unwrap();
    assert!(SCOPES.contains(&scope.as_str()), "{} needs the unknown {scope}", operation.id());
    scope
}

const NO_KEY: &str = "Present a key as `Authorization: Bearer …`";
const UNKNOWN: &str = "The presented key opens nothing here";

#[tokio::test]
async fn nobody_and_keys_that_open_nothing_get_nowhere() {
    let world = World::new().await;
    let operations = of("platform");
    assert!(operations.len() > 30, "{} operations", operations.len());
    let scene = Scene::new(&world).await;
    let own = platform::organization(&world, "Operations").await;
    let all = ["admin:*", "*"];
    let holding = async |more: Value| platform::key(&world, &own, &all, more).await;
    let disabled = holding(json!({})).await;
    data(
        &world.bootstrap().post_empty(&format!("{}/disable", platform::at("api-keys", &disabled))).await,
        200,
    );
    let revoked = holding(json!({})).await;
    data(&world.bootstrap().delete(&platform::at("api-keys", &revoked)).await, 200);
    let expired = holding(json!({"expires_in": "1m"})).await;
    let closed = platform::organization(&world, "Closed").await;
    let suspended = platform::key(&world, &closed, &all, json!({})).await;
    data(&world.bootstrap().post_empty("/admin/v1/organizations/closed/suspend").await, 200);
    let partner = world.partner().await;
    let customers = partner.credential("A customer's").await;
    let never = crate::gateway::stage::never_issued(claviger_domain::secret::KeyFormat::Live);
    world.advance(chrono::TimeDelta::minutes(1));
    let keys = [
        ("garbage", "garbage".to_owned()),
        ("never issued", never),
        ("disabled", text(&disabled["key"]).to_owned()),
        ("revoked", text(&revoked["key"]).to_owned()),
        ("expired", text(&expired["key"]).to_owned()),
        ("suspended", text(&suspended["key"]).to_owned()),
        ("test", text(&holding(json!({"environment": "test"})).await["key"]).to_owned()),
        ("scim", text(&holding(json!({"type": "scim"})).await["key"]).to_owned()),
        ("partner's", partner.key.clone().unwrap()),
        ("customer's", text(&customers["api_key"]).to_owned()),
    ];
    for operation in operations {
        let answer = scene.call(&world.nobody(), &operation).await;
        refused(&answer, 401, "unauthorized", NO_KEY);
        operation.admits(&answer);
        for (what, key) in &keys {
            let answer = scene.call(&world.bearer(key), &operation).await;
            assert_eq!(answer.status, 401, "{what} on {}: {}", operation.id(), answer.text);
            refused(&answer, 401, "unauthorized", UNKNOWN);
            operation.admits(&answer);
        }
    }
}

#[tokio::test]
async fn whoever_lacks_exactly_the_scope_is_told_so() {
    let world = World::new().await;
    let operations = of("platform");
    let scene = Scene::new(&world).await;
    let mut lacking = Vec::new();
    for lacks in SCOPES {
        let includes = |scope: &str| INCLUDED.contains(&(lacks, scope));
        let mut held: Vec<_> =
            SCOPES.into_iter().filter(|scope| *scope != lacks && !includes(scope)).collect();
        held.extend(["*", "keys:verify"]);
        lacking.push((lacks, platform::operator(&world, &held).await));
    }
    let everything = platform::operator(&world, &["*"]).await;
    for operation in operations {
        let needed = scope(&operation);
        let message = format!("The scope {needed} is required");
        let (_, caller) = lacking.iter().find(|(lacks, _)| *lacks == needed).unwrap();
        for caller in [caller, &everything] {
            let answer = scene.call(caller, &operation).await;
            refused(&answer, 403, "forbidden", &message);
            operation.admits(&answer);
            // Nor does a malformed request change the order of the checks.
            let path = operation.at(|_| "not an id".replace(' ', "%20")) + "?limit=-1&surprise";
            let request = caller.request(&operation.method, &path).header("content-type", "text/plain");
            refused(&caller.send(request, "{").await, 403, "forbidden", &message);
        }
    }
}

/// The other half of the proof that the declared scope is the one that guards; `*` is there to be given away, and
/// opens nothing here.
#[tokio::test]
async fn nothing_but_the_scope_is_needed() {
    for operation in of("platform") {
        let world = World::new().await;
        let scene = Scene::set_for(&world, &operation).await;
        let caller = platform::operator(&world, &[&scope(&operation), "*"]).await;
        let answer = scene.call(&caller, &operation).await;
        assert!((200..300).contains(&answer.status), "{}: {} {}", operation.id(), answer.status, answer.text);
        operation.admits(&answer);
        if let Some(results) = answer.json()["data"].get("results") {
            assert!(results[0]["status"].as_u64().unwrap() < 300, "{}: {results}", operation.id());
        }
        let world = World::new().await;
        let scene = Scene::set_for(&world, &operation).await;
        let answer = scene.call(&world.bootstrap(), &operation).await;
        assert!((200..300).contains(&answer.status), "{}: {} {}", operation.id(), answer.status, answer.text);
    }
}
