//! How long a server with a million keys takes to answer at all, and until it has them all in memory.

use std::time::{Duration, Instant};

use crate::figures::{Table, median, milliseconds, range};
use crate::installation::Installation;
use crate::rows::{Rows, fill};
use crate::{Extent, Outcome};

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn measure(extent: Extent) -> Outcome<()> {
    let installation = Installation::new()?;
    let keys = extent.stored_keys;
    tokio::runtime::Runtime::new()?.block_on(async {
        let rows = Rows::read(&installation.database()).await?;
        fill(&installation.database(), &rows, keys).await
    })?;
    let (mut ready, mut loaded, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..extent.starts {
        let begun = Instant::now();
        let server = installation.start()?;
        let at_start = server.memory()?;
        while server.figure("claviger_directory_loaded")? < 1.0 {
            if begun.elapsed() > PATIENCE {
                return Err("the server does not load its keys".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        loaded.push(milliseconds(begun.elapsed()));
        ready.push(milliseconds(server.ready_after));
        memory.push(server.memory()? - at_start);
        let known = server.figure("claviger_directory_keys")?;
        if known < keys as f64 {
            return Err(format!("of {keys} keys {known} were loaded").into());
        }
        server.stop()?;
    }
    let title = format!("A start with {keys} keys in SQLite ({} starts)", extent.starts);
    let mut table = Table::new(&title, &["", "median", "in all starts"]);
    let mut line = |name: &str, digits: usize, measured: &[f64]| {
        let (least, most) = range(measured);
        table.line([
            name.to_owned(),
            format!("{:.digits$}", median(measured)),
            format!("{least:.digits$} to {most:.digits$}"),
        ]);
    };
    line("until it is ready, ms", 1, &ready);
    line("until every key is in memory, ms", 0, &loaded);
    line("memory taken meanwhile, MiB", 1, &memory);
    println!("{table}");
    Ok(())
}
