//! How long a page and a single credential take, in a small and in a large database.

use std::time::Instant;

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::figures::{Table, mebibytes, median, milliseconds, percentile};
use crate::installation::{CREDENTIALS, Installation};
use crate::random::Random;
use crate::rows::{Rows, fill};
use crate::{Extent, Outcome};

/// An installation with so many credentials.
pub(crate) struct Filled {
    pub(crate) installation: Installation,
    pub(crate) credentials: u64,
}

/// One kind of read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What the callers and the network alone take.
    Floor,
    FirstPage,
    LaterPage,
    One,
}

/// What half and what nearly all of the reads of a kind did not exceed, round by round.
#[derive(Debug, Default)]
struct Measured {
    half: Vec<f64>,
    most: Vec<f64>,
}

const KINDS: [Kind; 4] = [Kind::Floor, Kind::FirstPage, Kind::LaterPage, Kind::One];
const LATER: u64 = 10_000;

impl Kind {
    fn text(self) -> String {
        match self {
            Self::Floor => "client's own share (/health/live)".to_owned(),
            Self::FirstPage => "20 credentials, first page".to_owned(),
            Self::LaterPage => format!("20 credentials, offset {LATER}"),
            Self::One => "one credential by id".to_owned(),
        }
    }

    fn path(self, rows: &Rows, credentials: u64, random: &mut Random) -> String {
        match self {
            Self::Floor => "/health/live".to_owned(),
            Self::FirstPage => format!("{CREDENTIALS}?limit=20"),
            Self::LaterPage => format!("{CREDENTIALS}?limit=20&offset={LATER}"),
            Self::One => {
                let id = rows.copy(1 + random.next() % (credentials - 1)).credential.id;
                format!("{CREDENTIALS}/{id}")
            }
        }
    }
}

pub(crate) fn seed(
    runtime: &Runtime,
    template: &Installation,
    rows: &Rows,
    extent: Extent,
) -> Outcome<[Filled; 2]> {
    let [small, large] = extent.sizes.map(|credentials| {
        let installation = template.copy()?;
        runtime.block_on(fill(&installation.database(), rows, credentials))?;
        Ok::<_, crate::Fault>(Filled { installation, credentials })
    });
    Ok([small?, large?])
}

pub(crate) fn measure(
    filled: [&Filled; 2],
    rows: &Rows,
    extent: Extent,
    memory: &mut Table,
) -> Outcome<Table> {
    let mut table = Table::new(
        &format!("Reads over HTTP, one caller, ms (median of {} rounds)", extent.rounds),
        &["", "credentials", "p50", "p99"],
    );
    let mut measured = <[[Measured; KINDS.len()]; 2]>::default();
    let mut servers = Vec::new();
    for filled in filled {
        let server = filled.installation.start()?;
        let at_start = server.memory()?;
        let mut client = server.client(&filled.installation.key)?;
        check(&mut client, filled.credentials)?;
        servers.push((server, at_start, client));
    }
    let mut random = Random(1);
    // The first round is to warm up.
    for round in 0..=extent.rounds {
        for kind in 0..KINDS.len() {
            for turn in 0..filled.len() {
                let which = (round + turn) % filled.len();
                let client = &mut servers[which].2;
                let took = ask(client, KINDS[kind], rows, filled[which].credentials, extent, &mut random)?;
                if round > 0 {
                    measured[which][kind].half.push(percentile(&took, 50));
                    measured[which][kind].most.push(percentile(&took, 99));
                }
            }
        }
    }
    for (kind, text) in KINDS.iter().map(|kind| kind.text()).enumerate() {
        for (filled, measured) in filled.iter().zip(&measured) {
            let Measured { half, most } = &measured[kind];
            table.line([
                text.clone(),
                filled.credentials.to_string(),
                format!("{:.3}", median(half)),
                format!("{:.3}", median(most)),
            ]);
        }
    }
    for ((server, at_start, _), filled) in servers.into_iter().zip(filled) {
        let file = std::fs::metadata(filled.installation.database())?.len();
        memory.line([
            format!("{} credentials being read ({:.0} MiB on disk)", filled.credentials, mebibytes(file)),
            format!("{at_start:.1}"),
            format!("{:.1}", server.memory()?),
        ]);
        server.stop()?;
    }
    Ok(table)
}

/// How long each of a round's reads of one kind took.
fn ask(
    client: &mut Client,
    kind: Kind,
    rows: &Rows,
    credentials: u64,
    extent: Extent,
    random: &mut Random,
) -> Outcome<Vec<f64>> {
    let mut took = Vec::with_capacity(extent.reads);
    for _ in 0..extent.reads {
        let path = kind.path(rows, credentials, random);
        let begun = Instant::now();
        client.get(&path)?;
        took.push(milliseconds(begun.elapsed()));
    }
    Ok(took)
}

/// That the pages that will be timed are full ones, of a list as long as it should be.
fn check(client: &mut Client, credentials: u64) -> Outcome<()> {
    for offset in [0, LATER] {
        let path = format!("{CREDENTIALS}?limit=20&offset={offset}");
        let page: Value = serde_json::from_slice(client.get(&path)?)?;
        let items = page["data"].as_array().map(Vec::len);
        if items != Some(20) || page["pagination"]["total"] != credentials {
            return Err(format!("{path}: {items:?} of {}", page["pagination"]).into());
        }
    }
    Ok(())
}
