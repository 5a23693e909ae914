//! Admin keys: the platform opens a partner's door, and closes it.

use claviger_domain::Timestamp;
use claviger_domain::actor::Actor;
use claviger_domain::admin_key::{AdminKey, BootstrapKey};
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::{ManageAdminKeys, RevokeSelf};
use claviger_domain::capability::{Capability, CapabilitySet};
use claviger_domain::ids::{AdminKeyId, OrganizationId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::revision::{Precondition, Revision};
use claviger_domain::secret::{KeyFormat, Plaintext};
use claviger_domain::text::Name;
use claviger_store::{StoreError, Tables, Tx};

use crate::call::{Changed, Direct, Fact};
use crate::field::Changes;
use crate::memory::Learn;
use crate::{Answer, Call, Error, Field, State, organizations};

/// An admin key and the name of its entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub key: AdminKey,
    pub entity: Name,
}

/// An admin key and its text, which is shown this once.
#[derive(Debug)]
pub struct Issued {
    pub seen: Seen,
    pub plaintext: Plaintext,
}

#[derive(Debug)]
pub struct Create {
    pub entity: Name,
    pub name: Option<Name>,
    pub permissions: CapabilitySet,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub struct Update {
    pub name: Field<Option<Name>>,
    pub permissions: Field<CapabilitySet>,
    pub expires_at: Field<Option<Timestamp>>,
}

/// Who asks, as a key: an admin key, or the bootstrap key, which has no entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Me {
    AdminKey(Box<Seen>),
    Bootstrap { key: BootstrapKey, capabilities: CapabilitySet },
}

/// The most candidates that the error for an ambiguous entity name lists.
const MOST_CANDIDATES: u64 = 10;

/// Issues an admin key. An entity of that name is joined; without one, the organization is opened.
///
/// # Errors
/// [`Error::ExpiryInThePast`]; [`Error::OrganizationSuspended`] when the entity is; [`Error::AmbiguousEntity`] when
/// there are several of that name; [`Error::LimitReached`].
pub async fn create<A: Answer>(
    call: &Call,
    create: Create,
    word: impl FnOnce(Issued) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageAdminKeys)?;
    let Create { entity, name, permissions, expires_at } = create;
    call.change(ManageAdminKeys, word, async |tx: &Tx, now: Timestamp| {
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::ExpiryInThePast);
        }
        let mut entries = Vec::new();
        let mut named = tx.organizations().find_by_given_name_unscoped(&entity, MOST_CANDIDATES).await?;
        if named.len() > 1 {
            return Err(Error::AmbiguousEntity(named.into_iter().map(|it| (it.id, it.slug)).collect()));
        }
        let organization = match named.pop() {
            Some(organization) if organization.is_suspended() => return Err(Error::OrganizationSuspended),
            Some(organization) => {
                let organization = organizations::usable(tx, organization.id).await?;
                organizations::has_room(call, tx, &organization, LimitedResource::AdminKeys).await?;
                organization
            }
            None => {
                let (organization, fact) = organizations::open(call, tx, entity, now).await?;
                entries.push(fact);
                organization
            }
        };
        let mut random = call.app().random();
        let plaintext = Plaintext::generate(KeyFormat::Admin, &mut random);
        let key = AdminKey {
            id: AdminKeyId::generate(now, &mut random),
            organization: organization.id,
            name,
            permissions,
            prefix: plaintext.prefix(),
            created_at: now,
            updated_at: None,
            expires_at,
            last_used_at: None,
            revoked_at: None,
            revision: Revision::FIRST,
        };
        tx.admin_keys().insert(&key, &call.app().peppers().seal(&plaintext)).await?;
        let seen = Seen { key, entity: organization.name };
        entries.push(fact(
            &seen,
            Verb::Created,
            vec![("permissions".to_owned(), words(&seen.key.permissions))],
        ));
        Ok(Changed { outcome: Issued { seen, plaintext }, entries })
    })
    .await
}

/// # Errors
/// [`Error::NotFound`] when there is no such admin key.
pub async fn find(call: &Call, id: AdminKeyId) -> Result<Seen, Error> {
    call.require(ManageAdminKeys)?;
    let found = call.app().store().admin_keys().find(call.owner(), id).await?;
    see(call.app().store(), found.ok_or(Error::NotFound(Resource::AdminKey, State::Any))?).await
}

/// Admin keys, newest first; revoked ones when asked for.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(call: &Call, include_revoked: bool, window: Window) -> Result<Slice<Seen>, Error> {
    call.require(ManageAdminKeys)?;
    let store = call.app().store();
    let found = store.admin_keys().list(call.owner(), include_revoked, window).await?;
    let mut ids: Vec<OrganizationId> = found.items.iter().map(|key| key.organization).collect();
    ids.sort_unstable();
    ids.dedup();
    let organizations = store.organizations().find_many_unscoped(&ids).await?;
    let name_of = |key: &AdminKey| {
        let organization = organizations.iter().find(|organization| organization.id == key.organization);
        organization.map(|organization| organization.name.clone())
    };
    if let Some(orphaned) = found.items.iter().find(|key| name_of(key).is_none()) {
        return Err(orphan(orphaned));
    }
    Ok(found.with(|keys| {
        let seen = |key: AdminKey| Some(Seen { entity: name_of(&key)?, key });
        keys.into_iter().filter_map(seen).collect()
    }))
}

/// The caller itself; any admin key may ask.
///
/// # Errors
/// [`Error::UnknownKey`] when the key was removed meanwhile, or is of another kind.
pub async fn me(call: &Call) -> Result<Me, Error> {
    match call.actor() {
        Actor::Bootstrap(id) => {
            let found = call.app().store().bootstrap_keys().find_unscoped(*id).await?;
            let key = found.ok_or(Error::UnknownKey)?;
            Ok(Me::Bootstrap { key, capabilities: Capability::BESIDE_PARTNERS.into_iter().collect() })
        }
        Actor::AdminKey { id, .. } => {
            let found = call.app().store().admin_keys().find(call.owner(), *id).await?;
            let seen = see(call.app().store(), found.ok_or(Error::UnknownKey)?).await?;
            Ok(Me::AdminKey(Box::new(seen)))
        }
        Actor::Operator | Actor::Credential { .. } => Err(Error::UnknownKey),
    }
}

/// Changes an admin key that is not revoked. New permissions are in force for the next call.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`], [`Error::Stale`], [`Error::ExpiryInThePast`].
pub async fn update<A: Answer>(
    call: &Call,
    id: AdminKeyId,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageAdminKeys)?;
    let Update { name, permissions, expires_at } = update;
    call.change(ManageAdminKeys, word, async |tx: &Tx, now: Timestamp| {
        if matches!(expires_at, Field::Set(Some(end)) if end <= now) {
            return Err(Error::ExpiryInThePast);
        }
        let mut key = held(call, tx, id, precondition).await?;
        let mut changes = Changes::default();
        changes.apply("name", &mut key.name, name, |name| Detail::text_or_null(name.as_ref()));
        changes.apply("permissions", &mut key.permissions, permissions, words);
        changes.apply("expires_at", &mut key.expires_at, expires_at, |end| {
            end.map_or(Detail::Null, Detail::instant)
        });
        key.updated_at = Some(now);
        key.revision = key.revision.next();
        tx.admin_keys().save(&key).await?;
        let seen = see(tx, key).await?;
        let fact = fact(&seen, Verb::Updated, vec![("changes".to_owned(), changes.into_detail())]);
        Ok(Changed { outcome: seen, entries: vec![fact] })
    })
    .await
}

/// Ends an admin key for good. What it made stays, and its customers' keys go on working.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked already, [`Error::Stale`].
pub async fn revoke<A: Answer>(
    call: &Call,
    id: AdminKeyId,
    precondition: &Precondition,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageAdminKeys)?;
    let end = async |tx: &Tx, now: Timestamp| end(call, tx, id, precondition, now).await;
    call.revocation(ManageAdminKeys, word, end).await
}

/// As [`revoke`], by the key itself.
///
/// # Errors
/// [`Error::WrongState`] when it is revoked already.
pub(crate) async fn revoke_own(call: &Call, id: AdminKeyId) -> Result<(), Error> {
    call.require(RevokeSelf)?;
    let end = async |tx: &Tx, now: Timestamp| end(call, tx, id, &Precondition::None, now).await;
    let Direct(_) = call.revocation(RevokeSelf, Direct, end).await?;
    Ok(())
}

async fn end(
    call: &Call,
    tx: &Tx,
    id: AdminKeyId,
    precondition: &Precondition,
    now: Timestamp,
) -> Result<Changed<Seen>, Error> {
    let key = held(call, tx, id, precondition).await?.revoke(now).map_err(|_| wrong_state())?;
    tx.admin_keys().save(&key).await?;
    let seen = see(tx, key).await?;
    let fact = fact(&seen, Verb::Revoked, Vec::new());
    Ok(Changed { outcome: seen, entries: vec![fact] })
}

async fn held(call: &Call, tx: &Tx, id: AdminKeyId, precondition: &Precondition) -> Result<AdminKey, Error> {
    let found = tx.admin_keys().find_for_update(call.owner(), id).await?;
    let key = found.ok_or(Error::NotFound(Resource::AdminKey, State::NotRevoked))?;
    if key.revoked_at.is_some() {
        return Err(wrong_state());
    }
    if precondition.admits(key.revision) { Ok(key) } else { Err(Error::Stale) }
}

fn wrong_state() -> Error {
    Error::WrongState(Resource::AdminKey, State::NotRevoked)
}

async fn see(tables: &impl Tables, key: AdminKey) -> Result<Seen, Error> {
    let organization = tables.organizations().find_unscoped(key.organization).await?;
    Ok(Seen { entity: organization.ok_or_else(|| orphan(&key))?.name, key })
}

/// The schema's reference forbids it: only a damaged database has such a row.
fn orphan(key: &AdminKey) -> Error {
    StoreError::Corrupt { table: "admin_keys", row: key.id.to_string() }.into()
}

fn words(permissions: &CapabilitySet) -> Detail {
    Detail::List(permissions.words().into_iter().map(|word| Detail::Text(word.to_owned())).collect())
}

fn fact(seen: &Seen, verb: Verb, more: Details) -> Fact {
    let mut details = vec![
        ("name".to_owned(), Detail::text_or_null(seen.key.name.as_ref())),
        ("entity_name".to_owned(), Detail::Text(seen.entity.to_string())),
    ];
    details.extend(more);
    Fact {
        resource: Resource::AdminKey,
        verb,
        target: seen.key.id.uuid(),
        organization: Some(seen.key.organization),
        details,
        // What it made goes on working.
        learn: Learn::Callers,
    }
}
