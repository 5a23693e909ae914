//! Whether the time an answer takes tells that another tenant's thing exists: its id beside ids of nothing, and these
//! beside each other, which is what chance alone does.

use std::time::Instant;

use serde_json::{Value, json};

use crate::client::Client;
use crate::figures::{Table, median, milliseconds};
use crate::random::Random;
use crate::reads::Filled;
use crate::{Extent, Outcome};

/// What is asked of one id: how, and about what.
struct Question {
    name: &'static str,
    method: &'static str,
    /// The id goes into the braces.
    path: String,
    body: &'static str,
    /// The id of what another tenant has.
    foreign: String,
    prefix: &'static str,
}

/// Each of these asks for something that is not there.
const ASKED: [&str; 3] = ["foreign", "nothing", "nothing else"];

pub(crate) fn measure(filled: &Filled, extent: Extent) -> Outcome<Table> {
    let server = filled.installation.start()?;
    let mut operator = server.client(&filled.installation.bootstrap_key)?;
    let mut made = |path: &str, body: &Value| {
        let told: Value = serde_json::from_slice(operator.post(path, &body.to_string())?)?;
        Outcome::Ok(told["data"].clone())
    };
    let mut tenant = |name: &str| {
        let organization = made("/admin/v1/organizations", &json!({"name": name}))?;
        let new = json!({"organization_id": organization["id"], "name": "Caller", "scopes": ["*"]});
        let key = made("/admin/v1/api-keys", &new)?;
        let caller = server.client(key["key"].as_str().ok_or("no key was made")?)?;
        Outcome::Ok((text(&organization["id"])?, text(&key["id"])?, caller))
    };
    let (own, _, mut caller) = tenant("Curious")?;
    let (other, key, mut others) = tenant("Other")?;
    let mut thing = |collection: &str, body: &str| {
        let path = format!("/v1/organizations/{other}/{collection}");
        let told: Value = serde_json::from_slice(others.post(&path, body)?)?;
        text(&told["data"]["id"])
    };
    let user = thing("users", r#"{"name":"Ada"}"#)?;
    let role = thing("roles", r#"{"name":"Auditor","permissions":[]}"#)?;
    let at = |collection: &str, end: &str| format!("/v1/organizations/{own}/{collection}/{{}}{end}");
    let ask = |name, method, path, body, foreign: &str, prefix| Question {
        name,
        method,
        path,
        body,
        foreign: foreign.to_owned(),
        prefix,
    };
    let questions = [
        ask("get an API key", "GET", at("api-keys", ""), "", &key, "key"),
        ask("rename an API key", "PATCH", at("api-keys", ""), r#"{"name":"Mine"}"#, &key, "key"),
        ask("rotate an API key", "POST", at("api-keys", "/rotate"), "{}", &key, "key"),
        ask("get a user", "GET", at("users", ""), "", &user, "user"),
        ask("get a role", "GET", at("roles", ""), "", &role, "role"),
        ask("get an organization", "GET", "/v1/organizations/{}".to_owned(), "", &other, "org"),
    ];
    let title = format!(
        "Another tenant's ids beside ids of nothing, 404 or 403 alike, us (medians of {} calls)",
        extent.reads * extent.rounds
    );
    let mut table = Table::new(&title, &["", ASKED[0], ASKED[1], "ratio", ASKED[2], "ratio by chance"]);
    for question in &questions {
        let took = asked(&mut caller, question, extent)?;
        let [foreign, nothing, else_] = took.map(|times| median(&times) * 1000.0);
        table.line([
            question.name.to_owned(),
            format!("{foreign:.1}"),
            format!("{nothing:.1}"),
            format!("{:.3}", foreign / nothing),
            format!("{else_:.1}"),
            format!("{:.3}", else_ / nothing),
        ]);
    }
    server.stop()?;
    Ok(table)
}

/// How long each call took, by what was asked for.
fn asked(caller: &mut Client, question: &Question, extent: Extent) -> Outcome<[Vec<f64>; 3]> {
    let mut random = Random(7);
    let mut took: [Vec<f64>; 3] = Default::default();
    let mut answers = None;
    for turn in 0..extent.reads * extent.rounds {
        for place in 0..ASKED.len() {
            let which = (turn + place) % ASKED.len();
            // Ids of nothing are new each time, as a stranger's guesses would be.
            let id =
                if which == 0 { question.foreign.clone() } else { nothing(question.prefix, &mut random) };
            let path = question.path.replace("{}", &id);
            let begun = Instant::now();
            let (status, body) = caller.ask(question.method, &path, question.body)?;
            took[which].push(milliseconds(begun.elapsed()));
            let told: Value = serde_json::from_slice(body)?;
            let told = (status, told["code"].clone(), told["detail"].clone());
            if !(403..=404).contains(&status) || *answers.get_or_insert_with(|| told.clone()) != told {
                return Err(format!("{}: {told:?} and {answers:?}", question.name).into());
            }
        }
    }
    Ok(took)
}

/// A well-formed id that nobody has: of version 7, from about now.
fn nothing(prefix: &str, random: &mut Random) -> String {
    let millis = 1_790_000_000_000 + random.next() % 10_000_000;
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random.bytes()).into_uuid();
    claviger_domain::ids::OrganizationId::from_uuid(id).prefixed().replacen("org", prefix, 1)
}

fn text(value: &Value) -> Outcome<String> {
    Ok(value.as_str().ok_or_else(|| format!("not a text: {value}"))?.to_owned())
}
