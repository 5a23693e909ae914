//! From headers to a caller who may: authentication, the caller's quota, and the permission, in this
//! order and before anything else of the request is looked at.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use claviger_app::authenticate::{Authenticated, Purpose};
use claviger_app::engine::KnownOrganization;
use claviger_app::{App, Call, Facts, Quota, Repeat, Turn, authenticate};
use claviger_domain::actor::Actor;
use claviger_domain::audit::{Author, Target};
use claviger_domain::capability::{Capability, Door};
use claviger_domain::ids::OrganizationId;
use claviger_domain::secret::Plaintext;
use uuid::Uuid;

use crate::fault::Fault;
use crate::surface::Surface;

/// What a handler's caller must hold.
pub(crate) trait Guard: Send {
    const CAPABILITY: Option<Capability>;
    /// Whether only a partner does this, whatever others may.
    const IS_PARTNERS: bool = false;
    /// Whether one call does it to many things: such calls have a limit of their own beside the common one.
    const IS_BATCH: bool = false;
}

macro_rules! guards {
    ($($name:ident => $capability:expr $(, $partners:ident)?;)*) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;
        impl Guard for $name {
            const CAPABILITY: Option<Capability> = $capability;
            $(const IS_PARTNERS: bool = stringify!($partners).len() > 0;)?
        }
    )*};
}

guards! {
    ManageAdminKeys => Some(Capability::ManageAdminKeys);
    PartnerUsers => Some(Capability::ManageUsers), partners;
    PartnerCredentials => Some(Capability::ManageCredentials), partners;
    PartnerUserUsage => Some(Capability::ViewUsage), partners;
    ManageOrganizations => Some(Capability::ManageOrganizations);
    ViewOrganization => Some(Capability::ViewOrganization);
    EditOrganization => Some(Capability::EditOrganization);
    ViewUsers => Some(Capability::ViewUsers);
    ManageUsers => Some(Capability::ManageUsers);
    DeleteUsers => Some(Capability::DeleteUsers);
    ViewRoles => Some(Capability::ViewRoles);
    ManageRoles => Some(Capability::ManageRoles);
    ViewCredentials => Some(Capability::ViewCredentials);
    ManageCredentials => Some(Capability::ManageCredentials);
    ManageSettings => Some(Capability::ManageSettings);
    ViewUsage => Some(Capability::ViewUsage);
    ViewAuditLogs => Some(Capability::ViewAuditLogs);
    VerifyKeys => Some(Capability::VerifyKeys);
    Anybody => None;
}

/// As [`ManageCredentials`], of many at once.
#[derive(Debug)]
pub(crate) struct ManageManyCredentials;

impl Guard for ManageManyCredentials {
    const CAPABILITY: Option<Capability> = Some(Capability::ManageCredentials);
    const IS_BATCH: bool = true;
}

/// The call of a caller who holds `G`. The use case asks again; asking here puts the permission before
/// the path, the query and the body.
#[derive(Debug)]
pub(crate) struct May<G>(pub(crate) Call, pub(crate) PhantomData<G>);

/// The organization of the caller; `None`: the operator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenant(pub(crate) Option<OrganizationId>);

/// The organization whose own key was presented.
#[derive(Debug, Clone)]
pub(crate) struct Own(pub(crate) Arc<KnownOrganization>);

/// Where a request came from, as the outermost layer found it.
#[derive(Debug, Clone)]
pub(crate) struct Origin(pub(crate) Facts);

/// What is learnt of the caller on the way in and told on the way out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Learnt(Arc<Mutex<Caller>>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) author: Option<Author>,
    /// The limits it is held to.
    pub(crate) quotas: Vec<Quota>,
    /// The thing the path names.
    pub(crate) target: Option<Target>,
    /// Of a read on an admin surface: held until it is answered.
    pub(crate) turn: Option<Arc<Turn>>,
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
        let Authenticated { actor, organization } =
            authenticate(app, surface, &key, purpose, facts.address).await?;
        if let Some(organization) = organization {
            parts.extensions.insert(Own(organization));
        }
        learnt.note(|caller| caller.author = Some(Author::from(&actor)));
        if let Some(id) = id_of(&actor) {
            if surface.is_admin() {
                let quotas = app.count_call(id, actor.organization(), G::IS_BATCH);
                let is_over = quotas.iter().any(|quota| quota.retry_after.is_some());
                learnt.note(|caller| caller.quotas = quotas);
                if is_over {
                    return Err(Fault::TooManyRequests);
                }
                if purpose == Purpose::Read {
                    let turn = Arc::new(app.read_turn(actor.organization()).await?);
                    learnt.note(|caller| caller.turn = Some(turn));
                }
            }
            parts.extensions.insert(Presented { caller: id, key });
        }
        parts.extensions.insert(Tenant(actor.organization()));
        let call = Call::new(app.clone(), actor, facts);
        if let Some(capability) = G::CAPABILITY {
            if G::IS_PARTNERS { call.require_partner(capability)? } else { call.require(capability)? }
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
) -> Result<Authenticated, Fault> {
    let door = match surface {
        Surface::Partner => {
            let actor = authenticate::admin(app, key, purpose, address).await?;
            return Ok(Authenticated { actor, organization: None });
        }
        Surface::Platform => Door::Platform,
        Surface::Organization => Door::Organization,
        Surface::Gateway | Surface::Other => Door::Gateway,
    };
    Ok(authenticate::at(app, door, key.into(), address).await?)
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
