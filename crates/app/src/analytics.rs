//! Analytics: an organization's usage, or all organizations', told from every side at once.

use claviger_domain::actor::{Owner, Refusal};
use claviger_domain::audit::Resource;
use claviger_domain::capability::Capability::ViewUsage;
use claviger_domain::credential::Credential;
use claviger_domain::ids::OrganizationId;
use claviger_domain::organization::OrganizationStatus;
use claviger_domain::series::{InvalidSeries, Reach, Series};
use claviger_domain::usage::{Outcome, Tally};
use claviger_domain::verification::Code;
use claviger_store::Tables;

use crate::{Call, Error, State, drain};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Whose figures; `None` are all that the caller may see.
    pub organization: Option<OrganizationId>,
    pub reach: Reach,
    pub keys: Keys,
}

/// How many of the busiest keys are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys(u64);

impl Keys {
    pub const MOST: u64 = 100;

    /// `None` when it is none, or more than [`Self::MOST`].
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        (1..=Self::MOST).contains(&number).then_some(Self(number))
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self(10)
    }
}

/// The answer. Its buckets are counted whole, so that everything in it is about the same calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analytics {
    /// From when to when was asked, and how long the buckets are.
    pub over: Series,
    /// The sum of the series. Calls have failed that were denied, or reported as failed.
    pub totals: Tally,
    /// Every bucket by its start in seconds since the epoch, oldest first, those without calls included.
    pub series: Vec<(i64, Tally)>,
    /// The busiest keys with calls, busiest first, then by id; revoked ones included.
    pub by_key: Vec<KeyUsage>,
    /// Calls by how they were decided, in the order of the checks; codes that did not occur are left out.
    pub by_outcome: Vec<(Code, Tally)>,
    /// What was reported of calls, whichever way they were decided: no calls, but durations, units and failures.
    pub reported: Tally,
}

/// What one key used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUsage {
    pub credential: Credential,
    pub tally: Tally,
}

/// # Errors
/// [`Error::NotFound`] when the caller has no such organization, [`Error::InvertedPeriod`],
/// [`Error::PeriodTooLong`].
pub async fn usage(call: &Call, question: Question) -> Result<Analytics, Error> {
    call.require(ViewUsage)?;
    let Question { organization, reach, keys: Keys(keys) } = question;
    let owner = call.owner_within(organization)?;
    if let Owner::AdminKey(_) = owner {
        // Its figures are told by credential and by user account.
        return Err(Refusal::Lacks(ViewUsage).into());
    }
    let now = call.app().now();
    let over =
        Series::new(reach, now, call.app().retention().kept(now)).map_err(|invalid| match invalid {
            InvalidSeries::Inverted => Error::InvertedPeriod,
            InvalidSeries::TooLong => Error::PeriodTooLong,
        })?;
    let store = call.app().store().clone();
    if let Some(id) = organization {
        let found = store.organizations().find_unscoped(id).await?;
        found
            .filter(|it| it.status != OrganizationStatus::Deleted)
            .ok_or(Error::NotFound(Resource::Organization, State::Any))?;
    }
    drain::catch_up(call.app()).await;
    let cells = over.cells();
    let asked = store.clone();
    let told = call.heavy(async move {
        let counted = asked.usage_outcomes().series(owner, cells).await?;
        let outcomes = asked.usage_outcomes().by_outcome(owner, cells).await?;
        let busiest = asked.usage().busiest(owner, cells, keys).await?;
        Ok((counted, outcomes, busiest))
    });
    let (counted, outcomes, busiest) = told.await?;

    let mut counted = counted.into_iter().peekable();
    let series: Vec<_> = over
        .starts()
        .map(|start| {
            (start, counted.next_if(|(of, _)| *of == start).map_or(Tally::default(), |(_, tally)| tally))
        })
        .collect();
    let mut totals = Tally::default();
    for (_, tally) in &series {
        totals += *tally;
    }
    let mut reported = Tally::default();
    let mut by_outcome = Vec::with_capacity(outcomes.len());
    for (outcome, tally) in outcomes {
        match outcome {
            Outcome::Decided(code) => by_outcome.push((code, tally)),
            Outcome::Reported => reported = tally,
        }
    }
    let ids: Vec<_> = busiest.iter().map(|used| used.credential).collect();
    let credentials = store.credentials().find_many(owner, &ids).await?;
    let by_key = busiest
        .into_iter()
        .filter_map(|used| {
            let credential = credentials.iter().find(|credential| credential.id == used.credential)?.clone();
            Some(KeyUsage { credential, tally: used.tally })
        })
        .collect();
    Ok(Analytics { over, totals, series, by_key, by_outcome, reported })
}
