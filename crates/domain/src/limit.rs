//! Rate limits: how often in how long, as a sliding window over two cells.
//!
//! Time is cut into cells of one window's length. What counts against the limit is the current cell
//! plus the part of the one before it that the window still covers, taken as spread evenly and rounded up: a
//! burst at a cell's edge does not pass twice, and steady traffic at the limit of N is given at least N - 1 in each
//! window (so that a limit of one admits every other one of calls that come exactly a window apart).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::Timestamp;
use crate::ids::{CredentialId, OrganizationId, UserAccountId};

/// Who shares what a limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pool {
    /// The credential alone.
    #[default]
    Credential,
    /// Every credential linked to the same user account whose limits have one of this name and window;
    /// of a credential that is linked to none, itself alone.
    UserAccount,
    /// Every credential of the organization whose limits have one of this name and window.
    Organization,
}

impl Pool {
    /// Every pool.
    pub const ALL: [Self; 3] = [Self::Credential, Self::UserAccount, Self::Organization];

    /// The stable word, as the database and the surfaces hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::UserAccount => "user_account",
            Self::Organization => "organization",
        }
    }

    /// The pool of a word; `None` of any other text. Case matters.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pool| pool.word() == word)
    }

    /// Whose counter is spent from, for a credential with these owners.
    #[must_use]
    pub fn owner(
        self,
        credential: CredentialId,
        user_account: Option<UserAccountId>,
        organization: OrganizationId,
    ) -> Uuid {
        match (self, user_account) {
            (Self::UserAccount, Some(user_account)) => user_account.uuid(),
            (Self::Organization, _) => organization.uuid(),
            (Self::Credential | Self::UserAccount, _) => credential.uuid(),
        }
    }
}

/// One named limit: at most `limit` units in any `window_seconds`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Told with the figures, so that callers know which limit is meant; [`Limits::new`] has its rule.
    pub name: String,
    /// Units in one window; a call costs one unless it says otherwise.
    pub limit: u32,
    /// The window's length in seconds.
    pub window_seconds: u32,
    /// Who shares it.
    pub pool: Pool,
}

/// What has been spent of the limits of one name and one window that share a [`Pool`]'s owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Which cell `current` counts: the number of windows since the epoch.
    pub cell: i64,
    /// Units spent in that cell.
    pub current: u64,
    /// Units spent in the cell before it.
    pub previous: u64,
}

/// A limit and its counter at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Units that may still be spent now, rounded down.
    pub remaining: u32,
    /// When the whole limit will be free again, in milliseconds since the epoch.
    pub reset_at_ms: i64,
    /// When the asked cost will fit, in milliseconds since the epoch; `None` when it does now or never will.
    pub retry_at_ms: Option<i64>,
    /// Whether the asked cost does not fit now.
    pub exceeded: bool,
}

impl Standing {
    /// The first whole second, since the epoch, at which the whole limit will be free again.
    #[must_use]
    pub const fn reset_at_seconds(&self) -> i64 {
        self.reset_at_ms.div_euclid(1000) + (self.reset_at_ms.rem_euclid(1000) > 0) as i64
    }
}

impl Limit {
    /// A clock that goes back further than this, an hour, was wrong before.
    const WRONG_CLOCK_MS: i64 = 3_600_000;

    fn window_ms(&self) -> u64 {
        u64::from(self.window_seconds.max(1)) * 1000
    }

    /// The counter as it stands at `now`. A clock set back stays in the cell already reached, and frees
    /// nothing; set back by more than [`Self::WRONG_CLOCK_MS`], it was wrong before, and what it counted
    /// is let go.
    fn roll(&self, counter: Counter, now_ms: i64) -> (Counter, u64) {
        let window = self.window_ms().cast_signed();
        let cell = now_ms.div_euclid(window);
        let empty = Counter { cell, current: 0, previous: 0 };
        let rolled = match cell.saturating_sub(counter.cell) {
            back @ ..=0 if back.saturating_mul(window) > -(Self::WRONG_CLOCK_MS + window) => counter,
            1 => Counter { previous: counter.current, ..empty },
            _ => empty,
        };
        let elapsed = (now_ms - rolled.cell * window).clamp(0, window - 1);
        (rolled, elapsed.cast_unsigned())
    }

    fn used(&self, counter: Counter, elapsed: u64) -> u64 {
        // In 128 bits no product of a count and a window overflows.
        let window = u128::from(self.window_ms());
        let covered = (u128::from(counter.previous) * (window - u128::from(elapsed))).div_ceil(window);
        counter.current.saturating_add(u64::try_from(covered).unwrap_or(u64::MAX))
    }

    /// Where the limit stands at `now`, and whether `cost` more units fit, without spending them.
    #[must_use]
    pub fn look(&self, counter: Counter, cost: u64, now: Timestamp) -> Standing {
        let (counter, elapsed) = self.roll(counter, now.timestamp_millis());
        let limit = u64::from(self.limit);
        let used = self.used(counter, elapsed);
        let exceeded = used.saturating_add(cost) > limit;
        let window = self.window_ms();
        let start = counter.cell * window.cast_signed();
        let free_after = match (counter.current, counter.previous) {
            (0, 0) => elapsed,
            (0, _) => window,
            _ => 2 * window,
        };
        Standing {
            remaining: u32::try_from(limit.saturating_sub(used)).unwrap_or(u32::MAX),
            reset_at_ms: start + free_after.cast_signed(),
            retry_at_ms: (exceeded && cost <= limit)
                .then(|| start + self.fits_after(counter, cost).cast_signed()),
            exceeded,
        }
    }

    /// Milliseconds after the cell's start at which `cost` fits, if nothing else is spent until then.
    fn fits_after(&self, counter: Counter, cost: u64) -> u64 {
        let (window, limit) = (self.window_ms(), u64::from(self.limit));
        let shrinks_to = |weight: u64, room: u64| {
            let free = u128::from(room) * u128::from(window) / u128::from(weight.max(1));
            window - u64::try_from(free).unwrap_or(u64::MAX).min(window)
        };
        if counter.current.saturating_add(cost) <= limit {
            shrinks_to(counter.previous, limit - counter.current - cost)
        } else {
            window + shrinks_to(counter.current, limit - cost)
        }
    }

    /// The counter after `cost` units were spent at `now`, whether or not they fit: [`Self::look`] first.
    #[must_use]
    pub fn spend(&self, counter: Counter, cost: u64, now: Timestamp) -> Counter {
        let (counter, _) = self.roll(counter, now.timestamp_millis());
        Counter { current: counter.current.saturating_add(cost), ..counter }
    }
}

/// The named limits of one credential; no two share a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Limits(Vec<Limit>);

/// The limits break a rule of [`Limits::new`], or their text is not one that [`Limits`] prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of limits")]
pub struct InvalidLimits;

impl Limits {
    /// The name of the limit that `rate_limit_per_minute` stands for.
    pub const PER_MINUTE: &'static str = "requests";
    /// The most limits one credential may have.
    pub const MAX: usize = 16;

    /// Checks names (`[a-z0-9_.-]`, 1 to 64, unique), figures (not 0) and their number.
    ///
    /// # Errors
    /// [`InvalidLimits`] when any of them is off.
    pub fn new(limits: Vec<Limit>) -> Result<Self, InvalidLimits> {
        let well_named = |name: &str| {
            (1..=64).contains(&name.len())
                && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'))
        };
        let sound = limits.len() <= Self::MAX
            && limits.iter().enumerate().all(|(place, limit)| {
                well_named(&limit.name)
                    && limit.limit > 0
                    && limit.window_seconds > 0
                    && limits[..place].iter().all(|other| other.name != limit.name)
            });
        if sound { Ok(Self(limits)) } else { Err(InvalidLimits) }
    }

    /// The one limit of a partner credential: `limit` calls in any 60 seconds, under [`Self::PER_MINUTE`].
    #[must_use]
    pub fn per_minute(limit: u32) -> Self {
        Self(vec![Limit {
            name: Self::PER_MINUTE.to_owned(),
            limit,
            window_seconds: 60,
            pool: Pool::Credential,
        }])
    }

    /// The figure behind `rate_limit_per_minute`, when there is such a limit.
    #[must_use]
    pub fn figure_per_minute(&self) -> Option<u32> {
        self.0
            .iter()
            .find(|limit| {
                limit.name == Self::PER_MINUTE && limit.window_seconds == 60 && limit.pool == Pool::Credential
            })
            .map(|l| l.limit)
    }

    /// How many there are; at most [`Self::MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limits, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.0.iter()
    }
}

impl fmt::Display for Limits {
    /// `name:limit/seconds`, separated by commas; a shared one ends in `@` and its pool's word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Limit { name, limit, window_seconds, pool }) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            write!(f, "{name}:{limit}/{window_seconds}")?;
            if *pool != Pool::Credential {
                write!(f, "@{}", pool.word())?;
            }
        }
        Ok(())
    }
}

impl FromStr for Limits {
    type Err = InvalidLimits;

    /// Reads what `Display` prints; the empty text is no limits.
    fn from_str(text: &str) -> Result<Self, InvalidLimits> {
        let one = |part: &str| {
            let (name, figures) = part.split_once(':')?;
            let (limit, window) = figures.split_once('/')?;
            let (window, pool) = match window.split_once('@') {
                Some((window, word)) => (window, Pool::of_word(word)?),
                None => (window, Pool::Credential),
            };
            Some(Limit {
                name: name.to_owned(),
                limit: limit.parse().ok()?,
                window_seconds: window.parse().ok()?,
                pool,
            })
        };
        let limits: Option<Vec<_>> = text.split(',').filter(|part| !part.is_empty()).map(one).collect();
        Self::new(limits.ok_or(InvalidLimits)?)
    }
}

#[cfg(test)]
mod tests;
