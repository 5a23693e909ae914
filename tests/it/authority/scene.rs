//! One partner with one of everything, and how each documented operation is asked about it.

use axum::body::Body;
use serde_json::{Value, json};

use super::{organization, platform};

use crate::openapi::operations::{Operation, text};
use crate::openapi::{OF_THE_PRESENTED_KEY, WITHOUT_CALLER};
use crate::support::{ALL, Answer, Caller, Partner, World};

/// What every partner's first user is known by outside.
const EXTERNAL_ID: &str = "customer-123";

/// The ids a path may name.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) user: String,
    pub(crate) external_id: String,
    pub(crate) credential: String,
    pub(crate) admin_key: String,
}

impl Ids {
    /// Ids of the right form that nothing has.
    pub(crate) fn of_nothing() -> Self {
        Self {
            user: "01932a3e-5f00-7000-8000-0000000000a1".to_owned(),
            external_id: "customer-of-nobody".to_owned(),
            credential: "01932a3e-5f00-7000-8000-0000000000a2".to_owned(),
            admin_key: "01932a3e-5f00-7000-8000-0000000000a3".to_owned(),
        }
    }

    /// The one the path of `operation` asks for. A path of a new kind has to be added here.
    pub(crate) fn named_by(&self, operation: &Operation) -> &str {
        match operation.path.trim_start_matches("/v1/admin/").split('{').next().unwrap() {
            "users/" => &self.user,
            "users/by-external-id/" => &self.external_id,
            "credentials/" | "usage/" => &self.credential,
            "admin-keys/" => &self.admin_key,
            _ => panic!("what does {} name?", operation.path),
        }
    }
}

pub(crate) struct Scene<'w> {
    world: &'w World,
    pub(crate) owner: Partner<'w>,
    pub(crate) ids: Ids,
    /// The text of the credential's key.
    pub(crate) key: String,
    /// What the operator's operations are about.
    platform: platform::Scene,
    organization: organization::Scene<'w>,
}

impl<'w> Scene<'w> {
    pub(crate) async fn new(world: &'w World) -> Self {
        let owner = world.partner().await;
        let body = json!({"name": "Acme Corp", "external_id": EXTERNAL_ID});
        let user = owner.post("/v1/admin/users", &body).await.data();
        let issued = owner.credential_of(&user, "Production").await;
        let other = world.partner_of("YourCompany", &ALL).await;
        let ids = Ids {
            user: text(&user["id"]).to_owned(),
            external_id: EXTERNAL_ID.to_owned(),
            credential: text(&issued["credential"]["id"]).to_owned(),
            admin_key: other.id,
        };
        let platform = platform::Scene::new(world).await;
        let organization = organization::Scene::new(world).await;
        Self { world, owner, ids, key: text(&issued["api_key"]).to_owned(), platform, organization }
    }

    /// Whoever may do `operation`, whatever it is.
    pub(crate) fn caller(&self, operation: &Operation) -> Caller<'w> {
        if operation.surface == "organization" {
            return self.organization.caller(operation);
        }
        let needed = operation.permissions().unwrap();
        match (needed.first().map(String::as_str), operation.id()) {
            _ if operation.surface == "platform" => self.world.bootstrap(),
            (Some("manage_admin_keys" | "keys:verify"), _) => self.world.bootstrap(),
            (_, OF_THE_PRESENTED_KEY) => self.world.bearer(&self.key),
            (_, WITHOUT_CALLER) => self.world.nobody(),
            _ => (*self.owner).clone(),
        }
    }

    /// Leaves the owner these permissions.
    pub(crate) async fn narrow(&self, permissions: &[String]) {
        let path = format!("/v1/admin/admin-keys/{}", self.owner.id);
        let answer = self.world.bootstrap().patch(&path, &json!({"permissions": permissions})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Puts things into the state in which `operation` succeeds.
    pub(crate) async fn ready_for(&self, operation: &Operation) {
        match operation.surface {
            "platform" => self.platform.ready_for(self.world, operation).await,
            "organization" => self.organization.ready_for(operation).await,
            _ => {}
        }
        if operation.id() == "reactivate_user" {
            let answer = self.owner.post_empty(&format!("/v1/admin/users/{}/suspend", self.ids.user)).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
    }

    pub(crate) fn path(&self, operation: &Operation) -> String {
        match operation.surface {
            "platform" => self.platform.path(operation),
            "organization" => self.organization.path(operation),
            _ => path(operation, &self.ids),
        }
    }

    /// The documented example, about what is there.
    pub(crate) fn body(&self, operation: &Operation) -> Option<Value> {
        match operation.surface {
            "platform" => self.platform.body(operation),
            "organization" => self.organization.body(operation),
            _ => body(operation, &self.ids),
        }
    }

    /// Sends `operation` about what is there, as the document shows it.
    pub(crate) async fn call(&self, caller: &Caller<'_>, operation: &Operation) -> Answer {
        match operation.surface {
            "platform" => self.platform.call(caller, operation).await,
            "organization" => self.organization.call(caller, operation).await,
            _ => call(caller, operation, &self.ids).await,
        }
    }
}

pub(crate) fn path(operation: &Operation, ids: &Ids) -> String {
    operation.at(|_| ids.named_by(operation).to_owned())
}

/// A body example that names a user names this one, and an external id in it is not taken yet.
pub(crate) fn body(operation: &Operation, ids: &Ids) -> Option<Value> {
    let mut body = operation.body_example()?;
    if body.get("user_account_id").is_some() {
        body["user_account_id"] = json!(ids.user);
    }
    if body.get("external_id").is_some() {
        body["external_id"] = json!("customer-456");
    }
    Some(body)
}

pub(crate) async fn call(caller: &Caller<'_>, operation: &Operation, ids: &Ids) -> Answer {
    let request = caller.request(&operation.method, &path(operation, ids));
    match body(operation, ids) {
        Some(body) => caller.send(request.header("content-type", "application/json"), body.to_string()).await,
        None => caller.send(request, Body::empty()).await,
    }
}
