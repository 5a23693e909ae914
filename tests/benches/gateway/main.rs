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
mod figures;
#[path = "../shared/installation.rs"]
#[expect(dead_code, reason = "the other benchmark starts more, and copies")]
mod installation;
mod keys;
mod pace;
#[path = "../shared/process.rs"]
mod process;
#[path = "../shared/random.rs"]
mod random;
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
}

const FULL: Extent = Extent {
    rounds: 7,
    round: Duration::from_secs(5),
    warm_up: Duration::from_secs(3),
    minute: Duration::from_secs(60),
};
const QUICK: Extent = Extent {
    rounds: 3,
    round: Duration::from_secs(1),
    warm_up: Duration::from_secs(1),
    minute: Duration::from_secs(3),
};

/// Without a name, all of these run.
const PARTS: [&str; 1] = ["throughput"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // This executable once more, as a child.
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["baseline", answer] => return baseline::serve(answer),
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
        part => Err(format!("there is no part {part}; there are {}", PARTS.join(", ")).into()),
    }
}
