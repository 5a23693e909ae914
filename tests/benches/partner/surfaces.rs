//! What the same use case takes on the partner's, the operator's and the tenant's surface.

use std::time::Instant;

use serde_json::{Value, json};

use crate::client::Client;
use crate::figures::{Table, median, milliseconds, percentile, range};
use crate::installation::{CREDENTIALS, NEW_CREDENTIAL};
use crate::random::Random;
use crate::reads::Filled;
use crate::rows::Rows;
use crate::{Extent, Outcome};

const AIM: f64 = 1.1;
const USE_CASES: [&str; 3] = ["create", "list (20 of all)", "get"];

/// One surface, with a caller of its own.
struct Surface {
    name: &'static str,
    keys: String,
    new: String,
    client: Client,
    /// By use case: what half and what nearly all of a round did not exceed, round by round.
    half: [Vec<f64>; 3],
    most: [Vec<f64>; 3],
}

impl Surface {
    fn new(name: &'static str, keys: String, new: String, client: Client) -> Self {
        Self { name, keys, new, client, half: Default::default(), most: Default::default() }
    }

    /// How long one call took; `id` is an existing key's.
    fn ask(&mut self, use_case: usize, id: &str) -> Outcome<f64> {
        let begun = Instant::now();
        match use_case {
            0 => self.client.post(&self.keys, &self.new)?,
            1 => self.client.get(&format!("{}?limit=20", self.keys))?,
            _ => self.client.get(&format!("{}/{id}", self.keys))?,
        };
        Ok(milliseconds(begun.elapsed()))
    }
}

pub(crate) fn measure(filled: &Filled, rows: &Rows, extent: Extent) -> Outcome<Table> {
    let installation = &filled.installation;
    let server = installation.start()?;
    let mut operator = server.client(&installation.bootstrap_key)?;
    let told: Value = serde_json::from_slice(operator.get("/admin/v1/organizations")?)?;
    let organization = told["data"][0]["id"].as_str().ok_or("no organization")?.to_owned();
    let mut caller = |scopes: &[&str]| {
        let body = json!({"organization_id": organization, "name": "Caller", "scopes": scopes});
        let told: Value = serde_json::from_slice(operator.post("/admin/v1/api-keys", &body.to_string())?)?;
        let key = told["data"]["key"].as_str().ok_or("no key was made")?;
        Outcome::Ok(server.client(key)?)
    };
    let of_all = json!({"organization_id": organization, "name": "Production", "scopes": []}).to_string();
    let of_own = json!({"name": "Production", "permissions": []}).to_string();
    let own = format!("/v1/organizations/{organization}/api-keys");
    let partner = server.client(&installation.key)?;
    let mut surfaces = [
        Surface::new("partner", CREDENTIALS.to_owned(), NEW_CREDENTIAL.to_owned(), partner),
        Surface::new("platform", "/admin/v1/api-keys".to_owned(), of_all, caller(&["admin:*"])?),
        Surface::new("organization", own, of_own, caller(&["*"])?),
    ];
    let mut random = Random(1);
    // The first round is to warm up.
    for round in 0..=extent.rounds {
        for use_case in 0..USE_CASES.len() {
            let mut took: [Vec<f64>; 3] = Default::default();
            for turn in 0..extent.reads {
                let id = rows.copy(1 + random.next() % (filled.credentials - 1)).credential.id.to_string();
                // Each in turn, and none always first: what else the machine does falls on all of them.
                for place in 0..surfaces.len() {
                    let which = (turn + place) % surfaces.len();
                    took[which].push(surfaces[which].ask(use_case, &id)?);
                }
            }
            for (surface, took) in surfaces.iter_mut().zip(&took).filter(|_| round > 0) {
                surface.half[use_case].push(percentile(took, 50));
                surface.most[use_case].push(percentile(took, 99));
            }
        }
    }
    server.stop()?;
    Ok(table(&surfaces, extent))
}

fn table(surfaces: &[Surface; 3], extent: Extent) -> Table {
    let title = format!(
        "The same use cases on three surfaces, one caller each in turn, ms (median of {} rounds)",
        extent.rounds
    );
    let columns = ["", "p50", "p99", "p50 beside the partner's", "in all rounds", "p99 beside", "aim"];
    let mut table = Table::new(&title, &columns);
    for (use_case, name) in USE_CASES.iter().enumerate() {
        for surface in surfaces {
            let beside = |mine: &[f64], partners: &[f64]| -> Vec<f64> {
                mine.iter().zip(partners).map(|(mine, partners)| mine / partners).collect()
            };
            let half = beside(&surface.half[use_case], &surfaces[0].half[use_case]);
            let most = beside(&surface.most[use_case], &surfaces[0].most[use_case]);
            let (least, greatest) = range(&half);
            let met = if median(&half) <= AIM { "met" } else { "missed" };
            table.line([
                format!("{name}, {}", surface.name),
                format!("{:.3}", median(&surface.half[use_case])),
                format!("{:.3}", median(&surface.most[use_case])),
                format!("{:.2}", median(&half)),
                format!("{least:.2} to {greatest:.2}"),
                format!("{:.2}", median(&most)),
                format!("{AIM}: {met}"),
            ]);
        }
    }
    table
}
