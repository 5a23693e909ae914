//! Memberships: the users of an organization that have a role in it.

use claviger_domain::Timestamp;
use claviger_domain::audit::{Detail, Resource, Verb};
use claviger_domain::capability::Capability::ManageOrganizations;
use claviger_domain::ids::{OrganizationId, UserAccountId};
use claviger_domain::page::{Slice, Window};
use claviger_domain::revision::Precondition;
use claviger_domain::role::RoleIds;
use claviger_store::{Tables, Tx, UserFilter};

use crate::call::Changed;
use crate::users::{Seen, an_owner_stays, assigned, fact, held_by, roles_detail, see};
use crate::{Answer, Call, Error, Lane, State, roles};

/// An organization's members, newest first.
///
/// # Errors
/// [`Error::Refused`]; [`Error::NotFound`] when there is no such organization.
pub async fn list(call: &Call, organization: OrganizationId, window: Window) -> Result<Slice<Seen>, Error> {
    call.require(ManageOrganizations)?;
    super::known(call.app(), organization).await?;
    let owner = call.owner_within(Some(organization))?;
    let store = call.app().store();
    let filter = UserFilter { only_members: true, ..UserFilter::default() };
    let found = store.user_accounts().list(owner, &filter, window).await?;
    let ids: Vec<_> = found.items.iter().flat_map(|account| account.roles.iter()).collect();
    let custom = store.roles().find_many_unscoped(&ids).await?;
    Ok(found.map(|account| Seen { roles: roles::known(&account.roles, &custom), account }))
}

/// What becomes of a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Become {
    /// A user of the organization that has no role is given one.
    Member(roles::Named),
    /// A member has this role from now on, and no other.
    Other(roles::Named),
    /// A member is none any more; the user stays.
    None,
}

/// Makes, changes or ends a membership.
///
/// # Errors
/// [`Error::NotFound`] of the organization, the user, its membership or the role; [`Error::WrongState`] when the
/// user is a member already; [`Error::Stale`], [`Error::BeyondCeiling`], [`Error::LastOwner`].
pub async fn set<A: Answer>(
    call: &Call,
    organization: OrganizationId,
    user: UserAccountId,
    precondition: &Precondition,
    become_: Become,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageOrganizations)?;
    let lane = if matches!(become_, Become::None) { Lane::Revocation } else { Lane::Change };
    call.change_in(lane, ManageOrganizations, word, async |tx: &Tx, now: Timestamp| {
        let owner = call.owner_within(Some(organization))?;
        super::shown(tx.organizations().find_unscoped(organization).await?, State::Any)?;
        let found = held_by(call, tx, owner, user).await?;
        let before = found.ok_or(Error::NotFound(Resource::UserAccount, State::Any))?;
        if !precondition.admits(before.revision) {
            return Err(Error::Stale);
        }
        let named = match (become_, before.roles.is_empty()) {
            (Become::Member(role), true) | (Become::Other(role), false) => vec![role],
            (Become::None, false) => Vec::new(),
            (Become::Member(_), false) => {
                return Err(Error::WrongState(Resource::UserAccount, State::NotAMember));
            }
            (Become::Other(_) | Become::None, true) => {
                return Err(Error::NotFound(Resource::UserAccount, State::Member));
            }
        };
        let roles = assigned(call, tx, ManageOrganizations, &before, &named, now).await?;
        let account = claviger_domain::account::UserAccount { roles, ..before.clone() }.touched(now);
        tx.user_accounts().save(&account).await?;
        an_owner_stays(tx, &before, &account).await?;
        let custom = roles::custom_of(tx, &account.roles).await?;
        let mut both = roles::custom_of(tx, &before.roles).await?;
        both.extend(custom.iter().cloned());
        let tell = |roles: &RoleIds| roles_detail(roles, &both).unwrap_or(Detail::Null);
        let change = vec![("from".to_owned(), tell(&before.roles)), ("to".to_owned(), tell(&account.roles))];
        let more = vec![("changes".to_owned(), Detail::Map(vec![("roles".to_owned(), Detail::Map(change))]))];
        let fact = fact(&account, custom, Verb::Updated, more);
        Ok(Changed { outcome: see(tx, account).await?, entries: vec![fact] })
    })
    .await
}
