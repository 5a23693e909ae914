//! How many keys are verified in a second, and how long each takes, beside axum doing nothing.

use std::net::SocketAddr;
use std::time::Duration;

use crate::baseline::Baseline;
use crate::client;
use crate::figures::{Table, median, range};
use crate::installation::{Installation, Server};
use crate::keys::{self, KEYS};
use crate::wrk::{Asked, CONNECTIONS, Run, Wrk};
use crate::{Extent, Outcome};

const AIM_THROUGHPUT: f64 = 0.80;
const AIM_P99: f64 = 1.5;

/// One side in one round.
struct Measured {
    run: Run,
    /// Microseconds of the server's processor time for one call.
    processor: f64,
}

/// Both sides, round by round.
type Rounds = Vec<[Measured; 2]>;

pub(crate) fn measure(extent: Extent) -> Outcome<()> {
    let installation = Installation::new()?;
    let server = installation.start()?;
    let keys = keys::issue(&server, &installation, KEYS)?;
    let wrk = Wrk::new(&keys, &installation.bootstrap_key)?;
    let answer = answer(&server, &installation, &keys)?;
    let baseline = Baseline::start(&answer)?;
    println!(
        "{KEYS} valid keys in random order, {CONNECTIONS} connections of wrk on one thread; answers of {} bytes\n",
        answer.len()
    );
    let verify = rounds(&server, &baseline, &wrk, Asked::Verify, extent)?;
    println!("{}", compared("POST /v1/keys/verify beside a bare axum handler", &verify, true));
    let forward_auth = rounds(&server, &baseline, &wrk, Asked::ForwardAuth, extent)?;
    let title = "For information: /v1/forward-auth beside a bare axum handler of GET";
    println!("{}", compared(title, &forward_auth, false));
    all_were_valid(&server)?;
    server.stop()?;

    let server = installation.start_with(&[("CLAVIGER_JOURNAL_DURABILITY", "disk")])?;
    let on_disk = rounds(&server, &baseline, &wrk, Asked::Verify, extent)?;
    let title = "For information: the first again, each call on disk before its answer (durability `disk`)";
    println!("{}", compared(title, &on_disk, false));
    all_were_valid(&server)?;
    server.stop()
}

/// What the server answers, for the baseline to repeat.
fn answer(server: &Server, installation: &Installation, keys: &[String]) -> Outcome<String> {
    let key = keys.first().ok_or("no keys")?;
    let request = client::request("POST", "/v1/keys/verify", &installation.bootstrap_key, &keys::body(key));
    let mut client = server.client("")?;
    let (_, answer) = client.exchange(request.as_bytes())?;
    Ok(String::from_utf8(answer.to_vec())?)
}

fn rounds(server: &Server, baseline: &Baseline, wrk: &Wrk, asked: Asked, extent: Extent) -> Outcome<Rounds> {
    let product = |time| one(wrk, server.address, asked, time, || server.processor());
    let bare = |time| one(wrk, baseline.address, asked, time, || baseline.processor());
    product(extent.warm_up)?;
    bare(extent.warm_up)?;
    let mut rounds = Vec::new();
    for round in 0..extent.rounds {
        // A machine that is slowed down for a while slows down both: they take turns, and in beginning too.
        rounds.push(if round % 2 == 0 {
            let product = product(extent.round)?;
            [product, bare(extent.round)?]
        } else {
            let bare = bare(extent.round)?;
            [product(extent.round)?, bare]
        });
    }
    Ok(rounds)
}

fn one(
    wrk: &Wrk,
    address: SocketAddr,
    asked: Asked,
    time: Duration,
    processor: impl Fn() -> Outcome<Duration>,
) -> Outcome<Measured> {
    let before = processor()?;
    let run = wrk.run(address, asked, time)?;
    let used = processor()? - before;
    Ok(Measured { processor: used.as_secs_f64() * 1_000_000.0 / run.calls as f64, run })
}

fn compared(title: &str, rounds: &Rounds, has_aims: bool) -> Table {
    let title = format!("{title} (median of {} rounds)", rounds.len());
    let mut table = Table::new(&title, &["", "Claviger", "bare axum", "ratio", "in all rounds", "aim"]);
    let mut line = |name: &str, digits: usize, of: fn(&Measured) -> f64, aim: Option<(bool, f64)>| {
        let [product, bare] =
            [0, 1].map(|side| rounds.iter().map(|round| of(&round[side])).collect::<Vec<_>>());
        let ratios: Vec<_> = product.iter().zip(&bare).map(|(product, bare)| product / bare).collect();
        let (ratio, (least, most)) = (median(&ratios), range(&ratios));
        let aim = aim.filter(|_| has_aims).map(|(at_least, aim)| {
            let is_met = if at_least { ratio >= aim } else { ratio <= aim };
            format!("{aim:.2}: {}", if is_met { "met" } else { "missed" })
        });
        table.line([
            name.to_owned(),
            format!("{:.digits$}", median(&product)),
            format!("{:.digits$}", median(&bare)),
            format!("{ratio:.2}"),
            format!("{least:.2} to {most:.2}"),
            aim.unwrap_or_default(),
        ]);
    };
    line("calls a second", 0, |measured| measured.run.calls_a_second, Some((true, AIM_THROUGHPUT)));
    line("p50, ms", 3, |measured| measured.run.p50, None);
    line("p99, ms", 3, |measured| measured.run.p99, Some((false, AIM_P99)));
    line("p99.9, ms", 3, |measured| measured.run.p999, None);
    line("server's processor time a call, us", 1, |measured| measured.processor, None);
    table
}

/// A call that is refused is cheaper: then something else was measured.
fn all_were_valid(server: &Server) -> Outcome<()> {
    let figures = server.figures()?;
    let decisions = || figures.lines().filter_map(|line| line.strip_prefix("claviger_decisions_total{code="));
    match decisions().find(|line| !line.starts_with("\"VALID\"") && !line.ends_with(" 0")) {
        Some(other) => Err(format!("not every answer was VALID: {other}").into()),
        None => Ok(()),
    }
}
