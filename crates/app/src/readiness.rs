//! Readiness: whether the database takes writes and the usage log takes calls.
//!
//! Both are checked by a small write, at most once a second; callers in between get the last result. A check that does
//! not end in time counts as failed, and is waited for by the next caller instead of starting another beside it.

use std::error::Error as _;
use std::time::Duration;

use claviger_engine::journal::{Journal, JournalError};
use claviger_store::{Tables, Tx};
use rand_core::Rng;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{App, Error, Lane};

/// How long a result is good for.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long a caller waits for a check.
const LONGEST_CHECK: Duration = Duration::from_secs(2);

/// What a server cannot work without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    Database,
    UsageLog,
}

impl Component {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::UsageLog => "usage_log",
        }
    }
}

/// What is wrong with a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    pub component: Component,
    /// Fit for anybody: names no file and no address.
    pub detail: &'static str,
}

/// The last result, and the checks under way.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    checked_at: Option<Instant>,
    problems: Vec<Problem>,
    database: Check,
    usage_log: Check,
}

/// A check of one component while it is under way.
#[derive(Debug, Default)]
struct Check(Option<JoinHandle<Result<(), Error>>>);

impl Check {
    /// The result of the check under way or of a new one; `None` when there is none before `deadline`.
    async fn result(
        &mut self,
        deadline: Instant,
        start: impl FnOnce() -> JoinHandle<Result<(), Error>>,
    ) -> Option<Result<(), Error>> {
        let under_way = self.0.get_or_insert_with(start);
        let ended = tokio::time::timeout_at(deadline, under_way).await.ok()?;
        self.0 = None;
        Some(ended.unwrap_or_else(|error| Err(Error::Internal(error.into()))))
    }
}

impl App {
    /// What keeps this server from doing its work; nothing when it is ready. Answers within about two seconds.
    pub async fn problems(&self) -> Vec<Problem> {
        let mut latest = self.readiness().0.lock().await;
        if latest.checked_at.is_some_and(|at| at.elapsed() < CHECK_EVERY) {
            return latest.problems.clone();
        }
        let Latest { checked_at, problems, database, usage_log } = &mut *latest;
        let deadline = Instant::now() + LONGEST_CHECK;
        let (of_database, of_usage_log) = tokio::join!(
            database.result(deadline, || tokio::spawn(check_database(self.clone()))),
            usage_log.result(deadline, || tokio::spawn(check_usage_log(self.clone()))),
        );
        let results = [(Component::Database, of_database), (Component::UsageLog, of_usage_log)];
        *problems = results
            .into_iter()
            .filter_map(|(component, result)| {
                let before = problems.iter().find(|problem| problem.component == component);
                noted(component, result, before.copied())
            })
            .collect();
        *checked_at = Some(Instant::now());
        problems.clone()
    }
}

/// The problem that a result tells of. Logs it where it is another than before.
fn noted(
    component: Component,
    result: Option<Result<(), Error>>,
    before: Option<Problem>,
) -> Option<Problem> {
    let (detail, error) = match (component, result) {
        (_, Some(Ok(()))) => {
            if before.is_some() {
                tracing::info!(component = component.code(), "works again");
            }
            return None;
        }
        (Component::Database, None) => ("The database did not complete a write within 2 seconds", None),
        (Component::UsageLog, None) => ("The usage log did not complete a write within 2 seconds", None),
        (Component::Database, Some(Err(error))) => ("The database cannot be written", Some(error)),
        (Component::UsageLog, Some(Err(error @ Error::NotCounted(JournalError::Full { .. })))) => {
            ("The usage log is full: calls wait for the database", Some(error))
        }
        (Component::UsageLog, Some(Err(error))) => ("The usage log cannot be written", Some(error)),
    };
    let problem = Problem { component, detail };
    if before != Some(problem) {
        let error = error.as_ref().map(with_causes);
        tracing::warn!(component = component.code(), error, "not ready: {detail}");
    }
    Some(problem)
}

/// The sentences of the error and of all that caused it.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let own = error.to_string();
        // Some errors repeat their cause in their own words.
        if !text.contains(&own) {
            text = format!("{text}: {own}");
        }
        cause = error.source();
    }
    text
}

/// Writes to the database and looks after its file.
async fn check_database(app: App) -> Result<(), Error> {
    let number = app.random().next_u32();
    // In front of all bulk work, and still behind what is being written.
    app.write_in_background::<_, Error>(Lane::Revocation, "readiness", async |tx: &Tx| {
        Ok(tx.installation().try_write(number).await?)
    })
    .await?;
    Ok(app.store().check_file().await?)
}

/// Writes to the usage log, where this process has one.
async fn check_usage_log(app: App) -> Result<(), Error> {
    let check = move || app.engine().journal().map_or(Ok(()), Journal::check);
    let checked = tokio::task::spawn_blocking(check).await;
    checked.map_err(|error| Error::Internal(error.into()))?.map_err(Error::NotCounted)
}
