//! The commands that answer and end.

pub(crate) mod admin_key;
pub(crate) mod audit;
pub(crate) mod bootstrap_key;
pub(crate) mod openapi;
pub(crate) mod peppers;
