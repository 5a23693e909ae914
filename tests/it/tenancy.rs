//! What holds across the surfaces: tenants do not learn of each other, and one key is the same key everywhere.

mod estate;
mod isolation;
mod parity;
