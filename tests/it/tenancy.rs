//! What holds across the surfaces: tenants do not learn of each other, and one key is the same key everywhere.

pub(crate) mod estate;
mod isolation;
mod parity;
mod retention;
