//! The documents as tests read them: every operation with its parameters, examples and schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::support::Answer;

/// By document and schema.
static VALIDATORS: Mutex<BTreeMap<(&str, String), Arc<Validator>>> = Mutex::new(BTreeMap::new());

/// One operation of one document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) surface: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) value: Value,
    root: Arc<Value>,
}

/// Whose place a parameter takes in a request.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) required: bool,
    pub(crate) schema: Value,
    pub(crate) example: Option<Value>,
}

/// Every document as JSON, by name.
pub(crate) fn documents() -> Vec<(&'static str, Value)> {
    claviger_http::documents()
        .into_iter()
        .map(|(name, document)| (name, serde_json::from_str(&document.to_json().unwrap()).unwrap()))
        .collect()
}

/// Every operation of every document.
pub(crate) fn all() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (surface, document) in documents() {
        let root = Arc::new(document);
        for (path, item) in root["paths"].as_object().unwrap() {
            for (method, value) in item.as_object().unwrap() {
                operations.push(Operation {
                    surface,
                    method: method.to_uppercase(),
                    path: path.clone(),
                    value: value.clone(),
                    root: root.clone(),
                });
            }
        }
    }
    assert!(operations.len() > 20, "the documents tell of {} operations", operations.len());
    operations
}

pub(crate) fn of(surface: &str) -> Vec<Operation> {
    all().into_iter().filter(|operation| operation.surface == surface).collect()
}

impl Operation {
    pub(crate) fn id(&self) -> &str {
        self.value["operationId"].as_str().unwrap_or_default()
    }

    /// The permissions the document asks for; `None` without a security entry.
    pub(crate) fn permissions(&self) -> Option<Vec<String>> {
        let entries = self.value["security"].as_array()?;
        let scopes = entries.iter().flat_map(|entry| entry.as_object().unwrap().values());
        Some(scopes.flat_map(|list| list.as_array().unwrap()).map(|word| text(word).to_owned()).collect())
    }

    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let listed = self.value["parameters"].as_array().cloned().unwrap_or_default();
        listed
            .iter()
            .map(|parameter| Parameter {
                name: text(&parameter["name"]).to_owned(),
                place: text(&parameter["in"]).to_owned(),
                required: parameter["required"].as_bool().unwrap_or_default(),
                schema: parameter["schema"].clone(),
                example: parameter.get("example").cloned(),
            })
            .collect()
    }

    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        self.parameters().iter().any(|parameter| parameter.name == name)
    }

    /// The path with `value` in the place of each variable segment.
    pub(crate) fn at(&self, value: impl Fn(&str) -> String) -> String {
        let segment = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => value(name),
            None => part.to_owned(),
        };
        self.path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    pub(crate) fn has_variable(&self) -> bool {
        self.path.contains('{')
    }

    /// The schema of the request body.
    pub(crate) fn body_schema(&self) -> Option<Value> {
        self.value.pointer("/requestBody/content/application~1json/schema").cloned()
    }

    /// An example of the request body.
    pub(crate) fn body_example(&self) -> Option<Value> {
        self.example(&self.body_schema()?)
    }

    /// The status of each documented answer, those without a body included.
    pub(crate) fn statuses(&self) -> BTreeSet<u16> {
        self.value["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
    }

    /// Status, media type and schema of each documented answer that has a body.
    pub(crate) fn answers(&self) -> Vec<(u16, String, Value)> {
        let mut answers = Vec::new();
        for (status, answer) in self.value["responses"].as_object().unwrap() {
            for (media_type, content) in answer["content"].as_object().into_iter().flatten() {
                answers.push((status.parse().unwrap(), media_type.clone(), content["schema"].clone()));
            }
        }
        answers
    }

    /// A schema without its reference.
    pub(crate) fn resolved(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let found = self.root.pointer(reference.trim_start_matches('#'));
                self.resolved(found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
            }
            None => schema.clone(),
        }
    }

    /// A schema's example: its own, or one made of its parts' examples.
    pub(crate) fn example(&self, schema: &Value) -> Option<Value> {
        let schema = self.resolved(schema);
        if let Some(example) = own_examples(&schema).first() {
            return Some(example.clone());
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            return choices.iter().find_map(|choice| self.example(choice));
        }
        match schema["type"].as_str() {
            Some("array") => Some(json!([self.example(&schema["items"])?])),
            Some("object") => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let mut whole = Map::new();
                for (name, part) in schema["properties"].as_object()? {
                    match self.example(part) {
                        Some(example) => _ = whole.insert(name.clone(), example),
                        None if required.contains(&json!(name)) => return None,
                        None => {}
                    }
                }
                Some(whole.into())
            }
            _ => None,
        }
    }

    /// What is wrong with `value` under `schema`; empty when nothing is.
    pub(crate) fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// The schema made ready; a run of this binary asks for the same few again and again.
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let build = || {
            let whole = json!({"allOf": [schema], "components": self.root["components"]});
            let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&whole);
            Arc::new(validator.unwrap_or_else(|error| panic!("{}: {error}", self.id())))
        };
        let name = (self.surface, schema.to_string());
        VALIDATORS.lock().unwrap().entry(name).or_insert_with(build).clone()
    }

    /// That this answer is one the document tells of: its status, its media type and its shape.
    #[track_caller]
    pub(crate) fn admits(&self, answer: &Answer) {
        let told = self.answers();
        let found = told.iter().find(|(status, ..)| *status == answer.status);
        if found.is_none() && self.statuses().contains(&answer.status) {
            assert_eq!(
                (answer.text.as_str(), answer.headers.get("content-type")),
                ("", None),
                "{}",
                self.id()
            );
            return;
        }
        let Some((_, media_type, schema)) = found else {
            panic!("{} does not tell of {} {}", self.id(), answer.status, answer.text)
        };
        let given = answer.header("content-type").split(';').next().unwrap();
        assert_eq!(given, media_type, "{}", self.id());
        let faults = self.faults(schema, &answer.json());
        assert!(faults.is_empty(), "{} {}: {faults:?} in {}", self.id(), answer.status, answer.text);
    }
}

/// The examples a schema gives itself, in either spelling.
pub(crate) fn own_examples(schema: &Value) -> Vec<Value> {
    let listed = schema["examples"].as_array().cloned().unwrap_or_default();
    schema.get("example").cloned().into_iter().chain(listed).collect()
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}
