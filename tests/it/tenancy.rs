//! What holds across the surfaces: tenants do not learn of each other, and one key is the same key everywhere.

mod addresses;
pub(crate) mod estate;
mod isolation;
mod lifetimes;
mod parity;
mod retention;
mod shares;
