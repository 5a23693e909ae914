//! May this call pass? Decided from memory, and counted before it is answered.
//!
//! [`Engine`] knows every credential that it was fed with, holds what was spent of their limits and
//! balances, and writes each decided call to a [`journal`](mod@journal) before it answers. It asks no database, no
//! network and no clock: time comes in. The server of Claviger drains the journal into its database; a
//! service of your own may verify in process the same way.
//!
//! Nothing here is shared between processes. What keeps several of them in step is the log of changes in the
//! database: each process applies its own changes before it answers them ([`Engine::apply`]), and those of
//! others when it reads of them ([`Engine::mark`], [`Engine::insert`]).
//!
//! A service that verifies in process, one call long:
//!
//! ```
//! use claviger_domain::secret::{Peppers, Plaintext};
//! use claviger_domain::verification::{Code, Demand};
//! use claviger_engine::journal::{Journal, JournalSettings, Positions};
//! use claviger_engine::{Engine, Loaded};
//! # use claviger_domain::Timestamp;
//! # use claviger_domain::credential::{Class, Credential};
//! # use claviger_domain::ids::{CredentialId, OrganizationId, SecretId};
//! # use claviger_domain::limit::Limits;
//! # use claviger_domain::organization::{Organization, Slug};
//! # use claviger_domain::revision::Revision;
//! # use claviger_domain::secret::SecretVersion;
//! # use claviger_domain::text::{Metadata, Name};
//! # use uuid::Uuid;
//!
//! # let temporary = tempfile::tempdir()?;
//! # let directory = temporary.path().join("journal");
//! let settings = JournalSettings { directory, max_bytes: 64 << 20, segment_bytes: 8 << 20, lanes: 2 };
//! let found = Journal::find(settings, Uuid::from_u128(7))?;
//! // Up to where the calls of `found.id()` are in your database: of a new journal, nowhere yet.
//! let journal = found.resume(&Positions::default())?;
//! let peppers = Peppers::new(vec![(1, [7; 32])])?;
//! let engine = Engine::new(peppers.clone(), Some(journal));
//!
//! // A mark is taken before the database is read: a change in between makes the read void.
//! let mark = engine.mark();
//! let key: Plaintext = "iiak_0123456789abcdefghijklmnopqrstuvwxyz012340w53k76".parse()?;
//! # let now = Timestamp::UNIX_EPOCH;
//! # let name = Name::new("Acme")?;
//! # let organization =
//! #     Organization::new(OrganizationId::from_uuid(Uuid::nil()), name.clone(), Slug::derive(&name), now);
//! # let secret = SecretVersion {
//! #     id: SecretId::from_uuid(Uuid::nil()),
//! #     number: 1,
//! #     sealed: peppers.seal(&key),
//! #     created_at: now,
//! #     ends_at: None,
//! # };
//! # let credential = Credential {
//! #     id: CredentialId::from_uuid(Uuid::nil()),
//! #     organization: organization.id,
//! #     admin_key: None,
//! #     user_account: None,
//! #     class: Class::Partner,
//! #     name,
//! #     description: None,
//! #     prefix: key.prefix(),
//! #     scopes: Default::default(),
//! #     limits: Limits::per_minute(1),
//! #     credits: None,
//! #     ip_allowlist: Default::default(),
//! #     network: None,
//! #     metadata: Metadata::empty(),
//! #     created_at: now,
//! #     updated_at: None,
//! #     expires_at: None,
//! #     disabled_at: None,
//! #     revoked: None,
//! #     last_used_at: None,
//! #     revision: Revision::FIRST,
//! # };
//! // `credential` may be used once a minute, and `secret` is what is kept of its key.
//! let secrets = vec![secret];
//! let loaded = Loaded { credential, secrets, user_account: None, roles: Vec::new(), organization, spent: Vec::new() };
//! assert!(engine.insert(mark, loaded));
//!
//! let demand = Demand { cost: 1, ..Demand::default() };
//! assert_eq!(engine.verify(key.expose(), &demand, now)?.code, Code::Valid);
//! assert_eq!(engine.verify(key.expose(), &demand, now)?.code, Code::RateLimited);
//!
//! // Both calls are in a file. In one transaction your database takes the records and `upto`; only then:
//! let journal = engine.journal().ok_or("there is one")?;
//! let batch = journal.read(1_000)?;
//! assert_eq!(batch.records.len(), 2);
//! journal.drained(&batch.upto)?;
//! assert_eq!(journal.state().records, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod directory;
pub mod journal;
mod purse;
mod snapshot;
mod sync;
#[cfg(test)]
mod tests;
mod unknown;

use std::sync::Arc;

use arc_swap::Guard;
use claviger_domain::Timestamp;
use claviger_domain::actor::Presented;
use claviger_domain::credential::Credits;
use claviger_domain::ids::CredentialId;
use claviger_domain::limit::{Counter, Limits, Pool, Standing};
use claviger_domain::scope::Held;
use claviger_domain::secret::{Digest, Peppers, PresentedKey};
use claviger_domain::verification::{Code, Demand, Settled, refuse, settle};

pub use directory::{Change, Difference, Loaded, LoadedCounter, Mark};
use directory::{Directory, Record};
use journal::{Journal, JournalError, Place};
pub use snapshot::{KnownOrganization, KnownUserAccount, Snapshot};
use uuid::Uuid;

/// What decides.
#[derive(Debug)]
pub struct Engine {
    peppers: Peppers,
    directory: Directory,
    unknown: unknown::Unknown,
    journal: Option<Journal>,
}

/// A credential whose key was presented.
#[derive(Debug)]
pub struct Known {
    /// As it was when it was looked up.
    pub snapshot: Arc<Snapshot>,
    /// Its organization, likewise. Borrowed without counting: the keys of one organization are asked about from
    /// every thread at once.
    pub organization: Guard<Arc<KnownOrganization>>,
    /// The account it is linked to, likewise.
    pub user_account: Option<Guard<Arc<KnownUserAccount>>>,
    number: u32,
    record: Arc<Record>,
}

/// The answer, and what it was decided from.
#[derive(Debug)]
pub struct Decision {
    /// Whether the call may pass, and why not.
    pub code: Code,
    /// The credential the key belongs to; `None` of a key that is malformed or not known.
    pub about: Option<About>,
}

/// What a decision is about, as the decision left it.
#[derive(Debug)]
pub struct About {
    /// The credential and its owners.
    pub known: Known,
    /// One for each of the credential's limits, in their order.
    pub standings: Vec<Standing>,
    /// The balance, when the credential has one.
    pub credits: Option<Credits>,
    /// Where the call stands in the journal: on disk, once this place is synced.
    pub place: Option<Place>,
}

impl Engine {
    /// An engine that knows nobody yet. Keys are recognised under any of `peppers`; without a journal, calls
    /// are decided and not counted.
    #[must_use]
    pub fn new(peppers: Peppers, journal: Option<Journal>) -> Self {
        Self { peppers, directory: Directory::default(), unknown: unknown::Unknown::default(), journal }
    }

    /// The calls decided so far that were not drained.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// The credential a key belongs to; `None` when it is not known here.
    #[must_use]
    pub fn find(&self, key: PresentedKey<'_>) -> Option<Known> {
        let version = self.peppers.digests(key).find_map(|digest| self.directory.find(&digest))?;
        let snapshot = version.record.snapshot.load_full()?;
        Some(Known {
            organization: snapshot.organization.facts.load(),
            user_account: snapshot.user_account.as_ref().map(|account| account.facts.load()),
            snapshot,
            number: version.number,
            record: version.record,
        })
    }

    /// Decides about a presented key at `now`: malformed and unknown ones are denied, for the others see
    /// [`decide`](Self::decide).
    ///
    /// # Errors
    /// [`JournalError`] when the call cannot be counted: then it is not decided, and nothing is spent.
    pub fn verify(&self, key: &str, demand: &Demand, now: Timestamp) -> Result<Decision, JournalError> {
        let Ok(key) = PresentedKey::recognise(key) else {
            return Ok(Decision { code: Code::Malformed, about: None });
        };
        match self.find(key) {
            Some(known) => self.decide(known, demand, now),
            None => Ok(Decision { code: Code::NotFound, about: None }),
        }
    }

    /// Whether a key may be used for `demand` at `now`, nothing being spent or counted: for keys whose
    /// holder wants something of this process.
    #[must_use]
    pub fn refuses(&self, known: &Known, demand: &Demand, now: Timestamp) -> Option<Code> {
        refuse(&known.facts(), demand, now)
    }

    /// Makes every check on a known key in the documented order, spends what the call costs when it may
    /// pass, and counts the call in either case.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify).
    pub fn decide(&self, known: Known, demand: &Demand, now: Timestamp) -> Result<Decision, JournalError> {
        let snapshot = &known.snapshot;
        let refused = refuse(&known.facts(), demand, now);
        let limits = &*snapshot.limits;
        // Always in this order, so that no two calls wait for each other.
        let shares = |pool| limits.iter().any(|limit| limit.pool == pool);
        let mut of_organization = shares(Pool::Organization).then(|| snapshot.organization.purse.open());
        let mut of_user_account = match &snapshot.user_account {
            Some(account) if shares(Pool::UserAccount) => Some(account.purse.open()),
            _ => None,
        };
        let has_own = snapshot.has_credits || !limits.is_empty();
        let mut own = has_own.then(|| known.record.purse.open());

        let mut counters = [Counter::default(); Limits::MAX];
        for (counter, limit) in counters.iter_mut().zip(limits.iter()) {
            let spent = match (limit.pool, &of_organization, &of_user_account, &own) {
                (Pool::Organization, Some(shared), ..) | (Pool::UserAccount, _, Some(shared), _) => {
                    shared.counter(limit)
                }
                (Pool::Credential | Pool::UserAccount, _, _, Some(own)) => own.counter(limit),
                _ => Counter::default(),
            };
            *counter = spent;
        }
        let mut credits = own.as_ref().and_then(|purse| purse.credits());
        let Settled { code, standings, is_spent } =
            settle(refused, limits, &mut counters, &mut credits, demand.cost, now);
        let place = self.count(snapshot.id, code, demand.cost, credits, now)?;
        if is_spent {
            for (counter, limit) in counters.iter().zip(limits.iter()) {
                match (limit.pool, &mut of_organization, &mut of_user_account, &mut own) {
                    (Pool::Organization, Some(shared), ..) | (Pool::UserAccount, _, Some(shared), _) => {
                        shared.put(&limit.name, limit.window_seconds, *counter);
                    }
                    (Pool::Credential | Pool::UserAccount, _, _, Some(own)) => {
                        own.put(&limit.name, limit.window_seconds, *counter);
                    }
                    _ => {}
                }
            }
            if let (Some(own), Some(_)) = (&mut own, credits) {
                own.set_credits(credits);
            }
        }
        drop((of_organization, of_user_account, own));
        Ok(Decision { code, about: Some(About { known, standings, credits, place }) })
    }

    fn count(
        &self,
        credential: CredentialId,
        code: Code,
        cost: u32,
        credits: Option<Credits>,
        at: Timestamp,
    ) -> Result<Option<Place>, JournalError> {
        let Some(journal) = &self.journal else { return Ok(None) };
        let grant = credits.map_or(0, |credits| credits.grant);
        journal.append(&[journal::Record { credential, at, code, cost, grant }]).map(Some)
    }

    /// Whether a key was looked for in vain a moment before `now`: see [`remember_unknown`](Self::remember_unknown).
    #[must_use]
    pub fn is_remembered_unknown(&self, key: PresentedKey<'_>, now: Timestamp) -> bool {
        self.newest_digest(key).is_some_and(|digest| self.unknown.holds(&digest, now))
    }

    /// Remembers for a few seconds that nobody has this key. However many are tried, few are remembered.
    pub fn remember_unknown(&self, key: PresentedKey<'_>, now: Timestamp) {
        if let Some(digest) = self.newest_digest(key) {
            self.unknown.remember(&digest, now);
        }
    }

    fn newest_digest(&self, key: PresentedKey<'_>) -> Option<Digest> {
        self.peppers.digests(key).next()
    }

    /// A moment among the changes, to be taken before a database is read.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.directory.mark()
    }

    /// Takes in what was read from a database after `mark` was taken. What is known here already and not
    /// older is left alone, and so is what was spent here.
    ///
    /// `false`: a change has overtaken the read, which must be made again.
    #[must_use]
    pub fn insert(&self, mark: Mark, loaded: Loaded) -> bool {
        self.directory.insert(mark, loaded)
    }

    /// Puts a committed change in force: every decision that begins after this has returned knows it. An
    /// older state than the known one changes nothing.
    pub fn apply(&self, change: Change) {
        self.directory.apply(change);
    }

    /// The ids of all credentials held here, in no order.
    #[must_use]
    pub fn credential_ids(&self) -> Vec<CredentialId> {
        self.directory.credential_ids()
    }

    /// How memory differs from a credential as the database has it. `None` when it does not, and when the credential
    /// is not held here. A change on its way from the database to here is a difference, too: look again before
    /// believing it.
    #[must_use]
    pub fn difference(&self, loaded: &Loaded) -> Option<Difference> {
        self.directory.difference(loaded)
    }

    /// Replaces what is held of a credential and its owners by what was read from the database after `mark` was
    /// taken, also when that is older than what is held. What was spent stays.
    ///
    /// `false`: a change has come in between, and the read must be made again.
    #[must_use]
    pub fn replace(&self, mark: Mark, loaded: Loaded) -> bool {
        self.directory.replace_held(mark, loaded)
    }

    /// Drops a credential that the database did not have when it was asked after `mark` was taken.
    ///
    /// `false`: a change has come in between, and the database must be asked again.
    #[must_use]
    pub fn evict(&self, mark: Mark, id: CredentialId) -> bool {
        self.directory.evict(mark, id)
    }

    /// Forgets every secret that has ended by `horizon`, every credential that was revoked or has expired by then,
    /// and the counters that no credential names any more. Answers how many keys were forgotten.
    pub fn forget_ended(&self, horizon: Timestamp) -> usize {
        self.directory.forget_ended(horizon)
    }

    /// Keeps an ended key that was looked up, until thousands of others like it have followed.
    pub fn keep_briefly(&self, key: PresentedKey<'_>, horizon: Timestamp) {
        if let Some(digest) = self.peppers.digests(key).find(|digest| self.directory.find(digest).is_some()) {
            self.directory.keep_briefly(&digest, horizon);
        }
    }

    /// Drops the counters that no credential names: to be called when all credentials have been loaded.
    pub fn drop_unnamed_counters(&self) {
        self.directory.drop_unnamed_counters();
    }

    /// Whether something that is known here counts under this name for this owner (a credential, user account or
    /// organization); `None` when the owner is not known.
    #[must_use]
    pub fn counts(&self, owner: Uuid, name: &str, window_seconds: u32) -> Option<bool> {
        self.directory.counts(owner, name, window_seconds)
    }

    /// How many keys are known.
    #[must_use]
    pub fn known_keys(&self) -> usize {
        self.directory.len()
    }

    /// How many keys are remembered as unknown.
    #[must_use]
    pub fn remembered_unknown_keys(&self) -> usize {
        self.unknown.len()
    }
}

impl Known {
    /// The credential, and which of its secrets was presented.
    #[must_use]
    pub fn presented(&self) -> Presented {
        Presented {
            credential: self.snapshot.id,
            secret: self.number,
            organization: self.organization.id,
            user_account: self.user_account.as_ref().map(|account| account.id),
        }
    }

    /// Whether the secret that was presented has ended by `now`, whatever the credential's other ones may.
    #[must_use]
    pub fn secret_has_ended(&self, now: Timestamp) -> bool {
        self.facts().secret_ends_at.is_some_and(|end| end <= now)
    }

    /// Whether the secret that was presented, or all of the credential, has ended by `horizon`.
    #[must_use]
    pub fn has_ended(&self, horizon: Timestamp) -> bool {
        self.snapshot.has_ended(horizon) || self.snapshot.secret_has_ended(self.number, horizon)
    }

    /// What it holds: its scopes, as far as the account it is linked to has them.
    #[must_use]
    pub fn held(&self) -> Held<'_> {
        self.facts().scopes
    }

    fn facts(&self) -> claviger_domain::verification::Facts<'_> {
        let user_account = self.user_account.as_ref().map(|account| &***account);
        self.snapshot.facts(self.number, &self.organization, user_account)
    }
}
