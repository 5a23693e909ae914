//! Bad input of every kind: refused with a 4xx in the surface's dialect, and nothing half done.

mod bodies;
mod parts;
mod property;
pub(crate) mod rows;
