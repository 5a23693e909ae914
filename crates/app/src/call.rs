//! One call: who makes it and how it came, and the one door through which it changes anything.

use std::net::IpAddr;
use std::time::Duration;

use chrono::TimeDelta;
use claviger_domain::Timestamp;
use claviger_domain::actor::{Actor, Owner, Refusal};
use claviger_domain::audit::{Action, Author, Details, Entry, Resource, Target, Verb};
use claviger_domain::capability::Capability;
use claviger_domain::ids::{AdminKeyId, AuditEntryId, OrganizationId, UserAccountId};
use claviger_domain::scope::Scopes;
use claviger_domain::text::Name;
use claviger_store::{Tables, Tx};
use uuid::Uuid;

use crate::error::Whose;
use crate::memory::Learn;
use crate::repeat::{Repeat, damaged};
use crate::write_queue::Lane;
use crate::{App, Error, State, authenticate, change_feed};

/// How long the answer to a change of unknown outcome waits for the change feed.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(2);

/// How a call came in.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub address: Option<IpAddr>,
    pub request_id: String,
}

/// One call of one caller.
#[derive(Debug, Clone)]
pub struct Call {
    app: App,
    actor: Actor,
    facts: Facts,
    repeat: Option<Repeat>,
}

/// What a change is answered with, in the form that can be kept for a repetition.
pub trait Answer: Sized + Send {
    fn keep(&self) -> Vec<u8>;
    /// The answer as it was, marked as a repetition; `None` when the bytes are not what was kept.
    fn restore(kept: &[u8]) -> Option<Self>;
}

/// The plain outcome, for callers in this process: they do not repeat requests.
#[derive(Debug)]
pub struct Direct<T>(pub T);

impl<T: Send> Answer for Direct<T> {
    fn keep(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(_: &[u8]) -> Option<Self> {
        None
    }
}

/// What a use case changed: its outcome, and what the audit log says of it.
pub(crate) struct Changed<T> {
    pub(crate) outcome: T,
    pub(crate) entries: Vec<Fact>,
}

/// One line for the audit log, before it is known who did it and when.
pub(crate) struct Fact {
    pub(crate) resource: Resource,
    pub(crate) verb: Verb,
    pub(crate) target: Uuid,
    /// Whose entry it is; `None`: the installation's, also when an organization's key did it.
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) details: Details,
    /// What is in force as soon as the change is committed.
    pub(crate) learn: Learn,
}

impl Call {
    #[must_use]
    pub fn new(app: App, actor: Actor, facts: Facts) -> Self {
        Self { app, actor, facts, repeat: None }
    }

    /// The same call, to be answered once: its repetitions get the first answer.
    #[must_use]
    pub fn repeatable(mut self, repeat: Option<Repeat>) -> Self {
        self.repeat = repeat;
        self
    }

    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.facts.request_id
    }

    /// Where the call came from, as far as that can be told.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.facts.address
    }

    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The name of a partner's entity; other callers have none.
    #[must_use]
    pub fn entity(&self) -> Option<&Name> {
        match &self.actor {
            Actor::AdminKey { entity, .. } => Some(entity),
            Actor::Operator | Actor::Bootstrap(_) | Actor::Credential { .. } => None,
        }
    }

    /// Checks that the caller holds `capability`: the first line of every use case, but of those that tell a caller of
    /// itself.
    ///
    /// # Errors
    /// [`Refusal`] says why it does not.
    pub fn require(&self, capability: Capability) -> Result<(), Refusal> {
        self.actor.require(capability)
    }

    /// As [`require`](Self::require), for what only a partner does.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    pub fn require_partner(&self, capability: Capability) -> Result<(), Refusal> {
        self.actor.require_partner(capability)
    }

    pub(crate) fn owner(&self) -> Owner {
        self.actor.owner()
    }

    /// The caller's rows, and no more of them than one organization's.
    pub(crate) fn owner_within(&self, organization: Option<OrganizationId>) -> Result<Owner, Error> {
        match (self.owner(), organization) {
            (Owner::Installation, Some(id)) => Ok(Owner::Organization(id)),
            (Owner::Organization(own), Some(id)) if own != id => Err(no_organization()),
            (Owner::AdminKey(_), Some(id)) if self.actor.organization() != Some(id) => Err(no_organization()),
            (owner, _) => Ok(owner),
        }
    }

    /// For whom the caller makes things: its own organization, or the one it names if it may act for any.
    pub(crate) fn tenant(&self, named: Option<OrganizationId>) -> Result<Tenant, Error> {
        let (organization, admin_key) = match &self.actor {
            Actor::AdminKey { id, organization, .. } => (*organization, Some(*id)),
            _ => match self.owner_within(named)? {
                Owner::Organization(id) => (id, None),
                Owner::Installation | Owner::AdminKey(_) => return Err(no_organization()),
            },
        };
        Ok(Tenant { organization, admin_key })
    }

    /// Checks that the caller, as it is now, holds every scope it is about to give to somebody.
    pub(crate) async fn may_grant(
        &self,
        tx: &Tx,
        capability: Capability,
        now: Timestamp,
        scopes: &Scopes,
    ) -> Result<(), Error> {
        if scopes.is_empty() {
            return Ok(());
        }
        let caller = authenticate::again(tx, &self.actor, capability, now).await?;
        match caller.may_not_grant(scopes) {
            lacking if lacking.is_empty() => Ok(()),
            lacking => Err(Error::BeyondCeiling { lacking, whose: Whose::Caller }),
        }
    }

    /// Checks that the caller, as it is now, may act for a user who has these permissions: that it could give them.
    pub(crate) async fn may_act_for(
        &self,
        tx: &Tx,
        capability: Capability,
        now: Timestamp,
        permissions: &Scopes,
    ) -> Result<(), Error> {
        self.may_grant(tx, capability, now, permissions).await.map_err(|error| match error {
            Error::BeyondCeiling { lacking, .. } => {
                Error::BeyondCeiling { lacking, whose: Whose::CallerForUser }
            }
            other => other,
        })
    }

    /// The user whose key this caller is as it is now, and stays with.
    pub(crate) async fn confined_to(
        &self,
        tx: &Tx,
        capability: Capability,
        now: Timestamp,
    ) -> Result<Option<UserAccountId>, Error> {
        match &self.actor {
            Actor::Credential { user_account: Some(_), .. } => {
                Ok(authenticate::again(tx, &self.actor, capability, now).await?.confined_to())
            }
            _ => Ok(None),
        }
    }

    /// As [`change_in`](Self::change_in) the lane of ordinary changes.
    pub(crate) async fn change<T: Send, A: Answer>(
        &self,
        capability: Capability,
        word: impl FnOnce(T) -> A + Send,
        work: impl AsyncFnOnce(&Tx, Timestamp) -> Result<Changed<T>, Error>,
    ) -> Result<A, Error> {
        self.change_in(Lane::Change, capability, word, work).await
    }

    /// As [`change_in`](Self::change_in) the lane of what takes rights away, in front of all other writes.
    pub(crate) async fn revocation<T: Send, A: Answer>(
        &self,
        capability: Capability,
        word: impl FnOnce(T) -> A + Send,
        work: impl AsyncFnOnce(&Tx, Timestamp) -> Result<Changed<T>, Error>,
    ) -> Result<A, Error> {
        self.change_in(Lane::Revocation, capability, word, work).await
    }

    /// Runs a change, its audit entries and the keeping of its answer as one transaction. A repeated
    /// call gets the kept answer, and `work` does not run.
    ///
    /// Both the caller's authority and the time are asked inside the transaction: a body that arrives
    /// slowly, or a queue for the writer, must not let a key act that was revoked meanwhile.
    ///
    /// Memory takes the change in only when its commit is certain. A change of unknown outcome reaches it through the
    /// change feed, if it was stored.
    pub(crate) async fn change_in<T: Send, A: Answer>(
        &self,
        lane: Lane,
        capability: Capability,
        word: impl FnOnce(T) -> A + Send,
        work: impl AsyncFnOnce(&Tx, Timestamp) -> Result<Changed<T>, Error>,
    ) -> Result<A, Error> {
        self.require(capability)?;
        let _turn = match &self.repeat {
            Some(repeat) => Some(self.app.under_way().begin(repeat)?),
            None => None,
        };
        let written = self
            .app
            .write(lane, self.actor.organization(), async |tx: &Tx| {
                let now = self.app.now();
                let caller = authenticate::again(tx, &self.actor, capability, now).await?;
                if let Some(repeat) = &self.repeat
                    && let Some(kept) = repeat.recall(tx, now).await?
                {
                    return Ok((A::restore(&kept).ok_or_else(damaged)?, Vec::new()));
                }
                let Changed { outcome, entries } = work(tx, now).await?;
                let mut learnt = Vec::with_capacity(entries.len());
                let mut lines = Vec::with_capacity(entries.len());
                for (place, fact) in (0..).zip(entries) {
                    // A microsecond apart, the entries of one change stay in its order.
                    let at = now + TimeDelta::microseconds(place);
                    let (entry, learn) = self.entry(&caller, fact, at);
                    learnt.push((entry.id, learn));
                    lines.push(entry);
                }
                tx.audit_log().append(self.app.audit_keys(), &lines).await?;
                let answer = word(outcome);
                if let Some(repeat) = &self.repeat {
                    repeat.keep(tx, &answer.keep(), now, &mut self.app.random()).await?;
                }
                Ok::<_, Error>((answer, learnt))
            })
            .await;
        if let Err(Error::UnknownOutcome(_)) = &written {
            // What can be known by now is known before the answer; the rest comes when the feed is read again.
            let followed = tokio::time::timeout(FOLLOWS_WITHIN, change_feed::follow(&self.app)).await;
            if !matches!(followed, Ok(Ok(()))) {
                tracing::warn!("a change of unknown outcome was not read back at once");
            }
        }
        let (answer, learnt) = written?;
        // Between the commit and here nothing can fail, and nothing can be cancelled: a call that begins
        // after the answer meets what was changed.
        for (entry, learn) in learnt {
            self.app.learn(entry, learn);
        }
        Ok(answer)
    }

    fn entry(&self, caller: &Actor, fact: Fact, now: Timestamp) -> (Entry, Learn) {
        let Fact { resource, verb, target, organization, details, learn } = fact;
        let entry = Entry {
            id: AuditEntryId::generate(now, &mut self.app.random()),
            at: now,
            action: Action { resource, verb },
            author: Author::from(caller),
            organization,
            target: Some(Target { resource, id: target }),
            address: self.facts.address,
            request_id: self.facts.request_id.clone(),
            details: details.into_iter().map(|(name, value)| (name, value.without_keys())).collect(),
        };
        (entry, learn)
    }
}

fn no_organization() -> Error {
    Error::NotFound(Resource::Organization, State::Any)
}

/// For whom something is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenant {
    pub(crate) organization: OrganizationId,
    /// The admin key that makes it, and owns it then.
    pub(crate) admin_key: Option<AdminKeyId>,
}
