//! What Claviger decides, without asking anybody: no I/O, no clock, no randomness of its own.
//!
//! Other Rust services link this crate to recognise keys ([`secret::Plaintext`]), to match scopes
//! ([`scope`]) and to judge a credential ([`verification`]) exactly as the server does.

#![warn(missing_docs)]

pub mod account;
pub mod actor;
pub mod address;
pub mod admin_key;
pub mod audit;
pub mod capability;
pub mod credential;
pub mod ids;
pub mod lifetime;
pub mod limit;
pub mod organization;
pub mod page;
pub mod period;
pub mod resource_limits;
pub mod restriction;
pub mod revision;
pub mod role;
pub mod scope;
pub mod secret;
pub mod series;
pub mod settings;
pub mod text;
pub mod usage;
pub mod verification;

/// The one representation of an instant: UTC, with microseconds as the finest digit kept.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
