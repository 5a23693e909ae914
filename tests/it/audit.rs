//! The audit log: what it says of each call, and to whom.

mod actors;
mod changes;
mod export;
mod filtered;
mod origins;
mod reads;
mod refusals;
mod streams;
mod unknown_callers;

use serde_json::Value;

use crate::support::{Caller, World};

/// The entries that a query shows.
pub(crate) async fn entries(caller: &Caller<'_>, query: &str) -> Vec<Value> {
    caller.get(&format!("/v1/admin/audit-logs?{query}")).await.data().as_array().unwrap().clone()
}

/// All entries that a query shows once every batch is written, reads and refused calls included.
async fn all(world: &World, caller: &Caller<'_>, query: &str) -> Vec<Value> {
    world.flush().await;
    entries(caller, &format!("include_reads=true&limit=100&{query}")).await
}
