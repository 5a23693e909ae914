//! What the platform surface is told about users.

use claviger_app::{Kind, users};
use claviger_domain::text::{BillingPlan, Email, ExternalId, Metadata};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::fault::{Expected, Fault, Reason};
use crate::input::{self, Patch, optional_text};

/// A user account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlatformUser, example = json!({
    "organization_id": "org_01h455vb4pex5vsknk084sn02q", "name": "Ada Lovelace", "email": "ada@acme.com",
    "external_id": "customer-123", "metadata": {"team": "engines"}
}))]
pub(super) struct NewUser {
    /// Whose it is: the organization's id or slug.
    organization_id: String,
    /// 1 to 255 characters after trimming.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Your own id for it: 1 to 255 characters.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// At most 16 KiB, at most 8 levels deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    #[schema(min_length = 1, max_length = 255)]
    billing_plan: Option<String>,
}

impl NewUser {
    /// The organization as it was named, and the account.
    pub(super) fn read(self) -> Result<(String, users::Create), Fault> {
        let Self { organization_id, name, email, external_id, metadata, billing_plan } = self;
        let create = users::Create {
            organization: None,
            name: input::name(&name)?,
            external_id: optional_text("external_id", external_id, ExternalId::new)?,
            email: optional_text("email", email, Email::new)?,
            metadata: metadata.map(input::metadata).transpose()?.unwrap_or_else(Metadata::empty),
            billing_plan: optional_text("billing_plan", billing_plan, BillingPlan::new)?,
            first_name: None,
            last_name: None,
            roles: Vec::new(),
        };
        Ok((organization_id, create))
    }
}

/// Fields to change; absent ones stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlatformUserPatch, example = json!({"name": "Ada King", "email": null}))]
pub(super) struct UserPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    external_id: Patch<String>,
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
        let UserPatch { name, email, external_id, metadata, billing_plan } = patch;
        let absent = [&name, &email, &external_id, &billing_plan].iter().all(|field| field.is_absent());
        if absent && metadata.is_absent() {
            return Err(Fault::NothingToChange(Kind::UserAccount));
        }
        let null = || Fault::invalid("metadata", Reason::Type(Expected::Object));
        Ok(Self {
            name: input::patched_name(name)?,
            email: email.nullable().try_map(|given| optional_text("email", given, Email::new))?,
            external_id: external_id
                .nullable()
                .try_map(|given| optional_text("external_id", given, ExternalId::new))?,
            metadata: metadata.required(null)?.try_map(input::metadata)?,
            billing_plan: billing_plan
                .nullable()
                .try_map(|given| optional_text("billing_plan", given, BillingPlan::new))?,
            ..Self::default()
        })
    }
}
