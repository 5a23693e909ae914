//! Changing organizations.

use claviger_domain::Timestamp;
use claviger_domain::actor::Owner;
use claviger_domain::address::IpAllowlist;
use claviger_domain::audit::{Detail, Resource, Verb};
use claviger_domain::capability::Capability::EditOrganization;
use claviger_domain::ids::OrganizationId;
use claviger_domain::limit::Limits;
use claviger_domain::organization::{OrganizationSettings, Slug};
use claviger_domain::resource_limits::ResourceLimits;
use claviger_domain::revision::Precondition;
use claviger_domain::settings::{KeptDays, KeyLifetime};
use claviger_domain::text::{Email, Metadata, Name};
use claviger_store::{Tables, Tx};

use super::{Seen, fact, held, see};
use crate::call::Changed;
use crate::field::Changes;
use crate::settings::{days, lifetime};
use crate::{Answer, Call, Error, Field, Retention, State};

#[derive(Debug, Default)]
pub struct Update {
    pub name: Field<Name>,
    pub slug: Field<Slug>,
    pub email: Field<Option<Email>>,
    pub plan: Field<Option<Name>>,
    pub metadata: Field<Metadata>,
    pub ip_allowlist: Field<IpAllowlist>,
    pub key_lifetime: Field<KeyLifetime>,
    pub default_limits: Field<Limits>,
    pub kept_days: Field<KeptDays>,
    /// Of the operator's surface only.
    pub resource_limits: Field<ResourceLimits>,
    /// The operator's word that the name is the organization's, or that it is not.
    pub is_name_verified: Field<bool>,
    /// Even if the caller's own address is shut out.
    pub force: bool,
}

/// Changes the fields that are set; in force at the gateway at once.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::SlugTaken`]; [`Error::ExcludesCaller`] unless forced; [`Error::KeptTooShort`] when an organization would
/// have its own records removed before the installation does.
pub async fn update<A: Answer>(
    call: &Call,
    id: OrganizationId,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(EditOrganization)?;
    call.change(EditOrganization, word, async |tx: &Tx, now: Timestamp| {
        let mut organization = held(call, tx, id, precondition, State::Any).await?;
        let Update {
            name,
            slug,
            email,
            plan,
            metadata,
            ip_allowlist,
            key_lifetime,
            default_limits,
            kept_days,
            resource_limits,
            is_name_verified,
            force,
        } = update;
        if let Field::Set(slug) = &slug
            && *slug != organization.slug
            && tx.organizations().is_slug_taken_unscoped(slug).await?
        {
            return Err(Error::SlugTaken);
        }
        let is_own = matches!(call.owner(), Owner::Organization(_));
        if is_own && let Field::Set(wanted) = &kept_days {
            not_shortened(*wanted, organization.settings.kept_days, call.app().retention())?;
        }
        // The callers of another organization, and the installation's, are not shut out by this one's list.
        let is_callers = call.actor().organization() == Some(organization.id);
        if is_callers
            && !force
            && let Field::Set(list) = &ip_allowlist
            && !list.admits(call.address())
        {
            return Err(Error::ExcludesCaller(call.address()));
        }
        let was_verified = !organization.is_self_named;
        // A name that stays says nothing: the operator takes up one that the organization gave itself by saying so.
        if matches!(&name, Field::Set(name) if *name != organization.name) {
            organization.is_self_named = is_own;
        }
        if let Field::Set(is_verified) = is_name_verified {
            organization.is_self_named = !is_verified;
        }
        let mut changes = Changes::default();
        changes.note("name_verified", &was_verified, &!organization.is_self_named, |it| Detail::Flag(*it));
        changes.apply("name", &mut organization.name, name, |name| Detail::Text(name.to_string()));
        changes.apply("slug", &mut organization.slug, slug, |slug| Detail::Text(slug.to_string()));
        changes.apply("email", &mut organization.email, email, |it| Detail::text_or_null(it.as_ref()));
        changes.apply("plan", &mut organization.plan, plan, |plan| Detail::text_or_null(plan.as_ref()));
        changes.apply("metadata", &mut organization.metadata, metadata, Detail::metadata);
        let OrganizationSettings {
            ip_allowlist: allowlist,
            key_lifetime: lives,
            default_limits: limits,
            kept_days: kept,
            resource_limits: most,
        } = &mut organization.settings;
        changes.apply("ip_allowlist", allowlist, ip_allowlist, |it| Detail::Text(it.to_string()));
        changes.apply("key_lifetime", lives, key_lifetime, lifetime);
        changes.apply("default_rate_limits", limits, default_limits, |it| Detail::Text(it.to_string()));
        changes.apply("retention", kept, kept_days, days);
        changes.apply("resource_limits", most, resource_limits, |it| Detail::Text(it.to_string()));
        let organization = organization.touched(now);
        tx.organizations().save(&organization).await?;
        let fact = fact(&organization, Verb::Updated, vec![("changes".to_owned(), changes.into_detail())]);
        Ok(Changed { outcome: see(tx, organization).await?, entries: vec![fact] })
    })
    .await
}

/// What tells who did what, and what can be billed, is the operator's as well: an organization may keep it longer.
fn not_shortened(wanted: KeptDays, before: KeptDays, installation: Retention) -> Result<(), Error> {
    let is_shorter = |wanted: Option<u32>, before, least: Option<u32>| {
        wanted != before && wanted.is_some_and(|days| least.is_none_or(|least| days < least))
    };
    let (audit, usage) = (installation.audit, installation.days);
    if is_shorter(wanted.audit, before.audit, audit) {
        return Err(Error::KeptTooShort(Resource::AuditLog, audit));
    }
    if is_shorter(wanted.usage, before.usage, usage) {
        return Err(Error::KeptTooShort(Resource::Usage, usage));
    }
    Ok(())
}
