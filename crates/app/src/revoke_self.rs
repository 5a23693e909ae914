//! Whoever holds a key may kill it: who finds one in a public place, and who has lost one.

use claviger_domain::Timestamp;
use claviger_domain::actor::{Actor, Owner};
use claviger_domain::admin_key::AdminKey;
use claviger_domain::audit::{Detail, Verb};
use claviger_domain::capability::Capability::RevokeSelf;
use claviger_domain::capability::Door;
use claviger_domain::ids::CredentialId;
use claviger_domain::scope::Scopes;
use claviger_domain::secret::{KeyFormat, Plaintext, PresentedKey};
use claviger_domain::text::Description;
use claviger_engine::Change;
use claviger_store::{Tables, Tx};

use crate::call::{Changed, Direct, Fact};
use crate::memory::{self, Learn};
use crate::{App, Call, Error, Facts, admin_keys, credentials};

/// Ends the credential or the admin key that is presented, in a task of its own: once begun, it is carried through
/// whoever waits. A key that is none, is unknown or has ended already
/// is as dead as it can be: that is no error. The bootstrap key is not ended so, but rotated.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not take it.
pub async fn revoke_self(app: &App, key: &str, facts: Facts) -> Result<(), Error> {
    let Ok(key) = key.parse::<Plaintext>() else { return Ok(()) };
    let app = app.clone();
    let ending = tokio::spawn(async move {
        let presented = PresentedKey::from(&key);
        match key.format() {
            KeyFormat::Bootstrap => Ok(()),
            KeyFormat::Admin => end_admin_key(&app, presented, facts).await,
            KeyFormat::Partner | KeyFormat::Live | KeyFormat::Test | KeyFormat::Scim => {
                end_credential(&app, presented, facts).await
            }
        }
    });
    match ending.await.map_err(|error| Error::Internal(error.into()))? {
        // Somebody else was faster.
        Err(Error::UnknownKey | Error::WrongState(..) | Error::NotFound(..)) => Ok(()),
        other => other,
    }
}

async fn end_credential(app: &App, key: PresentedKey<'_>, facts: Facts) -> Result<(), Error> {
    let Some(known) = memory::find(app, key).await? else { return Ok(()) };
    // Whoever has a secret that was rotated away holds nothing any more, and may end nothing.
    if known.secret_has_ended(app.now()) {
        return Ok(());
    }
    let id: CredentialId = known.snapshot.id;
    let digests: Vec<_> = app.peppers().digests(key).collect();
    let actor = Actor::credential(known.presented(), Door::Gateway, &Scopes::default());
    let call = Call::new(app.clone(), actor, facts);
    let Direct(()) = call
        .revocation(RevokeSelf, Direct, async |tx: &Tx, now: Timestamp| {
            // The key itself is the proof.
            let found = tx.credentials().find_for_update(Owner::Installation, id).await?;
            let credential = found.ok_or(Error::UnknownKey)?;
            let presented = tx.secrets().find_unscoped(&digests).await?;
            presented.filter(|(_, secret)| secret.is_in_force(now)).ok_or(Error::UnknownKey)?;
            let reason = Description::new("revoked by its holder").ok();
            let credential = credential.revoke(reason, now).map_err(|_| Error::UnknownKey)?;
            tx.credentials().save(&credential).await?;
            let fact = Fact {
                resource: credentials::resource(credential.class),
                verb: Verb::Revoked,
                target: id.uuid(),
                organization: Some(credential.organization),
                details: vec![
                    ("name".to_owned(), Detail::Text(credential.name.to_string())),
                    ("by".to_owned(), Detail::Text("holder".to_owned())),
                ],
                learn: Learn::Engine(Change::Credential(Box::new(credential), None)),
            };
            Ok(Changed { outcome: (), entries: vec![fact] })
        })
        .await?;
    Ok(())
}

async fn end_admin_key(app: &App, key: PresentedKey<'_>, facts: Facts) -> Result<(), Error> {
    let digests: Vec<_> = app.peppers().digests(key).collect();
    let found = {
        let _turn = memory::turn(app).await?;
        app.store().admin_keys().find_by_digest_unscoped(&digests).await?
    };
    let Some((AdminKey { id, organization, permissions, .. }, of)) = found else { return Ok(()) };
    // Whether the key can be used does not matter: it may be usable again tomorrow.
    let actor = Actor::AdminKey { id, organization, entity: of.name, capabilities: permissions };
    admin_keys::revoke_own(&Call::new(app.clone(), actor, facts), id).await
}
