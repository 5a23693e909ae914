//! Whether the peppers are those that the database's keys were made under. With others, every key would
//! be unknown, and a given bootstrap key would take the place of the real one.

use claviger_domain::secret::{PepperVersion, SealedSecret};
use claviger_store::{StoreError, Tables, Tx};

use crate::App;

/// Why the peppers must not be used on this database.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The database knows another pepper by this version.
    #[error("pepper {0} is not the one that the database knows by this version")]
    Different(PepperVersion),
    /// Keys in force were made under a pepper that is not given.
    #[error("pepper {0} is missing, and keys in force were made under it")]
    Missing(PepperVersion),
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// Compares the peppers with what the database knows of them, and lets it know of new ones. To be asked
/// before anything else is: what is written under a wrong pepper stays unreadable.
///
/// # Errors
/// [`Unfit`]; nothing was written then.
pub async fn check(app: &App) -> Result<(), Unfit> {
    let given = app.peppers().checks();
    let known = app.store().pepper_checks().list_unscoped().await?;
    compare(&given, &known)?;
    for SealedSecret { pepper, .. } in known.iter().filter(|known| of(&given, known.pepper).is_none()) {
        if is_used(app, *pepper).await? {
            return Err(Unfit::Missing(*pepper));
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

async fn is_used(app: &App, pepper: PepperVersion) -> Result<bool, StoreError> {
    let store = app.store();
    Ok(store.bootstrap_keys().is_pepper_used_unscoped(pepper).await?
        || store.admin_keys().is_pepper_used_unscoped(pepper).await?
        || store.secrets().is_pepper_used_unscoped(pepper, app.now()).await?)
}
