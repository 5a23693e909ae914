//! User accounts: what a partner does with its customers.

use claviger_domain::Timestamp;
use claviger_domain::account::{AccountStatus, UserAccount, WrongStatus};
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::ManageUsers;
use claviger_domain::ids::UserAccountId;
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::{Precondition, Revision};
use claviger_domain::text::{BillingPlan, Email, ExternalId, Metadata, Name};
use claviger_engine::Change;
use claviger_store::{Tables, Tx};

use crate::call::{Changed, Fact, Partner};
use crate::field::Changes;
use crate::memory::Learn;
use crate::{Answer, Call, Error, Field, State};

/// A user account as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub account: UserAccount,
    /// The name of the entity it belongs to.
    pub entity: Name,
}

#[derive(Debug)]
pub struct Create {
    pub name: Name,
    pub external_id: Option<ExternalId>,
    pub email: Option<Email>,
    pub metadata: Metadata,
    pub billing_plan: Option<BillingPlan>,
}

#[derive(Debug, Default)]
pub struct Update {
    pub name: Field<Name>,
    pub external_id: Field<Option<ExternalId>>,
    pub email: Field<Option<Email>>,
    pub metadata: Field<Metadata>,
    pub billing_plan: Field<Option<BillingPlan>>,
}

/// Opens an account; it is active at once.
///
/// # Errors
/// [`Error::ExternalIdTaken`] when the caller has another account of that external id.
pub async fn create<A: Answer>(
    call: &Call,
    create: Create,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageUsers)?;
    let Create { name, external_id, email, metadata, billing_plan } = create;
    call.change(ManageUsers, word, async |tx: &Tx, now: Timestamp| {
        let account = UserAccount {
            id: UserAccountId::generate(now, &mut call.app().random()),
            organization: partner.organization,
            admin_key: Some(partner.admin_key),
            external_id,
            name,
            email,
            metadata,
            status: AccountStatus::Active,
            billing_plan,
            created_at: now,
            updated_at: None,
            revision: Revision::FIRST,
        };
        tx.user_accounts().insert(&account).await?;
        Ok(changed(&partner, account, Verb::Created, Vec::new()))
    })
    .await
}

/// # Errors
/// [`Error::NotFound`] when the caller made no such account.
pub async fn find(call: &Call, id: UserAccountId) -> Result<Seen, Error> {
    let partner = call.partner(ManageUsers)?;
    let found = call.app().store().user_accounts().find(partner.owner(), id).await?;
    found.map(|account| seen(&partner, account)).ok_or(Error::NotFound(Resource::UserAccount, State::Any))
}

/// # Errors
/// [`Error::NotFound`] when the caller has no account of this external id.
pub async fn find_by_external_id(call: &Call, external_id: &ExternalId) -> Result<Seen, Error> {
    let partner = call.partner(ManageUsers)?;
    let found = call.app().store().user_accounts().find_by_external_id(partner.owner(), external_id).await?;
    found.map(|account| seen(&partner, account)).ok_or(Error::NotFound(Resource::UserAccount, State::Any))
}

/// The caller's accounts, newest first.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(call: &Call, status: Option<AccountStatus>, window: Window) -> Result<Slice<Seen>, Error> {
    let partner = call.partner(ManageUsers)?;
    let found = call.app().store().user_accounts().list(partner.owner(), status, window).await?;
    Ok(found.map(|account| seen(&partner, account)))
}

/// Changes the fields that are set. Metadata is replaced as a whole.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`] or [`Error::ExternalIdTaken`].
pub async fn update<A: Answer>(
    call: &Call,
    id: UserAccountId,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageUsers)?;
    call.change(ManageUsers, word, async |tx: &Tx, now: Timestamp| {
        let mut account = held(tx, &partner, id, precondition, State::Any).await?;
        let Update { name, external_id, email, metadata, billing_plan } = update;
        let mut changes = Changes::default();
        changes.apply("name", &mut account.name, name, |name| Detail::Text(name.to_string()));
        changes.apply("external_id", &mut account.external_id, external_id, |id| {
            Detail::text_or_null(id.as_ref())
        });
        changes.apply("email", &mut account.email, email, |email| Detail::text_or_null(email.as_ref()));
        // A partner's metadata may hold anything; that it changed is enough for the log.
        changes.apply("metadata", &mut account.metadata, metadata, |_| Detail::Null);
        changes.apply("billing_plan", &mut account.billing_plan, billing_plan, |plan| {
            Detail::text_or_null(plan.as_ref())
        });
        let account = account.touched(now);
        tx.user_accounts().save(&account).await?;
        Ok(changed(&partner, account, Verb::Updated, vec![("changes".to_owned(), changes.into_detail())]))
    })
    .await
}

/// Stops the account's credentials at once.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::WrongState`] when it is suspended already.
pub async fn suspend<A: Answer>(
    call: &Call,
    id: UserAccountId,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageUsers)?;
    turn(call, partner, id, word, (State::NotSuspended, Verb::Suspended, UserAccount::suspend)).await
}

/// Lets the account's credentials work again.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::WrongState`] when it is not suspended.
pub async fn reactivate<A: Answer>(
    call: &Call,
    id: UserAccountId,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    let partner = call.partner(ManageUsers)?;
    turn(call, partner, id, word, (State::Suspended, Verb::Reactivated, UserAccount::reactivate)).await
}

type Turn = (State, Verb, fn(UserAccount, Timestamp) -> Result<UserAccount, WrongStatus>);

async fn turn<A: Answer>(
    call: &Call,
    partner: Partner<'_>,
    id: UserAccountId,
    word: impl FnOnce(Seen) -> A + Send,
    (needed, verb, rule): Turn,
) -> Result<A, Error> {
    call.change(ManageUsers, word, async |tx: &Tx, now: Timestamp| {
        let account = held(tx, &partner, id, &Precondition::None, needed).await?;
        let account =
            rule(account, now).map_err(|WrongStatus| Error::WrongState(Resource::UserAccount, needed))?;
        tx.user_accounts().save(&account).await?;
        Ok(changed(&partner, account, verb, Vec::new()))
    })
    .await
}

async fn held(
    tx: &Tx,
    partner: &Partner<'_>,
    id: UserAccountId,
    precondition: &Precondition,
    needed: State,
) -> Result<UserAccount, Error> {
    let found = tx.user_accounts().find_for_update(partner.owner(), id).await?;
    let account = found.ok_or(Error::NotFound(Resource::UserAccount, needed))?;
    if precondition.admits(account.revision) { Ok(account) } else { Err(Error::Stale) }
}

fn seen(partner: &Partner<'_>, account: UserAccount) -> Seen {
    Seen { account, entity: partner.entity.clone() }
}

fn changed(partner: &Partner<'_>, account: UserAccount, verb: Verb, more: Details) -> Changed<Seen> {
    let mut details = vec![
        ("name".to_owned(), Detail::Text(account.name.to_string())),
        ("external_id".to_owned(), Detail::text_or_null(account.external_id.as_ref())),
    ];
    details.extend(more);
    let fact = Fact {
        resource: Resource::UserAccount,
        verb,
        target: account.id.uuid(),
        organization: Some(account.organization),
        details,
        learn: Learn::Engine(Change::UserAccount(Box::new(account.clone()))),
    };
    Changed { outcome: seen(partner, account), entries: vec![fact] }
}
