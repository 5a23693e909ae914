//! Organizations and credentials as no surface can make them yet, straight through the store.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use claviger_domain::actor::Owner;
use claviger_domain::audit::{Action, Author, Entry, Resource, Target, Verb};
use claviger_domain::credential::{Class, Credential};
use claviger_domain::ids::{AdminKeyId, AuditEntryId, CredentialId, OrganizationId, SecretId};
use claviger_domain::organization::{Organization, Slug};
use claviger_domain::period::Period;
use claviger_domain::revision::Revision;
use claviger_domain::secret::{KeyFormat, Peppers, Plaintext, SecretVersion};
use claviger_domain::text::{Metadata, Name};
use claviger_store::{StoreError, Tables, Tx};

use crate::support::{Partner, World};

/// A stored credential and the text of its key.
pub(crate) struct Subject<'w> {
    world: &'w World,
    pub(crate) id: CredentialId,
    pub(crate) key: String,
}

/// Randomness apart from the world's, different in every draw of the process.
struct Draws;

static DRAWN: AtomicU64 = AtomicU64::new(0x5eed_0000);

impl rand_core::TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let count = DRAWN.fetch_add(1, Ordering::Relaxed);
        let digest = blake3::hash(&count.to_le_bytes());
        Ok(u64::from_le_bytes(digest.as_bytes()[..8].try_into().unwrap()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// The pepper every world has.
fn peppers() -> Peppers {
    Peppers::new(vec![(1, [7; 32])]).unwrap()
}

/// A well-formed key that nobody was given.
pub(crate) fn never_issued(format: KeyFormat) -> String {
    Plaintext::generate(format, &mut Draws).expose().to_owned()
}

/// A new organization.
pub(crate) async fn organization(world: &World, name: &str) -> Organization {
    let name = Name::new(name).unwrap();
    let id = OrganizationId::generate(world.app.now(), &mut Draws);
    let slug = Slug::derive(&name).distinguished_by(id);
    let organization = Organization::new(id, name, slug, world.app.now());
    write(world, async |tx| tx.organizations().insert(&organization).await).await;
    organization
}

/// The organization a partner's admin key belongs to.
pub(crate) async fn organization_of(world: &World, partner: &Partner<'_>) -> OrganizationId {
    let id: AdminKeyId = partner.id.parse().unwrap();
    let key = world.app.store().admin_keys().find(Owner::Installation, id).await.unwrap();
    key.unwrap().organization
}

pub(crate) async fn change_organization(
    world: &World,
    id: OrganizationId,
    change: impl FnOnce(&mut Organization),
) {
    let mut organization = world.app.store().organizations().find_unscoped(id).await.unwrap().unwrap();
    change(&mut organization);
    organization.revision = organization.revision.next();
    write(world, async |tx| {
        tx.organizations().save(&organization).await?;
        tell(world, tx, Resource::Organization, id.uuid()).await
    })
    .await;
    world.follow().await;
}

/// A new credential without scopes, limits, credits, allowlist, network or end, but for what `with`
/// gives it.
pub(crate) async fn credential(
    world: &World,
    organization: OrganizationId,
    class: Class,
    with: impl FnOnce(&mut Credential),
) -> Subject<'_> {
    let now = world.app.now();
    let key = Plaintext::generate(class.format(), &mut Draws);
    let mut credential = Credential {
        id: CredentialId::generate(now, &mut Draws),
        organization,
        admin_key: None,
        user_account: None,
        class,
        name: Name::new("Staged").unwrap(),
        description: None,
        prefix: key.prefix(),
        scopes: "".parse().unwrap(),
        limits: "".parse().unwrap(),
        credits: None,
        ip_allowlist: "".parse().unwrap(),
        network: None,
        metadata: Metadata::empty(),
        created_at: now,
        updated_at: None,
        expires_at: None,
        disabled_at: None,
        revoked: None,
        last_used_at: None,
        revision: Revision::FIRST,
    };
    with(&mut credential);
    let secret = SecretVersion {
        id: SecretId::generate(now, &mut Draws),
        number: 1,
        sealed: peppers().seal(&key),
        created_at: now,
        ends_at: None,
    };
    write(world, async |tx| {
        tx.credentials().insert(&credential).await?;
        tx.secrets().insert(credential.id, &secret).await
    })
    .await;
    Subject { world, id: credential.id, key: key.expose().to_owned() }
}

/// A credential that a surface made, to be changed by the store.
pub(crate) fn subject<'w>(world: &'w World, id: &str, key: &str) -> Subject<'w> {
    Subject { world, id: id.parse().unwrap(), key: key.to_owned() }
}

impl Subject<'_> {
    pub(crate) async fn stored(&self) -> Credential {
        self.world.drain().await;
        let found = self.world.app.store().credentials().find(Owner::Installation, self.id).await.unwrap();
        found.unwrap()
    }

    pub(crate) async fn change(&self, change: impl FnOnce(&mut Credential)) {
        let mut credential = self.stored().await;
        let before = credential.credits;
        change(&mut credential);
        if let Some(credits) = credential.credits.as_mut().filter(|credits| Some(**credits) != before) {
            credits.grant = before.map_or(1, |before| before.grant + 1);
        }
        let credential = credential.touched(self.world.app.now());
        write(self.world, async |tx| {
            tx.credentials().save(&credential).await?;
            tell(self.world, tx, Resource::Credential, credential.id.uuid()).await
        })
        .await;
        self.world.follow().await;
    }

    /// Calls counted, and how many of them failed.
    pub(crate) async fn usage(&self) -> (u64, u64) {
        self.world.drain().await;
        let ever = Period::new(DateTime::<Utc>::UNIX_EPOCH, self.world.app.now()).unwrap();
        let tally = self.world.app.store().usage().of_credential(self.id, ever).await.unwrap();
        (tally.total, tally.failed)
    }
}

/// The line in the audit log by which other processes learn of a change.
pub(crate) async fn tell(
    world: &World,
    tx: &Tx,
    resource: Resource,
    target: uuid::Uuid,
) -> Result<(), StoreError> {
    let at = world.app.now();
    let entry = Entry {
        id: AuditEntryId::generate(at, &mut Draws),
        at,
        action: Action { resource, verb: Verb::Updated },
        author: Author::UNKNOWN,
        organization: (resource == Resource::Organization).then(|| OrganizationId::from_uuid(target)),
        target: Some(Target { resource, id: target }),
        address: None,
        request_id: String::new(),
        details: Vec::new(),
    };
    tx.audit_log().append(world.app.audit_keys(), &[entry]).await
}

pub(crate) async fn write(world: &World, work: impl AsyncFnOnce(&Tx) -> Result<(), StoreError>) {
    world.app.store().transaction(work).await.unwrap();
}
