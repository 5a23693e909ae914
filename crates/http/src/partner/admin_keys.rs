//! `/v1/admin/admin-keys*` and `/v1/admin/me`

use claviger_app::{App, Field, admin_keys};
use claviger_domain::capability::{Capability, CapabilitySet};
use claviger_domain::ids::AdminKeyId;
use claviger_domain::text::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, One, Page, Patch, Reply};
use crate::call::{Anybody, ManageAdminKeys, May};
use crate::extract::{Body, Id, IfMatch, NoBody, Query};
use crate::fault::{Expected, Fault, Reason};
use crate::instant;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_admin_keys, create_admin_key))
        .routes(routes!(get_admin_key, update_admin_key, revoke_admin_key))
        .routes(routes!(get_me))
}

/// The permission words, in the order they are told in.
const WORDS: &[&str] = &["manage_credentials", "manage_users", "view_audit_logs", "view_usage"];

/// An admin key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminKey, example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000002", "name": "Billing system", "entity_name": "YourCompany",
    "organization_id": "01932a3e-5f00-7000-8000-000000000009",
    "permissions": ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"],
    "api_key_prefix": "iiak_admin_0a1b2c3d", "created_at": "2026-01-26T12:00:00Z", "expires_at": null,
    "last_used_at": null, "revoked": false, "revoked_at": null
}))]
struct AdminKeyView {
    #[schema(format = Uuid)]
    id: String,
    name: Option<String>,
    /// The partner's name: its organization's. `null` for the bootstrap key.
    entity_name: Option<String>,
    #[schema(format = Uuid)]
    organization_id: Option<String>,
    /// Of `manage_credentials`, `manage_users`, `view_audit_logs`, `view_usage`. The bootstrap key has the last two,
    /// `manage_admin_keys` and `verify_keys`.
    permissions: Vec<&'static str>,
    api_key_prefix: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    revoked: bool,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl From<admin_keys::Seen> for AdminKeyView {
    fn from(admin_keys::Seen { key, entity }: admin_keys::Seen) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.map(|name| name.to_string()),
            entity_name: Some(entity.to_string()),
            organization_id: Some(key.organization.to_string()),
            permissions: key.permissions.words(),
            api_key_prefix: key.prefix.as_str().to_owned(),
            created_at: instant::print(key.created_at),
            expires_at: key.expires_at.map(instant::print),
            last_used_at: key.last_used_at.map(instant::print),
            revoked: key.revoked_at.is_some(),
            revoked_at: key.revoked_at.map(instant::print),
        }
    }
}

impl From<admin_keys::Me> for AdminKeyView {
    fn from(me: admin_keys::Me) -> Self {
        match me {
            admin_keys::Me::AdminKey(seen) => (*seen).into(),
            admin_keys::Me::Bootstrap { key, capabilities } => Self {
                id: key.id.to_string(),
                name: Some("Bootstrap key".to_owned()),
                entity_name: None,
                organization_id: None,
                permissions: capabilities.words(),
                api_key_prefix: key.prefix.as_str().to_owned(),
                created_at: instant::print(key.created_at),
                expires_at: None,
                last_used_at: None,
                revoked: key.revoked_at.is_some(),
                revoked_at: key.revoked_at.map(instant::print),
            },
        }
    }
}

fn tagged(seen: admin_keys::Seen, reply: impl FnOnce(AdminKeyView) -> Reply) -> Reply {
    let revision = seen.key.revision;
    reply(seen.into()).tagged(revision)
}

/// An admin key and its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "admin_key": {
        "id": "01932a3e-5f00-7000-8000-000000000002", "name": null, "entity_name": "YourCompany",
        "organization_id": "01932a3e-5f00-7000-8000-000000000009", "permissions": ["manage_users"],
        "api_key_prefix": "iiak_admin_0a1b2c3d", "created_at": "2026-01-26T12:00:00Z", "expires_at": null,
        "last_used_at": null, "revoked": false, "revoked_at": null
    },
    "api_key": "iiak_admin_…"
}))]
struct IssuedAdminKey {
    admin_key: AdminKeyView,
    /// The key. It is shown this once.
    api_key: String,
}

/// An admin key to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "entity_name": "YourCompany", "permissions": ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"],
    "name": "Billing system", "expires_at": "2027-01-26T12:00:00Z"
}))]
struct NewAdminKey {
    /// The partner. An organization of this name is joined; without one, it is opened.
    #[schema(min_length = 1, max_length = 255)]
    entity_name: String,
    /// At least one of `manage_credentials`, `manage_users`, `view_audit_logs`, `view_usage`.
    #[schema(min_items = 1)]
    permissions: Vec<String>,
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// In the future; `null`: does not expire.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl TryFrom<NewAdminKey> for admin_keys::Create {
    type Error = Fault;

    fn try_from(new: NewAdminKey) -> Result<Self, Fault> {
        let NewAdminKey { entity_name, permissions, name, expires_at } = new;
        Ok(Self {
            entity: wire::text("entity_name", &entity_name, Name::new)?,
            name: name.as_deref().map(wire::name).transpose()?,
            permissions: permission_set(&permissions)?,
            expires_at: expires_at.map(|at| wire::instant("expires_at", &at)).transpose()?,
        })
    }
}

fn permission_set(words: &[String]) -> Result<CapabilitySet, Fault> {
    if words.is_empty() {
        return Err(Fault::invalid("permissions", Reason::Empty));
    }
    let known = |word: &String| Capability::of_partner_word(word);
    words.iter().map(known).collect::<Option<_>>().ok_or(Fault::invalid("permissions", Reason::Word(WORDS)))
}

/// Fields to change; absent ones stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"permissions": ["view_usage"], "expires_at": null}))]
struct AdminKeyPatch {
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    /// The whole new set.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    permissions: Patch<Vec<String>>,
    /// In the future; `null`: does not expire.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Patch<String>,
}

impl TryFrom<AdminKeyPatch> for admin_keys::Update {
    type Error = Fault;

    fn try_from(AdminKeyPatch { name, permissions, expires_at }: AdminKeyPatch) -> Result<Self, Fault> {
        if name.is_absent() && permissions.is_absent() && expires_at.is_absent() {
            return Err(Fault::NothingToChange(claviger_app::Kind::AdminKey));
        }
        let null = || Fault::invalid("permissions", Reason::Type(Expected::Array));
        let expires_at: Field<Option<String>> = expires_at.nullable();
        Ok(Self {
            name: name.nullable().try_map(|given| given.as_deref().map(wire::name).transpose())?,
            permissions: permissions.required(null)?.try_map(|words| permission_set(&words))?,
            expires_at: expires_at
                .try_map(|given| given.map(|at| wire::instant("expires_at", &at)).transpose())?,
        })
    }
}

/// List admin keys
///
/// All admin keys, newest first; revoked ones only when asked for. Bootstrap key only.
#[utoipa::path(
    get, path = "/v1/admin/admin-keys", operation_id = "list_admin_keys", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("includeRevoked" = Option<bool>, Query, description = "Revoked ones as well, default false", example = false),
    ),
    responses((status = 200, description = "One page of admin keys", body = Page<AdminKeyView>)),
)]
async fn list_admin_keys(May(call, _): May<ManageAdminKeys>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let include_revoked = query.flag("includeRevoked")?;
    query.end()?;
    Ok(Reply::page(admin_keys::list(&call, include_revoked, window).await?, AdminKeyView::from))
}

/// Create an admin key
///
/// The answer holds the key, this once. Bootstrap key only.
#[utoipa::path(
    post, path = "/v1/admin/admin-keys", operation_id = "create_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    request_body = NewAdminKey,
    responses((status = 201, description = "The admin key and its text", body = One<IssuedAdminKey>)),
)]
async fn create_admin_key(call: May<ManageAdminKeys>, body: Body<NewAdminKey>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |admin_keys::Issued { seen, plaintext }| {
        let revision = seen.key.revision;
        let issued = IssuedAdminKey { admin_key: seen.into(), api_key: plaintext.expose().to_owned() };
        let message = "Admin key created. Store the api_key securely - it will not be shown again.";
        Reply::created(issued, message).tagged(revision).secret()
    };
    Ok(admin_keys::create(&call, new.try_into()?, word).await?)
}

/// Get an admin key
///
/// One admin key by its id, revoked or not. Bootstrap key only.
#[utoipa::path(
    get, path = "/v1/admin/admin-keys/{id}", operation_id = "get_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(("id" = String, Path, description = "The admin key's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000002")),
    responses((status = 200, description = "The admin key", body = One<AdminKeyView>)),
)]
async fn get_admin_key(
    May(call, _): May<ManageAdminKeys>,
    Id(id): Id<AdminKeyId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(admin_keys::find(&call, id).await?, Reply::one))
}

/// Update an admin key
///
/// Changes its name, permissions or expiry, in force for its next call. Bootstrap key only.
#[utoipa::path(
    patch, path = "/v1/admin/admin-keys/{id}", operation_id = "update_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(
        ("id" = String, Path, description = "The admin key's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000002"),
        ("If-Match" = Option<String>, Header, description = "Change only if the admin key still has this `ETag`", example = "\"1\""),
    ),
    request_body = AdminKeyPatch,
    responses((status = 200, description = "The admin key as it is now", body = One<AdminKeyView>)),
)]
async fn update_admin_key(
    call: May<ManageAdminKeys>,
    Id(id): Id<AdminKeyId>,
    IfMatch(precondition): IfMatch,
    body: Body<AdminKeyPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(seen, |view| Reply::done(view, "Admin key updated successfully"));
    Ok(admin_keys::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Revoke an admin key
///
/// From now on it is not accepted, for good. The accounts and credentials it made stay and go on working.
/// Bootstrap key only.
#[utoipa::path(
    delete, path = "/v1/admin/admin-keys/{id}", operation_id = "revoke_admin_key", tag = "Admin keys",
    security(("admin_key" = ["manage_admin_keys"])),
    params(
        ("id" = String, Path, description = "The admin key's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000002"),
        ("If-Match" = Option<String>, Header, description = "Revoke only if the admin key still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 200, description = "The admin key as it ended", body = One<AdminKeyView>)),
)]
async fn revoke_admin_key(
    call: May<ManageAdminKeys>,
    Id(id): Id<AdminKeyId>,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| tagged(seen, |view| Reply::done(view, "Admin key revoked successfully"));
    Ok(admin_keys::revoke(&call, id, &precondition, word).await?)
}

/// Get the calling key
///
/// What the presented key is and may do. Any admin key may ask, and so may the bootstrap key.
#[utoipa::path(
    get, path = "/v1/admin/me", operation_id = "get_me", tag = "Admin keys",
    security(("admin_key" = [])),
    responses((status = 200, description = "The key that asks", body = One<AdminKeyView>)),
)]
async fn get_me(May(call, _): May<Anybody>, query: Query) -> Result<Reply, Fault> {
    query.end()?;
    Ok(match admin_keys::me(&call).await? {
        admin_keys::Me::AdminKey(seen) => tagged(*seen, Reply::one),
        me @ admin_keys::Me::Bootstrap { .. } => Reply::one(AdminKeyView::from(me)),
    })
}
