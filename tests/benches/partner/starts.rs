//! How long it takes from starting the process to its first answer that it is ready.

use crate::figures::{Table, median, milliseconds, range};
use crate::installation::{Installation, first_start};
use crate::reads::Filled;
use crate::{Extent, Outcome};

const AIM: f64 = 300.0;

pub(crate) fn measure(empty: &Installation, large: &Filled, extent: Extent) -> Outcome<Table> {
    let start = |installation: &Installation| {
        let server = installation.start()?;
        let ready_after = server.ready_after;
        server.stop()?;
        Outcome::Ok(ready_after)
    };
    let mut measured = [const { Vec::new() }; 3];
    for _ in 0..extent.starts {
        for (measured, took) in
            measured.iter_mut().zip([first_start(), start(empty), start(&large.installation)])
        {
            measured.push(milliseconds(took?));
        }
    }
    let title = format!("From start to ready, ms ({} starts)", extent.starts);
    let mut table = Table::new(&title, &["", "median", "in all starts", "aim"]);
    let names = ["without a database", "1 credential", &format!("{} credentials", large.credentials)];
    for (name, measured) in names.iter().zip(&measured) {
        let (least, most) = range(measured);
        let met = if median(measured) < AIM { "met" } else { "missed" };
        table.line([
            (*name).to_owned(),
            format!("{:.1}", median(measured)),
            format!("{least:.1} to {most:.1}"),
            format!("{AIM:.0}: {met}"),
        ]);
    }
    Ok(table)
}
