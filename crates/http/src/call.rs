//! From headers to a caller who may: authentication, the caller's quota, and the permission, in this
//! order and before anything else of the request is looked at.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use claviger_app::authenticate::Purpose;
use claviger_app::{App, Call, Facts, Quota, Repeat, authenticate};
use claviger_domain::actor::Actor;
use claviger_domain::audit::{Author, Target};
use claviger_domain::capability::Capability;
use claviger_domain::secret::Plaintext;
use uuid::Uuid;

use crate::fault::Fault;
use crate::surface::Surface;

/// What a handler's caller must hold.
pub(crate) trait Guard: Send {
    const CAPABILITY: Option<Capability>;
}

macro_rules! guards {
    ($($name:ident => $capability:expr;)*) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;
        impl Guard for $name {
            const CAPABILITY: Option<Capability> = $capability;
        }
    )*};
}

guards! {
    ManageAdminKeys => Some(Capability::ManageAdminKeys);
    ManageUsers => Some(Capability::ManageUsers);
    ManageCredentials => Some(Capability::ManageCredentials);
    ViewUsage => Some(Capability::ViewUsage);
    ViewUserUsage => Some(Capability::ViewUserUsage);
    ViewAuditLogs => Some(Capability::ViewAuditLogs);
    VerifyKeys => Some(Capability::VerifyKeys);
    Anybody => None;
}

/// The call of a caller who holds `G`. The use case asks again; asking here puts the permission before
/// the path, the query and the body.
#[derive(Debug)]
pub(crate) struct May<G>(pub(crate) Call, pub(crate) PhantomData<G>);

/// Where a request came from, as the outermost layer found it.
#[derive(Debug, Clone)]
pub(crate) struct Origin(pub(crate) Facts);

/// What is learnt of the caller on the way in and told on the way out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Learnt(Arc<Mutex<Caller>>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) author: Option<Author>,
    pub(crate) quota: Option<Quota>,
    /// The thing the path names.
    pub(crate) target: Option<Target>,
}

impl Learnt {
    pub(crate) fn note(&self, change: impl FnOnce(&mut Caller)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn take(&self) -> Caller {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The key that was presented, for the seal of a kept answer.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    caller: Uuid,
    key: Plaintext,
}

impl Presented {
    pub(crate) fn repeat(&self, idempotency_key: &str, fingerprint: [u8; 32]) -> Repeat {
        Repeat::new(self.caller, &self.key, idempotency_key, fingerprint)
    }
}

impl<G: Guard> FromRequestParts<App> for May<G> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let facts = parts.extensions.get::<Origin>().map(|origin| origin.0.clone()).unwrap_or_default();
        let learnt = parts.extensions.get::<Learnt>().cloned().unwrap_or_default();
        let surface = Surface::of(parts.uri.path());
        let key: Plaintext =
            bearer(&parts.headers)?.parse().map_err(|_| Fault::App(claviger_app::Error::UnknownKey))?;
        let purpose = match parts.method {
            Method::GET | Method::HEAD => Purpose::Read,
            _ => Purpose::Change,
        };
        let actor = authenticate(app, surface, &key, purpose, facts.address).await?;
        learnt.note(|caller| caller.author = Some(Author::from(&actor)));
        if let Some(id) = id_of(&actor) {
            if surface.is_admin() {
                let quota = app.count_call(id);
                learnt.note(|caller| caller.quota = quota);
                if quota.is_some_and(|quota| quota.retry_after.is_some()) {
                    return Err(Fault::TooManyRequests);
                }
            }
            parts.extensions.insert(Presented { caller: id, key });
        }
        let call = Call::new(app.clone(), actor, facts);
        if let Some(capability) = G::CAPABILITY {
            call.require(capability)?;
        }
        Ok(Self(call, PhantomData))
    }
}

async fn authenticate(
    app: &App,
    surface: Surface,
    key: &Plaintext,
    purpose: Purpose,
    address: Option<IpAddr>,
) -> Result<Actor, Fault> {
    Ok(match surface {
        Surface::Gateway | Surface::Other => authenticate::gateway(app, key.into(), address).await?,
        Surface::Partner => authenticate::admin(app, key, purpose).await?,
    })
}

/// The bearer key (RFC 6750, section 2.1; the scheme's name is case-insensitive).
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Fault> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Fault::NoKey) };
    let value = value.to_str().map_err(|_| Fault::NoKey)?;
    let (scheme, key) = value.split_once(' ').ok_or(Fault::NoKey)?;
    let key = key.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || key.is_empty() || key.contains([' ', '\t', ',']) {
        return Err(Fault::NoKey);
    }
    Ok(key)
}

fn id_of(actor: &Actor) -> Option<Uuid> {
    match actor {
        Actor::Operator => None,
        Actor::Bootstrap(id) => Some(id.uuid()),
        Actor::AdminKey { id, .. } => Some(id.uuid()),
        Actor::Credential { id, .. } => Some(id.uuid()),
    }
}
