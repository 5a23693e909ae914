//! Measures key verification in the release binary beside a bare axum handler, and the engine in process:
//! `cargo build --release && cargo bench -p claviger-tests --bench gateway`; needs `wrk`.
//! Names of parts (`throughput`, `in_process`, `loading`, `guessing`) run these alone; `soak` is an hour of half load,
//! and runs only when it is asked for. `CLAVIGER_BENCH_QUICK=1` is a short form that shows whether it works, not how
//! fast things are.

#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

mod baseline;
#[path = "../shared/client.rs"]
mod client;
#[path = "../shared/figures.rs"]
#[expect(dead_code, reason = "the other benchmark counts what it made by the second")]
mod figures;
mod guessing;
mod in_process;
#[path = "../shared/installation.rs"]
#[expect(dead_code, reason = "the other benchmark starts more, and copies")]
mod installation;
mod keys;
mod loading;
mod pace;
#[path = "../shared/process.rs"]
mod process;
#[path = "../shared/random.rs"]
mod random;
#[path = "../shared/rows.rs"]
mod rows;
mod soak;
mod throughput;
mod wrk;

use std::time::Duration;

pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Outcome<T> = Result<T, Fault>;

/// The allocator of the binary, so that the baseline is not slower for want of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    rounds: usize,
    /// One measurement of one side.
    round: Duration,
    warm_up: Duration,
    /// A minute of the soak.
    minute: Duration,
    /// Decisions of one thread in one round, and of how many keys at most.
    decisions: usize,
    most_keys: usize,
    /// Keys in the database of a start.
    stored_keys: u64,
    starts: usize,
    /// Guesses in all rounds together, and how long a round of them takes.
    guesses: f64,
    guessing: Duration,
}

const FULL: Extent = Extent {
    rounds: 7,
    round: Duration::from_secs(5),
    warm_up: Duration::from_secs(3),
    minute: Duration::from_secs(60),
    decisions: 1_000_000,
    most_keys: 10_000_000,
    stored_keys: 1_000_000,
    starts: 5,
    guesses: 1_010_000.0,
    guessing: Duration::from_secs(15),
};
const QUICK: Extent = Extent {
    rounds: 3,
    round: Duration::from_secs(1),
    warm_up: Duration::from_secs(1),
    minute: Duration::from_secs(3),
    decisions: 100_000,
    most_keys: 100_000,
    stored_keys: 50_000,
    starts: 2,
    guesses: 10_000.0,
    guessing: Duration::from_secs(1),
};

/// Without a name, all of these run.
const PARTS: [&str; 4] = ["throughput", "in_process", "loading", "guessing"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // This executable once more, as a child.
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["baseline", answer] => return baseline::serve(answer),
        ["decide", journal, keys, decisions, rounds] => {
            return in_process::decide(
                journal == "journaled",
                keys.parse()?,
                decisions.parse()?,
                rounds.parse()?,
            );
        }
        _ => {}
    }
    // `cargo test --all-targets` runs benchmarks too, but does not say this.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("not measured: this is for `cargo bench`");
        return Ok(());
    }
    let extent = if std::env::var_os("CLAVIGER_BENCH_QUICK").is_some() { QUICK } else { FULL };
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    match words[..] {
        ["soak"] => soak::run(60, extent),
        ["soak", minutes] => soak::run(minutes.parse()?, extent),
        [] => PARTS.iter().try_for_each(|part| run(part, extent)),
        _ => words.iter().try_for_each(|part| run(part, extent)),
    }
}

fn run(part: &str, extent: Extent) -> Outcome<()> {
    match part {
        "throughput" => throughput::measure(extent),
        "in_process" => in_process::measure(extent),
        "loading" => loading::measure(extent),
        "guessing" => guessing::measure(extent),
        part => Err(format!("there is no part {part}; there are {}", PARTS.join(", ")).into()),
    }
}
