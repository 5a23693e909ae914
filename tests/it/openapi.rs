//! The documents are current, well-formed and true: what is served is what is committed, and every
//! operation says who may, what it takes and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::support::World;

pub(crate) mod operations;
mod reader;

use operations::{Operation, all, documents, own_examples, text};

/// Operations that any key of the surface may call, and those that ask for none of its keys. This list may only
/// shrink.
pub(crate) const WITHOUT_PERMISSION: [&str; 4] =
    ["get_me", OF_A_BOUND_KEY, OF_THE_PRESENTED_KEY, WITHOUT_CALLER];

/// The operation that every key of an organization may call, if it is bound to a user.
pub(crate) const OF_A_BOUND_KEY: &str = "get_current_user";

/// The operation that the presented key itself decides: a proxy asks it in the client's own name.
pub(crate) const OF_THE_PRESENTED_KEY: &str = "forward_auth";

/// The operation that nobody has to be known for: whoever holds a key may end it.
pub(crate) const WITHOUT_CALLER: &str = "revoke_own_key";

#[test]
fn the_committed_documents_are_current() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../openapi");
    let update = std::env::var_os("UPDATE_OPENAPI").is_some();
    let mut names = BTreeSet::new();
    for (name, document) in claviger_http::documents() {
        let current = document.to_pretty_json().unwrap() + "\n";
        let file = folder.join(format!("{name}.json"));
        if update {
            std::fs::write(&file, &current).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == current, "openapi/{name}.json is not what the handlers say: run `just openapi`");
        names.insert(format!("{name}.json"));
    }
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(files, names, "openapi/ holds the documents and nothing else");
}

#[tokio::test]
async fn the_documents_are_served() {
    let world = World::new().await;
    for (name, document) in claviger_http::documents() {
        let answer = world.nobody().get(&format!("/openapi/{name}.json")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json;charset=utf-8");
        assert_eq!(answer.text, document.to_pretty_json().unwrap(), "{name}");
    }
}

#[test]
fn every_document_says_what_it_is() {
    for (name, document) in documents() {
        assert!(text(&document["openapi"]).starts_with("3.1."), "{name}");
        for field in ["title", "description", "version"] {
            assert!(!text(&document["info"][field]).is_empty(), "{name} has no {field}");
        }
        let schemes = document["components"]["securitySchemes"].as_object().unwrap();
        for (scheme, told) in schemes {
            match scheme.as_str() {
                "presented_key_header" => {
                    let told = ["type", "in", "name"].map(|member| text(&told[member]));
                    assert_eq!(told, ["apiKey", "header", "X-API-Key"], "{name}");
                }
                _ => assert_eq!((text(&told["type"]), text(&told["scheme"])), ("http", "bearer"), "{name}"),
            }
            assert!(!text(&told["description"]).is_empty(), "{name}: {scheme}");
        }
        let tags = document["tags"].as_array().unwrap();
        assert!(tags.iter().all(|tag| !text(&tag["description"]).is_empty()), "{name}");
    }
}

#[test]
fn operation_ids_are_unique_over_all_documents() {
    let mut seen = BTreeMap::new();
    for operation in all() {
        assert!(!operation.id().is_empty(), "{} {} has no id", operation.method, operation.path);
        let id = operation.id().to_owned();
        let place = format!("{} {}", operation.method, operation.path);
        if let Some(other) = seen.insert(id.clone(), place.clone()) {
            panic!("{id} is both {other} and {place}");
        }
    }
}

#[test]
fn every_operation_is_told_of_in_full() {
    for operation in all() {
        let id = operation.id();
        for field in ["summary", "description"] {
            let told = operation.value[field].as_str().unwrap_or_default();
            assert!(!told.trim().is_empty(), "{id} has no {field}");
        }
        let (_, document) = documents().into_iter().find(|(name, _)| *name == operation.surface).unwrap();
        let known: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
        let tags = operation.value["tags"].as_array().unwrap_or_else(|| panic!("{id} has no tag"));
        assert_eq!(tags.len(), 1, "{id} has one tag");
        assert!(known.contains(&&tags[0]), "{id} has the unknown tag {}", tags[0]);
        has_security(&operation, &document);
        has_refusals(&operation);
        let parameters = operation.parameters();
        for parameter in &parameters {
            let told = format!("{{{}}}", parameter.name);
            assert_eq!(parameter.place == "path", operation.path.contains(&told), "{id} {}", parameter.name);
            assert_eq!(parameter.required, parameter.place == "path", "{id} {}", parameter.name);
        }
        assert_eq!(
            parameters.iter().filter(|parameter| parameter.place == "path").count(),
            operation.path.matches('{').count(),
            "{id} describes every segment of its path"
        );
    }
}

fn has_security(operation: &Operation, document: &Value) {
    let id = operation.id();
    let permissions = operation.permissions().unwrap_or_else(|| panic!("{id} has no security entry"));
    assert_eq!(permissions.is_empty(), WITHOUT_PERMISSION.contains(&id), "{id} needs {permissions:?}");
    for entry in operation.value["security"].as_array().unwrap() {
        for scheme in entry.as_object().unwrap().keys() {
            assert!(document["components"]["securitySchemes"].get(scheme).is_some(), "{id}: {scheme}");
        }
    }
}

/// Operations that are refused while their caller's tenant has too many bytes in flight.
const WITHIN_BYTES: [&str; 2] = ["verify_key", "verify_keys"];

/// Every refusal an operation of this form can meet, in the surface's own shape.
fn has_refusals(operation: &Operation) {
    let is_admin = operation.surface != "gateway";
    let is_post = operation.method == "POST";
    let has_body = operation.body_schema().is_some();
    let body = operation.body_schema().map(|schema| operation.resolved(&schema)).unwrap_or_default();
    let names_things = operation.has_variable()
        || ["user_account_id", "org_id"].iter().any(|name| operation.has_parameter(name))
        || ["user_account_id", "organization_id"].iter().any(|name| body["properties"].get(name).is_some());
    let mut expected = BTreeSet::from([400, 500, 503]);
    let is_called_by_somebody = operation.id() != WITHOUT_CALLER;
    let is_decision = operation.id() == OF_THE_PRESENTED_KEY;
    let also = [
        (is_called_by_somebody, 401),
        (is_decision, 402),
        (is_called_by_somebody, 403),
        (is_admin && names_things, 404),
        (is_admin && operation.method != "GET", 409),
        (operation.has_parameter("If-Match"), 412),
        (has_body, 413),
        (has_body, 415),
        (is_admin && is_post, 422),
        (
            is_admin
                || is_decision
                || operation.id() == "report_usage"
                || WITHIN_BYTES.contains(&operation.id()),
            429,
        ),
    ];
    expected.extend(also.into_iter().filter_map(|(applies, status)| applies.then_some(status)));
    let told = operation.answers();
    let statuses = operation.statuses();
    let refusals: BTreeSet<_> = told.iter().map(|(status, ..)| *status).filter(|it| *it >= 400).collect();
    assert_eq!(refusals, expected, "{}", operation.id());
    assert_eq!(statuses.len(), refusals.len() + 1, "{}", operation.id());
    for (status, media_type, schema) in told.iter().filter(|(status, ..)| *status >= 400) {
        let shape = operation.resolved(schema);
        let (media, required) = match operation.surface {
            "partner" => ("application/json", vec!["success", "error"]),
            "platform" => ("application/json", vec!["success", "error", "metadata"]),
            _ => {
                ("application/problem+json", vec!["type", "title", "status", "code", "detail", "request_id"])
            }
        };
        assert_eq!(media_type, media, "{} {status}", operation.id());
        let told: BTreeSet<_> = shape["required"].as_array().unwrap().iter().map(text).collect();
        assert_eq!(told, required.into_iter().collect(), "{} {status}", operation.id());
    }
}

#[test]
fn every_body_and_every_answer_has_an_example_that_validates() {
    for operation in all() {
        let id = operation.id();
        if let Some(schema) = operation.body_schema() {
            let example = operation.body_example().unwrap_or_else(|| panic!("{id}: no example of its body"));
            assert_eq!(operation.faults(&schema, &example), [""; 0], "{id}: {example}");
            assert_eq!(
                operation.resolved(&schema)["additionalProperties"],
                false,
                "{id} takes no other fields"
            );
        }
        for (status, _, schema) in operation.answers() {
            let example =
                operation.example(&schema).unwrap_or_else(|| panic!("{id}: no example of {status}"));
            assert_eq!(operation.faults(&schema, &example), [""; 0], "{id} {status}: {example}");
        }
        for parameter in operation.parameters() {
            let name = &parameter.name;
            let example = parameter.example.unwrap_or_else(|| panic!("{id}: no example of {name}"));
            assert_eq!(operation.faults(&parameter.schema, &example), [""; 0], "{id} {name}: {example}");
        }
    }
}

/// Examples stand in fields as well, and schemas that no operation names directly have them too.
#[test]
fn every_example_anywhere_validates() {
    let mut checked = 0;
    for (name, document) in documents() {
        let Some(operation) = operations::of(name).into_iter().next() else { continue };
        each_schema(&document["components"]["schemas"], &mut |schema| {
            for example in own_examples(schema) {
                checked += 1;
                assert_eq!(operation.faults(schema, &example), [""; 0], "{example} under {schema}");
            }
        });
    }
    assert!(checked > 30, "{checked} examples were found");
}

fn each_schema(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(members) => {
            if members.contains_key("type") || members.contains_key("oneOf") || members.contains_key("$ref") {
                visit(value);
            }
            for (_, inner) in members.iter().filter(|(name, _)| !name.starts_with("example")) {
                each_schema(inner, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_schema(item, visit)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(name: &str, root: &Value, value: &Value) {
        match value {
            Value::Object(members) => members.iter().for_each(|(member, inner)| match inner.as_str() {
                Some(reference) if member == "$ref" => {
                    let pointer =
                        reference.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {reference}"));
                    assert!(root.pointer(pointer).is_some(), "{name}: {reference} leads nowhere");
                }
                _ => check(name, root, inner),
            }),
            Value::Array(items) => items.iter().for_each(|item| check(name, root, item)),
            _ => {}
        }
    }
    for (name, document) in documents() {
        check(name, &document, &document);
    }
}

/// What SDKs make methods and types of.
#[test]
fn names_are_words_of_one_form() {
    let is_words =
        |name: &str, separator: char, is_word: fn(&str) -> bool| name.split(separator).all(is_word);
    for (name, document) in operations::documents() {
        for schema in document["components"]["schemas"].as_object().unwrap().keys() {
            let is_word = |word: &str| {
                word.starts_with(|first: char| first.is_ascii_uppercase())
                    && word.chars().all(|letter| letter.is_ascii_alphanumeric())
            };
            assert!(is_words(schema, '_', is_word), "{name}: {schema}");
        }
    }
    for operation in operations::all() {
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase());
        assert!(operation.id().contains('_') && is_words(operation.id(), '_', is_word), "{}", operation.id());
    }
}
