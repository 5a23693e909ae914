//! The `claviger` binary: reads the command line and does what it says.

mod backup;
mod command;
mod commands;
mod config;
mod database;
mod durable;
mod failure;
mod first_start;
mod installation;
mod journal;
mod listen;
mod output;
mod peppers;
mod runtime;
mod serve;
mod shutdown;
mod system;
mod telemetry;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::CommandLine::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when this cannot be written either.
            drop(writeln!(std::io::stderr(), "error: {failure}"));
            failure.exit_code()
        }
    }
}
