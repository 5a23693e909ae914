//! Queries that may take seconds on a large installation: sums over usage, searches of the audit log.
//!
//! They share the readers with everything else, and SQLite finishes a statement whose caller has gone.
//! Therefore few run at once, and one for each tenant: a tenant's expensive queries wait for each other. Other reads of
//! the admin surfaces are bounded likewise, several of each tenant.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use claviger_domain::actor::Owner;
use claviger_domain::audit::Author;
use claviger_domain::ids::OrganizationId;
use claviger_store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::{App, Call, Error};

const PATIENCE: Duration = Duration::from_secs(10);

/// Concurrency limiter, over all tenants and for each one.
#[derive(Debug)]
pub(crate) struct Line {
    all: Arc<Semaphore>,
    per_tenant: usize,
    /// The places of each tenant; only those that exist get here.
    tenants: Mutex<HashMap<Option<Uuid>, Arc<Semaphore>>>,
}

/// A turn, for as long as it is held.
#[derive(Debug)]
pub struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Line {
    /// Lets at most `at_once` run at once, and at most `per_tenant` of one tenant.
    pub(crate) fn new(at_once: usize, per_tenant: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(at_once)), per_tenant, tenants: Mutex::default() }
    }

    async fn turn(&self, tenant: Option<Uuid>) -> Option<Turn> {
        let own = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.per_tenant))).clone()
        };
        let own = own.acquire_owned().await.ok()?;
        Some(Turn { _own: own, _all: self.all.clone().acquire_owned().await.ok()? })
    }
}

impl Call {
    /// Runs `query` when its turn comes. Its place is held until it has really ended, not until its
    /// caller has lost patience.
    pub(crate) async fn heavy<T: Send + 'static>(
        &self,
        query: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turn_in(self.app().heavy()).await?;
        let running = tokio::spawn(async move {
            let _turn = turn;
            query.await
        });
        Ok(running.await.map_err(|gone| Error::Internal(gone.into()))??)
    }

    /// Waits for this caller's turn; [`Error::Busy`] when it does not come.
    pub(crate) async fn turn_in(&self, line: &Line) -> Result<Turn, Error> {
        let tenant = match self.owner() {
            Owner::Organization(id) => Some(id.uuid()),
            Owner::AdminKey(_) => self.actor().organization().map(OrganizationId::uuid),
            Owner::Installation => Author::from(self.actor()).id,
        };
        let turn = tokio::time::timeout(PATIENCE, line.turn(tenant)).await;
        turn.ok().flatten().ok_or(Error::Busy)
    }
}

impl App {
    /// Waits until one of `organization`'s (`None`: the operator's) reads on the admin surfaces may begin.
    ///
    /// # Errors
    /// [`Error::Busy`] when that takes too long.
    pub async fn read_turn(&self, organization: Option<OrganizationId>) -> Result<Turn, Error> {
        let turn = self.reads().turn(organization.map(OrganizationId::uuid));
        tokio::time::timeout(PATIENCE, turn).await.ok().flatten().ok_or(Error::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tenant_has_one_place_and_all_have_two() {
        let line = Line::new(2, 1);
        let waits = async |tenant: u128| {
            let turn = line.turn(Some(Uuid::from_u128(tenant)));
            tokio::time::timeout(Duration::from_millis(20), turn).await.is_err()
        };
        let first = line.turn(Some(Uuid::from_u128(1))).await;
        assert!(waits(1).await, "its one place is taken");
        let second = line.turn(Some(Uuid::from_u128(2))).await;
        assert!(waits(3).await, "both places are taken");
        drop(first);
        assert!(!waits(1).await && !waits(3).await);
        drop(second);
    }
}
