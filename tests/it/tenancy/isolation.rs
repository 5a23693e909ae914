//! Generated from the documents: wherever a request names a thing by its id, another tenant's is answered as one
//! that does not exist, whoever asks.

use axum::body::Body;
use claviger_domain::ids::UserAccountId;
use serde_json::{Value, json};

use super::estate::{Estate, Kind};
use crate::openapi::operations::{Operation, all};
use crate::support::{Caller, World};

/// Where an id stands in a request.
#[derive(Debug, Clone)]
enum Slot {
    /// The variable of the path, by its place among them.
    Path(usize, Kind),
    Query(String, Kind),
    /// A member of the body, by its JSON pointer.
    Body(String, Kind),
}

/// What a name in a request stands for; `None` of a name that is no id.
fn kind_of(name: &str, surface: &str) -> Option<Kind> {
    Some(match name {
        "org" | "org_id" | "organization_id" | "organizations" => Kind::Organization,
        "user" | "user_id" | "userId" | "user_account_id" | "users" | "members" => Kind::User,
        "by-external-id" => Kind::ExternalId,
        "api-keys" | "ids" => Kind::Key,
        "credentials" | "credential_id" => Kind::Credential,
        // A usage figure is a credential's.
        "usage" if surface == "partner" => Kind::Credential,
        "admin-keys" | "admin_key_id" => Kind::AdminKey,
        "role" | "roles" => Kind::Role,
        "after" => Kind::Entry,
        "actor_id" | "actorId" | "target_id" | "targetId" => Kind::Key,
        _ => return None,
    })
}

fn slots(operation: &Operation) -> Vec<Slot> {
    let mut slots = Vec::new();
    let segments: Vec<_> = operation.path.split('/').collect();
    let variables = segments.windows(2).filter(|pair| pair[1].starts_with('{'));
    for (place, pair) in variables.enumerate() {
        let kind = kind_of(pair[0], operation.surface);
        slots.push(Slot::Path(place, kind.unwrap_or_else(|| panic!("what does {} name?", operation.path))));
    }
    for parameter in operation.parameters().into_iter().filter(|parameter| parameter.place == "query") {
        let of_list = match operation.path.rsplit('/').next() {
            Some("audit-logs") => "after",
            Some(list) => list,
            None => "",
        };
        // A list goes on behind one of its own things.
        let name = if parameter.name == "after" { of_list } else { &parameter.name };
        let kind = kind_of(name, operation.surface);
        let is_id = ["id", "Id", "after"].iter().any(|end| parameter.name.ends_with(end));
        assert!(kind.is_some() || !is_id, "what does {} of {} name?", parameter.name, operation.id());
        slots.extend(kind.map(|kind| Slot::Query(parameter.name, kind)));
    }
    if let Some(body) = operation.body_example() {
        members(&body, "", operation.surface, &mut slots);
        // What the example leaves out can be said all the same.
        let schema = operation.resolved(&operation.body_schema().unwrap());
        for name in schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys()) {
            let is_text = schema["properties"][name]["type"].to_string().contains("string");
            if let Some(kind) =
                kind_of(name, operation.surface).filter(|_| is_text && body.get(name).is_none())
            {
                slots.push(Slot::Body(format!("/{name}"), kind));
            }
        }
    }
    slots
}

fn members(value: &Value, at: &str, surface: &str, slots: &mut Vec<Slot>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let at = format!("{at}/{name}");
                match (kind_of(name, surface), value) {
                    (Some(kind), Value::String(_) | Value::Null) => slots.push(Slot::Body(at, kind)),
                    (Some(kind), Value::Array(items)) if items.iter().all(Value::is_string) => {
                        slots.push(Slot::Body(format!("{at}/0"), kind));
                    }
                    _ => members(value, &at, surface, slots),
                }
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                members(value, &format!("{at}/{place}"), surface, slots);
            }
        }
        _ => {}
    }
}

/// The id as the surface of `operation` spells it.
fn id(estate: &Estate<'_>, kind: Kind, surface: &str) -> String {
    // Partners know their customers, not the organization's own people.
    match (surface, kind) {
        ("partner", Kind::User) => estate.customer.clone(),
        _ => estate.id(kind).to_owned(),
    }
}

/// An id of the same form and the same instant that nothing has.
fn near(id: &str, kind: Kind) -> String {
    if kind == Kind::ExternalId {
        return format!("{id}-x");
    }
    let (head, last) = id.split_at(id.len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    format!("{head}{other}")
}

/// The operation about the caller's own things, but for one slot.
async fn ask(
    caller: &Caller<'_>,
    operation: &Operation,
    own: &Estate<'_>,
    slots: &[Slot],
    changed: usize,
    to: &str,
) -> (u16, String) {
    let surface = operation.surface;
    let value = |place: usize, kind: Kind| match place == changed {
        true => to.to_owned(),
        false => id(own, kind, surface),
    };
    let in_path = |wanted: usize| {
        let found = slots.iter().enumerate().find_map(|(place, slot)| match slot {
            Slot::Path(at, kind) if *at == wanted => Some(value(place, *kind)),
            _ => None,
        });
        found.unwrap_or_default()
    };
    let counter = std::cell::Cell::new(0);
    let mut path = operation.at(|_| {
        counter.set(counter.get() + 1);
        in_path(counter.get() - 1)
    });
    let mut body = operation.body_example();
    for (place, slot) in slots.iter().enumerate() {
        match slot {
            Slot::Query(name, _) if place == changed => path = format!("{path}?{name}={to}"),
            Slot::Body(pointer, kind) => {
                let Some(body) = body.as_mut() else { continue };
                match body.pointer_mut(pointer) {
                    Some(member) => *member = json!(value(place, *kind)),
                    None if place == changed => body[&pointer[1..]] = json!(to),
                    None => {}
                }
            }
            _ => {}
        }
    }
    let request = caller.request(&operation.method, &path).header("x-request-id", "the-same");
    let answer = match body {
        Some(body) => caller.send(request.header("content-type", "application/json"), body.to_string()).await,
        None => caller.send(request, Body::empty()).await,
    };
    // What the caller sent may be told again: it is the one thing that differs.
    (answer.status, answer.text.replace(to, "the id"))
}

#[tokio::test]
async fn what_is_another_tenants_is_answered_as_what_does_not_exist() {
    let world = World::new().await;
    let own = Estate::of(&world, "Acme Corporation").await;
    let other = Estate::of(&world, "Umbrella Corporation").await;
    let (mut asked, mut found) = (0, 0);
    for operation in all() {
        // Whoever has a key may ask what becomes of it; the answer does not hang on who asks.
        if operation.permissions().is_none_or(|needed| needed.is_empty()) && !operation.has_variable() {
            continue;
        }
        let slots = slots(&operation);
        for (place, slot) in slots.iter().enumerate() {
            let (Slot::Path(_, kind) | Slot::Query(_, kind) | Slot::Body(_, kind)) = slot;
            let theirs = id(&other, *kind, operation.surface);
            let mut spellings = vec![(theirs.clone(), near(&theirs, *kind))];
            if *kind == Kind::Organization {
                spellings.push((other.slug.clone(), "no-such-organization".to_owned()));
            }
            if operation.surface != "partner" && *kind != Kind::ExternalId {
                let bare =
                    UserAccountId::parse_any(&theirs.replacen(theirs.split('_').next().unwrap(), "user", 1));
                spellings.extend(bare.map(|id| (id.to_string(), near(&id.to_string(), *kind))));
            }
            // A partner's credential is a key like any other on the other surfaces.
            if operation.surface == "organization" && *kind == Kind::Key {
                spellings.push((other.credential.clone(), near(&other.credential, *kind)));
            }
            for (caller_name, caller) in &own.callers {
                for (theirs, nobodys) in &spellings {
                    let one = ask(caller, &operation, &own, &slots, place, theirs).await;
                    let another = ask(caller, &operation, &own, &slots, place, nobodys).await;
                    let id = operation.id();
                    assert_eq!(one, another, "{caller_name} asks {id} with another's {slot:?}");
                    assert!(one.0 < 500, "{caller_name} asks {id}: {}", one.1);
                    asked += 1;
                }
                // What is the caller's own is there: else everything would be alike.
                let is_owner = matches!(
                    (operation.surface, *caller_name),
                    ("partner", "the partner") | ("organization", "the tenant" | "an owner's key")
                );
                let is_bootstraps = operation.permissions().is_some_and(|it| it == ["manage_admin_keys"]);
                if is_owner && !is_bootstraps && operation.method == "GET" && matches!(slot, Slot::Path(..)) {
                    let mine = id(&own, *kind, operation.surface);
                    let (status, text) = ask(caller, &operation, &own, &slots, place, &mine).await;
                    assert_eq!(status, 200, "{caller_name} asks {}: {text}", operation.id());
                    found += 1;
                }
            }
        }
    }
    assert!(asked > 900 && found > 25, "only {asked} questions were asked, and {found} about one's own");
    // Nor does the other tenant's log tell of the tries.
    world.flush().await;
    let theirs = format!("/admin/v1/audit-logs?org_id={}&include_reads=true&limit=100", other.organization);
    let log = world.bootstrap().get(&theirs).await.text;
    assert!(!log.contains("\"the-same\""), "{log}");
}
