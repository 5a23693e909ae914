//! What is held of a credential and its owners: just what decides and what is told of a decision. Never
//! edited, only replaced as a whole.

use std::sync::Arc;

use arc_swap::ArcSwap;
use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::address::IpAllowlist;
use claviger_domain::credential::{Class, Credential, Network};
use claviger_domain::ids::{CredentialId, OrganizationId, UserAccountId};
use claviger_domain::limit::{Limits, Pool};
use claviger_domain::organization::{Organization, Slug};
use claviger_domain::revision::Revision;
use claviger_domain::role::RoleIds;
use claviger_domain::scope::{Held, Scopes};
use claviger_domain::secret::SecretVersion;
use claviger_domain::text::{ExternalId, Metadata, Name};
use claviger_domain::verification::Facts;

use crate::purse::SharedPurse;

/// What is known of an organization.
#[derive(Debug)]
pub struct KnownOrganization {
    /// Which one.
    pub id: OrganizationId,
    /// Its name.
    pub name: Name,
    /// Its name in addresses.
    pub slug: Slug,
    pub(crate) is_suspended: bool,
    pub(crate) ip_allowlist: IpAllowlist,
    pub(crate) revision: Revision,
}

/// What is known of a user account.
#[derive(Debug)]
pub struct KnownUserAccount {
    /// Which one.
    pub id: UserAccountId,
    /// Its name.
    pub name: Name,
    /// Its owner's own id for it.
    pub external_id: Option<ExternalId>,
    /// Its owner's own facts; `None` when there are none.
    pub metadata: Option<Metadata>,
    /// What its roles permit: its keys may do no more.
    pub permissions: Arc<Scopes>,
    pub(crate) roles: RoleIds,
    pub(crate) is_suspended: bool,
    pub(crate) revision: Revision,
}

/// Somebody whose facts many credentials share: replaced here, replaced for all of them at once. The
/// purse holds what they spend together.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    pub(crate) facts: ArcSwap<T>,
    pub(crate) purse: SharedPurse,
}

impl<T> Shared<T> {
    pub(crate) fn new(facts: T) -> Arc<Self> {
        Arc::new(Self { facts: ArcSwap::from_pointee(facts), purse: SharedPurse::default() })
    }
}

/// What is known of a credential.
#[derive(Debug)]
pub struct Snapshot {
    /// Which one.
    pub id: CredentialId,
    /// What kind of key its secrets are.
    pub class: Class,
    /// What its owner calls it.
    pub name: Name,
    /// Its owner's own facts; `None` when there are none.
    pub metadata: Option<Metadata>,
    /// What calls with it may do, as far as the account it is linked to may: see [`Known::held`](crate::Known::held).
    pub scopes: Arc<Scopes>,
    /// How fast it may be used.
    pub limits: Arc<Limits>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    pub(crate) network: Option<Network>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) is_disabled: bool,
    pub(crate) has_credits: bool,
    pub(crate) ip_allowlist: Arc<IpAllowlist>,
    pub(crate) ends: Ends,
    pub(crate) organization: Arc<Shared<KnownOrganization>>,
    pub(crate) user_account: Option<Arc<Shared<KnownUserAccount>>>,
    pub(crate) revision: Revision,
}

/// Metadata that says something: most credentials have none, and a million empty ones are not free.
fn telling(metadata: Metadata) -> Option<Metadata> {
    (metadata != Metadata::empty()).then_some(metadata)
}

impl From<Organization> for KnownOrganization {
    fn from(organization: Organization) -> Self {
        let is_suspended = organization.is_suspended();
        let Organization {
            id,
            name,
            is_self_named: _,
            slug,
            email: _,
            plan: _,
            status: _,
            metadata: _,
            settings,
            created_at: _,
            updated_at: _,
            revision,
        } = organization;
        Self { id, name, slug, is_suspended, ip_allowlist: settings.ip_allowlist, revision }
    }
}

impl KnownUserAccount {
    /// `permissions` are what the account's roles permit.
    pub(crate) fn new(account: UserAccount, permissions: Arc<Scopes>) -> Self {
        let is_suspended = account.is_suspended();
        let UserAccount {
            id,
            organization: _,
            admin_key: _,
            external_id,
            name,
            email: _,
            metadata,
            status: _,
            billing_plan: _,
            first_name: _,
            last_name: _,
            roles,
            created_at: _,
            updated_at: _,
            revision,
        } = account;
        let metadata = telling(metadata);
        Self { id, name, external_id, metadata, permissions, roles, is_suspended, revision }
    }

    /// The same account, its roles now permitting something else.
    pub(crate) fn permitted(&self, permissions: Arc<Scopes>) -> Self {
        let Self { id, name, external_id, metadata, permissions: _, roles, is_suspended, revision } = self;
        Self {
            id: *id,
            name: name.clone(),
            external_id: external_id.clone(),
            metadata: metadata.clone(),
            permissions,
            roles: roles.clone(),
            is_suspended: *is_suspended,
            revision: *revision,
        }
    }
}

/// The ends of a credential's secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ends {
    newest: u32,
    /// The secrets that have an end, by their number.
    told: Box<[(u32, Timestamp)]>,
}

impl Ends {
    /// Those of all secrets that are remembered.
    pub(crate) fn of(secrets: &[SecretVersion]) -> Self {
        let newest = secrets.iter().map(|secret| secret.number).max().unwrap_or_default();
        let told = secrets.iter().filter_map(|secret| Some((secret.number, secret.ends_at?))).collect();
        Self { newest, told }
    }

    /// Whether these are the secrets of a database, of which those may be left out that have ended.
    pub(crate) fn agree_with(&self, stored: &[SecretVersion]) -> bool {
        let newest = stored.iter().map(|secret| secret.number).max();
        newest.is_none_or(|newest| newest == self.newest)
            && stored.iter().all(|secret| self.end(secret.number) == secret.ends_at)
    }

    /// When the secret of this number ends. One that is not remembered any more has ended.
    fn end(&self, number: u32) -> Option<Timestamp> {
        let told = self.told.iter().find(|(ended, _)| *ended == number).map(|(_, end)| *end);
        told.or_else(|| (number < self.newest).then_some(Timestamp::MIN_UTC))
    }
}

/// The parts of a snapshot that are not the credential's alone.
pub(crate) struct Parts {
    pub(crate) scopes: Arc<Scopes>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) ip_allowlist: Arc<IpAllowlist>,
    pub(crate) ends: Ends,
    pub(crate) organization: Arc<Shared<KnownOrganization>>,
    pub(crate) user_account: Option<Arc<Shared<KnownUserAccount>>>,
}

impl Snapshot {
    pub(crate) fn new(credential: Credential, parts: Parts) -> Self {
        let Parts { scopes, limits, ip_allowlist, ends, organization, user_account } = parts;
        // Where a part stands for it, the credential's own is not looked at again.
        let Credential {
            id,
            organization: _,
            admin_key: _,
            user_account: _,
            class,
            name,
            description: _,
            prefix: _,
            scopes: _,
            limits: _,
            credits,
            ip_allowlist: _,
            network,
            metadata,
            created_at: _,
            updated_at: _,
            expires_at,
            disabled_at,
            revoked,
            last_used_at: _,
            revision,
        } = credential;
        Self {
            id,
            class,
            name,
            metadata: telling(metadata),
            scopes,
            limits,
            expires_at,
            network,
            revoked_at: revoked.map(|revocation| revocation.at),
            is_disabled: disabled_at.is_some(),
            has_credits: credits.is_some(),
            ip_allowlist,
            ends,
            organization,
            user_account,
            revision,
        }
    }

    /// Whether it was revoked or has expired by `horizon`.
    pub(crate) fn has_ended(&self, horizon: Timestamp) -> bool {
        [self.revoked_at, self.expires_at].into_iter().flatten().any(|end| end <= horizon)
    }

    /// Whether its secret of this number has ended by `horizon`.
    pub(crate) fn secret_has_ended(&self, number: u32, horizon: Timestamp) -> bool {
        self.ends.end(number).is_some_and(|end| end <= horizon)
    }

    /// Where what credentials spend together is counted; `None` of what this one spends alone.
    pub(crate) fn shared_purse(&self, pool: Pool) -> Option<&SharedPurse> {
        match pool {
            Pool::Credential => None,
            Pool::UserAccount => self.user_account.as_ref().map(|account| &account.purse),
            Pool::Organization => Some(&self.organization.purse),
        }
    }

    /// What decides about it when its secret of this number is presented.
    pub(crate) fn facts<'a>(
        &'a self,
        number: u32,
        organization: &'a KnownOrganization,
        user_account: Option<&'a KnownUserAccount>,
    ) -> Facts<'a> {
        Facts {
            is_revoked: self.revoked_at.is_some(),
            expires_at: self.expires_at,
            secret_ends_at: self.ends.end(number),
            is_disabled: self.is_disabled,
            is_user_suspended: user_account.is_some_and(|account| account.is_suspended),
            is_organization_suspended: organization.is_suspended,
            allowlists: [&self.ip_allowlist, &organization.ip_allowlist],
            network: self.network,
            environment: self.class.serves(),
            scopes: Held::new(&self.scopes, user_account.map(|account| &*account.permissions)),
        }
    }
}
