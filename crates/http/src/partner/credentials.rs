//! `/v1/admin/credentials*`

use chrono::TimeDelta;
use claviger_app::{App, credentials};
use claviger_domain::credential::Network;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::limit::Limits;
use claviger_domain::text::Metadata;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{self, One, Page, Patch, Reply, RequiredName};
use crate::call::{ManageCredentials, May};
use crate::extract::{Body, Id, IfMatch, NoBody, OptionalBody, Query};
use crate::fault::{Fault, Reason};
use crate::instant;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_credentials, create_credential))
        .routes(routes!(get_credential, update_credential, revoke_credential))
        .routes(routes!(rotate_credential))
}

/// A credential, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credential, example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "description": null,
    "api_key_prefix": "iiak_a1b2c3d4", "created_at": "2026-01-26T12:00:00Z",
    "user_account_id": "01932a3e-5f00-7000-8000-000000000001", "user_account_name": "Acme Corp",
    "user_external_id": "customer-123", "admin_key_id": "01932a3e-5f00-7000-8000-000000000002",
    "admin_entity_name": "YourCompany", "network_id": 0, "last_used_at": null, "expires_at": null,
    "revoked": false, "revoked_at": null, "rate_limit_per_minute": 120, "metadata": {}
}))]
struct CredentialView {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    description: Option<String>,
    /// The first 13 characters of the key.
    api_key_prefix: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = Uuid)]
    user_account_id: Option<String>,
    user_account_name: Option<String>,
    user_external_id: Option<String>,
    /// The admin key it belongs to.
    #[schema(format = Uuid)]
    admin_key_id: Option<String>,
    admin_entity_name: Option<String>,
    /// 0 = Cardano mainnet, 1 = preview, 2 = preprod.
    network_id: Option<i16>,
    /// `null` before the first use.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// `null`: does not expire.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    revoked: bool,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    rate_limit_per_minute: Option<u32>,
    #[schema(value_type = Object)]
    metadata: Value,
}

impl From<credentials::Seen> for CredentialView {
    fn from(credentials::Seen { credential, user, entity }: credentials::Seen) -> Self {
        let (user_name, external_id) = user.map_or((None, None), |user| {
            (Some(user.name.to_string()), user.external_id.map(|id| id.to_string()))
        });
        Self {
            id: credential.id.to_string(),
            name: credential.name.to_string(),
            description: credential.description.map(|text| text.to_string()),
            api_key_prefix: credential.prefix.as_str().to_owned(),
            created_at: instant::print(credential.created_at),
            user_account_id: credential.user_account.map(|id| id.to_string()),
            user_account_name: user_name,
            user_external_id: external_id,
            admin_key_id: credential.admin_key.map(|id| id.to_string()),
            admin_entity_name: Some(entity.to_string()),
            network_id: credential.network.map(Network::number),
            last_used_at: credential.last_used_at.map(instant::print),
            expires_at: credential.expires_at.map(instant::print),
            revoked: credential.revoked.is_some(),
            revoked_at: credential.revoked.map(|revocation| instant::print(revocation.at)),
            rate_limit_per_minute: credential.limits.figure_per_minute(),
            metadata: crate::json::object(&credential.metadata),
        }
    }
}

fn tagged(seen: credentials::Seen, reply: impl FnOnce(CredentialView) -> Reply) -> Reply {
    let revision = seen.credential.revision;
    reply(seen.into()).tagged(revision)
}

/// A credential and its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "credential": {
        "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "description": null,
        "api_key_prefix": "iiak_a1b2c3d4", "created_at": "2026-01-26T12:00:00Z", "user_account_id": null,
        "user_account_name": null, "user_external_id": null,
        "admin_key_id": "01932a3e-5f00-7000-8000-000000000002", "admin_entity_name": "YourCompany",
        "network_id": 0, "last_used_at": null, "expires_at": null, "revoked": false, "revoked_at": null,
        "rate_limit_per_minute": 60, "metadata": {}
    },
    "api_key": "iiak_…"
}))]
struct IssuedCredential {
    credential: CredentialView,
    /// The key. It is shown this once.
    api_key: String,
}

impl From<credentials::Issued> for IssuedCredential {
    fn from(credentials::Issued { seen, key }: credentials::Issued) -> Self {
        Self { credential: seen.into(), api_key: key.expose().to_owned() }
    }
}

/// A credential and its new key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "credential": {
        "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "description": null,
        "api_key_prefix": "iiak_z9y8x7w6", "created_at": "2026-01-26T12:00:00Z", "user_account_id": null,
        "user_account_name": null, "user_external_id": null,
        "admin_key_id": "01932a3e-5f00-7000-8000-000000000002", "admin_entity_name": "YourCompany",
        "network_id": 0, "last_used_at": null, "expires_at": null, "revoked": false, "revoked_at": null,
        "rate_limit_per_minute": 60, "metadata": {}
    },
    "api_key": "iiak_…", "previous_expires_at": "2026-01-28T12:00:00Z"
}))]
struct RotatedCredential {
    credential: CredentialView,
    /// The new key. It is shown this once.
    api_key: String,
    /// Until then the keys before it are accepted as well.
    #[schema(format = DateTime)]
    previous_expires_at: String,
}

/// What is left of a revoked credential.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01932a3e-5f00-7000-8000-000000000003", "name": "Production", "api_key_prefix": "iiak_a1b2c3d4",
    "user_account_id": null, "user_account_name": null,
    "admin_key_id": "01932a3e-5f00-7000-8000-000000000002", "admin_entity_name": "YourCompany",
    "network_id": 0, "revoked": true, "revoked_at": "2026-01-27T12:00:00Z"
}))]
struct RevokedCredential {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    api_key_prefix: String,
    #[schema(format = Uuid)]
    user_account_id: Option<String>,
    user_account_name: Option<String>,
    #[schema(format = Uuid)]
    admin_key_id: Option<String>,
    admin_entity_name: Option<String>,
    network_id: Option<i16>,
    revoked: bool,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl From<CredentialView> for RevokedCredential {
    fn from(view: CredentialView) -> Self {
        let CredentialView {
            id,
            name,
            api_key_prefix,
            user_account_id,
            user_account_name,
            admin_key_id,
            admin_entity_name,
            network_id,
            revoked,
            revoked_at,
            ..
        } = view;
        Self {
            id,
            name,
            api_key_prefix,
            user_account_id,
            user_account_name,
            admin_key_id,
            admin_entity_name,
            network_id,
            revoked,
            revoked_at,
        }
    }
}

/// A credential to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Production", "user_account_id": "01932a3e-5f00-7000-8000-000000000001", "network_id": 0,
    "description": "Main integration", "expires_at": "2027-01-26T12:00:00Z", "rate_limit_per_minute": 120,
    "metadata": {"team": "payments"}
}))]
struct NewCredential {
    /// 1 to 255 characters after trimming.
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    name: RequiredName,
    /// The account it is for; `null` for none.
    #[schema(format = Uuid)]
    user_account_id: Option<String>,
    /// 0 = Cardano mainnet, 1 = preview, 2 = preprod.
    #[schema(minimum = 0, maximum = 2)]
    network_id: i64,
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// In the future; `null`: does not expire. Times without an offset are UTC.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// 1 to 10000, default 60.
    #[schema(minimum = 1, maximum = 10000)]
    rate_limit_per_minute: Option<i64>,
    /// At most 16 KiB, at most 8 levels deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

const USUAL_LIMIT: i64 = 60;
const LARGEST_LIMIT: i64 = 10_000;

impl TryFrom<NewCredential> for credentials::Create {
    type Error = Fault;

    fn try_from(new: NewCredential) -> Result<Self, Fault> {
        let NewCredential {
            name,
            user_account_id,
            network_id,
            description,
            expires_at,
            rate_limit_per_minute,
            metadata,
        } = new;
        let bad_user = |_| Fault::MalformedId(claviger_app::Kind::UserAccount);
        let limit = rate_limit_per_minute.unwrap_or(USUAL_LIMIT);
        let limit =
            u32::try_from(limit).ok().filter(|_| (1..=LARGEST_LIMIT).contains(&limit)).ok_or_else(|| {
                Fault::invalid("rate_limit_per_minute", Reason::Between { min: 1, max: LARGEST_LIMIT })
            })?;
        Ok(Self {
            name: wire::name(&name.0)?,
            description: description.as_deref().map(wire::description).transpose()?,
            user_account: user_account_id
                .map(|id| id.parse::<UserAccountId>().map_err(bad_user))
                .transpose()?,
            network: Network::of_number(network_id).ok_or(Fault::invalid("network_id", Reason::Network))?,
            expires_at: expires_at.map(|at| wire::instant("expires_at", &at)).transpose()?,
            limits: Limits::per_minute(limit),
            metadata: metadata.map(wire::metadata).transpose()?.unwrap_or_else(Metadata::empty),
        })
    }
}

/// Fields to change; absent ones stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Production EU", "description": null}))]
struct CredentialPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Patch<String>,
}

impl TryFrom<CredentialPatch> for credentials::Update {
    type Error = Fault;

    fn try_from(CredentialPatch { name, description }: CredentialPatch) -> Result<Self, Fault> {
        if name.is_absent() && description.is_absent() {
            return Err(Fault::NothingToChange(claviger_app::Kind::Credential));
        }
        let description = description.nullable();
        Ok(Self {
            name: wire::patched_name(name)?,
            description: description.try_map(|text| text.as_deref().map(wire::description).transpose())?,
        })
    }
}

/// How a key is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"overlap_seconds": 86400}))]
struct Rotation {
    /// How long the keys before it go on working: 0 to 2592000 seconds, default 86400.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<i64>,
}

const USUAL_OVERLAP: i64 = 86_400;
const LONGEST_OVERLAP: i64 = 2_592_000;

impl Rotation {
    fn overlap(self) -> Result<TimeDelta, Fault> {
        let seconds = self.overlap_seconds.unwrap_or(USUAL_OVERLAP);
        if !(0..=LONGEST_OVERLAP).contains(&seconds) {
            return Err(Fault::invalid("overlap_seconds", Reason::Between { min: 0, max: LONGEST_OVERLAP }));
        }
        Ok(TimeDelta::seconds(seconds))
    }
}

/// List credentials
///
/// The credentials this admin key made, newest first. Revoked ones only when asked for; the key itself never.
#[utoipa::path(
    get, path = "/v1/admin/credentials", operation_id = "list_credentials", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20", minimum = 1, maximum = 100, example = 20),
        ("offset" = Option<i64>, Query, description = "Rows to skip, default 0", minimum = 0, example = 0),
        ("includeRevoked" = Option<bool>, Query, description = "Revoked ones as well, default false", example = false),
    ),
    responses((status = 200, description = "One page of credentials", body = Page<CredentialView>)),
)]
async fn list_credentials(May(call, _): May<ManageCredentials>, mut query: Query) -> Result<Reply, Fault> {
    let window = query.window(20)?;
    let include_revoked = query.flag("includeRevoked")?;
    query.end()?;
    Ok(Reply::page(credentials::list(&call, include_revoked, window).await?, CredentialView::from))
}

/// Create a credential
///
/// The answer holds the key, this once. The account it is linked to must be one of this admin key's and not suspended.
#[utoipa::path(
    post, path = "/v1/admin/credentials", operation_id = "create_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    request_body = NewCredential,
    responses((status = 201, description = "The credential and its key", body = One<IssuedCredential>)),
)]
async fn create_credential(call: May<ManageCredentials>, body: Body<NewCredential>) -> Result<Reply, Fault> {
    let (call, new) = body.of(call);
    let word = |issued: credentials::Issued| {
        let revision = issued.seen.credential.revision;
        let message = "API key created. Store the api_key securely - it will not be shown again.";
        Reply::created(IssuedCredential::from(issued), message).tagged(revision).secret()
    };
    Ok(credentials::create(&call, new.try_into()?, word).await?)
}

/// Get a credential
///
/// One credential by its id, revoked or not.
#[utoipa::path(
    get, path = "/v1/admin/credentials/{id}", operation_id = "get_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003")),
    responses((status = 200, description = "The credential", body = One<CredentialView>)),
)]
async fn get_credential(
    May(call, _): May<ManageCredentials>,
    Id(id): Id<CredentialId>,
    query: Query,
) -> Result<Reply, Fault> {
    query.end()?;
    Ok(tagged(credentials::find(&call, id).await?, Reply::one))
}

/// Update a credential
///
/// Changes its name or its description; nothing else can change.
#[utoipa::path(
    patch, path = "/v1/admin/credentials/{id}", operation_id = "update_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(
        ("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003"),
        ("If-Match" = Option<String>, Header, description = "Change only if the credential still has this `ETag`", example = "\"1\""),
    ),
    request_body = CredentialPatch,
    responses((status = 200, description = "The credential as it is now", body = One<CredentialView>)),
)]
async fn update_credential(
    call: May<ManageCredentials>,
    Id(id): Id<CredentialId>,
    IfMatch(precondition): IfMatch,
    body: Body<CredentialPatch>,
) -> Result<Reply, Fault> {
    let (call, patch) = body.of(call);
    let word = |seen| tagged(seen, |view| Reply::done(view, "Credential updated successfully"));
    Ok(credentials::update(&call, id, &precondition, patch.try_into()?, word).await?)
}

/// Revoke a credential
///
/// From now on its keys are not accepted, for good. It stays readable by its id.
#[utoipa::path(
    delete, path = "/v1/admin/credentials/{id}", operation_id = "revoke_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(
        ("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003"),
        ("If-Match" = Option<String>, Header, description = "Revoke only if the credential still has this `ETag`", example = "\"1\""),
    ),
    responses((status = 200, description = "What is left of it", body = One<RevokedCredential>)),
)]
async fn revoke_credential(
    call: May<ManageCredentials>,
    Id(id): Id<CredentialId>,
    IfMatch(precondition): IfMatch,
    body: NoBody,
) -> Result<Reply, Fault> {
    let (call, _) = body.of(call);
    let word = |seen| {
        tagged(seen, |view| Reply::done(RevokedCredential::from(view), "Credential revoked successfully"))
    };
    Ok(credentials::revoke(&call, id, &precondition, word).await?)
}

/// Rotate a credential
///
/// Gives it a new key, shown this once; the keys before it go on working for the overlap. Its id, limits and usage stay.
#[utoipa::path(
    post, path = "/v1/admin/credentials/{id}/rotate", operation_id = "rotate_credential", tag = "Credentials",
    security(("admin_key" = ["manage_credentials"])),
    params(("id" = String, Path, description = "The credential's id", format = Uuid, example = "01932a3e-5f00-7000-8000-000000000003")),
    request_body(content = Option<Rotation>, description = "May be left out"),
    responses((status = 200, description = "The credential and its new key", body = One<RotatedCredential>)),
)]
async fn rotate_credential(
    call: May<ManageCredentials>,
    Id(id): Id<CredentialId>,
    OptionalBody(body): OptionalBody<Rotation>,
) -> Result<Reply, Fault> {
    let (call, rotation) = body.of(call);
    let word = |rotated: credentials::Rotated| {
        let revision = rotated.issued.seen.credential.revision;
        let IssuedCredential { credential, api_key } = rotated.issued.into();
        let previous_expires_at = instant::print(rotated.previous_expires_at);
        let message = "API key rotated. Store the api_key securely - it will not be shown again.";
        Reply::done(RotatedCredential { credential, api_key, previous_expires_at }, message)
            .tagged(revision)
            .secret()
    };
    Ok(credentials::rotate(&call, id, rotation.overlap()?, word).await?)
}
