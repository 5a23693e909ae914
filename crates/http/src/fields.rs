//! What the operator's and the tenants' dialects say alike of a key: scopes, limits, balances, addresses, and
//! when it ends. Only the names of the fields differ, and those the caller gives.

use chrono::TimeDelta;
use claviger_app::credentials::Expiry;
use claviger_app::{App, Error, Field, Kind, State, organizations, roles};
use claviger_domain::Timestamp;
use claviger_domain::account::AccountStatus;
use claviger_domain::address::{self, IpAllowlist};
use claviger_domain::capability::Door;
use claviger_domain::credential::{Balance, Class, Credits, Environment, Refill};
use claviger_domain::ids::{OrganizationId, RoleId};
use claviger_domain::limit::{Limit, Limits, Pool};
use claviger_domain::organization::Slug;
use claviger_domain::scope::{Scope, Scopes};
use claviger_domain::text::Name;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::extract::Query;
use crate::fault::{Expected, Fault, Reason};
use crate::input::{self, Patch};
use crate::strict;

/// The most scopes of one key, permissions of one role, or blocks of one allowlist.
const MOST_WORDS: usize = 100;
/// Windows and intervals: up to a year.
const LONGEST_SECONDS: i64 = 366 * 86_400;
/// The largest whole number that every JSON reader keeps exactly (RFC 8259, section 6): 2^53 - 1.
const MOST_CREDITS: i64 = 9_007_199_254_740_991;

/// A named limit: at most `limit` units in any `window` seconds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "requests", "limit": 100, "window": 60, "pool": "credential"}))]
pub(crate) struct RateLimit {
    /// 1 to 64 of `a-z`, `0-9`, `_`, `.` and `-`; no two limits share one.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[schema(minimum = 1, maximum = 4294967295_u32)]
    limit: i64,
    /// Seconds, up to a year.
    #[schema(minimum = 1, maximum = 31622400)]
    window: i64,
    /// Who shares it: `credential` (default), `user_account` or `organization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
}

/// A balance that calls spend, and how it fills up again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Credits, example = json!({"remaining": 1000, "refill": {"amount": 1000, "interval": 86400}}))]
pub(crate) struct CreditsInput {
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    remaining: i64,
    /// `null`: it never fills up by itself.
    #[serde(default)]
    refill: Option<RefillInput>,
}

/// Sets the balance back to `amount` each `interval` seconds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Refill, example = json!({"amount": 1000, "interval": 86400}))]
pub(crate) struct RefillInput {
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    amount: i64,
    /// Seconds, up to a year.
    #[schema(minimum = 1, maximum = 31622400)]
    interval: i64,
}

/// Scopes or permissions, as a list of words. Of those that open the operator's surface only the known ones are
/// taken: what nobody guards, nobody can be given.
pub(crate) fn scopes(field: &str, given: &[String]) -> Result<Scopes, Fault> {
    if given.len() > MOST_WORDS {
        return Err(Fault::invalid(field, Reason::TooMany { max: MOST_WORDS }));
    }
    let mut scopes: Vec<Scope> = Vec::with_capacity(given.len());
    for (place, word) in given.iter().enumerate() {
        let bad = || Fault::invalid(format!("{field}[{place}]"), Reason::ScopeList);
        let scope: Scope = word.parse().map_err(|_| bad())?;
        let opens_nothing = || Door::Platform.capabilities(&Scopes::new(vec![scope.clone()])).is_empty();
        if scope.is_platform() && opens_nothing() {
            return Err(bad());
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(Scopes::new(scopes))
}

/// One scope.
pub(crate) fn scope(field: &'static str, given: &str) -> Result<Scope, Fault> {
    given.parse().map_err(|_| Fault::invalid(field, Reason::ScopeList))
}

/// Scopes as surfaces tell them.
pub(crate) fn words(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}

/// Named limits, as a list of objects like [`RateLimit`].
pub(crate) fn limits(field: &str, given: Vec<Value>) -> Result<Limits, Fault> {
    let given: Vec<RateLimit> = strict::each(field, given)?;
    let one = |RateLimit { name, limit, window, pool }: RateLimit| {
        Some(Limit {
            name,
            limit: u32::try_from(limit).ok()?,
            window_seconds: u32::try_from(window).ok().filter(|_| window <= LONGEST_SECONDS)?,
            pool: pool.map_or(Some(Pool::Credential), |word| Pool::of_word(&word))?,
        })
    };
    let limits: Option<Vec<_>> = given.into_iter().map(one).collect();
    let limits = limits.and_then(|limits| Limits::new(limits).ok());
    limits.ok_or_else(|| Fault::invalid(field, Reason::Limits))
}

/// Limits as surfaces tell them.
pub(crate) fn told_limits(limits: &Limits) -> Vec<RateLimit> {
    let told = |Limit { name, limit, window_seconds, pool }: &Limit| RateLimit {
        name: name.clone(),
        limit: (*limit).into(),
        window: (*window_seconds).into(),
        pool: Some(pool.word().to_owned()),
    };
    limits.iter().map(told).collect()
}

/// A balance to be set by hand; its refills count from `now` on.
pub(crate) fn balance(field: &str, given: CreditsInput, now: Timestamp) -> Result<Balance, Fault> {
    let CreditsInput { remaining, refill } = given;
    let units = |number: i64| u64::try_from(number).ok().filter(|_| number <= MOST_CREDITS);
    let refill = refill.map(|RefillInput { amount, interval }| {
        (1..=LONGEST_SECONDS).contains(&interval).then_some(())?;
        let amount = units(amount)?;
        Some(Refill { amount, every: TimeDelta::seconds(interval), since: now })
    });
    let read = match (units(remaining), refill) {
        (Some(remaining), None) => Some(Balance { remaining, refill: None }),
        (Some(remaining), Some(Some(refill))) => Some(Balance { remaining, refill: Some(refill) }),
        _ => None,
    };
    read.ok_or_else(|| Fault::invalid(field, Reason::Credits))
}

/// A balance as surfaces tell it: as it stood when it was last brought to the database, with every refill that
/// has come due by `now`.
pub(crate) fn told_balance(credits: Credits, now: Timestamp) -> CreditsInput {
    let Credits { grant: _, remaining, refill } = credits.at(now);
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    CreditsInput {
        remaining: signed(remaining),
        refill: refill.map(|Refill { amount, every, since: _ }| RefillInput {
            amount: signed(amount),
            interval: every.num_seconds(),
        }),
    }
}

/// Where a key may be used from, as a list of addresses and CIDR blocks; empty: from anywhere.
pub(crate) fn allowlist(field: &str, given: &[String]) -> Result<IpAllowlist, Fault> {
    let bad = || Fault::invalid(field, Reason::AddressBlocks);
    // A comma would make two of one, and an empty text none.
    let is_one = |text: &String| !text.trim().is_empty() && !text.contains(',');
    if given.len() > MOST_WORDS || !given.iter().all(is_one) {
        return Err(bad());
    }
    let one = |(place, text): (usize, &String)| {
        let block = IpAllowlist::block(text).map_err(|_| bad())?;
        address::comparable(block)
            .map_err(|_| Fault::invalid(format!("{field}[{place}]"), Reason::MixedBlock))
    };
    given.iter().enumerate().map(one).collect::<Result<_, _>>().map(IpAllowlist::new)
}

/// An allowlist as surfaces tell it.
pub(crate) fn told_allowlist(allowlist: &IpAllowlist) -> Vec<String> {
    let text = allowlist.to_string();
    text.split(',').filter(|block| !block.is_empty()).map(str::to_owned).collect()
}

/// When a key ends: at an instant, or so long after it is made.
pub(crate) fn expiry(field: &'static str, instant: &str) -> Result<Expiry, Fault> {
    crate::input::instant(field, instant).map(Expiry::At)
}

pub(crate) fn lifetime(field: &'static str, span: &str) -> Result<Expiry, Fault> {
    span.parse().map(Expiry::In).map_err(|_| Fault::invalid(field, Reason::Span))
}

/// An instant or a span, each under the name that its surface gives it.
pub(crate) fn either_expiry(
    [at_name, in_name]: [&'static str; 2],
    at: Option<String>,
    span: Option<String>,
) -> Result<Option<Expiry>, Fault> {
    match (at, span) {
        (Some(_), Some(_)) => Err(Fault::invalid(in_name, Reason::NotWith(at_name))),
        (Some(at), None) => expiry(at_name, &at).map(Some),
        (None, Some(span)) => lifetime(in_name, &span).map(Some),
        (None, None) => Ok(None),
    }
}

/// The same of a change: an instant that `null` sets back to what is usual, or a span.
pub(crate) fn patched_expiry(
    [at_name, in_name]: [&'static str; 2],
    at: Patch<String>,
    span: Patch<String>,
) -> Result<Field<Option<Expiry>>, Fault> {
    let null = || Fault::invalid(in_name, Reason::Type(Expected::String));
    match (at.nullable(), span.required(null)?) {
        (Field::Set(_), Field::Set(_)) => Err(Fault::invalid(in_name, Reason::NotWith(at_name))),
        (Field::Keep, Field::Set(span)) => Ok(Field::Set(Some(lifetime(in_name, &span)?))),
        (at, Field::Keep) => at.try_map(|at| at.map(|at| expiry(at_name, &at)).transpose()),
    }
}

const USUAL_OVERLAP: i64 = 86_400;
const LONGEST_OVERLAP: i64 = 2_592_000;

/// How long the secrets before a new one go on working.
pub(crate) fn overlap(field: &'static str, seconds: Option<i64>) -> Result<TimeDelta, Fault> {
    let seconds = seconds.unwrap_or(USUAL_OVERLAP);
    if !(0..=LONGEST_OVERLAP).contains(&seconds) {
        return Err(Fault::invalid(field, Reason::Between { min: 0, max: LONGEST_OVERLAP }));
    }
    Ok(TimeDelta::seconds(seconds))
}

/// What kind of key is wanted.
pub(crate) fn class(environment: Option<&str>, kind: Option<&str>) -> Result<Class, Fault> {
    match (environment.unwrap_or("live"), kind.unwrap_or("api_key")) {
        ("live", "api_key") => Ok(Class::Live),
        ("test", "api_key") => Ok(Class::Test),
        ("live", "scim") => Ok(Class::Scim),
        // There is no sandbox of provisioning.
        ("test", "scim") => Err(Fault::invalid("environment", Reason::Word(&["live"]))),
        (_, "api_key" | "scim") => Err(Fault::invalid("environment", Reason::Word(&["live", "test"]))),
        _ => Err(Fault::invalid("type", Reason::Word(&["api_key", "scim"]))),
    }
}

/// The classes whose keys belong to this world.
pub(crate) fn classes_of(environment: Environment) -> Vec<Class> {
    Class::ALL.into_iter().filter(|class| class.environment() == environment).collect()
}

/// A text that rows are to hold.
pub(crate) fn search(query: &mut Query) -> Result<Option<String>, Fault> {
    let given = input::optional_text("search", query.take("search"), Name::new)?;
    Ok(given.map(|text| text.to_string()))
}

/// The status that users are to have.
pub(crate) fn user_status(query: &mut Query) -> Result<Option<AccountStatus>, Fault> {
    const WORDS: &[&str] = &["active", "suspended", "pending"];
    let given = query.take("status").map(|word| {
        AccountStatus::of_word(&word).ok_or_else(|| Fault::invalid("status", Reason::Word(WORDS)))
    });
    given.transpose()
}

/// The organization a caller names by its id, in either spelling, or by its slug.
pub(crate) async fn organization(
    app: &App,
    field: &'static str,
    given: &str,
) -> Result<OrganizationId, Fault> {
    let named = match OrganizationId::parse_any(given) {
        Ok(id) => organizations::Named::Id(id),
        // No slug holds an underscore: what begins like an id is none.
        Err(_) if OrganizationId::is_named_by(given) => return Err(missing_organization()),
        Err(_) => {
            let slug = Slug::new(given).map_err(|_| Fault::invalid(field, Reason::Reference))?;
            organizations::Named::Slug(slug)
        }
    };
    Ok(organizations::resolve(app, named).await?)
}

fn missing_organization() -> Fault {
    Fault::App(Error::NotFound(Kind::Organization, State::Any))
}

/// The role a caller names by its id, in either spelling, or by its name.
pub(crate) fn role(field: &str, given: &str) -> Result<roles::Named, Fault> {
    match RoleId::parse_any(given) {
        Ok(id) => Ok(roles::Named::Id(id)),
        Err(_) => {
            let name = Name::new(given).map_err(|error| Fault::invalid(field, Reason::Text(error)))?;
            Ok(roles::Named::Name(name))
        }
    }
}
