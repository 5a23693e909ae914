//! Organizations: the operator opens and closes them, and each runs itself.

use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::audit::{Detail, Details, Resource, Verb};
use claviger_domain::capability::Capability::{ManageOrganizations, ViewOrganization};
use claviger_domain::ids::OrganizationId;
use claviger_domain::organization::{Organization, OrganizationStatus, Slug};
use claviger_domain::page::{Slice, Window};
use claviger_domain::resource_limits::LimitedResource;
use claviger_domain::revision::Precondition;
use claviger_engine::Change;
use claviger_store::{OrganizationFilter, Tables, Tx};

use crate::call::Fact;
use crate::memory::Learn;
use crate::{App, Call, Error, State};

mod change;
mod create;
pub mod members;
mod status;

pub use change::{Update, update};
pub use claviger_store::OrganizationFilter as Filter;
pub(crate) use create::open;
pub use create::{Create, create};
pub use status::{delete, reactivate, suspend};

/// How a caller names an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Id(OrganizationId),
    Slug(Slug),
}

/// The id of an organization that may be named by its slug. Whether there is one of a given id is not asked.
///
/// # Errors
/// [`Error::NotFound`] when no organization has the slug.
pub async fn resolve(app: &App, named: Named) -> Result<OrganizationId, Error> {
    match named {
        Named::Id(id) => Ok(id),
        Named::Slug(slug) => {
            let found = app.store().organizations().find_by_slug_unscoped(&slug).await?;
            Ok(found.ok_or_else(|| missing(State::Any))?.id)
        }
    }
}

/// That there is an organization of this id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn known(app: &App, id: OrganizationId) -> Result<(), Error> {
    shown(app.store().organizations().find_unscoped(id).await?, State::Any).map(drop)
}

/// An organization, and how many users have a role in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub organization: Organization,
    pub members: u64,
}

/// # Errors
/// [`Error::NotFound`] when the caller has no such organization.
pub async fn find(call: &Call, id: OrganizationId) -> Result<Seen, Error> {
    call.require(ViewOrganization)?;
    let id = call.tenant(Some(id))?.organization;
    let store = call.app().store();
    see(store, shown(store.organizations().find_unscoped(id).await?, State::Any)?).await
}

async fn see(tables: &impl Tables, organization: Organization) -> Result<Seen, Error> {
    let members = tables.user_accounts().count_members(Owner::Organization(organization.id)).await?;
    Ok(Seen { organization, members })
}

/// Every organization that passes `filter`, newest first.
///
/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn list(
    call: &Call,
    filter: &OrganizationFilter,
    window: Window,
) -> Result<Slice<Organization>, Error> {
    call.require(ManageOrganizations)?;
    Ok(call.app().store().organizations().list_unscoped(filter, window).await?)
}

/// An organization that things can be made for, held until they are: what it has of each kind is counted while nobody
/// else makes more.
pub(crate) async fn usable(tx: &Tx, id: OrganizationId) -> Result<Organization, Error> {
    let organization = shown(tx.organizations().find_for_update_unscoped(id).await?, State::Any)?;
    if organization.is_suspended() { Err(Error::OrganizationSuspended) } else { Ok(organization) }
}

/// That an organization, which is held ([`usable`]), may have another thing of this kind.
///
/// # Errors
/// [`Error::LimitReached`] when it has as many as it may.
pub(crate) async fn has_room(
    call: &Call,
    tx: &Tx,
    organization: &Organization,
    resource: LimitedResource,
) -> Result<(), Error> {
    let id = organization.id;
    let count = match resource {
        LimitedResource::ApiKeys => tx.credentials().count_live(id).await?,
        LimitedResource::Users => tx.user_accounts().count_all(Owner::Organization(id)).await?,
        LimitedResource::Roles => tx.roles().count(id).await?,
        LimitedResource::AdminKeys => tx.admin_keys().count_live(id).await?,
    };
    let installation = call.app().installation().resource_limits;
    let limit = organization.settings.resource_limits.effective(installation, resource);
    if count < limit {
        return Ok(());
    }
    call.app().note_limit_reached(resource);
    Err(Error::LimitReached { resource, limit, count })
}

/// When an organization was made.
pub(crate) async fn since(tables: &impl Tables, id: OrganizationId) -> Result<Timestamp, Error> {
    Ok(shown(tables.organizations().find_unscoped(id).await?, State::Any)?.created_at)
}

/// An organization that is about to be changed.
async fn held(
    call: &Call,
    tx: &Tx,
    id: OrganizationId,
    precondition: &Precondition,
    needed: State,
) -> Result<Organization, Error> {
    let id = call.tenant(Some(id))?.organization;
    let organization = shown(tx.organizations().find_for_update_unscoped(id).await?, needed)?;
    if precondition.admits(organization.revision) { Ok(organization) } else { Err(Error::Stale) }
}

/// Deleted organizations are not there.
fn shown(found: Option<Organization>, needed: State) -> Result<Organization, Error> {
    found.filter(|it| it.status != OrganizationStatus::Deleted).ok_or_else(|| missing(needed))
}

fn missing(needed: State) -> Error {
    Error::NotFound(Resource::Organization, needed)
}

fn fact(organization: &Organization, verb: Verb, more: Details) -> Fact {
    let mut details = vec![("name".to_owned(), Detail::Text(organization.name.to_string()))];
    details.extend(more);
    Fact {
        resource: Resource::Organization,
        verb,
        target: organization.id.uuid(),
        organization: Some(organization.id),
        details,
        learn: Learn::Engine(Change::Organization(Box::new(organization.clone()))),
    }
}
