//! What has ended leaves memory. A key that is presented after that is looked up in the database, and kept here only
//! as long as few others like it have followed.

use std::sync::Arc;

use claviger_domain::Timestamp;
use claviger_domain::ids::{CredentialId, OrganizationId, UserAccountId};
use claviger_domain::secret::Digest;
use uuid::Uuid;

use super::{Directory, Feed, Newest, Record, Version, swap};

/// Keys that ended long ago and were looked up since, which are kept at once.
const MOST: usize = 4_096;
/// Keys that are forgotten while others may not change anything.
const AT_ONCE: usize = 256;

impl Directory {
    /// Forgets every secret that has ended by `horizon`, every credential that was revoked or has expired by then,
    /// and the counters that no credential names any more. Answers how many keys were forgotten.
    pub(crate) fn forget_ended(&self, horizon: Timestamp) -> usize {
        let ended: Vec<_> = {
            let versions = self.versions.pin();
            versions
                .iter()
                .filter(|(_, version)| version.is_over(horizon))
                .map(|(digest, _)| *digest)
                .collect()
        };
        let mut forgotten = 0;
        for digests in ended.chunks(AT_ONCE) {
            let mut feed = self.feed();
            forgotten += digests.iter().filter(|digest| self.forget(&mut feed, digest, horizon)).count();
        }
        self.feed().tidy();
        forgotten
    }

    /// Keeps an ended key that was looked up, and forgets the one that has been kept longest when there are many.
    pub(crate) fn keep_briefly(&self, digest: &Digest, horizon: Timestamp) {
        let mut feed = self.feed();
        feed.revisited.push_back(*digest.as_bytes());
        if feed.revisited.len() > MOST
            && let Some(oldest) = feed.revisited.pop_front()
        {
            self.forget(&mut feed, &oldest, horizon);
        }
    }

    /// Whether the key was forgotten: not when it is not over, for it may have been changed meanwhile.
    fn forget(&self, feed: &mut Feed, digest: &[u8; 32], horizon: Timestamp) -> bool {
        let versions = self.versions.pin();
        let Some(version) = versions.get(digest) else { return false };
        if !version.is_over(horizon) {
            return false;
        }
        let record = version.record.clone();
        if let Some(snapshot) = record.snapshot.load_full()
            && snapshot.has_ended(horizon)
        {
            let is_its = |known: &Arc<Record>| Arc::ptr_eq(known, &record);
            if feed.records.get(&snapshot.id).is_some_and(is_its) {
                feed.records.remove(&snapshot.id);
            }
            record.newest.rise_to(Newest::FORGOTTEN);
            // Its other keys, which lead here as well, are looked up from now on.
            swap(&record, None);
        }
        versions.remove(digest);
        true
    }

    /// Drops the counters that no credential names: to be called when all credentials have been loaded.
    pub(crate) fn drop_unnamed_counters(&self) {
        self.feed().drop_unnamed_counters();
    }

    /// Whether something counts under this name: `None` when the owner is not known here.
    pub(crate) fn counts(&self, owner: Uuid, name: &str, window_seconds: u32) -> Option<bool> {
        let feed = self.feed();
        if let Some(organization) = feed.organizations.get(&OrganizationId::from_uuid(owner)) {
            return Some(organization.purse.open().has(name, window_seconds));
        }
        if let Some(account) = feed.user_accounts.get(&UserAccountId::from_uuid(owner)) {
            return Some(account.purse.open().has(name, window_seconds));
        }
        let record = feed.records.get(&CredentialId::from_uuid(owner))?;
        let snapshot = record.snapshot.load_full()?;
        let is_named =
            snapshot.limits.iter().any(|it| it.name == name && it.window_seconds == window_seconds);
        Some(is_named || record.purse.open().has(name, window_seconds))
    }
}

impl Feed {
    fn tidy(&mut self) {
        self.drop_unnamed_counters();
        self.limits.tidy();
        self.scopes.tidy();
        self.allowlists.tidy();
        if self.records.capacity() > 4 * self.records.len().max(1_024) {
            self.records.shrink_to_fit();
        }
    }

    fn drop_unnamed_counters(&self) {
        self.organizations.values().for_each(|it| it.purse.open().drop_unnamed());
        self.user_accounts.values().for_each(|it| it.purse.open().drop_unnamed());
    }
}

impl Version {
    /// Whether this secret, or all of its credential, has ended by `horizon` or is forgotten already.
    fn is_over(&self, horizon: Timestamp) -> bool {
        match self.record.snapshot.load_full() {
            Some(snapshot) => snapshot.has_ended(horizon) || snapshot.secret_has_ended(self.number, horizon),
            None => self.record.newest.get() == Newest::FORGOTTEN,
        }
    }
}
