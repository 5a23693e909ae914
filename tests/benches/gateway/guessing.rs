//! A million keys that nobody has, from one address: what they cost the server in memory, and the holders of
//! valid keys in time. Beside it as a control the same load of valid calls, which costs its share of the machine
//! as well.

use std::sync::Arc;
use std::time::Duration;

use crate::figures::{Table, median, range};
use crate::installation::{Installation, Server};
use crate::keys::{self, KEYS};
use crate::pace::{self, Callers, Load, Question, Seen};
use crate::{Extent, Outcome};

/// The calls whose time is measured.
const MEASURED: Load = Load { connections: 8, rate: Some(1_000.0) };
const GUESSERS: u32 = 16;

/// What the valid calls took, in milliseconds.
#[derive(Debug, Default)]
struct Measured {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Measured {
    fn add(&mut self, mut seen: Seen) -> Outcome<()> {
        if seen.wrong > 0 {
            return Err(format!("{} valid keys were refused", seen.wrong).into());
        }
        self.p50.push(seen.per_mille(500));
        self.p99.push(seen.per_mille(990));
        Ok(())
    }
}

pub(crate) fn measure(extent: Extent) -> Outcome<()> {
    let installation = Installation::new()?;
    let server = installation.start()?;
    let keys = keys::issue(&server, &installation, KEYS)?;
    let valid = keys::valid(&keys, &installation.bootstrap_key);
    let guesses = keys::guesses(&installation.bootstrap_key);
    let besides = Load { connections: GUESSERS, rate: Some(extent.guesses / seconds(extent)) };
    // What every guess may fill once, is full.
    pace::run(server.address, &valid, besides, extent.warm_up)?;
    pace::run(server.address, &guesses, besides, extent.warm_up)?;

    let (mut alone, mut guessed, mut loaded) = Default::default();
    let (mut tried, mut most_remembered): (usize, f64) = (0, 0.0);
    let before = server.memory()?;
    for _ in 0..extent.rounds {
        beside(&server, &valid, None, besides, extent.guessing, &mut alone)?;
        tried += beside(&server, &valid, Some(&guesses), besides, extent.guessing, &mut guessed)?;
        most_remembered = most_remembered.max(server.figure("claviger_directory_unknown_keys")?);
        beside(&server, &valid, Some(&valid), besides, extent.guessing, &mut loaded)?;
    }
    let after = server.memory()?;
    server.stop()?;
    println!("{}", table(&alone, &guessed, &loaded, besides, extent));
    println!(
        "{tried} guesses from one address: resident memory {before:.1} MiB before and {after:.1} MiB after them; \
         at most {most_remembered:.0} keys are remembered as unknown\n"
    );
    Ok(())
}

fn seconds(extent: Extent) -> f64 {
    extent.guessing.as_secs_f64() * extent.rounds as f64
}

/// Measures valid calls beside others; answers how many others there were.
fn beside(
    server: &Server,
    valid: &Arc<Question>,
    others: Option<&Arc<Question>>,
    load: Load,
    time: Duration,
    measured: &mut Measured,
) -> Outcome<usize> {
    let others = others.map(|others| Callers::start(server.address, others, load)).transpose()?;
    measured.add(pace::run(server.address, valid, MEASURED, time)?)?;
    let Some(others) = others else { return Ok(0) };
    let seen = others.stop()?;
    if seen.wrong > 0 { Err(format!("{} answers were wrong", seen.wrong).into()) } else { Ok(seen.calls()) }
}

fn table(alone: &Measured, guessed: &Measured, loaded: &Measured, load: Load, extent: Extent) -> Table {
    let title = format!(
        "Valid keys, {:.0} calls a second: alone, beside {:.0} guesses a second, and beside as many valid calls \
         (median of {} rounds)",
        MEASURED.rate.unwrap_or_default(),
        load.rate.unwrap_or_default(),
        extent.rounds
    );
    let mut table = Table::new(
        &title,
        &[
            "",
            "alone",
            "guesses",
            "valid calls",
            "guesses/alone",
            "in all rounds",
            "guesses/valid",
            "in all rounds",
        ],
    );
    let mut line = |name: &str, of: fn(&Measured) -> &Vec<f64>| {
        let ratios = |to: &Measured| {
            let ratios: Vec<_> = of(guessed).iter().zip(of(to)).map(|(one, other)| one / other).collect();
            let (least, most) = range(&ratios);
            [format!("{:.2}", median(&ratios)), format!("{least:.2} to {most:.2}")]
        };
        let medians = [alone, guessed, loaded].map(|measured| format!("{:.3}", median(of(measured))));
        let ratios = [ratios(alone), ratios(loaded)].concat();
        table.line([name.to_owned()].into_iter().chain(medians).chain(ratios));
    };
    line("p50, ms", |measured| &measured.p50);
    line("p99, ms", |measured| &measured.p99);
    table
}
