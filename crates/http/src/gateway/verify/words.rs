//! The words and figures of a demand, wherever they are written: in a body or in a query.

use claviger_domain::credential::{Environment, Network};
use claviger_domain::scope::ScopeExpression;

use crate::fault::{Fault, Reason};

pub(in crate::gateway) fn cost_of(cost: i64) -> Result<u32, Fault> {
    u32::try_from(cost).map_err(|_| Fault::invalid("cost", Reason::Integer { min: 0, max: u32::MAX.into() }))
}

pub(in crate::gateway) fn network(number: i64) -> Result<Network, Fault> {
    Network::of_number(number).ok_or_else(|| Fault::invalid("network_id", Reason::Network))
}

pub(in crate::gateway) fn environment_of(word: &str) -> Result<Environment, Fault> {
    let words = Reason::Word(&["live", "test"]);
    Environment::of_word(word).ok_or_else(|| Fault::invalid("environment", words))
}

pub(in crate::gateway) fn scopes_of(text: &str) -> Result<ScopeExpression, Fault> {
    text.parse().map_err(|error| Fault::invalid("scopes", Reason::Scopes(error)))
}
