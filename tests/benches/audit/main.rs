//! Exports and verifies an audit log of a million entries in the release binary, and looks for what was touched in
//! it: `cargo build --release && cargo bench -p claviger-tests --bench audit`.
//! A number is so many entries instead of a million. `CLAVIGER_BENCH_QUICK=1` is a short form that shows whether it works, not how fast things are.

#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

#[path = "../shared/client.rs"]
mod client;
mod entries;
#[path = "../shared/figures.rs"]
#[expect(dead_code, reason = "the other benchmarks sum up many rounds")]
mod figures;
#[path = "../shared/installation.rs"]
#[expect(dead_code, reason = "the other benchmarks ask servers")]
mod installation;
#[path = "../shared/process.rs"]
#[expect(dead_code, reason = "the other benchmarks ask servers")]
mod process;
mod run;

use std::fs::File;

use figures::{Table, mebibytes};
use installation::Installation;
use run::{Done, run};

pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Outcome<T> = Result<T, Fault>;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs benchmarks too, but does not say this.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("not measured: this is for `cargo bench`");
        return Ok(());
    }
    let many = match std::env::var_os("CLAVIGER_BENCH_QUICK") {
        Some(_) => 10_000,
        None => 1_000_000,
    };
    let many = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(many);
    let few = many / 10;
    let runtime = tokio::runtime::Runtime::new()?;
    let installation = Installation::new()?;
    let mut table =
        Table::new("Audit log", &["", "entries", "seconds", "entries/s", "MB/s", "peak MiB", "status"]);
    let mut have = 0;
    // Twice, so that memory can be seen not to grow.
    for total in [few, many] {
        runtime.block_on(entries::append(&installation.database(), have, total))?;
        have = total;
        measure(&installation, total, &mut table)?;
    }
    println!("{table}");
    for (name, statements) in entries::deeds(many / 2) {
        let touched = installation.copy()?;
        runtime.block_on(entries::touch(&touched.database(), &statements))?;
        let done = run(touched.command()?.args(["audit", "verify"]))?;
        if done.status != 1 {
            return Err(format!("{name} was not found: {}", done.said).into());
        }
        println!("{name}: status {}, {:.2} s: {}", done.status, done.seconds, done.said.trim());
    }
    Ok(())
}

fn measure(installation: &Installation, total: u64, table: &mut Table) -> Outcome<()> {
    let mut line = |name: &str, done: &Done, bytes: u64| {
        let (megabytes, seconds) = (mebibytes(bytes) * 1.048_576, done.seconds);
        let rate = if bytes > 0 { format!("{:.1}", megabytes / seconds) } else { "-".to_owned() };
        #[expect(clippy::cast_precision_loss, reason = "it is shown in whole numbers")]
        let entries = total as f64 / seconds;
        table.line([
            name.to_owned(),
            total.to_string(),
            format!("{seconds:.2}"),
            format!("{entries:.0}"),
            rate,
            format!("{:.1}", done.peak),
            done.status.to_string(),
        ]);
    };
    let exported = run(installation.command()?.args(["audit", "export"]))?;
    line("export, NDJSON", &exported, exported.bytes);
    let csv = run(installation.command()?.args(["audit", "export", "--format", "csv"]))?;
    line("export, CSV", &csv, csv.bytes);
    line("verify, the database", &run(installation.command()?.args(["audit", "verify"]))?, 0);
    let file = installation.database().with_file_name("log.ndjson");
    let mut export = installation.command()?;
    export.args(["audit", "export"]).stdout(File::create(&file)?);
    if !export.status()?.success() {
        return Err("the log could not be exported".into());
    }
    let mut verify = installation.command()?;
    verify.args(["audit", "verify", "--file"]).arg(&file);
    line("verify, the file", &run(&mut verify)?, exported.bytes);
    std::fs::remove_file(file)?;
    Ok(())
}
