//! What the engine knows, and how it keeps knowing it: every credential is loaded after the start, a key that
//! is not known yet is looked up once, changes of this process are put in force before they are answered, and
//! those of others are read from the audit log, which tells of every change.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use claviger_domain::actor::Owner;
use claviger_domain::audit::Resource;
use claviger_domain::credential::Credential;
use claviger_domain::ids::{
    AuditEntryId, BootstrapKeyId, CredentialId, OrganizationId, RoleId, UserAccountId,
};
use claviger_domain::role::Role;
use claviger_domain::secret::{Digest, KeyFormat, PresentedKey};
use claviger_domain::settings::{ForwardAuthDialect, Settings};
use claviger_engine::{Change, Known, Loaded, LoadedCounter};
use claviger_store::{Spent, Tables};
use uuid::Uuid;

use crate::{App, Error, roles};

pub mod consistency;
mod ended;
mod lookups;

pub(crate) use ended::forget_ended;
use lookups::Lookups;

/// What must be known of a change as soon as it is committed.
#[derive(Debug)]
pub(crate) enum Learn {
    /// Admin keys that are remembered for a moment are asked for again: one of them has changed.
    Callers,
    Engine(Change),
    Settings(Box<Settings>),
    /// The one bootstrap key in force.
    Bootstrap(BootstrapKeyId, Digest),
}

#[derive(Debug)]
pub(crate) struct Memory {
    bootstrap: ArcSwap<Vec<(BootstrapKeyId, Digest)>>,
    settings: ArcSwap<Settings>,
    lookups: Lookups,
    callers: Lookups,
    is_loaded: AtomicBool,
    consistency: consistency::ConsistencyCheck,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            bootstrap: ArcSwap::default(),
            settings: ArcSwap::default(),
            lookups: Lookups::default(),
            callers: Lookups::default(),
            is_loaded: false.into(),
            consistency: consistency::ConsistencyCheck::default(),
        }
    }
}

/// Credentials read at once after the start.
const PAGE: u64 = 2_000;

impl App {
    /// Puts a change in force that was committed just now. Nothing can fail here.
    pub(crate) fn learn(&self, entry: AuditEntryId, learn: Learn) {
        match learn {
            Learn::Callers => self.recent().forget(),
            Learn::Engine(change) => self.put_in_force(change),
            Learn::Settings(settings) => self.memory().settings.store((*settings).into()),
            Learn::Bootstrap(id, digest) => self.memory().bootstrap.store(vec![(id, digest)].into()),
        }
        self.change_feed().applied_here(entry);
    }

    fn put_in_force(&self, change: Change) {
        // A suspended organization's admin keys stop with it.
        if matches!(change, Change::Organization(_)) {
            self.recent().forget();
        }
        self.engine().apply(change);
    }

    /// The bootstrap key that is presented, when it is in force.
    pub(crate) fn bootstrap_key(&self, key: PresentedKey<'_>) -> Option<BootstrapKeyId> {
        let live = self.memory().bootstrap.load();
        let (id, _) =
            live.iter().find(|(_, held)| self.peppers().digests(key).any(|digest| digest == *held))?;
        Some(*id)
    }

    /// What the operator has settled, as far as it is known here.
    #[must_use]
    pub fn installation(&self) -> Arc<Settings> {
        self.memory().settings.load_full()
    }

    /// How forward-auth answers a proxy that does not say which it is.
    #[must_use]
    pub fn usual_dialect(&self) -> ForwardAuthDialect {
        self.memory().settings.load().forward_auth_dialect
    }

    /// Whether every credential has been loaded since the start. Before that, keys are looked up.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.memory().is_loaded.load(Ordering::Relaxed)
    }

    /// Loads the installation's settings and the bootstrap keys in force.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database does not answer.
    pub(crate) async fn load_installation(&self) -> Result<(), Error> {
        self.reload_settings().await?;
        self.reload_bootstrap_keys().await
    }

    async fn reload_settings(&self) -> Result<(), Error> {
        let settings = self.store().settings().read_unscoped().await?;
        self.memory().settings.store(settings.into());
        Ok(())
    }

    pub(crate) async fn reload_bootstrap_keys(&self) -> Result<(), Error> {
        let live = self.store().bootstrap_keys().live_unscoped().await?;
        let live: Vec<_> = live.into_iter().map(|(id, sealed)| (id, sealed.digest)).collect();
        self.memory().bootstrap.store(live.into());
        Ok(())
    }
}

/// The credential a key belongs to: from memory, or else from the database, once.
///
/// # Errors
/// [`Error::Unavailable`], [`Error::Busy`].
pub(crate) async fn find(app: &App, key: PresentedKey<'_>) -> Result<Option<Known>, Error> {
    find_in(app, &app.memory().lookups, key).await
}

/// As [`find`], of a key whose holder wants something of this process: not in line with the keys that
/// gateways ask about.
pub(crate) async fn find_caller(app: &App, key: PresentedKey<'_>) -> Result<Option<Known>, Error> {
    find_in(app, &app.memory().callers, key).await
}

async fn find_in(app: &App, lookups: &Lookups, key: PresentedKey<'_>) -> Result<Option<Known>, Error> {
    // Keys of other kinds belong to no credential: nobody needs to be asked.
    if matches!(key.format(), KeyFormat::Admin | KeyFormat::Bootstrap) {
        return Ok(None);
    }
    match remembered(app, key) {
        Some(answer) => Ok(answer),
        // What waits for a database is large, and would be moved about with each call that does not.
        None => Box::pin(look_up(app, lookups, key)).await,
    }
}

/// What memory says of a key; `None`: nothing.
fn remembered(app: &App, key: PresentedKey<'_>) -> Option<Option<Known>> {
    match app.engine().find(key) {
        Some(known) => Some(Some(known)),
        None => app.engine().is_remembered_unknown(key, app.now()).then_some(None),
    }
}

async fn look_up(app: &App, lookups: &Lookups, key: PresentedKey<'_>) -> Result<Option<Known>, Error> {
    let _turn = lookups.turn().await?;
    // Somebody may have looked it up while this one waited.
    if let Some(answer) = remembered(app, key) {
        return Ok(answer);
    }
    let digests: Vec<_> = app.peppers().digests(key).collect();
    // A change that overtakes the read makes it void; so many in a row are no accident.
    for _ in 0..10 {
        let mark = app.engine().mark();
        let Some(loaded) = load_by_digests(app, &digests).await? else {
            app.engine().remember_unknown(key, app.now());
            return Ok(None);
        };
        if !app.engine().insert(mark, loaded) {
            continue;
        }
        if let Some(known) = app.engine().find(key) {
            let horizon = ended::horizon(app);
            if known.has_ended(horizon) {
                app.engine().keep_briefly(key, horizon);
            }
            return Ok(Some(known));
        }
    }
    Err(Error::Busy)
}

/// Looks up a caller's key that is of no credential and not known to be in force: in line with others' guesses, and not
/// again right after it was looked for in vain.
///
/// # Errors
/// [`Error::Busy`] when too many wait, and whatever `look_up` answers.
pub(crate) async fn look_up_guess<T>(
    app: &App,
    key: PresentedKey<'_>,
    look_up: impl AsyncFnOnce() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    if app.engine().is_remembered_unknown(key, app.now()) {
        return Ok(None);
    }
    let _turn = app.memory().callers.turn().await?;
    // Somebody may have looked it up while this one waited.
    if app.engine().is_remembered_unknown(key, app.now()) {
        return Ok(None);
    }
    let found = look_up().await?;
    if found.is_none() {
        app.engine().remember_unknown(key, app.now());
    }
    Ok(found)
}

/// A turn to look up a key that may be anybody's guess.
///
/// # Errors
/// [`Error::Busy`] when too many wait.
pub(crate) async fn turn(app: &App) -> Result<impl Drop + '_, Error> {
    app.memory().lookups.turn().await
}

async fn load_by_digests(app: &App, digests: &[Digest]) -> Result<Option<Loaded>, Error> {
    let Some((id, presented)) = app.store().secrets().find_unscoped(digests).await? else { return Ok(None) };
    let mut loaded = load_one(app, id).await?;
    if let Some(Loaded { secrets, .. }) = &mut loaded
        && secrets.iter().all(|secret| secret.number != presented.number)
    {
        secrets.push(presented);
    }
    Ok(loaded)
}

async fn load_one(app: &App, id: CredentialId) -> Result<Option<Loaded>, Error> {
    // The key itself, or the log of changes, is what asks about it.
    let Some(credential) = app.store().credentials().find(Owner::Installation, id).await? else {
        return Ok(None);
    };
    Ok(complete(app, vec![credential]).await?.pop())
}

/// Reads all that decides about these credentials. Secrets that ended long ago are left out.
async fn complete(app: &App, credentials: Vec<Credential>) -> Result<Vec<Loaded>, Error> {
    let store = app.store();
    let mut ids = BTreeSet::new();
    let mut users = BTreeSet::new();
    let mut organizations = BTreeSet::new();
    for credential in &credentials {
        ids.insert(credential.id);
        users.extend(credential.user_account);
        organizations.insert(credential.organization);
    }
    let ids: Vec<CredentialId> = ids.into_iter().collect();
    let users: Vec<UserAccountId> = users.into_iter().collect();
    let organizations: Vec<OrganizationId> = organizations.into_iter().collect();
    let owners: Vec<_> = (ids.iter().map(|id| id.uuid()))
        .chain(users.iter().map(|id| id.uuid()))
        .chain(organizations.iter().map(|id| id.uuid()))
        .collect();
    let mut secrets = HashMap::<CredentialId, Vec<_>>::new();
    let horizon = ended::horizon(app);
    for (id, secret) in store.secrets().of_many(&ids).await? {
        if secret.is_in_force(horizon) {
            secrets.entry(id).or_default().push(secret);
        }
    }
    let mut spent = HashMap::<Uuid, Vec<LoadedCounter>>::new();
    for Spent { owner, name, window_seconds, counter } in store.counters().of_owners(&owners).await? {
        spent.entry(owner).or_default().push(LoadedCounter { owner, name, window_seconds, counter });
    }
    let users = store.user_accounts().find_many(Owner::Installation, &users).await?;
    let roles: Vec<_> = users.iter().flat_map(|user| user.roles.iter()).collect();
    let roles = if roles.is_empty() { Vec::new() } else { store.roles().find_many_unscoped(&roles).await? };
    let users: HashMap<_, _> = users.into_iter().map(|user| (user.id, user)).collect();
    let organizations = store.organizations().find_many_unscoped(&organizations).await?;
    let organizations: HashMap<_, _> =
        organizations.into_iter().map(|organization| (organization.id, organization)).collect();
    let of = |id: Uuid| spent.get(&id).cloned().unwrap_or_default();
    Ok(credentials
        .into_iter()
        .filter_map(|credential| {
            let shared = credential.user_account.map(|id| of(id.uuid())).unwrap_or_default();
            let user_account = credential.user_account.and_then(|id| users.get(&id).cloned());
            let held = |role: &&Role| user_account.as_ref().is_some_and(|user| user.roles.contains(role.id));
            Some(Loaded {
                secrets: secrets.remove(&credential.id).unwrap_or_default(),
                roles: roles.iter().filter(held).cloned().collect(),
                user_account,
                organization: organizations.get(&credential.organization)?.clone(),
                spent: [of(credential.id.uuid()), shared, of(credential.organization.uuid())].concat(),
                credential,
            })
        })
        .collect())
}

/// Loads every credential but those that ended long ago. Until it is done, keys are looked up one by one.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not answer: what was loaded stays.
pub async fn load(app: &App) -> Result<(), Error> {
    let mut after = None;
    let horizon = ended::horizon(app);
    loop {
        let mark = app.engine().mark();
        let page = app.store().credentials().page_unscoped(after, horizon, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for loaded in complete(app, page).await? {
            let id = loaded.credential.id;
            if !app.engine().insert(mark, loaded) {
                reload(app, id).await?;
            }
        }
    }
    app.engine().drop_unnamed_counters();
    app.memory().is_loaded.store(true, Ordering::Relaxed);
    Ok(())
}

async fn reload(app: &App, id: CredentialId) -> Result<(), Error> {
    for _ in 0..10 {
        let mark = app.engine().mark();
        let Some(loaded) = load_one(app, id).await? else { return Ok(()) };
        if app.engine().insert(mark, loaded) {
            return Ok(());
        }
    }
    Err(Error::Busy)
}

/// Reloads one thing that another process has changed.
///
/// # Errors
/// [`Error::Unavailable`] when the database does not answer.
pub(crate) async fn put_in_force(app: &App, resource: Resource, target: Uuid) -> Result<(), Error> {
    let store = app.store();
    match resource {
        Resource::Credential | Resource::ApiKey => reload(app, CredentialId::from_uuid(target)).await,
        Resource::UserAccount => {
            let ids = [UserAccountId::from_uuid(target)];
            for account in store.user_accounts().find_many(Owner::Installation, &ids).await? {
                let custom = roles::custom_of(store, &account.roles).await?;
                app.put_in_force(Change::UserAccount(account.into(), custom));
            }
            Ok(())
        }
        Resource::Organization => {
            let id = OrganizationId::from_uuid(target);
            if let Some(organization) = store.organizations().find_unscoped(id).await? {
                app.put_in_force(Change::Organization(organization.into()));
            }
            Ok(())
        }
        Resource::BootstrapKey => {
            app.reload_bootstrap_keys().await?;
            if let Some(key) = store.bootstrap_keys().in_force_unscoped().await? {
                tracing::info!(made_by = key.made_by, made_at = %key.created_at, "the bootstrap key of another process is in force");
            }
            Ok(())
        }
        Resource::AdminKey => {
            app.recent().forget();
            Ok(())
        }
        Resource::Role => {
            let id = RoleId::from_uuid(target);
            let found = store.roles().find_many_unscoped(&[id]).await?.pop();
            app.put_in_force(match found {
                Some(role) => Change::Role(role.into()),
                None => Change::RoleDeleted(id),
            });
            Ok(())
        }
        Resource::Settings => app.reload_settings().await,
        Resource::Usage | Resource::AuditLog | Resource::Request => Ok(()),
    }
}
