//! Who a key belongs to: from the digest of a presented key to the snapshot of its credential. Readers
//! never wait; whoever feeds it waits for nobody but other feeders.
//!
//! Two things keep it right. A change that this process has committed is applied before it is answered
//! ([`Directory::apply`]), and nothing can fail on the way. What is read from a database beside that
//! ([`Directory::insert`]) may be overtaken by such a change between the read and here: so the reader takes
//! a [`Mark`] first, and what was changed since is refused and must be read again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwapOption;
use claviger_domain::account::UserAccount;
use claviger_domain::address::IpAllowlist;
use claviger_domain::credential::Credential;
use claviger_domain::ids::{CredentialId, OrganizationId, RoleId, UserAccountId};
use claviger_domain::limit::{Counter, Limits, Pool};
use claviger_domain::organization::Organization;
use claviger_domain::revision::Revision;
use claviger_domain::role::{Role, RoleIds, SystemRole};
use claviger_domain::scope::Scopes;
use claviger_domain::secret::{Digest, SecretVersion};
use uuid::Uuid;

use crate::purse::Purse;
use crate::snapshot::{Ends, KnownOrganization, KnownUserAccount, Parts, Shared, Snapshot};
use crate::sync::{Mutex, MutexGuard};

mod consistency;
mod ended;

pub use consistency::Difference;

/// A change that was committed.
#[derive(Debug, Clone)]
pub enum Change {
    /// A credential in its new state; all of its secrets, when any of them was added or given an end.
    Credential(Box<Credential>, Option<Vec<SecretVersion>>),
    /// A user account in its new state, and the roles of its organization's own making among those it has.
    UserAccount(Box<UserAccount>, Vec<Role>),
    /// A role in its new state: whoever has it has what it permits now.
    Role(Box<Role>),
    /// A role is gone; nobody has it any more.
    RoleDeleted(RoleId),
    /// An organization in its new state.
    Organization(Box<Organization>),
}

/// A credential and all that decides about it, as a database has it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The credential itself.
    pub credential: Credential,
    /// Its secrets; one that is left out has ended.
    pub secrets: Vec<SecretVersion>,
    /// The account it is linked to.
    pub user_account: Option<UserAccount>,
    /// The roles of its organization's own making that account has.
    pub roles: Vec<Role>,
    /// Its organization.
    pub organization: Organization,
    /// What has been spent of its limits, shared ones included.
    pub spent: Vec<LoadedCounter>,
}

/// A counter, as a database has it.
#[derive(Debug, Clone)]
pub struct LoadedCounter {
    /// The credential, user account or organization it belongs to.
    pub owner: Uuid,
    /// The name of the limits that count here.
    pub name: String,
    /// Their window.
    pub window_seconds: u32,
    /// What was spent.
    pub counter: Counter,
}

/// A moment among the changes: see [`Directory::insert`].
#[derive(Debug, Clone, Copy)]
pub struct Mark(u64);

/// One credential for as long as it is known: its snapshots come and go, its purse stays.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// `None` when a change could not be told here in full: then the database is asked again.
    pub(crate) snapshot: ArcSwapOption<Snapshot>,
    pub(crate) purse: Purse,
    newest: Newest,
}

/// The newest revision that was ever told of, also when what it is made of is not known. Feeders alone look
/// at it, one at a time.
#[derive(Debug, Default)]
struct Newest(AtomicU64);

impl Newest {
    /// Of a credential that is not known here any more.
    const FORGOTTEN: Revision = Revision::from_stored(u64::MAX);

    fn get(&self) -> Revision {
        Revision::from_stored(self.0.load(Ordering::Relaxed))
    }

    fn is_before(&self, revision: Revision) -> bool {
        self.get() < revision
    }

    fn set(&self, revision: Revision) {
        self.0.store(revision.number(), Ordering::Relaxed);
    }

    fn rise_to(&self, revision: Revision) {
        self.0.fetch_max(revision.number(), Ordering::Relaxed);
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) number: u32,
    pub(crate) record: Arc<Record>,
}

#[derive(Debug, Default)]
pub(crate) struct Directory {
    versions: papaya::HashMap<[u8; 32], Version, BuildHasherDefault<Uniform>>,
    feed: Mutex<Feed>,
}

/// What only feeders look at.
#[derive(Debug, Default)]
struct Feed {
    records: HashMap<CredentialId, Arc<Record>, BuildHasherDefault<Uniform>>,
    organizations: HashMap<OrganizationId, Arc<Shared<KnownOrganization>>>,
    user_accounts: HashMap<UserAccountId, Arc<Shared<KnownUserAccount>>, BuildHasherDefault<Uniform>>,
    roles: HashMap<RoleId, Role>,
    /// Who has each role of an organization's own making, or had it.
    holders: HashMap<RoleId, HashSet<UserAccountId>>,
    limits: Interned<Limits>,
    scopes: Interned<Scopes>,
    allowlists: Interned<IpAllowlist>,
    changes: u64,
    /// What the last changes were about.
    latest: VecDeque<Uuid>,
    /// Keys that had ended long before they were looked up, in that order.
    revisited: VecDeque<[u8; 32]>,
}

/// So many changes are remembered for readers that were under way; a reader older than them begins again.
const LATEST: usize = 8_192;

impl Directory {
    /// The credential a key's digest leads to, and which of its secrets the key is.
    pub(crate) fn find(&self, digest: &Digest) -> Option<Version> {
        self.versions.pin().get(digest.as_bytes()).cloned()
    }

    /// How many keys are known.
    pub(crate) fn len(&self) -> usize {
        self.versions.len()
    }

    /// How many roles are known, and of how many it is known who has them.
    #[cfg(test)]
    pub(crate) fn known_roles(&self) -> (usize, usize) {
        let feed = self.feed();
        (feed.roles.len(), feed.holders.len())
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.feed().changes)
    }

    /// Puts a change in force. What is not known here is only taken in when it was made just now: what was
    /// spent of anything older stands in the database.
    pub(crate) fn apply(&self, change: Change) {
        let mut feed = self.feed();
        match change {
            Change::Organization(organization) => {
                let is_new = feed.note(organization.id.uuid(), organization.revision);
                if is_new || feed.organizations.contains_key(&organization.id) {
                    feed.organization(*organization);
                }
            }
            Change::UserAccount(account, roles) => {
                let is_new = feed.note(account.id.uuid(), account.revision);
                roles.into_iter().for_each(|role| feed.role(role));
                if is_new || feed.user_accounts.contains_key(&account.id) {
                    feed.user_account(*account);
                }
            }
            Change::Role(role) => feed.role(*role),
            Change::RoleDeleted(id) => {
                feed.roles.remove(&id);
                feed.holders.remove(&id);
            }
            Change::Credential(credential, secrets) => {
                let is_new = feed.note(credential.id.uuid(), credential.revision);
                if is_new || feed.records.contains_key(&credential.id) {
                    self.replace(&mut feed, *credential, secrets.as_deref());
                }
            }
        }
    }

    /// Changes may come here in another order than they were committed in, and one made elsewhere may be
    /// missing between two: a state is taken in only when it is the newest so far, and what it leaves unsaid
    /// only when it is the next one.
    fn replace(&self, feed: &mut Feed, credential: Credential, secrets: Option<&[SecretVersion]>) {
        let known = feed.records.get(&credential.id).cloned();
        if known.as_ref().is_some_and(|known| !known.newest.is_before(credential.revision)) {
            return;
        }
        let before = known
            .as_ref()
            .and_then(|record| record.snapshot.load_full())
            .filter(|before| before.revision.next() == credential.revision);
        if let Some(known) = &known {
            known.newest.rise_to(credential.revision);
        }
        let organization = feed.organizations.get(&credential.organization).cloned();
        let user_account = credential.user_account.map(|id| feed.user_accounts.get(&id).cloned());
        let ends = match (secrets, &before) {
            (Some(secrets), _) => Some(Ends::of(secrets)),
            (None, Some(before)) => Some(before.ends.clone()),
            (None, None) => None,
        };
        let is_complete = !matches!(user_account, Some(None));
        let (Some(organization), true, Some(ends)) = (organization, is_complete, ends) else {
            // Not all of it is known here: whoever presents its key next asks the database.
            if let Some(record) = known {
                swap(&record, None);
            }
            return;
        };
        self.place(feed, credential, secrets.unwrap_or_default(), ends, organization, user_account.flatten());
    }

    /// Takes in what was read from a database since `mark`; `false` when a change has overtaken the
    /// read, and it must be read again.
    pub(crate) fn insert(&self, mark: Mark, loaded: Loaded) -> bool {
        let mut feed = self.feed();
        let Loaded { credential, secrets, user_account, roles, organization, spent } = loaded;
        let read = [
            Some(credential.id.uuid()),
            credential.user_account.map(UserAccountId::uuid),
            Some(credential.organization.uuid()),
        ];
        if feed.has_overtaken(mark, read) {
            return false;
        }
        let is_new = |owner: Uuid, known: bool| (!known).then_some(owner);
        let new = [
            is_new(credential.id.uuid(), feed.records.contains_key(&credential.id)),
            is_new(organization.id.uuid(), feed.organizations.contains_key(&organization.id)),
            user_account
                .as_ref()
                .and_then(|account| is_new(account.id.uuid(), feed.user_accounts.contains_key(&account.id))),
        ];
        roles.into_iter().for_each(|role| feed.role(role));
        let organization = feed.organization(organization);
        let user_account = user_account.map(|account| feed.user_account(account));
        let id = credential.id;
        let newest = feed.records.get(&id).map(|record| record.newest.get());
        if newest.is_some_and(|newest| credential.revision < newest) {
            return false;
        }
        // The same state may be more than what is held of it: the read has every secret.
        if newest != Some(credential.revision) || !feed.holds(id, &Ends::of(&secrets)) {
            let (organization, user_account) = (organization.clone(), user_account.clone());
            self.place(&mut feed, credential, &secrets, Ends::of(&secrets), organization, user_account);
        } else if let Some(record) = feed.records.get(&id) {
            // A key of it may have been forgotten.
            self.lead_to(record, &secrets);
        }
        // What is spent from already, is spent from here: the database comes behind.
        for LoadedCounter { owner, name, window_seconds, counter } in spent {
            if !new.contains(&Some(owner)) {
                continue;
            }
            match (&user_account, feed.records.get(&id)) {
                (_, Some(record)) if owner == id.uuid() => {
                    record.purse.open().put(&name, window_seconds, counter);
                }
                (Some(account), _) if owner == account.facts.load().id.uuid() => {
                    account.purse.open().load(&name, window_seconds, counter);
                }
                _ => organization.purse.open().load(&name, window_seconds, counter),
            }
        }
        true
    }

    fn place(
        &self,
        feed: &mut Feed,
        credential: Credential,
        secrets: &[SecretVersion],
        ends: Ends,
        organization: Arc<Shared<KnownOrganization>>,
        user_account: Option<Arc<Shared<KnownUserAccount>>>,
    ) {
        let parts = Parts {
            scopes: feed.scopes.one(&credential.scopes),
            limits: feed.limits.one(&credential.limits),
            ip_allowlist: feed.allowlists.one(&credential.ip_allowlist),
            ends,
            organization,
            user_account,
        };
        let new = || Arc::new(Record::default());
        let record = feed.records.entry(credential.id).or_insert_with(new).clone();
        record.newest.rise_to(credential.revision);
        let mut purse = record.purse.open();
        purse.grant(credential.credits);
        purse.keep(&parts.limits);
        drop(purse);
        swap(&record, Some(Arc::new(Snapshot::new(credential, parts))));
        self.lead_to(&record, secrets);
    }

    fn lead_to(&self, record: &Arc<Record>, secrets: &[SecretVersion]) {
        let versions = self.versions.pin();
        for secret in secrets {
            let version = Version { number: secret.number, record: record.clone() };
            versions.insert(*secret.sealed.digest.as_bytes(), version);
        }
    }
}

/// Replaces what is known of a credential, and keeps count of the names that its limits share with others.
fn swap(record: &Record, new: Option<Arc<Snapshot>>) {
    if let Some(new) = &new {
        for limit in new.limits.iter().filter(|limit| limit.pool != Pool::Credential) {
            if let Some(purse) = new.shared_purse(limit.pool) {
                purse.open().name(limit);
            }
        }
    }
    if let Some(old) = record.snapshot.swap(new) {
        for limit in old.limits.iter().filter(|limit| limit.pool != Pool::Credential) {
            if let Some(purse) = old.shared_purse(limit.pool) {
                purse.open().unname(limit);
            }
        }
    }
}

impl Feed {
    /// Remembers a change; answers whether the thing was made just now, and not changed since.
    fn note(&mut self, id: Uuid, revision: Revision) -> bool {
        let is_new = revision == Revision::FIRST && !self.latest.contains(&id);
        if self.latest.len() == LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(id);
        self.changes += 1;
        is_new
    }

    /// Whether these ends of a credential's secrets are the ones that are known.
    fn holds(&self, id: CredentialId, ends: &Ends) -> bool {
        let snapshot = self.records.get(&id).and_then(|record| record.snapshot.load_full());
        snapshot.is_some_and(|snapshot| snapshot.ends == *ends)
    }

    fn has_overtaken(&self, Mark(mark): Mark, read: [Option<Uuid>; 3]) -> bool {
        let since = usize::try_from(self.changes - mark).unwrap_or(usize::MAX);
        since > self.latest.len() || self.latest.iter().rev().take(since).any(|id| read.contains(&Some(*id)))
    }

    fn organization(&mut self, organization: Organization) -> Arc<Shared<KnownOrganization>> {
        let known = self.organizations.get(&organization.id).cloned();
        match known {
            Some(known) => {
                if known.facts.load().revision < organization.revision {
                    known.facts.store(Arc::new(organization.into()));
                }
                known
            }
            None => {
                let id = organization.id;
                self.organizations.entry(id).or_insert(Shared::new(organization.into())).clone()
            }
        }
    }

    fn user_account(&mut self, account: UserAccount) -> Arc<Shared<KnownUserAccount>> {
        let known = self.user_accounts.get(&account.id).cloned();
        match known {
            Some(known) => {
                if known.facts.load().revision < account.revision {
                    let permissions = self.permissions(account.id, &account.roles);
                    known.facts.store(Arc::new(KnownUserAccount::new(account, permissions)));
                }
                known
            }
            None => {
                let id = account.id;
                let permissions = self.permissions(id, &account.roles);
                let new = Shared::new(KnownUserAccount::new(account, permissions));
                self.user_accounts.entry(id).or_insert(new).clone()
            }
        }
    }

    /// What these roles permit; and remembers that `holder` has them.
    fn permissions(&mut self, holder: UserAccountId, roles: &RoleIds) -> Arc<Scopes> {
        for id in roles.iter().filter(|id| SystemRole::of_id(*id).is_none()) {
            self.holders.entry(id).or_default().insert(holder);
        }
        let permissions = roles.permissions(roles.iter().filter_map(|id| self.roles.get(&id)));
        self.scopes.one(&permissions)
    }

    /// Takes in a role, unless a newer state of it is known, and what it permits now for all who have it.
    fn role(&mut self, role: Role) {
        let id = role.id;
        if self.roles.get(&id).is_some_and(|known| known.revision >= role.revision) {
            return;
        }
        self.roles.insert(id, role);
        for holder in self.holders.remove(&id).unwrap_or_default() {
            let Some(holder) = self.user_accounts.get(&holder).cloned() else { continue };
            let facts = holder.facts.load_full();
            // Who had it once is forgotten here.
            if facts.roles.contains(id) {
                let permissions = self.permissions(facts.id, &facts.roles);
                holder.facts.store(Arc::new(facts.permitted(permissions)));
            }
        }
    }
}

/// Values that many credentials have alike are held once.
#[derive(Debug)]
struct Interned<T>(HashMap<Arc<T>, ()>);

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// Beyond so many different values, those that nobody holds any more are let go.
const WORTH_TIDYING: usize = 1_024;

impl<T: Hash + Eq + Clone> Interned<T> {
    fn one(&mut self, value: &T) -> Arc<T> {
        if let Some((known, ())) = self.0.get_key_value(value) {
            return known.clone();
        }
        if self.0.len() >= WORTH_TIDYING && self.0.len() == self.0.capacity() {
            self.tidy();
        }
        let new = Arc::new(value.clone());
        self.0.insert(new.clone(), ());
        new
    }

    fn tidy(&mut self) {
        self.0.retain(|value, ()| Arc::strong_count(value) > 1);
    }
}

/// For keys whose bytes are random: digests, and ids, whose last bytes are.
#[derive(Debug, Default)]
struct Uniform(u64);

impl Hasher for Uniform {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some((_, last)) = bytes.split_last_chunk::<8>() {
            // Tables look at the lowest bits first, and in an id the highest two of these are always the same.
            self.0 = u64::from_be_bytes(*last);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length, which all keys of a kind share.
    }
}
