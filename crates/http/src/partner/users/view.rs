//! What the partner surface shows of user accounts.

use claviger_app::users;
use claviger_domain::account::UserAccount;
use claviger_domain::text::Name;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{instant, json};

/// A user account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User, example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000001", "admin_key_id": "01932a3e-5f00-7000-8000-000000000002",
    "admin_entity_name": "YourCompany", "external_id": "customer-123", "name": "Acme Corp",
    "email": "ops@acme.example", "metadata": {"tier": "gold"}, "created_at": "2026-01-26T12:00:00Z",
    "updated_at": null, "status": "active", "billing_plan": "pro"
}))]
pub(super) struct UserView {
    #[schema(format = Uuid)]
    id: String,
    /// The admin key it belongs to.
    #[schema(required, format = Uuid)]
    admin_key_id: Option<String>,
    admin_entity_name: String,
    /// The partner's own customer id, unique per admin key.
    #[schema(required)]
    external_id: Option<String>,
    name: String,
    #[schema(required)]
    email: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null` until the first change.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
    /// `active`, `suspended` or `pending`.
    status: &'static str,
    #[schema(required)]
    billing_plan: Option<String>,
}

impl UserView {
    /// `entity` is the name of the caller's.
    pub(super) fn of(users::Seen { account, roles: _ }: users::Seen, entity: Option<&Name>) -> Self {
        // The organization is told by its name; the revision is the account's tag. Roles are no partner's matter.
        let UserAccount {
            id,
            organization: _,
            admin_key,
            external_id,
            name,
            email,
            metadata,
            status,
            billing_plan,
            first_name: _,
            last_name: _,
            roles: _,
            created_at,
            updated_at,
            revision: _,
        } = account;
        Self {
            id: id.to_string(),
            admin_key_id: admin_key.map(|id| id.to_string()),
            admin_entity_name: entity.map(ToString::to_string).unwrap_or_default(),
            external_id: external_id.map(|id| id.to_string()),
            name: name.to_string(),
            email: email.map(|email| email.to_string()),
            metadata: json::object(&metadata),
            created_at: instant::print(created_at),
            updated_at: updated_at.map(instant::print),
            status: status.word(),
            billing_plan: billing_plan.map(|plan| plan.to_string()),
        }
    }
}

/// What a change of status shows of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000001", "name": "Acme Corp", "status": "suspended",
    "updated_at": "2026-01-27T12:00:00Z"
}))]
pub(super) struct UserStatus {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    status: &'static str,
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

impl From<UserView> for UserStatus {
    fn from(view: UserView) -> Self {
        let UserView {
            id,
            admin_key_id: _,
            admin_entity_name: _,
            external_id: _,
            name,
            email: _,
            metadata: _,
            created_at: _,
            updated_at,
            status,
            billing_plan: _,
        } = view;
        Self { id, name, status, updated_at }
    }
}
