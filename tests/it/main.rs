//! Every test that speaks HTTP to the real router, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so does what it calls")]

mod architecture;
mod audit;
mod authority;
mod concurrency;
mod documented;
mod gateway;
mod hardening;
mod hostile;
mod manners;
mod openapi;
mod organization;
mod partner;
mod platform;
mod support;
mod tenancy;
