//! A tenant with one of everything that has an id.

use serde_json::{Value, json};

use crate::openapi::operations::text;
use crate::support::{ALL, Caller, World};

/// What an id in a request is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Organization,
    User,
    ExternalId,
    Key,
    /// A credential of the partner class.
    Credential,
    AdminKey,
    Role,
    /// An entry of the audit log.
    Entry,
}

/// One tenant, its things, and who may ask for it.
pub(crate) struct Estate<'w> {
    pub(crate) organization: String,
    pub(crate) slug: String,
    pub(crate) user: String,
    pub(crate) key: String,
    pub(crate) role: String,
    pub(crate) admin_key: String,
    pub(crate) customer: String,
    pub(crate) external_id: String,
    pub(crate) credential: String,
    pub(crate) entry: String,
    /// Its own callers, and what they are called in failures.
    pub(crate) callers: Vec<(&'static str, Caller<'w>)>,
}

impl<'w> Estate<'w> {
    pub(crate) async fn of(world: &'w World, name: &str) -> Self {
        let operator = world.bootstrap();
        let organization = operator.post("/admin/v1/organizations", &json!({"name": name})).await;
        assert_eq!(organization.status, 201, "{}", organization.text);
        let organization = organization.json()["data"].clone();
        let id = text(&organization["id"]).to_owned();
        let slug = text(&organization["slug"]).to_owned();
        let partner = world.partner_of(name, &ALL).await;
        let external_id = format!("customer-of-{slug}");
        let customer = json!({"name": "A customer", "external_id": external_id});
        let customer = partner.post("/v1/admin/users", &customer).await.data();
        let credential = partner.credential_of(&customer, "A customer's").await;
        let master = key(&operator, &id, &["*"], None).await;
        let owner = world.bearer(&master.1);
        let base = format!("/v1/organizations/{id}");
        let role = json!({"name": "Accountant", "permissions": ["invoices:*", "usage:read"]});
        let role = owner.post(&format!("{base}/roles"), &role).await;
        assert_eq!(role.status, 201, "{}", role.text);
        let user = json!({"name": "A person", "email": format!("person@{slug}.example"), "roles": ["Owner"]});
        let user = owner.post(&format!("{base}/users"), &user).await;
        assert_eq!(user.status, 201, "{}", user.text);
        let user = text(&user.json()["data"]["id"]).to_owned();
        let bound = key(&operator, &id, &["users:read", "api-keys:read", "roles:read"], Some(&user)).await;
        let reader = key(&operator, &id, &["api-keys:read"], None).await;
        let gateway = key(&operator, &id, &["keys:verify"], None).await;
        let everything = key(&operator, &id, &["*"], Some(&user)).await;
        let test = json!({"name": "A key", "permissions": ["*"], "environment": "test"});
        let test = owner.post(&format!("{base}/api-keys"), &test).await;
        assert_eq!(test.status, 201, "{}", test.text);
        let log = owner.get(&format!("{base}/audit-logs?limit=1")).await.json();
        let callers = vec![
            ("the partner", (*partner).clone()),
            ("the tenant", owner),
            ("a user's key", world.bearer(&bound.1)),
            ("a key that reads keys", world.bearer(&reader.1)),
            ("a gateway", world.bearer(&gateway.1)),
            ("an owner's key", world.bearer(&everything.1)),
            ("a test key", world.bearer(text(&test.json()["key"]))),
            ("nobody", world.nobody()),
        ];
        Self {
            organization: id,
            slug,
            user,
            key: reader.0,
            role: text(&role.json()["data"]["id"]).to_owned(),
            admin_key: partner.id.clone(),
            customer: text(&customer["id"]).to_owned(),
            external_id,
            entry: text(&log["data"][0]["id"]).to_owned(),
            credential: text(&credential["credential"]["id"]).to_owned(),
            callers,
        }
    }

    pub(crate) fn id(&self, kind: Kind) -> &str {
        match kind {
            Kind::Organization => &self.organization,
            Kind::User => &self.user,
            Kind::ExternalId => &self.external_id,
            Kind::Key => &self.key,
            Kind::Credential => &self.credential,
            Kind::AdminKey => &self.admin_key,
            Kind::Role => &self.role,
            Kind::Entry => &self.entry,
        }
    }
}

/// A live key the operator makes for an organization: its id and its text.
async fn key(
    operator: &Caller<'_>,
    organization: &str,
    scopes: &[&str],
    user: Option<&str>,
) -> (String, String) {
    let mut body = json!({"organization_id": organization, "name": "A key", "scopes": scopes});
    if let Some(user) = user {
        body["user_id"] = json!(user);
    }
    let answer = operator.post("/admin/v1/api-keys", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let data: Value = answer.json()["data"].clone();
    (text(&data["id"]).to_owned(), text(&data["key"]).to_owned())
}
