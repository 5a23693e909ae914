//! Comparing what is held here with the database, and putting right what differs.

use std::sync::Arc;

use claviger_domain::ids::{CredentialId, RoleId, UserAccountId};
use claviger_domain::role::SystemRole;
use uuid::Uuid;

use super::{Directory, Feed, KnownUserAccount, Loaded, Mark, Newest, Snapshot, swap};

/// What differs between memory and the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Difference {
    /// The state of a credential or of its secrets.
    Credential,
    /// The state of its organization.
    Organization,
    /// The state of the user account it is linked to, or what that account's roles permit.
    UserAccount,
    /// Memory has a credential that the database does not have.
    NotStored,
}

impl Directory {
    /// Every credential that is held here, in no order.
    pub(crate) fn credential_ids(&self) -> Vec<CredentialId> {
        self.feed().records.keys().copied().collect()
    }

    /// How memory differs from a credential as the database has it; `None` also when it is not held here.
    pub(crate) fn difference(&self, loaded: &Loaded) -> Option<Difference> {
        let record = self.feed().records.get(&loaded.credential.id).cloned()?;
        let snapshot = record.snapshot.load_full()?;
        if differs(&snapshot, loaded) {
            return Some(Difference::Credential);
        }
        let organization = snapshot.organization.facts.load();
        let stored = &loaded.organization;
        if organization.revision != stored.revision
            || organization.is_suspended != stored.is_suspended()
            || organization.ip_allowlist != stored.settings.ip_allowlist
        {
            return Some(Difference::Organization);
        }
        let (Some(held), Some(stored)) = (&snapshot.user_account, &loaded.user_account) else {
            let both_lack = snapshot.user_account.is_none() && loaded.user_account.is_none();
            return (!both_lack).then_some(Difference::Credential);
        };
        let held = held.facts.load();
        let permissions = stored.roles.permissions(loaded.roles.iter());
        let is_same = held.revision == stored.revision
            && held.is_suspended == stored.is_suspended()
            && held.roles == stored.roles
            && *held.permissions == permissions;
        (!is_same).then_some(Difference::UserAccount)
    }

    /// Replaces what is held of a credential and its owners by what was read from the database since `mark`, also
    /// when that is older; `false` when a change has come in between, and it must be read again.
    pub(crate) fn replace_held(&self, mark: Mark, loaded: Loaded) -> bool {
        {
            let mut feed = self.feed();
            if feed.has_overtaken(mark, owners(&loaded)) {
                return false;
            }
            if let Some(record) = feed.records.get(&loaded.credential.id).cloned() {
                record.newest.set(loaded.credential.revision);
                swap(&record, None);
            }
            feed.replace_roles(&loaded);
            feed.replace_owners(&loaded);
        }
        self.insert(mark, loaded)
    }

    /// Drops a credential that the database did not have when it was read since `mark`. Whoever presents its key
    /// next asks the database.
    pub(crate) fn evict(&self, mark: Mark, id: CredentialId) -> bool {
        let mut feed = self.feed();
        if feed.has_overtaken(mark, [Some(id.uuid()), None, None]) {
            return false;
        }
        if let Some(record) = feed.records.remove(&id) {
            record.newest.rise_to(Newest::FORGOTTEN);
            swap(&record, None);
        }
        true
    }
}

fn owners(loaded: &Loaded) -> [Option<Uuid>; 3] {
    [
        Some(loaded.credential.id.uuid()),
        loaded.credential.user_account.map(UserAccountId::uuid),
        Some(loaded.credential.organization.uuid()),
    ]
}

fn differs(held: &Snapshot, loaded: &Loaded) -> bool {
    let stored = &loaded.credential;
    held.revision != stored.revision
        || held.revoked_at != stored.revoked.as_ref().map(|revocation| revocation.at)
        || held.is_disabled != stored.disabled_at.is_some()
        || held.expires_at != stored.expires_at
        || held.network != stored.network
        || held.has_credits != stored.credits.is_some()
        || *held.scopes != stored.scopes
        || *held.limits != stored.limits
        || *held.ip_allowlist != stored.ip_allowlist
        || !held.ends.agree_with(&loaded.secrets)
}

impl Feed {
    /// Facts of the owners are replaced whatever their revision.
    fn replace_owners(&mut self, loaded: &Loaded) {
        if let Some(organization) = self.organizations.get(&loaded.organization.id) {
            organization.facts.store(Arc::new(loaded.organization.clone().into()));
        }
        let Some(account) = &loaded.user_account else { return };
        if let Some(held) = self.user_accounts.get(&account.id).cloned() {
            let permissions = self.permissions(account.id, &account.roles);
            held.facts.store(Arc::new(KnownUserAccount::new(account.clone(), permissions)));
        }
    }

    fn replace_roles(&mut self, loaded: &Loaded) {
        for role in &loaded.roles {
            self.roles.remove(&role.id);
            self.role(role.clone());
        }
        // Roles that the account still has, and the database does not know, permit nothing.
        let Some(account) = &loaded.user_account else { return };
        let is_stored = |id: RoleId| loaded.roles.iter().any(|role| role.id == id);
        for id in account.roles.iter().filter(|id| SystemRole::of_id(*id).is_none() && !is_stored(*id)) {
            self.roles.remove(&id);
        }
    }
}
