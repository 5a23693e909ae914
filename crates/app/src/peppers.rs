//! The peppers that stored things were made under: whether they are all here, what depends on each, and when
//! one may go. With another pepper, or without one, keys would be unknown and the audit log could not be verified.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::audit::ChainId;
use claviger_domain::secret::{PepperVersion, SealedSecret};
use claviger_store::{EntriesUnder, KeysUnder, StoreError, Tables, Tx};

use crate::{App, Error, Retention, audit};

/// Why the peppers must not be used on this database.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The database knows another pepper by this version.
    #[error("pepper {0} is not the one that the database knows by this version")]
    Different(PepperVersion),
    /// Something stored was made under a pepper that is not given.
    #[error("pepper {0} is missing, and something stored depends on it")]
    Missing(PepperVersion, Vec<Dependent>),
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// A kind of thing that needs the pepper it was made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependent {
    BootstrapKey,
    AdminKeys,
    Credentials,
    AuditEntries,
    /// The sealed ends of the audit log's chains.
    AuditChains,
}

impl Dependent {
    /// As it is called in a sentence for the operator.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::BootstrapKey => "the bootstrap key",
            Self::AdminKeys => "admin keys",
            Self::Credentials => "keys in force",
            Self::AuditEntries => "audit entries",
            Self::AuditChains => "ends of audit chains",
        }
    }
}

/// Compares the peppers with what the database knows of them, and records new ones. To be called before anything
/// else: what is written under a wrong pepper stays unreadable.
///
/// # Errors
/// [`Unfit`]; nothing was written then.
pub async fn check(app: &App) -> Result<(), Unfit> {
    let given = app.peppers().checks();
    let known = app.store().pepper_checks().list_unscoped().await?;
    compare(&given, &known)?;
    for SealedSecret { pepper, .. } in known.iter().filter(|known| of(&given, known.pepper).is_none()) {
        let (dependents, expired) = dependents(app, *pepper).await?;
        if !dependents.is_empty() {
            return Err(Unfit::Missing(*pepper, dependents));
        }
        if expired > 0 {
            tracing::warn!(
                pepper,
                expired,
                "this pepper is gone: the expired keys made under it cannot be extended; rotate them instead"
            );
        }
    }
    if given.iter().all(|given| of(&known, given.pepper).is_some()) {
        return Ok(());
    }
    app.write_bulk("peppers", async |tx: &Tx| {
        for check in &given {
            tx.pepper_checks().insert_missing(check, app.now()).await?;
        }
        // Another process that starts just now may have been first, with others.
        compare(&given, &tx.pepper_checks().list_unscoped().await?)
    })
    .await
}

fn compare(given: &[SealedSecret], known: &[SealedSecret]) -> Result<(), Unfit> {
    let different = |given: &&SealedSecret| of(known, given.pepper).is_some_and(|known| known != *given);
    given.iter().find(different).map_or(Ok(()), |given| Err(Unfit::Different(given.pepper)))
}

fn of(checks: &[SealedSecret], version: PepperVersion) -> Option<&SealedSecret> {
    checks.iter().find(|check| check.pepper == version)
}

/// What depends on a pepper, and how many expired keys do. The bootstrap key, keys in force, and the audit log: kept
/// answers are sealed with their callers' own keys.
async fn dependents(app: &App, pepper: PepperVersion) -> Result<(Vec<Dependent>, u64), StoreError> {
    let (store, now) = (app.store(), app.now());
    let pepper_use = store.pepper_use();
    let admin_keys = pepper_use.admin_keys_unscoped(pepper, now).await?;
    let credentials = pepper_use.secrets_unscoped(pepper, now).await?;
    let dependents = [
        (Dependent::BootstrapKey, store.bootstrap_keys().is_pepper_used_unscoped(pepper).await?),
        (Dependent::AdminKeys, admin_keys.in_force > 0),
        (Dependent::Credentials, credentials.in_force > 0),
        (Dependent::AuditEntries, pepper_use.has_entries_unscoped(pepper).await?),
        (Dependent::AuditChains, pepper_use.chain_ends_unscoped(pepper).await? > 0),
    ];
    let needed = dependents.into_iter().filter_map(|(dependent, is_there)| is_there.then_some(dependent));
    Ok((needed.collect(), admin_keys.expired + credentials.expired))
}

/// How things stand with one pepper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub version: PepperVersion,
    /// Whether this process has it.
    pub is_configured: bool,
    /// Whether new keys are made under it.
    pub signs: bool,
    pub bootstrap_key: bool,
    pub admin_keys: KeysUnder,
    pub credentials: KeysUnder,
    pub audit_entries: u64,
    /// Chains of the audit log whose ends are sealed under it. A server seals them anew under the newest pepper
    /// within ten minutes.
    pub audit_chains: u64,
    /// When retention will have removed the last of the audit entries.
    pub audit_until: AuditUntil,
}

/// How long audit entries are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditUntil {
    /// There is none.
    Nothing,
    At(Timestamp),
    /// Entries of at least one chain are kept for ever.
    Never,
}

impl Status {
    /// Whether nothing stored depends on it.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        let Self { bootstrap_key, admin_keys, credentials, audit_entries, audit_chains, .. } = self;
        !bootstrap_key
            && admin_keys.in_force == 0
            && credentials.in_force == 0
            && *audit_entries == 0
            && *audit_chains == 0
    }

    /// Whether it may be removed now.
    #[must_use]
    pub fn may_go(&self) -> bool {
        !self.signs && self.is_unused()
    }

    /// When it may be removed if nobody does anything: `None` when something stays until somebody acts.
    #[must_use]
    pub fn free_from(&self) -> Option<Timestamp> {
        let Self { signs, bootstrap_key, admin_keys, credentials, audit_chains, audit_until, .. } = self;
        let stays = *signs || *bootstrap_key || admin_keys.without_end > 0 || credentials.without_end > 0;
        let audit = match audit_until {
            AuditUntil::Never => return None,
            AuditUntil::Nothing if *audit_chains > 0 && !self.is_configured => return None,
            AuditUntil::Nothing => None,
            AuditUntil::At(at) => Some(*at),
        };
        if stays {
            None
        } else {
            [admin_keys.last_end, credentials.last_end, audit].into_iter().flatten().max()
        }
    }
}

/// Every pepper that is configured or known to the database, newest first.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub async fn status(app: &App) -> Result<Vec<Status>, StoreError> {
    let given: Vec<_> = app.peppers().checks().iter().map(|check| check.pepper).collect();
    let known = app.store().pepper_checks().list_unscoped().await?;
    let versions: BTreeSet<_> = known.iter().map(|check| check.pepper).chain(given.iter().copied()).collect();
    let kept = Kept::read(app).await?;
    let mut all = Vec::with_capacity(versions.len());
    for version in versions.into_iter().rev() {
        all.push(status_of(app, version, &given, &kept).await?);
    }
    Ok(all)
}

async fn status_of(
    app: &App,
    version: PepperVersion,
    given: &[PepperVersion],
    kept: &Kept,
) -> Result<Status, StoreError> {
    let (pepper_use, now) = (app.store().pepper_use(), app.now());
    let entries = pepper_use.entries_unscoped(version).await?;
    Ok(Status {
        version,
        is_configured: given.contains(&version),
        signs: given.iter().max() == Some(&version),
        bootstrap_key: app.store().bootstrap_keys().is_pepper_used_unscoped(version).await?,
        admin_keys: pepper_use.admin_keys_unscoped(version, now).await?,
        credentials: pepper_use.secrets_unscoped(version, now).await?,
        audit_entries: entries.iter().map(|entries| entries.count).sum(),
        audit_chains: pepper_use.chain_ends_unscoped(version).await?,
        audit_until: kept.until(&entries),
    })
}

/// For how many days each chain's entries are kept; `None` is for ever.
struct Kept {
    installation: Option<u32>,
    of_organizations: BTreeMap<ChainId, u32>,
}

impl Kept {
    async fn read(app: &App) -> Result<Self, StoreError> {
        let settled = app.store().settings().read_unscoped().await?.kept_days;
        let Retention { audit, .. } = app.0.retention.unless(settled);
        let own = app.store().organizations().keeping_unscoped().await?.into_iter();
        let own = own.filter_map(|(id, kept)| Some((ChainId::from(Some(id)), kept.audit?)));
        Ok(Self { installation: audit, of_organizations: own.collect() })
    }

    fn until(&self, entries: &[EntriesUnder]) -> AuditUntil {
        let mut until = AuditUntil::Nothing;
        for EntriesUnder { chain, newest_at, .. } in entries {
            let days = self.of_organizations.get(chain).copied().or(self.installation);
            let Some(days) = days else { return AuditUntil::Never };
            let end = *newest_at + TimeDelta::days(i64::from(days));
            until = match until {
                AuditUntil::At(other) if other >= end => until,
                _ => AuditUntil::At(end),
            };
        }
        until
    }
}

/// Seals the ends of all chains under the newest pepper, so that none depends on an older one. A running server
/// does the same every ten minutes.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn seal_chains(app: &App) -> Result<(), Error> {
    audit::seal_anew(app).await
}

/// Gives up a pepper that is lost for good: from now on nothing asks for it. Keys made under it are unknown, and
/// `audit verify` reports the entries made under it.
///
/// # Errors
/// [`StoreError`] when the database does not take it.
pub async fn give_up(app: &App, version: PepperVersion) -> Result<(), StoreError> {
    app.store().transaction(async |tx: &Tx| tx.pepper_checks().delete(version).await).await
}
