//! The gateway surface: decisions about presented keys.

mod analytics;
mod batch;
mod bounds;
mod codes;
mod consistency;
mod counting;
mod credits;
mod following;
mod forward_auth;
mod journal;
mod limits;
mod peppers;
mod pools;
mod reference;
mod reports;
mod requests;
mod revoke_self;
pub(crate) mod stage;

use serde_json::{Value, json};

use crate::support::World;

/// What the operator's gateway is told about a key; `demand` goes beside it.
async fn verify(world: &World, key: &str, mut demand: Value) -> Value {
    demand["key"] = json!(key);
    let answer = world.bootstrap().post("/v1/keys/verify", &demand).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    assert_eq!(told["valid"], told["code"] == "VALID", "{told}");
    assert_eq!(told["request_id"], answer.header("x-request-id"));
    told
}

/// The code alone.
async fn code(world: &World, key: &str, demand: Value) -> String {
    verify(world, key, demand).await["code"].as_str().unwrap().to_owned()
}
