//! Credentials: issuing, showing, changing, rotating and revoking what is verified.

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::address::IpAllowlist;
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::ManageCredentials;
use claviger_domain::credential::{Class, Credential, Network};
use claviger_domain::ids::{CredentialId, SecretId, UserAccountId};
use claviger_domain::limit::Limits;
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::{Precondition, Revision};
use claviger_domain::scope::Scopes;
use claviger_domain::secret::{Plaintext, SecretVersion};
use claviger_domain::text::{Description, ExternalId, Metadata, Name};
use claviger_engine::Change;
use claviger_store::{CredentialFilter, Tables, Tx};

use crate::call::{Changed, Fact, Partner};
use crate::field::Changes;
use crate::memory::Learn;
use crate::{Answer, App, Call, Error, Field, State};

/// A credential as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub credential: Credential,
    pub user: Option<UserSeen>,
    /// The name of the entity it belongs to.
    pub entity: Name,
}

/// What is shown of the user account a credential is linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSeen {
    pub name: Name,
    pub external_id: Option<ExternalId>,
}

/// A credential and its key, which is shown this once.
#[derive(Debug)]
pub struct Issued {
    pub seen: Seen,
    pub key: Plaintext,
}

/// A credential with a new key, and when the ones before it stop.
#[derive(Debug)]
pub struct Rotated {
    pub issued: Issued,
    pub previous_expires_at: Timestamp,
}

#[derive(Debug)]
pub struct Create {
    pub name: Name,
    pub description: Option<Description>,
    pub user_account: Option<UserAccountId>,
    pub network: Network,
    pub expires_at: Option<Timestamp>,
    pub limits: Limits,
    pub metadata: Metadata,
}

#[derive(Debug, Default)]
pub struct Update {
    pub name: Field<Name>,
    pub description: Field<Option<Description>>,
}

/// Issues a credential of the partner class.
///
/// # Errors
/// [`Error::ExpiryInThePast`]; [`Error::NotFound`] when the caller made no such user account;
/// [`Error::UserSuspended`].
pub async fn create<A: Answer>(
    call: &Call,
    create: Create,
    word: impl FnOnce(Issued) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageCredentials)?;
    let Create { name, description, user_account, network, expires_at, limits, metadata } = create;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        // Asked here, a repeated request gets its first answer even after that instant.
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::ExpiryInThePast);
        }
        let (key, secret) = new_secret(call.app(), Class::Partner, 1, now);
        let user = match user_account {
            Some(id) => Some(usable_user(tx, &partner, id).await?),
            None => None,
        };
        let credential = Credential {
            id: CredentialId::generate(now, &mut call.app().random()),
            organization: partner.organization,
            admin_key: Some(partner.admin_key),
            user_account,
            class: Class::Partner,
            name,
            description,
            prefix: key.prefix(),
            scopes: Scopes::default(),
            limits,
            credits: None,
            ip_allowlist: IpAllowlist::default(),
            network: Some(network),
            metadata,
            created_at: now,
            updated_at: None,
            expires_at,
            disabled_at: None,
            revoked: None,
            last_used_at: None,
            revision: Revision::FIRST,
        };
        tx.credentials().insert(&credential).await?;
        tx.secrets().insert(credential.id, &secret).await?;
        let seen = Seen { credential, user: user.as_ref().map(user_seen), entity: partner.entity.clone() };
        let fact = fact(&seen, Verb::Created, Vec::new(), Some(vec![secret]));
        Ok(Changed { outcome: Issued { seen, key }, entries: vec![fact] })
    })
    .await
}

/// # Errors
/// [`Error::NotFound`] when the caller made no such credential.
pub async fn find(call: &Call, id: CredentialId) -> Result<Seen, Error> {
    let partner = call.partner(ManageCredentials)?;
    let found = call.app().store().credentials().find(partner.owner(), id).await?;
    let credential = found.ok_or(Error::NotFound(Resource::Credential, State::Any))?;
    see(call.app().store(), &partner, credential).await
}

/// The caller's credentials, newest first; expired ones are among them, revoked ones when asked for.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(call: &Call, include_revoked: bool, window: Window) -> Result<Slice<Seen>, Error> {
    let partner = call.partner(ManageCredentials)?;
    let store = call.app().store();
    let found =
        store.credentials().list(partner.owner(), CredentialFilter { include_revoked }, window).await?;
    let mut ids: Vec<_> = found.items.iter().filter_map(|credential| credential.user_account).collect();
    ids.sort_unstable();
    ids.dedup();
    let users = store.user_accounts().find_many(partner.owner(), &ids).await?;
    let user_of = |credential: &Credential| {
        users.iter().find(|user| Some(user.id) == credential.user_account).map(user_seen)
    };
    Ok(found.map(|credential| Seen {
        user: user_of(&credential),
        credential,
        entity: partner.entity.clone(),
    }))
}

/// Changes what a credential is called.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked, [`Error::Stale`].
pub async fn update<A: Answer>(
    call: &Call,
    id: CredentialId,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageCredentials)?;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let mut credential = held(tx, &partner, id, precondition).await?;
        let Update { name, description } = update;
        let mut changes = Changes::default();
        changes.apply("name", &mut credential.name, name, |name| Detail::Text(name.to_string()));
        changes.apply("description", &mut credential.description, description, |text| {
            Detail::text_or_null(text.as_ref())
        });
        let credential = credential.touched(now);
        tx.credentials().save(&credential).await?;
        let seen = see(tx, &partner, credential).await?;
        let fact = fact(&seen, Verb::Updated, vec![("changes".to_owned(), changes.into_detail())], None);
        Ok(Changed { outcome: seen, entries: vec![fact] })
    })
    .await
}

/// Ends a credential for good; its keys stop with it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked already, [`Error::Stale`].
pub async fn revoke<A: Answer>(
    call: &Call,
    id: CredentialId,
    precondition: &Precondition,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageCredentials)?;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let credential = held(tx, &partner, id, precondition).await?;
        let credential = credential.revoke(None, now).map_err(|_| wrong_state())?;
        tx.credentials().save(&credential).await?;
        let seen = see(tx, &partner, credential).await?;
        let fact = fact(&seen, Verb::Revoked, Vec::new(), None);
        Ok(Changed { outcome: seen, entries: vec![fact] })
    })
    .await
}

/// Gives a credential a new key. The ones before it go on working for `overlap`; limits, usage and
/// the credential's id stay as they are.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked.
pub async fn rotate<A: Answer>(
    call: &Call,
    id: CredentialId,
    overlap: TimeDelta,
    word: impl FnOnce(Rotated) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageCredentials)?;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let credential = held(tx, &partner, id, &Precondition::None).await?;
        let newest = tx.secrets().newest_number_of(id).await?;
        let previous_expires_at = now + overlap;
        let (key, secret) = new_secret(call.app(), credential.class, newest + 1, now);
        tx.secrets().end_all_of(id, previous_expires_at).await?;
        tx.secrets().insert(id, &secret).await?;
        let credential = Credential { prefix: key.prefix(), ..credential }.touched(now);
        tx.credentials().save(&credential).await?;
        let seen = see(tx, &partner, credential).await?;
        let fact = fact(
            &seen,
            Verb::Rotated,
            vec![
                ("api_key_prefix".to_owned(), Detail::Text(key.prefix().as_str().to_owned())),
                ("previous_expires_at".to_owned(), Detail::instant(previous_expires_at)),
            ],
            Some(tx.secrets().versions_of(id).await?),
        );
        Ok(Changed {
            outcome: Rotated { issued: Issued { seen, key }, previous_expires_at },
            entries: vec![fact],
        })
    })
    .await
}

fn new_secret(app: &App, class: Class, number: u32, now: Timestamp) -> (Plaintext, SecretVersion) {
    let mut random = app.random();
    let key = Plaintext::generate(class.format(), &mut random);
    let id = SecretId::generate(now, &mut random);
    let sealed = app.peppers().seal(&key);
    (key, SecretVersion { id, number, sealed, created_at: now, ends_at: None })
}

async fn usable_user(tx: &Tx, partner: &Partner<'_>, id: UserAccountId) -> Result<UserAccount, Error> {
    let found = tx.user_accounts().find_for_update(partner.owner(), id).await?;
    let user = found.ok_or(Error::NotFound(Resource::UserAccount, State::Any))?;
    if user.is_suspended() { Err(Error::UserSuspended) } else { Ok(user) }
}

/// A credential that may still be changed.
async fn held(
    tx: &Tx,
    partner: &Partner<'_>,
    id: CredentialId,
    precondition: &Precondition,
) -> Result<Credential, Error> {
    let found = tx.credentials().find_for_update(partner.owner(), id).await?;
    let credential = found.ok_or(Error::NotFound(Resource::Credential, State::NotRevoked))?;
    if credential.revoked.is_some() {
        return Err(wrong_state());
    }
    if precondition.admits(credential.revision) { Ok(credential) } else { Err(Error::Stale) }
}

fn wrong_state() -> Error {
    Error::WrongState(Resource::Credential, State::NotRevoked)
}

async fn see(tables: &impl Tables, partner: &Partner<'_>, credential: Credential) -> Result<Seen, Error> {
    let user = match credential.user_account {
        Some(id) => tables.user_accounts().find(partner.owner(), id).await?,
        None => None,
    };
    Ok(Seen { credential, user: user.as_ref().map(user_seen), entity: partner.entity.clone() })
}

fn user_seen(user: &UserAccount) -> UserSeen {
    UserSeen { name: user.name.clone(), external_id: user.external_id.clone() }
}

/// `secrets` are all of the credential's, when any of them was added or given an end.
fn fact(seen: &Seen, verb: Verb, more: Details, secrets: Option<Vec<SecretVersion>>) -> Fact {
    let credential = &seen.credential;
    let mut details = vec![("name".to_owned(), Detail::Text(credential.name.to_string()))];
    details.extend(more);
    Fact {
        resource: Resource::Credential,
        verb,
        target: credential.id.uuid(),
        organization: Some(credential.organization),
        details,
        learn: Learn::Engine(Change::Credential(Box::new(credential.clone()), secrets)),
    }
}
