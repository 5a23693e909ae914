//! How many credentials are made in a second, over HTTP and by bare SeaORM in turn.

use std::sync::Barrier;
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use tokio::runtime::Runtime;

use crate::bare::{Bare, census};
use crate::figures::{Table, median, range, rate};
use crate::installation::{CREDENTIALS, Installation, NEW_CREDENTIAL, Server};
use crate::rows::Rows;
use crate::{Extent, Outcome};

const AIM: f64 = 0.6;
const CALLERS: [usize; 2] = [1, 32];

/// What was measured with one number of callers, round by round.
#[derive(Debug, Default)]
struct Measured {
    product: Vec<f64>,
    bare: Vec<f64>,
    ratio: Vec<f64>,
}

pub(crate) fn measure(
    runtime: &Runtime,
    template: &Installation,
    rows: &Rows,
    extent: Extent,
    memory: &mut Table,
) -> Outcome<Table> {
    let (ours, theirs) = (template.copy()?, template.copy()?);
    let server = ours.start()?;
    let at_start = server.memory()?;
    let mut bare = runtime.block_on(Bare::open(&theirs.database(), rows))?;
    let mut measured = CALLERS.map(|callers| (callers, Measured::default()));
    for (callers, measured) in &mut measured {
        // A first go warms both up, and says how much is enough.
        let rate = write(&server, &ours.key, *callers, 320)?;
        runtime.block_on(bare.write(*callers, 320))?;
        let count = ((rate * extent.seconds) as usize).next_multiple_of(*callers);
        for round in 0..extent.rounds {
            let mut bare = || runtime.block_on(bare.write(*callers, count));
            // Whoever comes second finds the disk as the first left it, so they take turns.
            let (product, bare) = if round % 2 == 0 {
                let product = write(&server, &ours.key, *callers, count)?;
                (product, bare()?)
            } else {
                let bare = bare()?;
                (write(&server, &ours.key, *callers, count)?, bare)
            };
            measured.product.push(product);
            measured.bare.push(bare);
            measured.ratio.push(product / bare);
        }
    }
    memory.line([
        "credentials being made".to_owned(),
        format!("{at_start:.1}"),
        format!("{:.1}", server.memory()?),
    ]);
    server.stop()?;
    runtime.block_on(bare.close())?;
    let (ours, theirs) = runtime.block_on(async {
        Ok::<_, crate::Fault>((census(&ours.database()).await?, census(&theirs.database()).await?))
    })?;
    if ours != theirs {
        return Err(format!("the product wrote {ours:?} rows, bare SeaORM {theirs:?}").into());
    }
    Ok(table(&measured, extent))
}

/// Makes `count` credentials from so many connections at once; answers how many a second.
fn write(server: &Server, key: &str, callers: usize, count: usize) -> Outcome<f64> {
    let each = count / callers;
    let start = Barrier::new(callers + 1);
    let (begun, outcomes) = std::thread::scope(|scope| {
        let work = || {
            let client = server.client(key);
            start.wait();
            let mut client = client?;
            (0..each).try_for_each(|_| client.post(CREDENTIALS, NEW_CREDENTIAL).map(drop))
        };
        let running: Vec<_> = (0..callers).map(|_| scope.spawn(work)).collect();
        start.wait();
        let begun = Instant::now();
        (begun, running.into_iter().map(ScopedJoinHandle::join).collect::<Vec<_>>())
    });
    let took = begun.elapsed();
    for outcome in outcomes {
        outcome.map_err(|_| "a caller panicked")??;
    }
    Ok(rate(each * callers, took))
}

fn table(measured: &[(usize, Measured)], extent: Extent) -> Table {
    let title = format!(
        "Credentials made in a second: credential, secret and audit entry in one durable transaction \
         (median of {} rounds)",
        extent.rounds
    );
    let mut table =
        Table::new(&title, &["", "Claviger over HTTP", "bare SeaORM", "ratio", "in all rounds", "aim"]);
    for (callers, Measured { product, bare, ratio }) in measured {
        let (least, most) = range(ratio);
        table.line([
            format!("{callers} at once"),
            format!("{:.0}", median(product)),
            format!("{:.0}", median(bare)),
            format!("{:.2}", median(ratio)),
            format!("{least:.2} to {most:.2}"),
            format!("{AIM:.2}: {}", if median(ratio) >= AIM { "met" } else { "missed" }),
        ]);
    }
    table
}
