//! Domain values to store. What is numbered differs from its neighbours wherever the schema lets it.

use chrono::{DateTime, TimeDelta};
use claviger_domain::Timestamp;
use claviger_domain::account::{AccountStatus, UserAccount};
use claviger_domain::actor::Owner;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::audit::{Action, AuditKeys, Author, AuthorKind, Entry};
use claviger_domain::capability::Capability;
use claviger_domain::credential::{Class, Credential};
use claviger_domain::ids::{AdminKeyId, AuditEntryId, CredentialId, OrganizationId, SecretId, UserAccountId};
use claviger_domain::organization::{Organization, Slug};
use claviger_domain::page::Window;
use claviger_domain::revision::Revision;
use claviger_domain::role::RoleIds;
use claviger_domain::secret::{Digest, KeyPrefix, Peppers, SealedSecret, SecretVersion};
use claviger_domain::text::{Metadata, Name};
use uuid::Uuid;

use crate::{CredentialFilter, Store, StoreError, Tables, Tx, UserFilter};

/// 2026-01-01T00:00:00Z and so many seconds.
pub(super) fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp_micros(1_767_225_600_000_000).unwrap() + TimeDelta::seconds(seconds)
}

/// The id of the `n`th thing of a kind: in the form of version 7, and in the order of `n`.
pub(super) fn uuid(kind: u16, n: u64) -> Uuid {
    Uuid::from_u128(u128::from(n) << 80 | 0x7000 << 64 | 0x8000_0000_0000_0000 | u128::from(kind))
}

pub(super) fn account_id(n: u64) -> UserAccountId {
    UserAccountId::from_uuid(uuid(3, n))
}

pub(super) fn credential_id(n: u64) -> CredentialId {
    CredentialId::from_uuid(uuid(4, n))
}

pub(super) fn sealed(kind: u8, n: u64) -> SealedSecret {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    SealedSecret { digest: Digest::from_bytes(bytes), pepper: 1 }
}

pub(super) fn secret(n: u64, number: u32) -> SecretVersion {
    SecretVersion {
        id: SecretId::from_uuid(uuid(5, n)),
        number,
        sealed: sealed(5, n),
        created_at: at(0),
        ends_at: None,
    }
}

pub(super) fn organization(n: u64) -> Organization {
    let name = Name::new(&format!("Organization {n}")).unwrap();
    let slug = Slug::derive(&name);
    Organization::new(OrganizationId::from_uuid(uuid(1, n)), name, slug, at(0))
}

/// An admin key with every optional part absent.
pub(super) fn admin_key(n: u64, organization: OrganizationId) -> AdminKey {
    AdminKey {
        id: AdminKeyId::from_uuid(uuid(2, n)),
        organization,
        name: None,
        permissions: Capability::PARTNER.into_iter().collect(),
        prefix: KeyPrefix::from_stored(format!("iiak_admin_{n:08x}")),
        created_at: at(0),
        updated_at: None,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        revision: Revision::FIRST,
    }
}

/// An account with every optional part absent but its maker.
pub(super) fn account(n: u64, maker: &AdminKey) -> UserAccount {
    UserAccount {
        id: account_id(n),
        organization: maker.organization,
        admin_key: Some(maker.id),
        external_id: None,
        name: Name::new(&format!("Account {n}")).unwrap(),
        email: None,
        metadata: Metadata::empty(),
        status: AccountStatus::Active,
        billing_plan: None,
        first_name: None,
        last_name: None,
        roles: RoleIds::default(),
        created_at: at(0),
        updated_at: None,
        revision: Revision::FIRST,
    }
}

/// A credential with every optional part absent but its maker.
pub(super) fn credential(n: u64, maker: &AdminKey) -> Credential {
    Credential {
        id: credential_id(n),
        organization: maker.organization,
        admin_key: Some(maker.id),
        user_account: None,
        class: Class::Partner,
        name: Name::new(&format!("Credential {n}")).unwrap(),
        description: None,
        prefix: KeyPrefix::from_stored(format!("iiak_{n:08x}")),
        scopes: "".parse().unwrap(),
        limits: "".parse().unwrap(),
        credits: None,
        ip_allowlist: "".parse().unwrap(),
        network: None,
        metadata: Metadata::empty(),
        created_at: at(0),
        updated_at: None,
        expires_at: None,
        disabled_at: None,
        revoked: None,
        last_used_at: None,
        revision: Revision::FIRST,
    }
}

/// The keys of the log under one pepper.
pub(super) fn audit_keys() -> AuditKeys {
    Peppers::new(vec![(1, [7; 32])]).unwrap().audit_keys()
}

/// What an admin key did, with every other optional part absent.
pub(super) fn entry(n: u64, action: &str, author: &AdminKey) -> Entry {
    Entry {
        id: AuditEntryId::from_uuid(uuid(6, n)),
        at: at(n.cast_signed()),
        action: action.parse::<Action>().unwrap(),
        author: Author {
            kind: AuthorKind::AdminKey,
            id: Some(author.id.uuid()),
            name: None,
            organization: Some(author.organization),
            user: None,
        },
        organization: Some(author.organization),
        target: None,
        address: None,
        request_id: format!("request-{n}"),
        details: Vec::new(),
    }
}

pub(super) fn owner(key: &AdminKey) -> Owner {
    Owner::AdminKey(key.id)
}

pub(super) fn window(limit: u64, offset: u64) -> Window {
    Window::new(limit, offset).unwrap()
}

/// A transaction that only the store itself can fail.
pub(super) async fn write<T>(
    store: &Store,
    work: impl AsyncFnOnce(&Tx) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    store.transaction(work).await
}

/// An organization of this number with one admin key of the same number, both stored.
pub(super) async fn partner(store: &Store, n: u64) -> AdminKey {
    let organization = organization(n);
    let key = admin_key(n, organization.id);
    write(store, async |tx| {
        tx.organizations().insert(&organization).await?;
        tx.admin_keys().insert(&key, &sealed(2, n)).await
    })
    .await
    .unwrap();
    key
}

/// Numbers without a pattern, the same in every run (SplitMix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// Accounts of this status, or of any.
pub(super) fn of_status(status: Option<AccountStatus>) -> UserFilter {
    UserFilter { status, ..UserFilter::default() }
}

/// Every credential, or those that are not revoked.
pub(super) fn credentials(include_revoked: bool) -> CredentialFilter {
    CredentialFilter { include_revoked, ..CredentialFilter::default() }
}
