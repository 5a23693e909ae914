//! Changing credentials, and switching them off and on.

use claviger_domain::Timestamp;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::address::IpAllowlist;
use claviger_domain::audit::{Detail, Resource, Verb};
use claviger_domain::capability::Capability::ManageCredentials;
use claviger_domain::credential::{Balance, Class, Credential};
use claviger_domain::ids::CredentialId;
use claviger_domain::limit::Limits;
use claviger_domain::restriction::Restrictions;
use claviger_domain::revision::Precondition;
use claviger_domain::scope::Scopes;
use claviger_domain::text::{Description, Metadata, Name};
use claviger_store::{Tables, Tx};

use super::create::{Expiry, usable_user};
use super::{
    Gone, Seen, a_managing_key_stays, fact, held, may_hand_out, may_strengthen, restrictions, see,
    stays_restricted,
};
use crate::call::Changed;
use crate::field::Changes;
use crate::{Answer, Call, Error, Field, State};

#[derive(Debug, Default)]
pub struct Update {
    pub name: Field<Name>,
    pub description: Field<Option<Description>>,
    pub metadata: Field<Metadata>,
    pub scopes: Field<Scopes>,
    pub expires_at: Field<Option<Expiry>>,
    pub limits: Field<Limits>,
    pub credits: Field<Option<Balance>>,
    pub ip_allowlist: Field<IpAllowlist>,
}

impl Update {
    /// Whether the change is about what the key may do, and not only about what it is called.
    fn is_about_authority(&self) -> bool {
        let Self { name: _, description: _, metadata, scopes, expires_at, limits, credits, ip_allowlist } =
            self;
        // Its metadata is what a gateway is told of it: a plan, a tenant, a role of the application's own.
        let Field::Keep = metadata else { return true };
        !matches!(
            (scopes, expires_at, limits, credits, ip_allowlist),
            (Field::Keep, Field::Keep, Field::Keep, Field::Keep, Field::Keep)
        )
    }
}

/// Changes the fields that are set. Who changes what a key may do must hold every scope that the key has, and
/// every one that it gets; a key does not change that of itself.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked, [`Error::Stale`], [`Error::BeyondCeiling`],
/// [`Error::BoundElsewhere`], [`Error::LooserThanMaker`], [`Error::OnItself`], [`Error::Unscoped`], [`Error::UserSuspended`] of new scopes, [`Error::ExpiryInThePast`], [`Error::InvalidLifetime`].
pub async fn update<A: Answer>(
    call: &Call,
    id: CredentialId,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        if matches!(update.scopes, Field::Set(_)) {
            // The account stays as it is while its permissions are looked at below, and is held before the credential.
            let seen = tx.credentials().find(call.owner(), id).await?;
            if let Some(Credential { organization, user_account: Some(user), .. }) = seen {
                tx.user_accounts().find_to_refer_to(Owner::Organization(organization), user).await?;
            }
        }
        let mut credential = held(call, tx, id, precondition).await?;
        if update.is_about_authority() {
            not_on_itself(call, id)?;
        }
        // Gateways are told its name, too. A key may call itself what it likes.
        let is_renamed = matches!(&update.name, Field::Set(name) if *name != credential.name);
        if update.is_about_authority() || (is_renamed && not_on_itself(call, id).is_ok()) {
            may_strengthen(call, tx, &credential, now).await?;
        }
        let Update { name, description, metadata, scopes, expires_at, limits, credits, ip_allowlist } =
            update;
        let expires_at = settled(call, tx, &credential, expires_at, now).await?;
        let own = restrictions(call, tx, credential.organization, now).await?.unwrap_or_default();
        if let Field::Set(end) = &expires_at {
            own.admit_expiry(*end)?;
        }
        if let Field::Set(limits) = &limits {
            own.admit_limits(limits)?;
        }
        if let Field::Set(balance) = &credits {
            own.admit_balance(*balance)?;
        }
        if let Field::Set(list) = &ip_allowlist {
            own.admit_addresses(list)?;
        }
        if let Field::Set(scopes) = &scopes {
            if credential.class == Class::Partner && !scopes.is_empty() {
                return Err(Error::Unscoped);
            }
            call.may_grant(tx, ManageCredentials, now, scopes).await?;
            stays_restricted(&own, scopes)?;
            if let Some(user) = credential.user_account {
                let owner = Owner::Organization(credential.organization);
                usable_user(tx, owner, user, credential.class, scopes).await?;
            }
        }
        let gets_scopes = matches!(&scopes, Field::Set(scopes) if *scopes != credential.scopes);
        let mut changes = Changes::default();
        let words = |scopes: &Scopes| Detail::Text(scopes.to_string());
        changes.apply("name", &mut credential.name, name, |name| Detail::Text(name.to_string()));
        changes.apply("description", &mut credential.description, description, |text| {
            Detail::text_or_null(text.as_ref())
        });
        changes.apply("metadata", &mut credential.metadata, metadata, Detail::metadata);
        changes.apply("scopes", &mut credential.scopes, scopes, words);
        changes.apply("expires_at", &mut credential.expires_at, expires_at, |end| {
            end.map_or(Detail::Null, Detail::instant)
        });
        changes.apply("rate_limits", &mut credential.limits, limits, |it| Detail::Text(it.to_string()));
        changes.apply("ip_allowlist", &mut credential.ip_allowlist, ip_allowlist, |list| {
            Detail::Text(list.to_string())
        });
        if let Field::Set(balance) = credits {
            let before = credential.credits;
            let next = credential.revision.next();
            credential = credential.granted(balance, next);
            changes.note("credits", &before, &credential.credits, |credits| {
                credits.map_or(Detail::Null, |credits| Detail::number(credits.remaining))
            });
        }
        // A key that is restricted less than the caller's gets nothing from it.
        if gets_scopes {
            own.admit(&Restrictions::from(&credential), now)?;
        }
        let credential = credential.touched(now);
        tx.credentials().save(&credential).await?;
        let more = vec![("changes".to_owned(), changes.into_detail())];
        let fact = fact(&credential, Verb::Updated, more, None);
        Ok(Changed { outcome: see(tx, credential).await?, entries: vec![fact] })
    })
    .await
}

/// The new expiry, as far as the organization allows it.
async fn settled(
    call: &Call,
    tx: &Tx,
    credential: &Credential,
    expiry: Field<Option<Expiry>>,
    now: Timestamp,
) -> Result<Field<Option<Timestamp>>, Error> {
    let Field::Set(asked) = expiry else { return Ok(Field::Keep) };
    let asked = asked.map(|expiry| expiry.instant(now)).transpose()?;
    let found = tx.organizations().find_unscoped(credential.organization).await?;
    let organization = found.ok_or(Error::NotFound(Resource::Organization, State::Any))?;
    let lifetime = organization.settings.key_lifetime.within(call.app().installation().key_lifetime);
    Ok(Field::Set(lifetime.settle(asked, credential.created_at, now)?))
}

fn not_on_itself(call: &Call, target: CredentialId) -> Result<(), Error> {
    match call.actor() {
        Actor::Credential { id, .. } if *id == target => Err(Error::OnItself),
        _ => Ok(()),
    }
}

/// Switches a credential off until it is switched on again.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked or off already, [`Error::Stale`];
/// [`Error::LastManagingKey`] unless `force` is set.
pub async fn disable<A: Answer>(
    call: &Call,
    id: CredentialId,
    precondition: &Precondition,
    force: bool,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    call.revocation(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let credential = held(call, tx, id, precondition).await?;
        if credential.disabled_at.is_some() {
            return Err(Error::WrongState(Resource::Credential, State::NotDisabled));
        }
        a_managing_key_stays(call, tx, now, Gone::Key(&credential), force).await?;
        switch(tx, Credential { disabled_at: Some(now), ..credential }, Verb::Disabled, now).await
    })
    .await
}

/// Switches a credential on again. Who does must hold every scope that it has.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is revoked or not off, [`Error::BeyondCeiling`],
/// [`Error::LooserThanMaker`], [`Error::Stale`].
pub async fn enable<A: Answer>(
    call: &Call,
    id: CredentialId,
    precondition: &Precondition,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let credential = held(call, tx, id, precondition).await?;
        if credential.disabled_at.is_none() {
            return Err(Error::WrongState(Resource::Credential, State::Disabled));
        }
        may_hand_out(call, tx, &credential, now).await?;
        switch(tx, Credential { disabled_at: None, ..credential }, Verb::Enabled, now).await
    })
    .await
}

async fn switch(tx: &Tx, credential: Credential, verb: Verb, now: Timestamp) -> Result<Changed<Seen>, Error> {
    let credential = credential.touched(now);
    tx.credentials().save(&credential).await?;
    let fact = fact(&credential, verb, Vec::new(), None);
    Ok(Changed { outcome: see(tx, credential).await?, entries: vec![fact] })
}
