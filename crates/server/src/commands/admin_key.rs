//! `claviger admin-key`: partners' admin keys without a server.

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use claviger_app::admin_keys::{self, Issued, Seen};
use claviger_app::{Call, Direct, Error, Facts};
use claviger_domain::Timestamp;
use claviger_domain::actor::Actor;
use claviger_domain::capability::{Capability, CapabilitySet};
use claviger_domain::ids::AdminKeyId;
use claviger_domain::page::Window;
use claviger_domain::revision::Precondition;
use claviger_domain::text::Name;
use serde_json::{Value, json};

use crate::config::Config;
use crate::database::{self, Missing};
use crate::failure::{Failure, with_causes};
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an admin key; it is printed once
    Create(Create),
    /// Show admin keys
    List {
        /// Also those that were revoked
        #[arg(long)]
        include_revoked: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// End an admin key for good
    Revoke {
        /// Its id, as `list` shows it
        #[arg(value_parser = id)]
        id: AdminKeyId,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The partner; one of this name is joined, an unknown one is made
    #[arg(long, value_name = "NAME", value_parser = name)]
    entity_name: Name,
    /// What the key may do, separated by commas or given several times
    #[arg(long, required = true, value_delimiter = ',', value_name = "PERMISSION", value_parser = permission)]
    permission: Vec<Capability>,
    /// What to call the key
    #[arg(long, value_parser = name)]
    name: Option<Name>,
    /// From when on the key no longer works, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIMESTAMP", value_parser = timestamp)]
    expires_at: Option<Timestamp>,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Command, config: &Config) -> Result<(), Failure> {
    database::with(config, Missing::Refused, async |app| {
        let call = Call::new(app.clone(), Actor::Operator, Facts::default());
        match command {
            Command::Create(arguments) => create(&call, arguments).await,
            Command::List { include_revoked, json } => list(&call, include_revoked, json).await,
            Command::Revoke { id, json } => revoke(&call, id, json).await,
        }
    })
}

async fn create(call: &Call, arguments: Create) -> Result<(), Failure> {
    let Create { entity_name, permission, name, expires_at, json } = arguments;
    let permissions: CapabilitySet = permission.into_iter().collect();
    let create = admin_keys::Create { entity: entity_name, name, permissions, expires_at };
    let Direct(Issued { seen, plaintext }) =
        admin_keys::create(call, create, Direct).await.map_err(|error| failure(&error))?;
    let text = if json {
        format!("{:#}", json!({ "admin_key": view(&seen), "api_key": plaintext.expose() }))
    } else {
        format!(
            "admin key: {}\napi key: {}\n\nThe api key is shown this once.",
            seen.key.id,
            plaintext.expose()
        )
    };
    output::print_key(&text, &format!("revoke {} and run the command again", seen.key.id))
}

async fn list(call: &Call, include_revoked: bool, json: bool) -> Result<(), Failure> {
    let mut keys: Vec<Seen> = Vec::new();
    loop {
        let window = u64::try_from(keys.len())
            .ok()
            .and_then(|offset| Window::new(Window::MAX_LIMIT, offset).ok())
            .ok_or_else(|| Failure::operation("there are too many admin keys to list"))?;
        let page = admin_keys::list(call, include_revoked, window).await.map_err(|error| failure(&error))?;
        let more = page.has_more();
        keys.extend(page.items);
        if !more {
            break;
        }
    }
    if json {
        return output::json(&json!({ "admin_keys": keys.iter().map(view).collect::<Vec<_>>() }));
    }
    if keys.is_empty() {
        return output::print("there are no admin keys");
    }
    output::print(&keys.iter().map(line).collect::<String>())
}

async fn revoke(call: &Call, id: AdminKeyId, json: bool) -> Result<(), Failure> {
    let Direct(seen) =
        admin_keys::revoke(call, id, &Precondition::None, Direct).await.map_err(|error| failure(&error))?;
    if json { output::json(&json!({ "admin_key": view(&seen) })) } else { output::print(&line(&seen)) }
}

/// The key as the partner surface shows it.
fn view(seen: &Seen) -> Value {
    let Seen { key, entity } = seen;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    json!({
        "id": key.id.to_string(),
        "name": key.name.as_ref().map(Name::as_str),
        "entity_name": entity.as_str(),
        "organization_id": key.organization.to_string(),
        "permissions": key.permissions.words(),
        "api_key_prefix": key.prefix.as_str(),
        "created_at": time(Some(key.created_at)),
        "expires_at": time(key.expires_at),
        "last_used_at": time(key.last_used_at),
        "revoked": key.revoked_at.is_some(),
        "revoked_at": time(key.revoked_at),
    })
}

fn line(seen: &Seen) -> String {
    let Seen { key, entity } = seen;
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", at.date_naive()),
        (None, Some(at)) => format!("until {}", at.date_naive()),
        (None, None) => "in force".to_owned(),
    };
    let name = key.name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let (id, prefix, permissions) = (key.id, key.prefix.as_str(), key.permissions.words().join(","));
    format!("{id}  {prefix}  {state}  {entity}  {name}  {permissions}\n")
}

fn failure(error: &Error) -> Failure {
    Failure::operation(match error {
        Error::NotFound(..) => "there is no admin key with this id".to_owned(),
        Error::WrongState(..) => "the admin key is revoked already".to_owned(),
        other => with_causes(other),
    })
}

fn id(text: &str) -> Result<AdminKeyId, String> {
    AdminKeyId::parse_any(text).map_err(|error| error.to_string())
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

fn permission(text: &str) -> Result<Capability, String> {
    Capability::of_partner_word(text).ok_or_else(|| {
        format!("the permissions are {}", Capability::PARTNER.map(Capability::word).join(", "))
    })
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "it is not an ISO 8601 timestamp such as 2027-01-31T00:00:00Z".to_owned())
}
