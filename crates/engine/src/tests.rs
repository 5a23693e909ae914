//! What the tests of decisions stand on: organizations, accounts and credentials made by number, and an
//! engine that is fed with them.

mod directory;
mod ended;
mod exactness;
mod limiter;
#[cfg(loom)]
mod loom;
mod revocation;

use std::convert::Infallible;

use chrono::TimeDelta;
use claviger_domain::account::{AccountStatus, UserAccount};
use claviger_domain::credential::{Class, Credential};
use claviger_domain::ids::{OrganizationId, RoleId, SecretId, UserAccountId};
use claviger_domain::organization::{Organization, Slug};
use claviger_domain::revision::Revision;
use claviger_domain::role::{Role, RoleIds};
use claviger_domain::secret::{KeyFormat, Plaintext, SecretVersion};
use claviger_domain::text::{Metadata, Name};
use uuid::Uuid;

use super::*;

/// Milliseconds from the beginning of all tests, which is at the beginning of a day.
fn at(ms: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(ms)
}

/// Random enough to be no other key's, and the same in every run.
struct Draws(u64);

impl rand_core::TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Ok(mixed ^ (mixed >> 27))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

fn peppers() -> Peppers {
    Peppers::new(vec![(1, [7; 32])]).unwrap()
}

/// An engine that counts nothing and knows nobody.
fn engine() -> Engine {
    Engine::new(peppers(), None)
}

fn organization(n: u64) -> Organization {
    let name = Name::new(&format!("Organization {n}")).unwrap();
    let slug = Slug::derive(&name);
    Organization::new(OrganizationId::from_uuid(Uuid::from_u64_pair(1, n)), name, slug, at(0))
}

fn suspended(organization: &Organization) -> Organization {
    let status = claviger_domain::organization::OrganizationStatus::Suspended;
    Organization { status, revision: organization.revision.next(), ..organization.clone() }
}

fn user_account(n: u64, organization: &Organization) -> UserAccount {
    UserAccount {
        id: UserAccountId::from_uuid(Uuid::from_u64_pair(2, n)),
        organization: organization.id,
        admin_key: None,
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

fn role(n: u64, organization: &Organization, permissions: &str) -> Role {
    Role {
        id: RoleId::from_uuid(Uuid::from_u64_pair(5, n)),
        organization: organization.id,
        name: Name::new(&format!("Role {n}")).unwrap(),
        description: None,
        permissions: permissions.parse().unwrap(),
        created_at: at(0),
        updated_at: None,
        revision: Revision::FIRST,
    }
}

/// A credential, its owners, and its keys.
#[derive(Clone)]
struct Issued {
    credential: Credential,
    secrets: Vec<SecretVersion>,
    keys: Vec<String>,
    user_account: Option<UserAccount>,
    organization: Organization,
}

/// A credential with one key and, but for what `with` gives it, nothing that could refuse it.
fn issued(
    n: u64,
    organization: &Organization,
    user_account: Option<&UserAccount>,
    with: impl FnOnce(&mut Credential),
) -> Issued {
    let (key, secret) = secret(n, 1);
    let mut credential = Credential {
        id: CredentialId::from_uuid(Uuid::from_u64_pair(3, n)),
        organization: organization.id,
        admin_key: None,
        user_account: user_account.map(|account| account.id),
        class: Class::Live,
        name: Name::new("Made").unwrap(),
        description: None,
        prefix: key.prefix(),
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
    };
    with(&mut credential);
    Issued {
        credential,
        secrets: vec![secret],
        keys: vec![key.expose().to_owned()],
        user_account: user_account.cloned(),
        organization: organization.clone(),
    }
}

/// The secret of this number of the `n`th credential.
fn secret(n: u64, number: u32) -> (Plaintext, SecretVersion) {
    let mut draws = Draws(n << 32 | u64::from(number));
    let key = Plaintext::generate(KeyFormat::Live, &mut draws);
    let sealed = peppers().seal(&key);
    let id = SecretId::from_uuid(Uuid::from_u64_pair(4, n << 32 | u64::from(number)));
    (key, SecretVersion { id, number, sealed, created_at: at(0), ends_at: None })
}

impl Issued {
    /// The newest key.
    fn key(&self) -> &str {
        self.keys.last().unwrap()
    }

    /// As a database has it in which nothing was spent.
    fn loaded(&self) -> Loaded {
        Loaded {
            roles: Vec::new(),
            credential: self.credential.clone(),
            secrets: self.secrets.clone(),
            user_account: self.user_account.clone(),
            organization: self.organization.clone(),
            spent: Vec::new(),
        }
    }

    /// The credential in its next revision; its secrets stay.
    fn changed(&mut self, change: impl FnOnce(&mut Credential)) -> Change {
        change(&mut self.credential);
        self.credential = self.credential.clone().touched(at(0));
        Change::Credential(Box::new(self.credential.clone()), None)
    }

    fn revoked(&mut self) -> Change {
        self.credential = self.credential.clone().revoke(None, at(0)).unwrap();
        Change::Credential(Box::new(self.credential.clone()), None)
    }

    /// One key more; the ones before it end at `end`.
    fn rotated(&mut self, end: Timestamp) -> Change {
        let number = self.secrets.len() as u32 + 1;
        let n = self.credential.id.uuid().as_u64_pair().1;
        for before in &mut self.secrets {
            before.ends_at = Some(before.ends_at.map_or(end, |known| known.min(end)));
        }
        let (key, secret) = secret(n, number);
        self.keys.push(key.expose().to_owned());
        self.secrets.push(secret);
        self.credential = self.credential.clone().touched(at(0));
        Change::Credential(Box::new(self.credential.clone()), Some(self.secrets.clone()))
    }
}

/// An engine that was fed with these.
fn knowing<'a>(issued: impl IntoIterator<Item = &'a Issued>) -> Engine {
    let engine = engine();
    for issued in issued {
        feed(&engine, issued);
    }
    engine
}

fn feed(engine: &Engine, issued: &Issued) {
    assert!(engine.insert(engine.mark(), issued.loaded()));
}

fn decide(engine: &Engine, key: &str, cost: u32, now: Timestamp) -> Decision {
    engine.verify(key, &Demand { cost, ..Demand::default() }, now).unwrap()
}

fn code(engine: &Engine, key: &str, cost: u32, now: Timestamp) -> Code {
    decide(engine, key, cost, now).code
}

/// What a key holds now.
fn scopes_of(engine: &Engine, key: &str) -> String {
    decide(engine, key, 0, at(0)).about.unwrap().known.held().scopes().to_string()
}

/// What is left of each limit, and of the balance.
fn left(engine: &Engine, key: &str, now: Timestamp) -> (Vec<u32>, Option<u64>) {
    let about = decide(engine, key, 0, now).about.unwrap();
    let remaining = about.standings.iter().map(|standing| standing.remaining).collect();
    (remaining, about.credits.map(|credits| credits.remaining))
}
