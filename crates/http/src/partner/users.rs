//! `/v1/admin/users*`

use claviger_app::{App, users};
use claviger_domain::account::AccountStatus;
use claviger_domain::ids::UserAccountId;
use claviger_domain::text::{BillingPlan, Email, ExternalId, Metadata};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, One, Page, Patch, Reply, RequiredName};
use crate::call::{ManageUsers, May};
use crate::extract::{Body, Id, IfMatch, NoBody, Query, Segment};
use crate::fault::{Expected, Fault, Reason};
use crate::instant;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_users, create_user))
        .routes(routes!(get_user, update_user))
        .routes(routes!(get_user_by_external_id))
        .routes(routes!(suspend_user))
        .routes(routes!(reactivate_user))
}

/// A user account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User, example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000001", "admin_key_id": "01932a3e-5f00-7000-8000-000000000002",
    "admin_entity_name": "YourCompany", "external_id": "customer-123", "name": "Acme Corp",
    "email": "ops@acme.example", "metadata": {"tier": "gold"}, "created_at": "2026-01-26T12:00:00Z",
    "updated_at": null, "status": "active", "billing_plan": "pro"
}))]
struct UserView {
    #[schema(format = Uuid)]
    id: String,
    /// The admin key it belongs to.
    #[schema(format = Uuid)]
    admin_key_id: Option<String>,
    admin_entity_name: String,
    /// The partner's own customer id, unique per admin key.
    external_id: Option<String>,
    name: String,
    email: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null` until the first change.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    /// `active`, `suspended` or `pending`.
    status: &'static str,
    billing_plan: Option<String>,
}

impl From<users::Seen> for UserView {
    fn from(users::Seen { account, entity }: users::Seen) -> Self {
        Self {
            id: account.id.to_string(),
            admin_key_id: account.admin_key.map(|id| id.to_string()),
            admin_entity_name: entity.to_string(),
            external_id: account.external_id.map(|id| id.to_string()),
            name: account.name.to_string(),
            email: account.email.map(|email| email.to_string()),
            metadata: crate::json::object(&account.metadata),
            created_at: instant::print(account.created_at),
            updated_at: account.updated_at.map(instant::print),
            status: account.status.word(),
            billing_plan: account.billing_plan.map(|plan| plan.to_string()),
        }
    }
}

fn tagged(seen: users::Seen, reply: impl FnOnce(UserView) -> Reply) -> Reply {
    let revision = seen.account.revision;
    reply(seen.into()).tagged(revision)
}

/// What a change of status shows of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000001", "name": "Acme Corp", "status": "suspended",
    "updated_at": "2026-01-27T12:00:00Z"
}))]
struct UserStatus {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    status: &'static str,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

impl From<users::Seen> for UserStatus {
    fn from(users::Seen { account, entity: _ }: users::Seen) -> Self {
        Self {
            id: account.id.to_string(),
            name: account.name.to_string(),
            status: account.status.word(),
            updated_at: account.updated_at.map(instant::print),
        }
    }
}

fn status(seen: users::Seen, message: &'static str) -> Reply {
    let revision = seen.account.revision;
    Reply::done(UserStatus::from(seen), message).tagged(revision)
}

/// A user account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Acme Corp", "external_id": "customer-123", "email": "ops@acme.example",
    "metadata": {"tier": "gold"}, "billing_plan": "pro"
}))]
struct NewUser {
    /// 1 to 255 characters after trimming.
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    name: RequiredName,
    /// 1 to 255 characters, unique per admin key.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    #[schema(max_length = 254)]
    email: Option<String>,
    /// At most 16 KiB, at most 8 levels deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    #[schema(min_length = 1, max_length = 255)]
    billing_plan: Option<String>,
}

impl TryFrom<NewUser> for users::Create {
    type Error = Fault;

    fn try_from(new: NewUser) -> Result<Self, Fault> {
        let NewUser { name, external_id, email, metadata, billing_plan } = new;
        Ok(Self {
            name: wire::name(&name.0)?,
            external_id: wire::optional_text("external_id", external_id, ExternalId::new)?,
            email: wire::optional_text("email", email, Email::new)?,
            metadata: metadata.map(wire::metadata).transpose()?.unwrap_or_else(Metadata::empty),
            billing_plan: wire::optional_text("billing_plan", billing_plan, BillingPlan::new)?,
        })
    }
}

/// Fields to change; absent ones stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme Corporation", "email": null}))]
struct UserPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    external_id: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Patch<String>,
    /// Replaces the stored object.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    billing_plan: Patch<String>,
}

impl TryFrom<UserPatch> for users::Update {
    type Error = Fault;

    fn try_from(patch: UserPatch) -> Result<Self, Fault> {
        let UserPatch { name, external_id, email, metadata, billing_plan } = patch;
        let absent = [&name, &external_id, &email, &billing_plan].iter().all(|field| field.is_absent());
        if absent && metadata.is_absent() {
            return Err(Fault::NothingToChange(claviger_app::Kind::UserAccount));
        }
        let null = || Fault::invalid("metadata", Reason::Type(Expected::Object));
        let metadata = metadata.required(null)?.try_map(wire::metadata)?;
        Ok(Self {
            name: wire::patched_name(name)?,
            external_id: external_id
                .nullable()
                .try_map(|given| wire::optional_text("external_id", given, ExternalId::new))?,
            email: email.nullable().try_map(|given| wire::optional_text("email", given, Email::new))?,
            metadata,
            billing_plan: billing_plan
                .nullable()
                .try_map(|given| wire::optional_text("billing_plan", given, BillingPlan::new))?,
        })
    }
}

/// List user accounts
///
/// The accounts this admin key made, newest first.
#[utoipa::path(
    get, path = "/v1/admin/users", operation_id = "list_users", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("status" = Option<String>, Query, description = "Only `active`, `suspended` or `pending` accounts", example = "active"),
    ),
    responses((status = 200, description = "One page of accounts", body = Page<UserView>)),
)]
async fn list_users(May(call, _): May<ManageUsers>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let status = query.take("status").map(|word| {
        let words = &["active", "suspended", "pending"];
        AccountStatus::of_word(&word).ok_or(Fault::invalid("status", Reason::Word(words)))
    });
    let status = status.transpose()?;
    query.end()?;
    Ok(Reply::page(users::list(&call, status, window).await?, UserView::from))
}

/// Create a user account
///
/// The account is active at once. Its `external_id` must not be in use by another account of this admin key.
#[utoipa::path(
    post, path = "/v1/admin/users", operation_id = "create_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    request_body = NewUser,
    responses((status = 201, description = "The account", body = One<UserView>)),
)]
async fn create_user(call: May<ManageUsers>, body: Body<NewUser>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |seen| tagged(seen, |view| Reply::created(view, "User account created successfully"));
    Ok(users::create(&call, new.try_into()?, word).await?)
}

/// Get a user account
///
/// One account by its id.
#[utoipa::path(
    get, path = "/v1/admin/users/{id}", operation_id = "get_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001")),
    responses((status = 200, description = "The account", body = One<UserView>)),
)]
async fn get_user(
    May(call, _): May<ManageUsers>,
    Id(id): Id<UserAccountId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(users::find(&call, id).await?, Reply::one))
}

/// Get a user account by external id
///
/// One account by the partner's own id for it. Reserved characters are percent-encoded.
#[utoipa::path(
    get, path = "/v1/admin/users/by-external-id/{externalId}", operation_id = "get_user_by_external_id", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("externalId" = String, Path, description = "The partner's id for the customer", example = "customer-123")),
    responses((status = 200, description = "The account", body = One<UserView>)),
)]
async fn get_user_by_external_id(
    May(call, _): May<ManageUsers>,
    Segment(external_id): Segment,
    query: Query,
) -> Result<Reply, Fault> {
    let external_id = wire::text("external_id", &external_id, ExternalId::new)?;
    query.end()?;
    Ok(tagged(users::find_by_external_id(&call, &external_id).await?, Reply::one))
}

/// Update a user account
///
/// Changes the fields that are present. Metadata is replaced, not merged; the status has its own operations.
#[utoipa::path(
    patch, path = "/v1/admin/users/{id}", operation_id = "update_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(
        ("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001"),
        ("If-Match" = Option<String>, Header, description = "Change only if the account still has this `ETag`", example = "\"1\""),
    ),
    request_body = UserPatch,
    responses((status = 200, description = "The account as it is now", body = One<UserView>)),
)]
async fn update_user(
    call: May<ManageUsers>,
    Id(id): Id<UserAccountId>,
    IfMatch(precondition): IfMatch,
    body: Body<UserPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(seen, |view| Reply::done(view, "User account updated successfully"));
    Ok(users::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Suspend a user account
///
/// From now on none of the account's credentials is accepted.
#[utoipa::path(
    post, path = "/v1/admin/users/{id}/suspend", operation_id = "suspend_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001")),
    responses((status = 200, description = "The account's status", body = One<UserStatus>)),
)]
async fn suspend_user(
    call: May<ManageUsers>,
    Id(id): Id<UserAccountId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| status(seen, "User account suspended successfully");
    Ok(users::suspend(&call, id, word).await?)
}

/// Reactivate a user account
///
/// The account's credentials are accepted again; revoked ones stay revoked.
#[utoipa::path(
    post, path = "/v1/admin/users/{id}/reactivate", operation_id = "reactivate_user", tag = "Users",
    security(("admin_key" = ["manage_users"])),
    params(("id" = String, Path, description = "The account's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000001")),
    responses((status = 200, description = "The account's status", body = One<UserStatus>)),
)]
async fn reactivate_user(
    call: May<ManageUsers>,
    Id(id): Id<UserAccountId>,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| status(seen, "User account reactivated successfully");
    Ok(users::reactivate(&call, id, word).await?)
}
