//! The partner surface to the letter: each published example and each refusal, as named callers.

mod admin_key_changes;
mod admin_keys;
mod audit_logs;
mod authentication;
mod bodies;
mod check_order;
mod credential_changes;
mod credential_refusals;
mod credentials;
mod external_ids;
mod fields;
mod isolation;
mod keys;
mod me;
mod metadata;
mod paging;
mod periods;
mod rotation;
mod secrecy;
mod suspension;
pub(crate) mod usage;
mod usage_days;
mod usage_of_users;
mod user_changes;
mod users;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, Partner, World};

/// An id that names nothing.
pub(crate) const NOTHING: &str = "01932a3e-5f00-7000-8000-0000000000ff";

/// What no path takes for an id: other spellings of UUIDs among them.
pub(crate) const NO_IDS: [&str; 6] = [
    "1",
    "not-an-id",
    "01932a3e5f0070008000000000000001",
    "%7B01932a3e-5f00-7000-8000-000000000001%7D",
    "user_01h455vb4pex5vsknk084sn02q",
    "01932a3e-5f00-7000-8000-00000000000g",
];

/// That the answer is exactly this, to the order of its members.
#[track_caller]
pub(crate) fn exactly(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, answer.text.as_str()), (status, body.to_string().as_str()));
}

/// A text of the answer's JSON, for paths.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// That a text is an id as this product makes them: a lower-case hyphenated UUID of version 7.
#[track_caller]
pub(crate) fn is_id(value: &Value) {
    let id = uuid::Uuid::parse_str(text(value)).unwrap();
    assert_eq!((id.get_version_num(), id.hyphenated().to_string().as_str()), (7, text(value)));
}

/// The names in a list, in its order.
#[track_caller]
pub(crate) fn names(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let list =
        body["data"].as_array().unwrap_or_else(|| panic!("no list: {} {}", answer.status, answer.text));
    list.iter().map(|item| text(&item["name"]).to_owned()).collect()
}

/// What the gateway says of a key; asking counts as one request of its credential.
pub(crate) async fn code_of(world: &World, key: &Value) -> String {
    let answer = world.bootstrap().post("/v1/keys/verify", &json!({"key": key})).await;
    text(&answer.json()["code"]).to_owned()
}

/// Users of these names, each a second after the one before.
pub(crate) async fn users_in_turn(world: &World, partner: &Partner<'_>, names: &[&str]) -> Vec<Value> {
    let mut users = Vec::new();
    for name in names {
        world.advance(TimeDelta::seconds(1));
        users.push(partner.user(name).await);
    }
    users
}

/// Credentials of these names, each a second after the one before.
pub(crate) async fn credentials_in_turn(world: &World, partner: &Partner<'_>, names: &[&str]) -> Vec<Value> {
    let mut credentials = Vec::new();
    for name in names {
        world.advance(TimeDelta::seconds(1));
        credentials.push(partner.credential(name).await["credential"].clone());
    }
    credentials
}
