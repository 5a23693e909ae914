//! Compares what memory holds with the database, a few hundred credentials at a time, again and again. Memory is
//! updated by the changes of this process and by the change feed; a difference means that one of the two went wrong.
//! It is counted, logged and put right.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use claviger_domain::actor::Owner;
use claviger_domain::ids::CredentialId;
use claviger_engine::{Difference, Loaded};
use claviger_store::Tables;
use tokio::time::{Instant, sleep};

use super::complete;
use crate::{App, Error};

/// Credentials compared at once.
const PAGE: usize = 500;
/// After each page the checker rests for so many times as long as the page took: less than one percent of a core.
const REST: u32 = 150;
const SHORTEST_REST: Duration = Duration::from_secs(1);
/// A difference is believed when it is still there after so long: the change feed is read twice a second.
const SETTLES_AFTER: Duration = Duration::from_secs(2);

/// What was checked, and what was found.
#[derive(Debug, Default)]
pub(crate) struct ConsistencyCheck {
    checked: AtomicU64,
    differences: Mutex<BTreeMap<&'static str, u64>>,
    /// When every credential had last been compared, in microseconds since the epoch; 0 before the first time.
    completed_at: AtomicI64,
}

/// The state of the comparison of memory with the database, since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyState {
    /// Credentials compared.
    pub checked: u64,
    /// Differences found and put right, by kind.
    pub differences: BTreeMap<&'static str, u64>,
    /// How long ago every credential had been compared; `None` before the first time.
    pub since_completed: Option<TimeDelta>,
}

/// The kinds of differences, as they appear in metrics.
pub const DIFFERENCE_KINDS: [&str; 6] =
    ["credential", "organization", "user_account", "not_stored", "settings", "bootstrap_key"];

const fn kind(difference: Difference) -> &'static str {
    match difference {
        Difference::Credential => DIFFERENCE_KINDS[0],
        Difference::Organization => DIFFERENCE_KINDS[1],
        Difference::UserAccount => DIFFERENCE_KINDS[2],
        Difference::NotStored => DIFFERENCE_KINDS[3],
    }
}

impl ConsistencyCheck {
    fn found(&self, kind: &'static str) {
        *self.differences.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
        tracing::error!(kind, "memory differed from the database; it was put right");
    }
}

impl App {
    /// What the comparison of memory with the database has found since the start.
    #[must_use]
    pub fn consistency(&self) -> ConsistencyState {
        let check = &self.memory().consistency;
        let completed_at = check.completed_at.load(Ordering::Relaxed);
        ConsistencyState {
            checked: check.checked.load(Ordering::Relaxed),
            differences: check.differences.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            since_completed: (completed_at > 0)
                .then(|| TimeDelta::microseconds(self.now().timestamp_micros() - completed_at)),
        }
    }
}

/// Compares all of memory with the database, once.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not answer.
pub async fn check(app: &App) -> Result<(), Error> {
    check_with(app, |_| Duration::ZERO).await
}

/// Compares all of memory with the database once, with pauses.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not answer.
pub(crate) async fn check_slowly(app: &App) -> Result<(), Error> {
    check_with(app, |took| (took * REST).max(SHORTEST_REST)).await
}

/// Compares the installation and each page, and rests after a page for as long as `rest` says of the time it took.
async fn check_with(app: &App, rest: impl Fn(Duration) -> Duration) -> Result<(), Error> {
    // Also when there are no credentials.
    check_installation(app).await?;
    for page in app.engine().credential_ids().chunks(PAGE) {
        let began = Instant::now();
        check_page(app, page).await?;
        sleep(rest(began.elapsed())).await;
        check_installation(app).await?;
    }
    app.memory().consistency.completed_at.store(app.now().timestamp_micros(), Ordering::Relaxed);
    Ok(())
}

async fn check_page(app: &App, ids: &[CredentialId]) -> Result<(), Error> {
    let suspects = differences(app, ids).await?;
    app.memory().consistency.checked.fetch_add(ids.len() as u64, Ordering::Relaxed);
    if suspects.is_empty() {
        return Ok(());
    }
    // A change may have been on its way from the database to memory, or the other way round.
    sleep(SETTLES_AFTER).await;
    let suspects: Vec<_> = suspects.into_iter().map(|(id, _)| id).collect();
    for (id, difference) in differences(app, &suspects).await? {
        if put_right(app, id).await? {
            app.memory().consistency.found(kind(difference));
        }
    }
    Ok(())
}

/// How memory differs from the database in these credentials.
async fn differences(app: &App, ids: &[CredentialId]) -> Result<Vec<(CredentialId, Difference)>, Error> {
    let mut stored = load(app, ids).await?;
    let mut differences = Vec::new();
    for id in ids {
        let difference = match stored.remove(id) {
            Some(loaded) => app.engine().difference(&loaded),
            None => Some(Difference::NotStored),
        };
        differences.extend(difference.map(|difference| (*id, difference)));
    }
    Ok(differences)
}

async fn load(app: &App, ids: &[CredentialId]) -> Result<HashMap<CredentialId, Loaded>, Error> {
    let stored = app.store().credentials().find_many(Owner::Installation, ids).await?;
    Ok(complete(app, stored).await?.into_iter().map(|loaded| (loaded.credential.id, loaded)).collect())
}

/// Makes memory hold what the database has; `false` when a change came in between, which did it then.
async fn put_right(app: &App, id: CredentialId) -> Result<bool, Error> {
    let mark = app.engine().mark();
    Ok(match load(app, &[id]).await?.remove(&id) {
        Some(loaded) if app.engine().difference(&loaded).is_none() => false,
        Some(loaded) => app.engine().replace(mark, loaded),
        None => app.engine().evict(mark, id),
    })
}

/// Compares the settings and the bootstrap key, which are read as a whole.
async fn check_installation(app: &App) -> Result<(), Error> {
    if installation_differs(app).await?.is_none() {
        return Ok(());
    }
    sleep(SETTLES_AFTER).await;
    if let Some(kind) = installation_differs(app).await? {
        app.load_installation().await?;
        app.memory().consistency.found(kind);
    }
    Ok(())
}

async fn installation_differs(app: &App) -> Result<Option<&'static str>, Error> {
    if *app.installation() != app.store().settings().read_unscoped().await? {
        return Ok(Some(DIFFERENCE_KINDS[4]));
    }
    let stored = app.store().bootstrap_keys().live_unscoped().await?;
    let held = app.memory().bootstrap.load();
    let is_same =
        stored.len() == held.len() && stored.iter().all(|(id, sealed)| held.contains(&(*id, sealed.digest)));
    Ok((!is_same).then_some(DIFFERENCE_KINDS[5]))
}
