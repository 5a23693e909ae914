//! What the partner surface is told about user accounts.

use claviger_app::{Kind, users};
use claviger_domain::text::{BillingPlan, Email, ExternalId, Metadata};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::fault::{Expected, Fault, Reason};
use crate::partner::wire::{self, Patch, RequiredName};

/// A user account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Acme Corp", "external_id": "customer-123", "email": "ops@acme.example",
    "metadata": {"tier": "gold"}, "billing_plan": "pro"
}))]
pub(super) struct NewUser {
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
            organization: None,
            name: wire::name(&name.0)?,
            external_id: wire::optional_text("external_id", external_id, ExternalId::new)?,
            email: wire::optional_text("email", email, Email::new)?,
            metadata: metadata.map(wire::metadata).transpose()?.unwrap_or_else(Metadata::empty),
            billing_plan: wire::optional_text("billing_plan", billing_plan, BillingPlan::new)?,
            first_name: None,
            last_name: None,
            roles: Vec::new(),
        })
    }
}

/// Fields to change; absent ones stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme Corporation", "email": null}))]
pub(super) struct UserPatch {
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
            return Err(Fault::NothingToChange(Kind::UserAccount));
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
            ..Self::default()
        })
    }
}
