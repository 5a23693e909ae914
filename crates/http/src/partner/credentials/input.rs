//! What the partner surface is told about credentials.

use chrono::TimeDelta;
use claviger_app::Kind;
use claviger_app::credentials::{self, Expiry};
use claviger_domain::credential::{Class, Network};
use claviger_domain::ids::UserAccountId;
use claviger_domain::limit::Limits;
use claviger_domain::scope::Scopes;
use claviger_domain::text::Metadata;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::fault::{Fault, Reason};
use crate::partner::wire::{self, Patch, RequiredName};

/// A credential to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Production", "user_account_id": "01932a3e-5f00-7000-8000-000000000001", "network_id": 0,
    "description": "Main integration", "expires_at": "2027-01-26T12:00:00Z", "rate_limit_per_minute": 120,
    "metadata": {"team": "payments"}
}))]
pub(super) struct NewCredential {
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
        let bad_user = |_| Fault::MalformedId(Kind::UserAccount);
        let limit = rate_limit_per_minute.unwrap_or(USUAL_LIMIT);
        let limit =
            u32::try_from(limit).ok().filter(|_| (1..=LARGEST_LIMIT).contains(&limit)).ok_or_else(|| {
                Fault::invalid("rate_limit_per_minute", Reason::Between { min: 1, max: LARGEST_LIMIT })
            })?;
        Ok(Self {
            organization: None,
            class: Class::Partner,
            name: wire::name(&name.0)?,
            description: description.as_deref().map(wire::description).transpose()?,
            user_account: user_account_id
                .map(|id| id.parse::<UserAccountId>().map_err(bad_user))
                .transpose()?,
            network: Some(
                Network::of_number(network_id).ok_or(Fault::invalid("network_id", Reason::Network))?,
            ),
            scopes: Scopes::default(),
            expires_at: expires_at.map(|at| wire::instant("expires_at", &at).map(Expiry::At)).transpose()?,
            limits: Some(Limits::per_minute(limit)),
            credits: None,
            ip_allowlist: None,
            metadata: metadata.map(wire::metadata).transpose()?.unwrap_or_else(Metadata::empty),
        })
    }
}

/// Fields to change; absent ones stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Production EU", "description": null}))]
pub(super) struct CredentialPatch {
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
            return Err(Fault::NothingToChange(Kind::Credential));
        }
        let description = description.nullable();
        Ok(Self {
            name: wire::patched_name(name)?,
            description: description.try_map(|text| text.as_deref().map(wire::description).transpose())?,
            ..Self::default()
        })
    }
}

/// How a key is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"overlap_seconds": 86400}))]
pub(super) struct Rotation {
    /// How long the keys before it go on working: 0 to 2592000 seconds, default 86400.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<i64>,
}

const USUAL_OVERLAP: i64 = 86_400;
const LONGEST_OVERLAP: i64 = 2_592_000;

impl Rotation {
    /// How long the keys before the new one go on working.
    pub(super) fn overlap(self) -> Result<TimeDelta, Fault> {
        let seconds = self.overlap_seconds.unwrap_or(USUAL_OVERLAP);
        if !(0..=LONGEST_OVERLAP).contains(&seconds) {
            return Err(Fault::invalid("overlap_seconds", Reason::Between { min: 0, max: LONGEST_OVERLAP }));
        }
        Ok(TimeDelta::seconds(seconds))
    }
}
