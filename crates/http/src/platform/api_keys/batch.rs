//! `/admin/v1/api-keys/batch` and `/admin/v1/api-keys/batch-revoke`: many at once, each by itself.

use std::collections::HashMap;

use axum::http::StatusCode;
use claviger_app::{App, Call, Error, credentials};
use claviger_domain::ids::{CredentialId, OrganizationId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input::{NewApiKey, reason};
use super::view::{ApiKeyView, IssuedApiKey};
use crate::call::{ManageManyCredentials, May};
use crate::extract::LargeBody;
use crate::fault::{Fault, Reason};
use crate::path::any_id;
use crate::platform::fault::Cause;
use crate::platform::wire::{self, Envelope, Reply};
use crate::{fields, strict};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_api_keys)).routes(routes!(revoke_api_keys))
}

/// Several keys to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiKeys {
    /// At most 100.
    #[schema(value_type = Vec<NewApiKey>, max_items = 100)]
    api_keys: Vec<Value>,
}

/// Several keys to be revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ids": ["key_01h455vb4pex5vsknk084sn02q"], "reason": "Leaked in a log"}))]
struct RevokedApiKeys {
    /// At most 100 ids of keys.
    #[schema(max_items = 100)]
    ids: Vec<String>,
    /// At most 1,024 characters; kept with each key and in the audit log.
    #[schema(max_length = 1024)]
    reason: Option<String>,
    /// Revoke them even if no key is left that can manage the organization's keys; default false.
    force: Option<bool>,
}

const MOST: usize = 100;

/// What became of each, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
struct Results<T> {
    results: Vec<ItemResult<T>>,
}

/// What became of one: either `api_key` or `error` is there.
#[derive(Debug, Serialize, ToSchema)]
struct ItemResult<T> {
    /// The HTTP status it would have been answered with by itself.
    #[schema(example = 201)]
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cause>,
}

impl<T> ItemResult<T> {
    fn done(status: StatusCode, api_key: T) -> Self {
        Self { status: status.as_u16(), api_key: Some(api_key), error: None }
    }

    fn refused(fault: &Fault) -> Self {
        let (status, cause) = Cause::of(fault);
        Self { status: status.as_u16(), api_key: None, error: Some(cause) }
    }
}

/// The items that are not even asked for, each in its place.
struct Malformed(Vec<Option<Fault>>);

impl Malformed {
    /// Parts items that cannot be read from those that can.
    fn sort<T>(read: impl IntoIterator<Item = Result<T, Fault>>) -> (Vec<Result<T, Error>>, Self) {
        let mut wanted = Vec::new();
        let mut places = Vec::new();
        for item in read {
            let (want, place) = match item {
                Ok(item) => (Some(Ok(item)), None),
                Err(Fault::App(error)) => (Some(Err(error)), None),
                Err(fault) => (None, Some(fault)),
            };
            wanted.extend(want);
            places.push(place);
        }
        (wanted, Self(places))
    }

    /// All results in the order of the request; `outcome` has those of the items that could be read.
    fn beside<T, V>(
        self,
        outcome: Vec<Result<T, Error>>,
        status: StatusCode,
        view: impl Fn(T) -> V,
    ) -> Results<V> {
        let mut outcome = outcome.into_iter();
        let one = |malformed: Option<Fault>| match malformed {
            Some(fault) => Some(ItemResult::refused(&fault)),
            None => Some(match outcome.next()? {
                Ok(done) => ItemResult::done(status, view(done)),
                Err(error) => ItemResult::refused(&Fault::App(error)),
            }),
        };
        Results { results: self.0.into_iter().filter_map(one).collect() }
    }
}

/// Create several API keys
///
/// Each is issued, or refused, by itself: what is wrong with one is its own result, and the others are issued. All are
/// issued in one transaction. Calls like this one are limited to 100 a minute beside the limit on all calls.
#[utoipa::path(
    post, path = "/admin/v1/api-keys/batch", operation_id = "create_api_keys", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    request_body = NewApiKeys,
    responses(
        (status = 200, description = "What became of each", body = Envelope<Results<IssuedApiKey>>),
        (status = 413, description = "The body is larger than 1 MiB", body = crate::platform::fault::Refusal),
    ),
)]
async fn create_api_keys(
    call: May<ManageManyCredentials>,
    LargeBody(body): LargeBody<NewApiKeys>,
) -> Result<Reply, Fault> {
    let (call, NewApiKeys { api_keys }) = body.of(call);
    let items = bounded("api_keys", api_keys)?;
    let now = call.app().now();
    let mut named = Named::default();
    let mut read = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        read.push(one(&call, place, item, &mut named).await);
    }
    let (wanted, malformed) = Malformed::sort(read);
    let word = |outcome| {
        let view = |issued| IssuedApiKey::of(issued, now);
        wire::one(&call, malformed.beside(outcome, StatusCode::CREATED, view)).secret()
    };
    Ok(credentials::create_many(&call, wanted, word).await?)
}

/// Revoke several API keys
///
/// Each is revoked, or not, by itself; all in one transaction. Calls like this one are limited to 100 a minute beside
/// the limit on all calls.
#[utoipa::path(
    post, path = "/admin/v1/api-keys/batch-revoke", operation_id = "revoke_api_keys", tag = "API keys",
    security(("platform_key" = ["admin:keys"])),
    request_body = RevokedApiKeys,
    responses(
        (status = 200, description = "What became of each", body = Envelope<Results<ApiKeyView>>),
        (status = 413, description = "The body is larger than 1 MiB", body = crate::platform::fault::Refusal),
    ),
)]
async fn revoke_api_keys(
    call: May<ManageManyCredentials>,
    LargeBody(body): LargeBody<RevokedApiKeys>,
) -> Result<Reply, Fault> {
    let (call, RevokedApiKeys { ids, reason: given, force }) = body.of(call);
    let ids = bounded("ids", ids)?;
    let reason = reason(given)?;
    let now = call.app().now();
    let read = |(place, id): (usize, String)| {
        any_id::<CredentialId>(&id, || Fault::invalid(format!("ids[{place}]"), Reason::Reference))
    };
    let (wanted, malformed) = Malformed::sort(ids.into_iter().enumerate().map(read));
    let word = |outcome| {
        let view = |seen| ApiKeyView::of(seen, now);
        wire::one(&call, malformed.beside(outcome, StatusCode::OK, view))
    };
    Ok(credentials::revoke_many(&call, wanted, reason, force.unwrap_or_default(), word).await?)
}

fn bounded<T>(field: &str, items: Vec<T>) -> Result<Vec<T>, Fault> {
    if items.len() > MOST { Err(Fault::invalid(field, Reason::TooMany { max: MOST })) } else { Ok(items) }
}

/// The organizations that items name, each looked up once.
type Named = HashMap<String, OrganizationId>;

async fn one(
    call: &Call,
    place: usize,
    item: Value,
    named: &mut Named,
) -> Result<credentials::Create, Fault> {
    let new: NewApiKey = strict::one(&format!("api_keys[{place}]"), item)?;
    let (organization, create) = new.read(call.app().now())?;
    let id = match named.get(&organization) {
        Some(id) => *id,
        None => {
            let id = fields::organization(call.app(), "organization_id", &organization).await?;
            named.insert(organization, id);
            id
        }
    };
    Ok(credentials::Create { organization: Some(id), ..create })
}
