//! Generated requests thrown at every operation of every document, as a caller who may: no 5xx, always
//! an answer the document tells of, and nothing done by what was refused.

use axum::body::Body;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use super::rows;
use crate::authority::scene::Scene;
use crate::openapi::operations::{Operation, all};
use crate::support::World;

/// What replaces a part of a good request.
#[derive(Debug, Clone)]
struct Thrown {
    /// A path segment, percent-encoded; `None` leaves the id of what is there.
    segment: Option<String>,
    query: Vec<(Name, String)>,
    body: Thing,
    media_type: &'static str,
    if_match: Option<String>,
    idempotency_key: Option<String>,
}

/// The name of a query parameter: one of the operation's own, or any.
#[derive(Debug, Clone)]
enum Name {
    Own(prop::sample::Index),
    Any(String),
}

#[derive(Debug, Clone)]
enum Thing {
    /// The example with some members replaced, added or, without a value, removed.
    Changed(Vec<(prop::sample::Index, Option<Value>)>, Option<(String, Value)>),
    Json(Value),
    Bytes(Vec<u8>),
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2_i64..5).prop_map(Value::from),
        text().prop_map(Value::from),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Texts near what is expected, and far from it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "\\PC{0,300}",
        Just(String::new()),
        Just("\0".to_owned()),
        "(true|false|live|test|active|pending|view_usage|manage_users)",
        "-?[0-9]{1,25}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?)?",
        "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}",
        "(iiak_|iiak_admin_|ak_live_)[0-9a-z]{40,48}",
        "(credential|user_account|admin_key|organization)\\.(created|updated|revoked|read|x)",
        "[a-z]{1,5}(:[a-z*]{1,5}){0,3}( (AND|OR) \\(?[a-z]{1,5}:[a-z*]{1,5}\\)?){0,4}",
        "[^@]{1,10}@[a-z.]{1,10}",
        "(10|192|300)\\.[0-9]{1,3}\\.0\\.1(/[0-9]{1,2})?",
    ]
}

fn thrown() -> impl Strategy<Value = Thrown> {
    let segment = prop_oneof![3 => Just(None), 2 => text().prop_map(|text| Some(encoded(text.as_bytes()))),
        1 => prop::collection::vec(any::<u8>(), 1..20).prop_map(|bytes| Some(encoded(&bytes))),
        1 => "[A-Za-z0-9._~!$&'()*+,;=:@%-]{1,40}".prop_map(Some)];
    let name =
        prop_oneof![4 => any::<prop::sample::Index>().prop_map(Name::Own), 1 => text().prop_map(Name::Any)];
    let changes = prop::collection::vec(
        (any::<prop::sample::Index>(), prop::option::weighted(0.8, json_value())),
        0..3,
    );
    let body = prop_oneof![
        6 => (changes, prop::option::weighted(0.2, (text(), json_value()))).prop_map(|(changed, added)| Thing::Changed(changed, added)),
        1 => json_value().prop_map(Thing::Json),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Thing::Bytes),
    ];
    let media_type = prop_oneof![9 => Just("application/json"), 1 => Just("text/plain"), 1 => Just("")];
    let header = || prop::option::weighted(0.2, "[ -~]{0,30}");
    (segment, prop::collection::vec((name, text()), 0..4), body, media_type, header(), header()).prop_map(
        |(segment, query, body, media_type, if_match, idempotency_key)| Thrown {
            segment,
            query,
            body,
            media_type,
            if_match,
            idempotency_key,
        },
    )
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

impl Thrown {
    fn path(&self, scene: &Scene<'_>, operation: &Operation) -> String {
        let path = match &self.segment {
            Some(segment) => operation.at(|_| segment.clone()),
            None => scene.path(operation),
        };
        let own: Vec<_> =
            operation.parameters().into_iter().filter(|parameter| parameter.place == "query").collect();
        let mut pairs = Vec::new();
        for (name, value) in &self.query {
            let name = match name {
                Name::Own(_) if own.is_empty() => continue,
                Name::Own(index) => &index.get(&own).name,
                Name::Any(name) => name,
            };
            pairs.push(format!("{}={}", encoded(name.as_bytes()), encoded(value.as_bytes())));
        }
        if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
    }

    fn body(&self, scene: &Scene<'_>, operation: &Operation) -> Vec<u8> {
        let good = scene.body(operation).unwrap_or_else(|| json!({}));
        match &self.body {
            Thing::Bytes(bytes) => bytes.clone(),
            Thing::Json(value) => value.to_string().into_bytes(),
            Thing::Changed(changes, added) => {
                let mut body = good.as_object().unwrap().clone();
                let names: Vec<_> = body.keys().cloned().collect();
                for (place, value) in changes.iter().filter(|_| !names.is_empty()) {
                    match value {
                        Some(value) => _ = body.insert(place.get(&names).clone(), value.clone()),
                        None => _ = body.remove(place.get(&names)),
                    }
                }
                if let Some((name, value)) = added {
                    body.insert(name.clone(), value.clone());
                }
                Value::Object(body).to_string().into_bytes()
            }
        }
    }
}

/// Sends one generated request to each operation; what an operation may have ended is made anew.
async fn throw(world: &World, operations: &[Operation], thrown: &Thrown) -> [u32; 2] {
    let mut outcomes = [0, 0];
    let mut scene = Scene::new(world).await;
    for operation in operations {
        scene.ready_for(operation).await;
        let caller = scene.caller(operation);
        let path = thrown.path(&scene, operation);
        let mut request = caller.request(&operation.method, &path);
        for (name, value) in [
            ("content-type", Some(&thrown.media_type.to_owned()).filter(|media_type| !media_type.is_empty())),
            ("if-match", thrown.if_match.as_ref()),
            ("idempotency-key", thrown.idempotency_key.as_ref()),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let body = thrown.body(&scene, operation);
        let shown = format!("{} {path} {}", operation.method, String::from_utf8_lossy(&body));
        // Calls that passed before are counted whenever somebody drains or asks for figures.
        world.drain().await;
        let before = rows::counts(world).await;
        let answer = caller.send(request, Body::from(body)).await;
        assert!(answer.status < 500, "{shown}: {} {}", answer.status, answer.text);
        operation.admits(&answer);
        if answer.status >= 400 {
            assert_eq!(rows::counts(world).await, before, "{shown} was refused, and yet");
        }
        outcomes[usize::from(answer.status >= 400)] += 1;
        let has_changed = answer.status < 400 && operation.method != "GET";
        if has_changed || operation.id() == "reactivate_user" {
            scene = Scene::new(world).await;
        }
    }
    outcomes
}

#[test]
fn no_request_makes_the_server_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let operations = all();
    let mut outcomes = [0, 0];
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let seen = std::cell::RefCell::new(&mut outcomes);
    let result = TestRunner::new(config).run(&thrown(), |thrown| {
        let [done, refused] = runtime.block_on(throw(&world, &operations, &thrown));
        let mut seen = seen.borrow_mut();
        seen[0] += done;
        seen[1] += refused;
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(outcomes[0] > 50 && outcomes[1] > 50, "done and refused: {outcomes:?}; both have to be seen");
}

/// `PROPTEST_CASES` asks for more, or fewer.
fn cases() -> u32 {
    if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 48 }
}
