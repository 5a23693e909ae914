//! Stopping organizations, letting them work again, and their end.

use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::audit::{Resource, Verb};
use claviger_domain::capability::Capability::ManageOrganizations;
use claviger_domain::ids::OrganizationId;
use claviger_domain::organization::{Organization, WrongStatus};
use claviger_domain::revision::Precondition;
use claviger_store::{Tables, Tx};

use super::{fact, held};
use crate::call::Changed;
use crate::{Answer, Call, Error, Lane, State};

/// Stops all keys of an organization at once.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::WrongState`] when it is suspended already.
pub async fn suspend<A: Answer>(
    call: &Call,
    id: OrganizationId,
    word: impl FnOnce(Organization) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageOrganizations)?;
    turn(call, id, word, (State::NotSuspended, Verb::Suspended, Organization::suspend)).await
}

/// Lets an organization's keys work again.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::WrongState`] when it is not suspended.
pub async fn reactivate<A: Answer>(
    call: &Call,
    id: OrganizationId,
    word: impl FnOnce(Organization) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageOrganizations)?;
    turn(call, id, word, (State::Suspended, Verb::Reactivated, Organization::reactivate)).await
}

type Turn = (State, Verb, fn(Organization, Timestamp) -> Result<Organization, WrongStatus>);

async fn turn<A: Answer>(
    call: &Call,
    id: OrganizationId,
    word: impl FnOnce(Organization) -> A + Send,
    (needed, verb, rule): Turn,
) -> Result<A, Error> {
    let lane = if verb == Verb::Suspended { Lane::Revocation } else { Lane::Change };
    call.change_in(lane, ManageOrganizations, word, async |tx: &Tx, now: Timestamp| {
        let organization = held(call, tx, id, &Precondition::None, needed).await?;
        let organization = rule(organization, now)
            .map_err(|WrongStatus| Error::WrongState(Resource::Organization, needed))?;
        tx.organizations().save(&organization).await?;
        let fact = fact(&organization, verb, Vec::new());
        Ok(Changed { outcome: organization, entries: vec![fact] })
    })
    .await
}

/// Deletes an organization none of whose keys works any more. Its figures and its audit log stay.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::NotEmpty`].
pub async fn delete<A: Answer>(
    call: &Call,
    id: OrganizationId,
    precondition: &Precondition,
    word: impl FnOnce(()) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageOrganizations)?;
    call.revocation(ManageOrganizations, word, async |tx: &Tx, now: Timestamp| {
        let organization = held(call, tx, id, precondition, State::Any).await?;
        let owner = Owner::Organization(id);
        if tx.credentials().has_live(owner, now).await? || tx.admin_keys().has_live(id, now).await? {
            return Err(Error::NotEmpty);
        }
        let organization = organization.delete(now);
        tx.organizations().save(&organization).await?;
        let fact = fact(&organization, Verb::Deleted, Vec::new());
        Ok(Changed { outcome: (), entries: vec![fact] })
    })
    .await
}
