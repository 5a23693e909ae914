//! What was answered, and what is stored and in force: both must be the same.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Server;

/// What an answer says about its change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    Done,
    /// Nothing was changed.
    Refused,
    /// No answer, or one that says that the outcome is not known.
    Unknown,
}

/// An answer as it came; the status is 0 when none came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn answer(&self) -> Answer {
        match self.status {
            200..=299 => Answer::Done,
            0 => Answer::Unknown,
            _ if self.body.to_string().contains("outcome_unknown") => Answer::Unknown,
            _ => Answer::Refused,
        }
    }
}

/// Makes one call; it is given up after 40 seconds.
pub(super) async fn ask(
    server: &Server,
    method: Method,
    path: &str,
    key: &str,
    body: Option<&Value>,
) -> Reply {
    let call = server.call(method, path, key, body);
    match tokio::time::timeout(Duration::from_secs(40), call).await {
        Ok(Ok((status, body))) => Reply { status: status.as_u16(), body },
        Ok(Err(_)) | Err(_) => Reply { status: 0, body: Value::Null },
    }
}

/// A question whose answer a change alters.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    /// What the gateway says of a key: the code, and with `more` the credential's name and its scopes.
    Verify { key: String, more: bool },
    /// The status of a read, and one member of what is read.
    Read { path: String, key: String, pointer: &'static str },
    /// How many rows of a list have this name.
    Named { path: String, key: String, name: String },
}

/// How a question is answered before and after a change.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) probe: Probe,
    pub(super) before: String,
    pub(super) after: String,
}

/// One change that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) status: u16,
    pub(super) answer: Answer,
    pub(super) expected: Vec<Expected>,
    /// What the audit log says of it once it is done.
    pub(super) action: &'static str,
}

/// What was found of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Before,
    After,
    Half(Vec<String>),
}

/// Asks, and counts the verifications that were answered, by key.
pub(super) struct Observer<'a> {
    pub(super) server: &'a Server,
    pub(super) bootstrap: &'a str,
    pub(super) verified: &'a mut BTreeMap<String, u64>,
}

impl Observer<'_> {
    pub(super) async fn look(&mut self, line: &Line) -> Found {
        let mut seen = Vec::new();
        for expected in &line.expected {
            seen.push(self.observe(&expected.probe).await);
        }
        let all = |side: fn(&Expected) -> &String| {
            line.expected.iter().zip(&seen).all(|(expected, seen)| side(expected) == seen)
        };
        if all(|expected| &expected.after) {
            Found::After
        } else if all(|expected| &expected.before) {
            Found::Before
        } else {
            Found::Half(seen)
        }
    }

    /// An outage of a moment is waited for: what is asked here is what is stored, not whether it can be read at once.
    pub(super) async fn observe(&mut self, probe: &Probe) -> String {
        let begun = Instant::now();
        loop {
            match self.once(probe).await {
                Ok(seen) => return seen,
                Err(problem) if begun.elapsed() > Duration::from_secs(10) => return problem,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn once(&mut self, probe: &Probe) -> Result<String, String> {
        let readable = |reply: Reply| match reply.status {
            0 | 500.. => Err(format!("status {}: {}", reply.status, reply.body)),
            status => Ok((status, reply.body)),
        };
        match probe {
            Probe::Verify { key, more } => {
                let body = json!({"key": key, "cost": 0});
                let reply =
                    ask(self.server, Method::POST, "/v1/keys/verify", self.bootstrap, Some(&body)).await;
                let (status, body) = readable(reply)?;
                if status != 200 {
                    return Ok(format!("status {status}"));
                }
                *self.verified.entry(key.clone()).or_default() += 1;
                let code = body["code"].as_str().unwrap_or_default().to_owned();
                Ok(if *more {
                    format!("{code} {} {}", body["credential"]["name"], body["scopes"])
                } else {
                    code
                })
            }
            Probe::Read { path, key, pointer } => {
                let (status, body) = readable(ask(self.server, Method::GET, path, key, None).await)?;
                Ok(format!("{status} {}", body.pointer(pointer).unwrap_or(&Value::Null)))
            }
            Probe::Named { path, key, name } => {
                let (mut found, mut offset) = (0, 0);
                loop {
                    let sign = if path.contains('?') { '&' } else { '?' };
                    let page = format!("{path}{sign}limit=100&offset={offset}");
                    let (status, body) = readable(ask(self.server, Method::GET, &page, key, None).await)?;
                    let Some(rows) = body["data"].as_array() else { return Ok(format!("status {status}")) };
                    found += rows.iter().filter(|row| row["name"] == name.as_str()).count();
                    offset += rows.len();
                    if body["pagination"]["hasMore"] != true {
                        return Ok(found.to_string());
                    }
                }
            }
        }
    }
}

/// The sums of a series.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Calls of the system that failed, by what they were and how.
    pub(super) faults: BTreeMap<String, u32>,
    pub(super) statuses: BTreeMap<u16, u32>,
    pub(super) answers: BTreeMap<(Answer, &'static str), u32>,
    /// Positions that the change did not come to this time.
    pub(super) not_reached: u32,
    pub(super) verifications: u64,
    pub(super) losses: Vec<String>,
}

impl Ledger {
    pub(super) fn loss(&mut self, text: String) {
        eprintln_loss(&text);
        self.losses.push(text);
    }

    /// Compares an answer with what was found after the restart, and in the running process before it.
    pub(super) fn judge(&mut self, line: &Line, live: Option<&Found>, restarted: &Found) {
        *self.statuses.entry(line.status).or_default() += 1;
        let found = match restarted {
            Found::Before => "absent",
            Found::After => "stored",
            Found::Half(_) => "half",
        };
        *self.answers.entry((line.answer, found)).or_default() += 1;
        let what = format!("{}, answered {}", line.what, line.status);
        match (line.answer, restarted) {
            (Answer::Done, Found::After)
            | (Answer::Refused, Found::Before)
            | (Answer::Unknown, Found::Before | Found::After) => {}
            (Answer::Done, Found::Before) => self.loss(format!("LOST: {what}")),
            (Answer::Refused, Found::After) => self.loss(format!("STORED ALTHOUGH REFUSED: {what}")),
            (_, Found::Half(seen)) => {
                let expected: Vec<_> = line.expected.iter().map(|it| (&it.before, &it.after)).collect();
                self.loss(format!("HALF: {what}: {seen:?}, expected one side of {expected:?}"));
            }
        }
        if let Some(live) = live.filter(|live| *live != restarted) {
            self.loss(format!("THE PROCESS SAID OTHERWISE: {what}: {live:?}, then {restarted:?}"));
        }
    }

    /// Prints the table; fails when anything was lost.
    #[expect(clippy::print_stdout, reason = "the table is what a series is for")]
    pub(super) fn finish(&self, title: &str) {
        println!("{title}:\n{self}");
        assert!(self.losses.is_empty(), "{title}: {} losses:\n{}", self.losses.len(), self.losses.join("\n"));
    }
}

#[expect(clippy::print_stderr, reason = "a long series tells of a loss when it happens")]
fn eprintln_loss(text: &str) {
    eprintln!("{text}");
}

impl fmt::Display for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positions: u32 = self.faults.values().sum();
        writeln!(formatter, "| positions at which a call failed | {positions} |")?;
        for (fault, count) in &self.faults {
            writeln!(formatter, "| {fault} | {count} |")?;
        }
        writeln!(formatter, "| positions not reached this time | {} |", self.not_reached)?;
        for (status, count) in &self.statuses {
            let status = if *status == 0 { "no answer".to_owned() } else { format!("answered {status}") };
            writeln!(formatter, "| {status} | {count} |")?;
        }
        for ((answer, found), count) in &self.answers {
            writeln!(formatter, "| {answer:?}, then {found} | {count} |")?;
        }
        writeln!(formatter, "| verifications answered and counted | {} |", self.verifications)?;
        write!(formatter, "| losses | {} |", self.losses.len())
    }
}
