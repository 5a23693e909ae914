//! What the platform surface is told about organizations.

use claviger_app::{Field, Kind, organizations};
use claviger_domain::address::IpAllowlist;
use claviger_domain::limit::Limits;
use claviger_domain::organization::{OrganizationSettings, Slug};
use claviger_domain::resource_limits::ResourceLimits;
use claviger_domain::settings::{KeptDays, KeyLifetime};
use claviger_domain::text::{Email, Metadata, Name};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::fault::{Expected, Fault, Reason};
use crate::fields::{self, RateLimit};
use crate::input::{self, Patch};
use crate::platform::policy::{LifetimeFields, ResourceLimitFields, RetentionFields};

/// An organization to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme Corporation", "email": "admin@acme.com", "plan": "enterprise"}))]
pub(super) struct NewOrganization {
    /// 1 to 255 characters after trimming; need not be unique.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Your own name of what it pays for.
    #[schema(min_length = 1, max_length = 255)]
    plan: Option<String>,
    /// 1 to 63 of `a-z`, `0-9` and `-`, unique; default: made of the name.
    #[schema(min_length = 1, max_length = 63)]
    slug: Option<String>,
    /// At most 16 KiB, at most 8 levels deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    settings: Option<SettingsPatch>,
}

impl TryFrom<NewOrganization> for organizations::Create {
    type Error = Fault;

    fn try_from(new: NewOrganization) -> Result<Self, Fault> {
        let NewOrganization { name, email, plan, slug, metadata, settings } = new;
        let Read { ip_allowlist, key_lifetime, default_limits, kept_days, resource_limits } =
            settings.unwrap_or_default().read()?;
        Ok(Self {
            name: input::name(&name)?,
            slug: input::optional_text("slug", slug, Slug::new)?,
            email: input::optional_text("email", email, Email::new)?,
            plan: input::optional_text("plan", plan, Name::new)?,
            metadata: metadata.map(input::metadata).transpose()?.unwrap_or_else(Metadata::empty),
            settings: OrganizationSettings {
                ip_allowlist: said(ip_allowlist),
                key_lifetime: said(key_lifetime),
                default_limits: said(default_limits),
                kept_days: said(kept_days),
                resource_limits: said(resource_limits),
            },
        })
    }
}

fn said<T: Default>(field: Field<T>) -> T {
    match field {
        Field::Keep => T::default(),
        Field::Set(value) => value,
    }
}

/// What its keys and its records are held to; of each part, `null` is as if nothing had been said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganizationSettingsPatch, example = json!({
    "ip_allowlist": ["203.0.113.0/24"], "key_lifetime": {"max_seconds": 31536000}, "retention": {"audit_days": 365}
}))]
struct SettingsPatch {
    /// Addresses and CIDR blocks that its keys may be used from; empty: from anywhere.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    ip_allowlist: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<LifetimeFields>)]
    key_lifetime: Patch<LifetimeFields>,
    /// Of keys made without limits of their own.
    #[serde(default)]
    #[schema(value_type = Option<Vec<RateLimit>>, max_items = 16)]
    default_rate_limits: Patch<Vec<Value>>,
    #[serde(default)]
    #[schema(value_type = Option<RetentionFields>)]
    retention: Patch<RetentionFields>,
    #[serde(default)]
    #[schema(value_type = Option<ResourceLimitFields>)]
    resource_limits: Patch<ResourceLimitFields>,
}

#[derive(Default)]
struct Read {
    ip_allowlist: Field<IpAllowlist>,
    key_lifetime: Field<KeyLifetime>,
    default_limits: Field<Limits>,
    kept_days: Field<KeptDays>,
    resource_limits: Field<ResourceLimits>,
}

impl SettingsPatch {
    fn is_empty(&self) -> bool {
        let Self { ip_allowlist, key_lifetime, default_rate_limits, retention, resource_limits } = self;
        ip_allowlist.is_absent()
            && key_lifetime.is_absent()
            && default_rate_limits.is_absent()
            && retention.is_absent()
            && resource_limits.is_absent()
    }

    fn read(self) -> Result<Read, Fault> {
        let Self { ip_allowlist, key_lifetime, default_rate_limits, retention, resource_limits } = self;
        Ok(Read {
            ip_allowlist: ip_allowlist
                .or_default(|given| fields::allowlist("settings.ip_allowlist", &given))?,
            key_lifetime: key_lifetime.or_default(|given| given.read("settings.key_lifetime"))?,
            default_limits: default_rate_limits
                .or_default(|given| fields::limits("settings.default_rate_limits", given))?,
            kept_days: retention.or_default(|given| given.read("settings.retention"))?,
            resource_limits: resource_limits.or_default(|given| given.read("settings.resource_limits"))?,
        })
    }
}

/// Fields to change; absent ones stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme Corporation", "plan": "enterprise"}))]
pub(super) struct OrganizationPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Patch<String>,
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    plan: Patch<String>,
    /// Its old one is free at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 63)]
    slug: Patch<String>,
    /// Replaces the stored object.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
    /// The parts that are present replace the stored ones.
    #[serde(default)]
    #[schema(value_type = Option<SettingsPatch>)]
    settings: Patch<SettingsPatch>,
    /// `true`, beside `name`: the name is really this organization's, also if it gave it to itself. `false`: it is not.
    /// A new name that you give is verified without this.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    name_verified: Patch<bool>,
    /// Take an `ip_allowlist` that does not admit the address of this request, for the organization of the calling key;
    /// default false.
    force: Option<bool>,
}

impl TryFrom<OrganizationPatch> for organizations::Update {
    type Error = Fault;

    fn try_from(patch: OrganizationPatch) -> Result<Self, Fault> {
        let OrganizationPatch { name, email, plan, slug, metadata, settings, name_verified, force } = patch;
        let absent = [&name, &email, &plan, &slug].iter().all(|field| field.is_absent());
        let is_unsettled = match &settings {
            Patch::Absent => true,
            Patch::Null => false,
            Patch::Value(settings) => settings.is_empty(),
        };
        if absent && metadata.is_absent() && is_unsettled && name_verified.is_absent() {
            return Err(Fault::NothingToChange(Kind::Organization));
        }
        let null = |field, expected| move || Fault::invalid(field, Reason::Type(expected));
        // Who verifies a name says which one: the organization may have changed it a moment ago.
        if matches!(name_verified, Patch::Value(true)) && name.is_absent() {
            return Err(Fault::invalid("name", Reason::Missing));
        }
        let settings = match settings.required(null("settings", Expected::Object))? {
            Field::Keep => Read::default(),
            Field::Set(settings) => settings.read()?,
        };
        let Read { ip_allowlist, key_lifetime, default_limits, kept_days, resource_limits } = settings;
        Ok(Self {
            name: input::patched_name(name)?,
            slug: slug
                .required(null("slug", Expected::String))?
                .try_map(|given| input::text("slug", &given, Slug::new))?,
            email: email.nullable().try_map(|given| input::optional_text("email", given, Email::new))?,
            plan: plan.nullable().try_map(|given| input::optional_text("plan", given, Name::new))?,
            metadata: metadata.required(null("metadata", Expected::Object))?.try_map(input::metadata)?,
            ip_allowlist,
            key_lifetime,
            default_limits,
            kept_days,
            resource_limits,
            is_name_verified: name_verified.required(null("name_verified", Expected::Boolean))?,
            force: force.unwrap_or_default(),
        })
    }
}
