//! The binary as an operator meets it: started, asked, stopped and killed as a process of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so does what it calls")]

mod audit;
mod backup;
mod commands;
mod connections;
mod fairness;
mod faults;
mod first_start;
mod framing;
mod gateway_kill;
mod gateway_revoke;
mod kill;
mod logs;
mod lost_database;
mod offline;
mod operations;
mod peppers;
mod peppers_page;
mod postgres;
mod proxies;
mod readiness;
mod readme;
mod start;
mod stop;
mod support;
