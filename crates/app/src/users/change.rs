//! Opening, changing and deleting user accounts.

use claviger_domain::Timestamp;
use claviger_domain::account::{AccountStatus, UserAccount};
use claviger_domain::audit::{Detail, Verb};
use claviger_domain::capability::Capability;
use claviger_domain::capability::Capability::{DeleteUsers, ManageUsers};
use claviger_domain::ids::{AdminKeyId, OrganizationId, UserAccountId};
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::revision::{Precondition, Revision};
use claviger_domain::role::{Role, RoleIds};
use claviger_domain::text::ExternalId;
use claviger_store::{Tables, Tx};

use super::{Create, Seen, Standing, Update, an_owner_stays, fact, held, may_act_for, see};
use crate::call::{Changed, Fact, Tenant};
use crate::credentials::Gone;
use crate::field::Changes;
use crate::{Answer, Call, Error, Field, Lane, State, credentials, organizations, roles};

/// Opens an account; it is active at once. Who gives it roles must hold all that they permit.
///
/// # Errors
/// [`Error::ExternalIdTaken`] when the caller has another account of that external id; [`Error::NotFound`] of an
/// organization or a role; [`Error::OrganizationSuspended`], [`Error::LimitReached`], [`Error::TooManyRoles`], [`Error::BeyondCeiling`].
pub async fn create<A: Answer>(
    call: &Call,
    create: Create,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageUsers)?;
    let Create {
        organization,
        name,
        external_id,
        email,
        metadata,
        billing_plan,
        first_name,
        last_name,
        roles,
    } = create;
    call.change(ManageUsers, word, async |tx: &Tx, now: Timestamp| {
        let Tenant { organization, admin_key } = call.tenant(organization)?;
        let organization = organizations::usable(tx, organization).await?;
        organizations::has_room(call, tx, &organization, LimitedResource::Users).await?;
        let organization = organization.id;
        free_external_id(tx, organization, admin_key, external_id.as_ref()).await?;
        let (roles, custom) = roles::named(tx, organization, &roles).await?;
        call.may_grant(tx, ManageUsers, now, &roles.permissions(&custom)).await?;
        let account = UserAccount {
            id: UserAccountId::generate(now, &mut call.app().random()),
            organization,
            admin_key,
            external_id,
            name,
            email,
            metadata,
            status: AccountStatus::Active,
            billing_plan,
            first_name,
            last_name,
            roles,
            created_at: now,
            updated_at: None,
            revision: Revision::FIRST,
        };
        tx.user_accounts().insert(&account).await?;
        let more = roles_detail(&account.roles, &custom).map(|roles| ("roles".to_owned(), roles));
        let fact = fact(&account, custom, Verb::Created, more.into_iter().collect());
        Ok(Changed { outcome: see(tx, account).await?, entries: vec![fact] })
    })
    .await
}

/// Changes the fields that are set. Metadata and roles are replaced as a whole. Who changes roles must hold all
/// that the old ones permitted and the new ones permit; who makes an account active, or changes what gateways are told
/// of it, all that its roles permit.
///
/// # Errors
/// [`Error::NotFound`] of the account or a role, [`Error::Stale`], [`Error::ExternalIdTaken`],
/// [`Error::TooManyRoles`], [`Error::BeyondCeiling`], [`Error::LastOwner`], [`Error::LastManagingKey`] unless forced;
/// [`Error::OnItself`] when a user's key changes what gateways are told of
/// the user.
pub async fn update<A: Answer>(
    call: &Call,
    id: UserAccountId,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageUsers)?;
    let is_suspension = matches!(update.status, Field::Set(Standing::Suspended));
    let lane = if is_suspension { Lane::Revocation } else { Lane::Change };
    call.change_in(lane, ManageUsers, word, async |tx: &Tx, now: Timestamp| {
        let before = held(call, tx, id, precondition, State::Any).await?;
        let mut account = before.clone();
        let Update {
            name,
            external_id,
            email,
            metadata,
            billing_plan,
            first_name,
            last_name,
            status,
            roles,
            force,
        } = update;
        // By these an application knows whose call a gateway has let pass.
        let is_told_of_otherwise = matches!(&external_id, Field::Set(id) if *id != before.external_id)
            || matches!(&email, Field::Set(email) if *email != before.email)
            || matches!(&name, Field::Set(name) if *name != before.name)
            || matches!(&metadata, Field::Set(told) if *told != before.metadata);
        if is_told_of_otherwise && call.confined_to(tx, ManageUsers, now).await? == Some(id) {
            return Err(Error::OnItself);
        }
        let turned = status_turn(before.status, &status);
        if is_told_of_otherwise || turned.is_some_and(|(status, _)| status == AccountStatus::Active) {
            let custom = roles::custom_of(tx, &before.roles).await?;
            may_act_for(call, tx, &before, &custom, now).await?;
        }
        let mut changes = Changes::default();
        changes.apply("name", &mut account.name, name, |name| Detail::Text(name.to_string()));
        changes.apply("external_id", &mut account.external_id, external_id, |id| {
            Detail::text_or_null(id.as_ref())
        });
        changes.apply("email", &mut account.email, email, |email| Detail::text_or_null(email.as_ref()));
        changes.apply("metadata", &mut account.metadata, metadata, Detail::metadata);
        changes.apply("billing_plan", &mut account.billing_plan, billing_plan, |plan| {
            Detail::text_or_null(plan.as_ref())
        });
        changes.apply("first_name", &mut account.first_name, first_name, |name| {
            Detail::text_or_null(name.as_ref())
        });
        changes.apply("last_name", &mut account.last_name, last_name, |name| {
            Detail::text_or_null(name.as_ref())
        });
        if let Field::Set(named) = roles {
            let given = assigned(call, tx, ManageUsers, &account, &named, now).await?;
            let mut known = roles::custom_of(tx, &account.roles).await?;
            known.extend(roles::custom_of(tx, &given).await?);
            changes.apply("roles", &mut account.roles, Field::Set(given), |roles| {
                roles_detail(roles, &known).unwrap_or(Detail::Null)
            });
        }
        if let Some((status, verb)) = turned {
            if verb == Verb::Updated {
                let tell = |status: &AccountStatus| Detail::Text(status.word().to_owned());
                changes.note("status", &account.status, &status, tell);
            }
            account.status = status;
        }
        let account = account.touched(now);
        let custom = roles::custom_of(tx, &account.roles).await?;
        if account.external_id != before.external_id {
            free_external_id(tx, account.organization, account.admin_key, account.external_id.as_ref())
                .await?;
        }
        tx.user_accounts().save(&account).await?;
        an_owner_stays(tx, &before, &account).await?;
        credentials::a_managing_key_stays(call, tx, now, Gone::Permissions, force).await?;
        let mut entries = Vec::new();
        // Whichever way a status is changed, the log tells it in one way.
        if let Some((_, verb)) = turned.filter(|(_, verb)| *verb != Verb::Updated) {
            entries.push(fact(&account, custom.clone(), verb, Vec::new()));
        }
        if entries.is_empty() || !changes.is_empty() {
            let more = vec![("changes".to_owned(), changes.into_detail())];
            entries.push(fact(&account, custom, Verb::Updated, more));
        }
        Ok(Changed { outcome: see(tx, account).await?, entries })
    })
    .await
}

/// That no user of the other kind has this external id: gateways tell it with the organization's id and nothing else, and
/// an application could not tell the two users apart. The caller holds the organization's row. Two partners' users may
/// share one, as the partner surface has it; their keys are of different admin keys.
async fn free_external_id(
    tx: &Tx,
    organization: OrganizationId,
    admin_key: Option<AdminKeyId>,
    external_id: Option<&ExternalId>,
) -> Result<(), Error> {
    let Some(external_id) = external_id else { return Ok(()) };
    let users = tx.user_accounts();
    match users.is_external_id_of_other_kind_unscoped(organization, admin_key, external_id).await? {
        true => Err(Error::ExternalIdTaken),
        false => Ok(()),
    }
}

/// The new status and what it is called to get there; `None` when it stays.
fn status_turn(before: AccountStatus, asked: &Field<Standing>) -> Option<(AccountStatus, Verb)> {
    let Field::Set(asked) = *asked else { return None };
    match (asked, before) {
        (Standing::Active, AccountStatus::Active) | (Standing::Suspended, AccountStatus::Suspended) => None,
        (Standing::Suspended, _) => Some((AccountStatus::Suspended, Verb::Suspended)),
        (Standing::Active, AccountStatus::Suspended) => Some((AccountStatus::Active, Verb::Reactivated)),
        (Standing::Active, _) => Some((AccountStatus::Active, Verb::Updated)),
    }
}

/// The roles an account is to have instead of its own, as far as the caller may give and take them.
pub(crate) async fn assigned(
    call: &Call,
    tx: &Tx,
    capability: Capability,
    account: &UserAccount,
    named: &[roles::Named],
    now: Timestamp,
) -> Result<RoleIds, Error> {
    let organization: OrganizationId = account.organization;
    let (given, custom) = roles::named(tx, organization, named).await?;
    if given == account.roles {
        return Ok(given);
    }
    let both = roles::permissions_of(tx, account).await?.join(&given.permissions(&custom));
    call.may_grant(tx, capability, now, &both).await?;
    Ok(given)
}

/// Deletes an account and revokes its credentials. Its figures, and what the audit log tells of it, stay.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::LastOwner`]; [`Error::LastManagingKey`] unless `force` is set.
pub async fn delete<A: Answer>(
    call: &Call,
    id: UserAccountId,
    precondition: &Precondition,
    force: bool,
    word: impl FnOnce(()) -> A + Send,
) -> Result<A, Error> {
    call.require(DeleteUsers)?;
    call.revocation(DeleteUsers, word, async |tx: &Tx, now: Timestamp| {
        let before = held(call, tx, id, precondition, State::Any).await?;
        let account = before.clone().delete(now);
        tx.user_accounts().save(&account).await?;
        an_owner_stays(tx, &before, &account).await?;
        let mut entries = credentials::end_all_of_user(tx, id, now).await?;
        credentials::a_managing_key_stays(call, tx, now, Gone::Permissions, force).await?;
        // The external id is free again, and told as it was.
        let details = fact(&before, Vec::new(), Verb::Deleted, Vec::new()).details;
        entries.push(Fact { details, ..fact(&account, Vec::new(), Verb::Deleted, Vec::new()) });
        Ok(Changed { outcome: (), entries })
    })
    .await
}

/// Roles for the audit log, each with its id and its name at that time; `None` of none. `custom` are those among them
/// that the organization made.
pub(crate) fn roles_detail(roles: &RoleIds, custom: &[Role]) -> Option<Detail> {
    let told = roles::known(roles, custom).into_iter().map(|role| {
        Detail::Map(vec![
            ("id".to_owned(), Detail::Text(role.id().to_string())),
            ("name".to_owned(), Detail::Text(role.name().to_owned())),
        ])
    });
    (!roles.is_empty()).then(|| Detail::List(told.collect()))
}
