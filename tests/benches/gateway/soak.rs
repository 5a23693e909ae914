//! Half of what the server can do, for an hour: memory and latency at its end are those of its beginning.

use std::time::{Duration, Instant};

use crate::figures::{Table, median};
use crate::installation::Installation;
use crate::keys::{self, KEYS};
use crate::pace::{self, Callers, Load};
use crate::{Extent, Outcome};

const CONNECTIONS: u32 = 16;
/// How often is looked at what waits in the journal.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What one minute was like.
struct Minute {
    calls: usize,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    p999: f64,
    /// Microseconds of the server's processor time for one call.
    processor: f64,
    /// MiB.
    memory: f64,
    /// Calls waiting in the journal: the most that were seen.
    waiting: f64,
    wrong: u64,
}

/// Runs for so many minutes, and prints each as it ends.
pub(crate) fn run(minutes: usize, extent: Extent) -> Outcome<()> {
    let installation = Installation::new()?;
    let server = installation.start()?;
    let question = keys::valid(&keys::issue(&server, &installation, KEYS)?, &installation.bootstrap_key);
    let at_most = Load { connections: CONNECTIONS, rate: None };
    pace::run(server.address, &question, at_most, extent.warm_up)?;
    let seen = pace::run(server.address, &question, at_most, extent.round)?;
    let rate = (seen.calls() as f64 / extent.round.as_secs_f64() / 2.0).round();
    println!(
        "{minutes} minutes at half load: {rate:.0} calls a second on {CONNECTIONS} connections, {KEYS} keys\n"
    );
    println!(
        "  minute      calls   p50 ms   p99 ms   p99.9 ms   processor us   memory MiB   journal   wrong"
    );
    let callers =
        Callers::start(server.address, &question, Load { connections: CONNECTIONS, rate: Some(rate) })?;
    let begun = Instant::now();
    let mut minutes_seen = Vec::new();
    for number in 1..=minutes {
        let end = begun + extent.minute * u32::try_from(number)?;
        let processor = server.processor()?;
        let mut waiting: f64 = 0.0;
        while Instant::now() < end {
            waiting = waiting.max(server.figure("claviger_journal_records")?);
            std::thread::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now())));
        }
        let mut seen = callers.take()?;
        let used = server.processor()? - processor;
        let minute = Minute {
            calls: seen.calls(),
            p50: seen.per_mille(500),
            p99: seen.per_mille(990),
            p999: seen.per_mille(999),
            processor: used.as_secs_f64() * 1_000_000.0 / seen.calls() as f64,
            memory: server.memory()?,
            waiting,
            wrong: seen.wrong,
        };
        println!(
            "  {number:>6} {:>10} {:>8.3} {:>8.3} {:>10.3} {:>14.1} {:>12.1} {:>9.0} {:>7}",
            minute.calls,
            minute.p50,
            minute.p99,
            minute.p999,
            minute.processor,
            minute.memory,
            minute.waiting,
            minute.wrong
        );
        minutes_seen.push(minute);
    }
    callers.stop()?;
    server.stop()?;
    println!("\n{}", verdict(&minutes_seen));
    let wrong: u64 = minutes_seen.iter().map(|minute| minute.wrong).sum();
    if wrong > 0 { Err(format!("{wrong} answers were not VALID").into()) } else { Ok(()) }
}

/// Compares the last ten minutes with the first ten.
fn verdict(minutes: &[Minute]) -> Table {
    let compared = (minutes.len() / 2).clamp(1, 10);
    let (first, last) = (&minutes[..compared], &minutes[minutes.len() - compared..]);
    let title = format!("The last {compared} minutes beside the first {compared}: medians");
    let mut table = Table::new(&title, &["", "first", "last", "ratio", "aim"]);
    let mut line = |name: &str, of: fn(&Minute) -> f64, most: f64| {
        let of_all = |minutes: &[Minute]| median(&minutes.iter().map(of).collect::<Vec<_>>());
        let (first, last) = (of_all(first), of_all(last));
        let ratio = last / first;
        table.line([
            name.to_owned(),
            format!("{first:.3}"),
            format!("{last:.3}"),
            format!("{ratio:.2}"),
            format!("{most:.2}: {}", if ratio <= most { "met" } else { "missed" }),
        ]);
    };
    line("p50, ms", |minute| minute.p50, 1.25);
    line("p99, ms", |minute| minute.p99, 1.25);
    line("p99.9, ms", |minute| minute.p999, 1.5);
    line("processor, us a call", |minute| minute.processor, 1.1);
    line("memory, MiB", |minute| minute.memory, 1.1);
    table
}
