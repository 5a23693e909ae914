//! Every test that speaks HTTP to the real router, in one binary.

mod audit;
mod authority;
mod architecture;
mod concurrency;
mod gateway;
mod hardening;
mod hostile;
mod manners;
mod openapi;
mod partner;
mod support;
