//! Measures the release binary over HTTP beside bare SeaORM doing the same writes:
//! `cargo build --release && cargo bench -p claviger-tests --bench partner`.
//! `CLAVIGER_BENCH_QUICK=1` is a short form that shows whether it works, not how fast things are.

#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

mod bare;
#[path = "../shared/client.rs"]
mod client;
#[path = "../shared/figures.rs"]
mod figures;
#[path = "../shared/installation.rs"]
#[expect(dead_code, reason = "the other benchmark asks the server and the system for more")]
mod installation;
mod plans;
#[path = "../shared/process.rs"]
#[expect(dead_code, reason = "the other benchmark asks the server and the system for more")]
mod process;
#[path = "../shared/random.rs"]
#[expect(dead_code, reason = "the other benchmark draws places in lists")]
mod random;
mod reads;
#[path = "../shared/rows.rs"]
mod rows;
mod starts;
mod strangers;
mod surfaces;
mod writes;

use figures::Table;
use installation::{Installation, binary};
use rows::Rows;

pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Outcome<T> = Result<T, Fault>;

/// The allocator of the binary, so that bare SeaORM is not slower for want of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    rounds: usize,
    /// How long one measurement of writes takes, about.
    seconds: f64,
    /// Credentials in the small and in the large database.
    sizes: [u64; 2],
    /// Reads of one kind in one round.
    reads: usize,
    starts: usize,
}

/// Ten thousand, and one page more, so that there is a page behind the ten thousandth.
const SMALL: u64 = 10_020;
const FULL: Extent = Extent { rounds: 9, seconds: 3.0, sizes: [SMALL, 1_000_000], reads: 400, starts: 9 };
const QUICK: Extent = Extent { rounds: 3, seconds: 0.5, sizes: [SMALL, 50_000], reads: 100, starts: 3 };

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs benchmarks too, but does not say this.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("not measured: this is for `cargo bench`");
        return Ok(());
    }
    let extent = if std::env::var_os("CLAVIGER_BENCH_QUICK").is_some() { QUICK } else { FULL };
    let runtime = tokio::runtime::Runtime::new()?;
    let template = Installation::new()?;
    let rows = runtime.block_on(Rows::read(&template.database()))?;
    println!("{}", machine(&template)?);

    let mut memory = Table::new("Resident memory", &["MiB", "after start", "after the run"]);
    println!("{}", writes::measure(&runtime, &template, &rows, extent, &mut memory)?);
    let [small, large] = reads::seed(&runtime, &template, &rows, extent)?;
    println!("{}", reads::measure([&small, &large], &rows, extent, &mut memory)?);
    println!("{}", surfaces::measure(&small, &rows, extent)?);
    println!("{}", strangers::measure(&small, extent)?);
    println!("{}", runtime.block_on(plans::explain(&large.installation.database(), &rows))?);
    println!("{}", starts::measure(&template, &large, extent)?);
    println!("{memory}");
    Ok(())
}

/// What the figures depend on besides the code.
fn machine(template: &Installation) -> Outcome<String> {
    let cores = std::thread::available_parallelism()?;
    let file = binary()?;
    let size = std::fs::metadata(&file)?.len();
    let sync = figures::milliseconds(template.synced_write()?);
    Ok(format!(
        "{}: {:.1} MiB\n{cores} cores; a synced write of 4 KiB takes {sync:.3} ms on this disk\n",
        file.display(),
        figures::mebibytes(size),
    ))
}
