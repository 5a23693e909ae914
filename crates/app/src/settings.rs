//! What the operator settles for the whole installation while it runs.

use claviger_domain::Timestamp;
use claviger_domain::audit::{Detail, Resource, Verb};
use claviger_domain::capability::Capability::ManageSettings;
use claviger_domain::limit::Limits;
use claviger_domain::resource_limits::ResourceLimits;
use claviger_domain::revision::Precondition;
use claviger_domain::settings::{ForwardAuthDialect, KeptDays, KeyLifetime, Settings};
use claviger_store::{Tables, Tx};
use uuid::Uuid;

use crate::call::{Changed, Fact};
use crate::field::Changes;
use crate::memory::Learn;
use crate::{Answer, Call, Error, Field};

#[derive(Debug, Default)]
pub struct Update {
    pub key_lifetime: Field<KeyLifetime>,
    pub default_limits: Field<Limits>,
    pub kept_days: Field<KeptDays>,
    pub resource_limits: Field<ResourceLimits>,
    pub forward_auth_dialect: Field<ForwardAuthDialect>,
    pub cors_origins: Field<Vec<String>>,
}

/// # Errors
/// [`Error::Refused`] when the caller may not.
pub async fn find(call: &Call) -> Result<Settings, Error> {
    call.require(ManageSettings)?;
    Ok(call.app().store().settings().read_unscoped().await?)
}

/// Changes the fields that are set.
///
/// # Errors
/// [`Error::Refused`], [`Error::Stale`].
pub async fn update<A: Answer>(
    call: &Call,
    precondition: &Precondition,
    update: Update,
    word: impl FnOnce(Settings) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageSettings)?;
    call.change(ManageSettings, word, async |tx: &Tx, now: Timestamp| {
        let mut settings = tx.settings().read_unscoped().await?;
        if !precondition.admits(settings.revision) {
            return Err(Error::Stale);
        }
        let Update {
            key_lifetime,
            default_limits,
            kept_days,
            resource_limits,
            forward_auth_dialect,
            cors_origins,
        } = update;
        let mut changes = Changes::default();
        changes.apply("key_lifetime", &mut settings.key_lifetime, key_lifetime, lifetime);
        changes.apply("default_rate_limits", &mut settings.default_limits, default_limits, |it| {
            Detail::Text(it.to_string())
        });
        changes.apply("retention", &mut settings.kept_days, kept_days, days);
        changes.apply("resource_limits", &mut settings.resource_limits, resource_limits, |it| {
            Detail::Text(it.to_string())
        });
        let dialect = &mut settings.forward_auth_dialect;
        changes.apply("forward_auth_dialect", dialect, forward_auth_dialect, |it| {
            Detail::Text(it.word().to_owned())
        });
        changes.apply("cors_origins", &mut settings.cors_origins, cors_origins, |origins| {
            Detail::List(origins.iter().cloned().map(Detail::Text).collect())
        });
        let settings = Settings { updated_at: Some(now), revision: settings.revision.next(), ..settings };
        tx.settings().save(&settings).await?;
        let fact = Fact {
            resource: Resource::Settings,
            verb: Verb::Updated,
            target: Uuid::nil(),
            organization: None,
            details: vec![("changes".to_owned(), changes.into_detail())],
            learn: Learn::Settings(Box::new(settings.clone())),
        };
        Ok(Changed { outcome: settings, entries: vec![fact] })
    })
    .await
}

pub(crate) fn lifetime(lifetime: &KeyLifetime) -> Detail {
    let KeyLifetime { usual, most, is_demanded } = lifetime;
    let seconds =
        |span: &Option<chrono::TimeDelta>| span.map_or(Detail::Null, |it| Detail::Number(it.num_seconds()));
    Detail::Map(vec![
        ("default_seconds".to_owned(), seconds(usual)),
        ("max_seconds".to_owned(), seconds(most)),
        ("required".to_owned(), Detail::Flag(*is_demanded)),
    ])
}

pub(crate) fn days(kept: &KeptDays) -> Detail {
    let number = |days: Option<u32>| days.map_or(Detail::Null, |days| Detail::Number(days.into()));
    let KeptDays { audit, usage } = *kept;
    Detail::Map(vec![("audit_days".to_owned(), number(audit)), ("usage_days".to_owned(), number(usage))])
}
