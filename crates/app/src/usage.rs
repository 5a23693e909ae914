//! Usage figures: what was called, by whose credentials, in which period.

use chrono::{NaiveDate, TimeDelta};
use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::audit::Resource;
use claviger_domain::capability::Capability::ViewUsage;
use claviger_domain::credential::Credential;
use claviger_domain::ids::{CredentialId, UserAccountId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::period::{InvertedPeriod, Period};
use claviger_domain::usage::Tally;
use claviger_store::{CredentialUsage, Tables, UsageOf, UserUsage};

use crate::{App, Call, Error, State, drain};

/// One user account's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfUser {
    pub account: UserAccount,
    pub tally: Tally,
    /// How many credentials it has or had: the figures are theirs.
    pub credentials: u64,
    pub period: Period,
}

/// One credential's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfCredential {
    pub credential: Credential,
    pub user: Option<UserAccount>,
    pub tally: Tally,
}

/// One credential's figures, day by day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detailed {
    pub of: OfCredential,
    pub period: Period,
    /// Every UTC day of the period, oldest first, those without calls included.
    pub days: Vec<(NaiveDate, Tally)>,
}

/// The period a caller asks about; what it leaves open is filled in from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// How far back an open start reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    Days(i64),
    To(Timestamp),
}

impl Asked {
    fn resolve(self, app: &App, back: Back) -> Result<Period, Error> {
        let now = app.now();
        let end = self.end.unwrap_or(now);
        let start = self.start.unwrap_or_else(|| match back {
            // So many days ago; or before the end, when that has come before then.
            Back::Days(days) if end > now - TimeDelta::days(days) => now - TimeDelta::days(days),
            Back::Days(days) => end - TimeDelta::days(days),
            Back::To(start) => start.min(end),
        });
        let period = Period::new(start, end).map_err(|InvertedPeriod| Error::InvertedPeriod)?;
        Ok(period.known_since(app.retention().kept(now)))
    }
}

/// What user accounts' figures cover when nothing is said.
const USUAL: Back = Back::Days(30);

/// # Errors
/// [`Error::NotFound`] when the caller made no such account.
pub async fn of_user(call: &Call, id: UserAccountId, asked: Asked) -> Result<OfUser, Error> {
    call.require(ViewUsage)?;
    drain::catch_up(call.app()).await;
    let period = asked.resolve(call.app(), USUAL)?;
    let store = call.app().store();
    let found = store.user_accounts().find(call.owner(), id).await?;
    let account = found.ok_or(Error::NotFound(Resource::UserAccount, State::Any))?;
    let UserUsage { user_account: _, tally, credentials } =
        store.usage().of_user(call.owner(), id, period).await?;
    Ok(OfUser { account, tally, credentials, period })
}

/// Every account of the caller, busiest first, then by name.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn by_user(call: &Call, asked: Asked, window: Window) -> Result<Slice<OfUser>, Error> {
    call.require(ViewUsage)?;
    drain::catch_up(call.app()).await;
    let period = asked.resolve(call.app(), USUAL)?;
    let store = call.app().store();
    let owner = call.owner();
    let asked = store.clone();
    let found = call.heavy(async move { asked.usage().by_user(owner, period, window).await }).await?;
    let ids: Vec<_> = found.items.iter().map(|used| used.user_account).collect();
    let accounts = store.user_accounts().find_many(owner, &ids).await?;
    // An account deleted between the two queries is left out.
    let told = |UserUsage { user_account, tally, credentials }| {
        let account = accounts.iter().find(|account| account.id == user_account)?.clone();
        Some(OfUser { account, tally, credentials, period })
    };
    Ok(found.with(|items| items.into_iter().filter_map(told).collect()))
}

/// Credentials with calls in the period, busiest first, then by id; revoked ones included.
///
/// # Errors
/// [`Error::NotFound`] when figures of one account are asked that the caller did not make.
pub async fn by_credential(
    call: &Call,
    user: Option<UserAccountId>,
    asked: Asked,
    window: Window,
) -> Result<Slice<OfCredential>, Error> {
    call.require(ViewUsage)?;
    drain::catch_up(call.app()).await;
    let period = asked.resolve(call.app(), Back::To(Timestamp::UNIX_EPOCH))?;
    let store = call.app().store();
    let owner = call.owner();
    if let Some(id) = user
        && store.user_accounts().find(owner, id).await?.is_none()
    {
        return Err(Error::NotFound(Resource::UserAccount, State::Any));
    }
    let (asked, of) = (store.clone(), UsageOf { user_account: user });
    let found =
        call.heavy(async move { asked.usage().by_credential(owner, of, period, window).await }).await?;
    let ids: Vec<_> = found.items.iter().map(|used| used.credential).collect();
    let credentials = store.credentials().find_many(owner, &ids).await?;
    let users: Vec<_> = credentials.iter().filter_map(|credential| credential.user_account).collect();
    let users = store.user_accounts().find_many(owner, &users).await?;
    let told = |used: CredentialUsage| {
        let credential = credentials.iter().find(|credential| credential.id == used.credential)?.clone();
        let user = users.iter().find(|user| Some(user.id) == credential.user_account).cloned();
        Some(OfCredential { credential, user, tally: used.tally })
    };
    Ok(found.with(|items| items.into_iter().filter_map(told).collect()))
}

/// # Errors
/// [`Error::NotFound`] when the caller made no such credential.
pub async fn of_credential(call: &Call, id: CredentialId, asked: Asked) -> Result<Detailed, Error> {
    call.require(ViewUsage)?;
    drain::catch_up(call.app()).await;
    // An inverted period is refused whether or not there is such a credential.
    asked.resolve(call.app(), Back::Days(0))?;
    let store = call.app().store();
    let found = store.credentials().find(call.owner(), id).await?;
    let credential = found.ok_or(Error::NotFound(Resource::Credential, State::Any))?;
    let user = match credential.user_account {
        Some(id) => store.user_accounts().find(call.owner(), id).await?,
        None => None,
    };
    let period = asked.resolve(call.app(), Back::To(credential.created_at))?;
    let tally = store.usage().of_credential(id, period).await?;
    let used = store.usage().daily_of(id, period).await?;
    let days = period
        .days()
        .into_iter()
        .map(|day| {
            (day, used.iter().find(|(date, _)| *date == day).map_or(Tally::default(), |(_, tally)| *tally))
        })
        .collect();
    Ok(Detailed { of: OfCredential { credential, user, tally }, period, days })
}
