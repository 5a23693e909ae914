//! Measures the analytics question, in process, on a year of figures of ten thousand keys:
//! `cargo bench -p claviger-tests --bench analytics`. Every key has a figure for each day of the year and for each
//! hour of the last eight days; `CLAVIGER_BENCH_HOURLY_DAYS=366` gives it every hour of the year, which takes a while.
//! `CLAVIGER_BENCH_QUICK=1` is a short form that shows whether it works, not how fast things are.

#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

#[path = "../shared/figures.rs"]
#[expect(dead_code, reason = "the other benchmarks tell of sizes and rates too")]
mod figures;
mod year;

use std::time::Instant;

use claviger_app::analytics::{self, Keys, Question};
use claviger_app::{Call, Facts};
use claviger_domain::actor::Actor;
use claviger_domain::ids::BootstrapKeyId;
use claviger_domain::series::Reach;

use figures::{Table, milliseconds, percentile};
use year::Year;

pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Outcome<T> = Result<T, Fault>;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    keys: u32,
    /// Days for which there are figures, and those of them for which they are hourly.
    days: i64,
    hourly_days: i64,
    questions: usize,
}

const FULL: Extent = Extent { keys: 10_000, days: 367, hourly_days: 8, questions: 200 };
const QUICK: Extent = Extent { keys: 200, questions: 20, ..FULL };

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs benchmarks too, but does not say this.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("not measured: this is for `cargo bench`");
        return Ok(());
    }
    let mut extent = if std::env::var_os("CLAVIGER_BENCH_QUICK").is_some() { QUICK } else { FULL };
    if let Ok(days) = std::env::var("CLAVIGER_BENCH_HOURLY_DAYS") {
        extent.hourly_days = days.parse()?;
    }
    tokio::runtime::Runtime::new()?.block_on(measure(extent))
}

async fn measure(extent: Extent) -> Outcome<()> {
    let begun = Instant::now();
    let year = Year::build(extent).await?;
    println!("{} in {:.0} s", year.describe()?, begun.elapsed().as_secs_f64());
    let app = year.app().await?;
    let actor = Actor::Bootstrap(BootstrapKeyId::from_uuid(uuid::Uuid::nil()));
    let call = Call::new(app, actor, Facts::default());
    let mut table = Table::new(
        &format!("Totals, series, top keys and outcomes, one caller, ms ({} questions)", extent.questions),
        &["", "keys told", "p50", "p99"],
    );
    for (whose, organization) in [("one organization", Some(year.organization)), ("all organizations", None)]
    {
        for (period, keys) in [("24h", 10), ("7d", 10), ("30d", 10), ("366d", 10), ("366d", 100)] {
            let keys = Keys::new(keys).ok_or("no such number of keys")?;
            let question = Question { organization, reach: Reach::Back(period.parse()?), keys };
            let mut took = Vec::with_capacity(extent.questions);
            // The first ones are to warm up.
            for turn in 0..extent.questions + 5 {
                let begun = Instant::now();
                let told = analytics::usage(&call, question).await?;
                if turn >= 5 {
                    took.push(milliseconds(begun.elapsed()));
                }
                check(&told)?;
            }
            table.line([
                format!("{whose}, {period}"),
                analytics::usage(&call, question).await?.by_key.len().to_string(),
                format!("{:.1}", percentile(&took, 50)),
                format!("{:.1}", percentile(&took, 99)),
            ]);
        }
    }
    println!("{table}");
    Ok(())
}

/// That what is timed is an answer: the parts are about the same calls.
fn check(told: &analytics::Analytics) -> Outcome<()> {
    let by_outcome: u64 = told.by_outcome.iter().map(|(_, tally)| tally.total).sum();
    let by_key: u64 = told.by_key.iter().map(|used| used.tally.total).sum();
    let series = told.series.iter().filter(|(_, tally)| tally.total > 0).count();
    if by_key == 0 || by_key > by_outcome || by_outcome != told.totals.total || series < told.series.len() {
        return Err(format!("{by_key} of {by_outcome} calls in {series} buckets: {:?}", told.totals).into());
    }
    Ok(())
}
