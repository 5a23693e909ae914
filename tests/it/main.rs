//! Every test that speaks HTTP to the real router, in one binary.

mod architecture;
mod audit;
mod authority;
mod concurrency;
mod gateway;
mod hardening;
mod hostile;
mod manners;
mod openapi;
mod partner;
mod support;
