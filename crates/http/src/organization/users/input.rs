//! What the organization surface is told about users.

use claviger_app::users::{self, Standing};
use claviger_app::{Field, Kind};
use claviger_domain::ids::RoleId;
use claviger_domain::text::{Email, ExternalId, Metadata, Name};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::extract::Query;
use crate::fault::{Expected, Fault, Reason};
use crate::fields;
use crate::input::{self, Patch, optional_text};
use crate::path::any_id;

/// A user to be made. Its name is `name` or `displayName`, or else made of `firstName` and `lastName`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NewOrganizationUser, example = json!({
    "email": "ada@acme.com", "firstName": "Ada", "lastName": "Lovelace", "roles": ["Member"],
    "metadata": {"team": "engines"}
}))]
pub(super) struct NewUser {
    #[schema(max_length = 254)]
    email: Option<String>,
    /// 1 to 255 characters after trimming.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Another word for `name`.
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    first_name: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    last_name: Option<String>,
    /// 1 to 255 characters, unique among the organization's own users.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// Ids or names of at most 20 roles.
    #[schema(max_items = 20)]
    roles: Option<Vec<String>>,
    /// At most 16 KiB, at most 8 levels deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// More about the person; it is kept, and told again, as `profile` in the metadata.
    #[schema(value_type = Option<Object>)]
    profile: Option<Map<String, Value>>,
}

impl TryFrom<NewUser> for users::Create {
    type Error = Fault;

    fn try_from(new: NewUser) -> Result<Self, Fault> {
        let NewUser {
            email,
            name,
            display_name,
            first_name,
            last_name,
            external_id,
            roles,
            metadata,
            profile,
        } = new;
        let first_name = optional_text("firstName", first_name, Name::new)?;
        let last_name = optional_text("lastName", last_name, Name::new)?;
        let name = match (name, display_name) {
            (Some(_), Some(_)) => return Err(Fault::invalid("displayName", Reason::NotWith("name"))),
            (Some(name), None) => input::name(&name)?,
            (None, Some(name)) => input::text("displayName", &name, Name::new)?,
            (None, None) => {
                let parts: Vec<_> = first_name.iter().chain(&last_name).map(Name::as_str).collect();
                if parts.is_empty() {
                    return Err(Fault::invalid("name", Reason::Missing));
                }
                input::name(&parts.join(" "))?
            }
        };
        Ok(Self {
            organization: None,
            name,
            external_id: optional_text("externalId", external_id, ExternalId::new)?,
            email: optional_text("email", email, Email::new)?,
            metadata: with_profile(metadata, profile)?,
            billing_plan: None,
            first_name,
            last_name,
            roles: named(&roles.unwrap_or_default())?,
        })
    }
}

fn with_profile(
    metadata: Option<Map<String, Value>>,
    profile: Option<Map<String, Value>>,
) -> Result<Metadata, Fault> {
    let mut whole = metadata.unwrap_or_default();
    if let Some(profile) = profile
        && whole.insert("profile".to_owned(), Value::Object(profile)).is_some()
    {
        return Err(Fault::invalid("profile", Reason::NotWith("metadata.profile")));
    }
    input::metadata(whole)
}

fn named(given: &[String]) -> Result<Vec<claviger_app::roles::Named>, Fault> {
    // The use case counts the roles; nobody is to look up thousands of names before.
    if given.len() > MOST_ROLES {
        return Err(Fault::invalid("roles", Reason::TooMany { max: MOST_ROLES }));
    }
    given.iter().enumerate().map(|(place, role)| fields::role(&format!("roles[{place}]"), role)).collect()
}

const MOST_ROLES: usize = claviger_domain::role::RoleIds::MAX;

/// Which users a list shows.
pub(super) fn filter(query: &mut Query) -> Result<users::Filter, Fault> {
    let bad_role = || Fault::invalid("role", Reason::Reference);
    let role = query.take("role").map(|id| any_id::<RoleId>(&id, bad_role));
    Ok(users::Filter {
        status: fields::user_status(query)?,
        email: optional_text("email", query.take("email"), Email::new)?,
        search: fields::search(query)?,
        role: role.transpose()?,
        only_members: false,
    })
}

/// Fields to change; absent ones stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OrganizationUserPatch, example = json!({"displayName": "Ada King", "lastName": "King", "roles": ["Viewer"]}))]
pub(super) struct UserPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Patch<String>,
    /// Another word for `name`.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    display_name: Patch<String>,
    /// The name itself stays as it is.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    first_name: Patch<String>,
    /// The name itself stays as it is.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    last_name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    external_id: Patch<String>,
    /// `active` or `suspended`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: Patch<String>,
    /// Ids or names of at most 20 roles; they replace those it has.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    roles: Patch<Vec<String>>,
    /// Replaces the stored object.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
    /// Change it even if no key could manage the organization's keys afterwards; default false.
    force: Option<bool>,
}

impl TryFrom<UserPatch> for users::Update {
    type Error = Fault;

    fn try_from(patch: UserPatch) -> Result<Self, Fault> {
        let UserPatch {
            email,
            name,
            display_name,
            first_name,
            last_name,
            external_id,
            status,
            roles,
            metadata,
            force,
        } = patch;
        let texts = [&email, &name, &display_name, &first_name, &last_name, &external_id, &status];
        if texts.iter().all(|field| field.is_absent()) && roles.is_absent() && metadata.is_absent() {
            return Err(Fault::NothingToChange(Kind::UserAccount));
        }
        let null = |field: &'static str, expected| move || Fault::invalid(field, Reason::Type(expected));
        let displayed = display_name
            .required(null("displayName", Expected::String))?
            .try_map(|given| input::text("displayName", &given, Name::new))?;
        let name = match (input::patched_name(name)?, displayed) {
            (Field::Set(_), Field::Set(_)) => {
                return Err(Fault::invalid("displayName", Reason::NotWith("name")));
            }
            (Field::Set(name), Field::Keep) | (Field::Keep, Field::Set(name)) => Field::Set(name),
            (Field::Keep, Field::Keep) => Field::Keep,
        };
        let part = |field, given: Patch<String>| {
            given.nullable().try_map(|given| optional_text(field, given, Name::new))
        };
        Ok(Self {
            name,
            email: email.nullable().try_map(|given| optional_text("email", given, Email::new))?,
            external_id: external_id
                .nullable()
                .try_map(|given| optional_text("externalId", given, ExternalId::new))?,
            metadata: metadata.required(null("metadata", Expected::Object))?.try_map(input::metadata)?,
            first_name: part("firstName", first_name)?,
            last_name: part("lastName", last_name)?,
            status: status.required(null("status", Expected::String))?.try_map(|word| turn(&word))?,
            roles: roles.required(null("roles", Expected::Array))?.try_map(|given| named(&given))?,
            force: force.unwrap_or_default(),
            ..Self::default()
        })
    }
}

fn turn(word: &str) -> Result<Standing, Fault> {
    match word {
        "active" => Ok(Standing::Active),
        "suspended" => Ok(Standing::Suspended),
        _ => Err(Fault::invalid("status", Reason::Word(&["active", "suspended"]))),
    }
}
