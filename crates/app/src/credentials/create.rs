//! Issuing credentials, one or many.

use std::collections::BTreeSet;

use claviger_domain::Timestamp;
use claviger_domain::account::UserAccount;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::address::IpAllowlist;
use claviger_domain::audit::{Detail, Resource, Verb};
use claviger_domain::capability::Capability::ManageCredentials;
use claviger_domain::credential::{Balance, Class, Credential, Network};
use claviger_domain::ids::{CredentialId, OrganizationId, UserAccountId};
use claviger_domain::lifetime::Lifetime;
use claviger_domain::limit::Limits;
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::revision::Revision;
use claviger_domain::scope::Scopes;
use claviger_domain::text::{Description, Metadata, Name};
use claviger_store::{Tables, Tx};

use super::{Issued, Seen, fact, may_bind, new_secret, restrictions, stays_restricted, user_seen};
use crate::call::{Changed, Fact, Tenant};
use crate::error::Whose;
use crate::{Answer, Call, Error, State, organizations, roles};

/// When a key is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    At(Timestamp),
    /// So long after it is made.
    In(Lifetime),
}

impl Expiry {
    pub(super) fn instant(self, now: Timestamp) -> Result<Timestamp, Error> {
        match self {
            // Asked here, a repeated request gets its first answer even after that instant.
            Self::At(end) if end <= now => Err(Error::ExpiryInThePast),
            Self::At(end) => Ok(end),
            Self::In(span) => span.after(now).ok_or(Error::ExpiryInThePast),
        }
    }
}

#[derive(Debug)]
pub struct Create {
    /// Whose it is to be, where the caller acts for any.
    pub organization: Option<OrganizationId>,
    pub class: Class,
    pub name: Name,
    pub description: Option<Description>,
    pub user_account: Option<UserAccountId>,
    /// Of the partner class: the network it is for.
    pub network: Option<Network>,
    pub scopes: Scopes,
    /// `None`: as its organization has settled, or never.
    pub expires_at: Option<Expiry>,
    /// `None`: as its organization has settled, or none.
    pub limits: Option<Limits>,
    pub credits: Option<Balance>,
    /// `None`: from anywhere its organization allows.
    pub ip_allowlist: Option<IpAllowlist>,
    pub metadata: Metadata,
}

/// Issues a credential.
///
/// # Errors
/// [`Error::NotFound`] when the caller has no such organization or user account; [`Error::OrganizationSuspended`],
/// [`Error::UserSuspended`]; [`Error::LimitReached`]; [`Error::ExpiryInThePast`], [`Error::InvalidLifetime`]; [`Error::BeyondCeiling`] of
/// scopes that the caller lacks, or the user the key is bound to; [`Error::BoundElsewhere`]. A key of a user makes
/// keys of that user, as long as it does not hold every scope. [`Error::BindingRequires`] of a key for another user;
/// [`Error::LooserThanMaker`].
pub async fn create<A: Answer>(
    call: &Call,
    create: Create,
    word: impl FnOnce(Issued) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        let (outcome, fact) = issue(call, tx, create, now).await?;
        Ok(Changed { outcome, entries: vec![fact] })
    })
    .await
}

/// Issues each of these or says why not: what is wrong with one is no matter of the others. All that can be
/// issued are, or in case of a failure none.
///
/// # Errors
/// [`Error::Refused`] when the caller may issue none.
pub async fn create_many<A: Answer>(
    call: &Call,
    wanted: Vec<Result<Create, Error>>,
    word: impl FnOnce(Vec<Result<Issued, Error>>) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageCredentials)?;
    call.change(ManageCredentials, word, async |tx: &Tx, now: Timestamp| {
        // Held in the order of their ids, whatever the caller's: two such calls do not wait for one another.
        let named = wanted.iter().flatten().filter_map(|create| call.tenant(create.organization).ok());
        let organizations: BTreeSet<_> = named.map(|tenant| tenant.organization).collect();
        for id in organizations {
            tx.organizations().find_for_update_unscoped(id).await?;
        }
        let mut outcome = Vec::with_capacity(wanted.len());
        let mut entries = Vec::new();
        for create in wanted {
            let issued = match create {
                Ok(create) => issue(call, tx, create, now).await,
                Err(error) => Err(error),
            };
            match issued {
                Ok((issued, fact)) => {
                    outcome.push(Ok(issued));
                    entries.push(fact);
                }
                Err(error) if error.is_of_the_request() => outcome.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(Changed { outcome, entries })
    })
    .await
}

/// Nothing is written before everything is checked.
async fn issue(call: &Call, tx: &Tx, create: Create, now: Timestamp) -> Result<(Issued, Fact), Error> {
    let Create {
        organization,
        class,
        name,
        description,
        user_account,
        network,
        scopes,
        expires_at,
        limits,
        credits,
        ip_allowlist,
        metadata,
    } = create;
    // A partner's credential is a partner's business.
    if class == Class::Partner && !matches!(call.actor(), Actor::AdminKey { .. }) {
        call.require_partner(ManageCredentials)?;
    }
    let asked = expires_at.map(|expiry| expiry.instant(now)).transpose()?;
    let Tenant { organization, admin_key } = call.tenant(organization)?;
    let organization = organizations::usable(tx, organization).await?;
    let installation = call.app().installation();
    let lifetime = organization.settings.key_lifetime.within(installation.key_lifetime);
    let expires_at = lifetime.settle(asked, now, now)?;
    call.may_grant(tx, ManageCredentials, now, &scopes).await?;
    let user_account = match (call.confined_to(tx, ManageCredentials, now).await?, user_account) {
        (Some(own), Some(other)) if own != other => return Err(Error::BoundElsewhere),
        (own, named) => named.or(own),
    };
    let owner = call.owner_within(Some(organization.id))?;
    let user = match user_account {
        Some(id) => {
            let is_another = may_bind(call, tx, id, now).await?;
            let user = usable_user(tx, owner, id, class, &scopes).await?;
            if is_another {
                let permissions = roles::permissions_of(tx, &user).await?;
                call.may_act_for(tx, ManageCredentials, now, &permissions).await?;
            }
            Some(user)
        }
        None => None,
    };
    organizations::has_room(call, tx, &organization, LimitedResource::ApiKeys).await?;
    let usual_limits = || {
        let own = Some(organization.settings.default_limits).filter(|limits| !limits.is_empty());
        own.unwrap_or_else(|| installation.default_limits.clone())
    };
    let own = restrictions(call, tx, organization.id, now).await?.unwrap_or_default();
    stays_restricted(&own, &scopes)?;
    let expires_at = match asked {
        Some(_) => own.admit_expiry(expires_at).map(|()| expires_at)?,
        None => own.inherited_expiry(expires_at),
    };
    let limits = match limits {
        Some(limits) => own.admit_limits(&limits).map(|()| limits)?,
        None => own.inherited_limits(usual_limits()),
    };
    let ip_allowlist = match ip_allowlist {
        Some(list) => own.admit_addresses(&list).map(|()| list)?,
        None => own.ip_allowlist.clone(),
    };
    let credits = match credits {
        Some(balance) => own.admit_balance(Some(balance)).map(|()| Some(balance))?,
        None => own.inherited_balance(),
    };
    let (key, secret) = new_secret(call.app(), class, 1, now);
    let credential = Credential {
        id: CredentialId::generate(now, &mut call.app().random()),
        organization: organization.id,
        admin_key,
        user_account,
        class,
        name,
        description,
        prefix: key.prefix(),
        scopes,
        limits,
        credits: None,
        ip_allowlist,
        network,
        metadata,
        created_at: now,
        updated_at: None,
        expires_at,
        disabled_at: None,
        revoked: None,
        last_used_at: None,
        revision: Revision::FIRST,
    }
    .granted(credits, Revision::FIRST);
    tx.credentials().insert(&credential).await?;
    tx.secrets().insert(credential.id, &secret).await?;
    let more = match credential.scopes.is_empty() {
        true => Vec::new(),
        false => vec![("scopes".to_owned(), Detail::Text(credential.scopes.to_string()))],
    };
    let fact = fact(&credential, Verb::Created, more, Some(vec![secret]));
    let seen = Seen { credential, user: user.as_ref().map(user_seen) };
    Ok((Issued { seen, key }, fact))
}

/// A user a key can be bound to: the key has no more than the user, and asking for more is a mistake.
pub(super) async fn usable_user(
    tx: &Tx,
    owner: Owner,
    id: UserAccountId,
    class: Class,
    scopes: &Scopes,
) -> Result<UserAccount, Error> {
    let found = tx.user_accounts().find_to_refer_to(owner, id).await?;
    let user = found.ok_or(Error::NotFound(Resource::UserAccount, State::Any))?;
    if user.is_suspended() {
        return Err(Error::UserSuspended);
    }
    if class != Class::Partner && !scopes.is_empty() {
        let lacking = roles::permissions_of(tx, &user).await?.lacking(scopes);
        if !lacking.is_empty() {
            return Err(Error::BeyondCeiling { lacking, whose: Whose::BoundUser });
        }
    }
    Ok(user)
}
