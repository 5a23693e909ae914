//! Opening organizations.

use claviger_domain::Timestamp;
use claviger_domain::audit::{Detail, Verb};
use claviger_domain::capability::Capability::ManageOrganizations;
use claviger_domain::ids::OrganizationId;
use claviger_domain::organization::{Organization, OrganizationSettings, Slug};
use claviger_domain::text::{Email, Metadata, Name};
use claviger_store::{Tables, Tx};

use super::fact;
use crate::call::{Changed, Fact};
use crate::{Answer, Call, Error};

#[derive(Debug)]
pub struct Create {
    pub name: Name,
    /// `None`: made of the name, and told from others that have the same one.
    pub slug: Option<Slug>,
    pub email: Option<Email>,
    pub plan: Option<Name>,
    pub metadata: Metadata,
    pub settings: OrganizationSettings,
}

/// Opens an organization; it is active at once.
///
/// # Errors
/// [`Error::SlugTaken`] when another organization has the slug that was asked for.
pub async fn create<A: Answer>(
    call: &Call,
    create: Create,
    word: impl FnOnce(Organization) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageOrganizations)?;
    let Create { name, slug, email, plan, metadata, settings } = create;
    call.change(ManageOrganizations, word, async |tx: &Tx, now: Timestamp| {
        let id = OrganizationId::generate(now, &mut call.app().random());
        let slug = match slug {
            Some(slug) if tx.organizations().is_slug_taken_unscoped(&slug).await? => {
                return Err(Error::SlugTaken);
            }
            Some(slug) => slug,
            None => free_slug(tx, &name, id).await?,
        };
        let new = Organization::new(id, name, slug, now);
        let organization = Organization { email, plan, metadata, settings, ..new };
        tx.organizations().insert(&organization).await?;
        let fact = opened(&organization);
        Ok(Changed { outcome: organization, entries: vec![fact] })
    })
    .await
}

/// Opens an organization that is known by its name only.
pub(crate) async fn open(
    call: &Call,
    tx: &Tx,
    name: Name,
    now: Timestamp,
) -> Result<(Organization, Fact), Error> {
    let id = OrganizationId::generate(now, &mut call.app().random());
    let slug = free_slug(tx, &name, id).await?;
    let organization = Organization::new(id, name, slug, now);
    tx.organizations().insert(&organization).await?;
    let fact = opened(&organization);
    Ok((organization, fact))
}

async fn free_slug(tx: &Tx, name: &Name, id: OrganizationId) -> Result<Slug, Error> {
    let slug = Slug::derive(name);
    let taken = tx.organizations().is_slug_taken_unscoped(&slug).await?;
    Ok(if taken { slug.distinguished_by(id) } else { slug })
}

fn opened(organization: &Organization) -> Fact {
    let slug = ("slug".to_owned(), Detail::Text(organization.slug.to_string()));
    fact(organization, Verb::Created, vec![slug])
}
