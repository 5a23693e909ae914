//! The store's promises, kept on each database it runs on: SQLite in a file, SQLite in memory, and a
//! throw-away PostgreSQL.

#[macro_use]
mod databases;
mod fixtures;
mod overheard;

mod audit;
mod broken_commits;
mod busiest;
mod chains;
mod concurrency;
mod conflicts;
mod corrupt;
mod installation;
mod journal;
mod lists;
mod loading;
mod migrations;
mod owners;
mod peppers;
mod plans;
mod round_trip;
mod secrets;
mod spending;
mod tallies;
mod transactions;
mod usage;
mod usage_plans;
