//! Queries that may take seconds on a large installation: sums over usage, searches of the audit log.
//!
//! They share the readers with everything else, and SQLite finishes a statement whose caller has gone.
//! So few run at once, and of each caller one: whoever asks for much waits for itself.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use claviger_domain::audit::Author;
use claviger_store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::{Call, Error};

const AT_ONCE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Heavy {
    all: Arc<Semaphore>,
    /// One place for each caller; only keys that exist get here.
    callers: Mutex<HashMap<Option<Uuid>, Arc<Semaphore>>>,
}

impl Default for Heavy {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), callers: Mutex::default() }
    }
}

impl Heavy {
    async fn places(&self, caller: Option<Uuid>) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let own = {
            let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
            callers.entry(caller).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        let own = own.acquire_owned().await.ok()?;
        Some((own, self.all.clone().acquire_owned().await.ok()?))
    }
}

impl Call {
    /// Runs `query` when its turn comes. Its places are held until it has really ended, not until its
    /// caller has lost patience.
    pub(crate) async fn heavy<T: Send + 'static>(
        &self,
        query: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Error> {
        let caller = Author::from(self.actor()).id;
        let places = tokio::time::timeout(PATIENCE, self.app().heavy().places(caller)).await;
        let places = places.ok().flatten().ok_or(Error::Busy)?;
        let running = tokio::spawn(async move {
            let _places = places;
            query.await
        });
        Ok(running.await.map_err(|gone| Error::Internal(gone.into()))??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_has_one_place_and_all_have_two() {
        let heavy = Heavy::default();
        let waits = async |caller: u128| {
            let places = heavy.places(Some(Uuid::from_u128(caller)));
            tokio::time::timeout(Duration::from_millis(20), places).await.is_err()
        };
        let first = heavy.places(Some(Uuid::from_u128(1))).await;
        assert!(waits(1).await, "its one place is taken");
        let second = heavy.places(Some(Uuid::from_u128(2))).await;
        assert!(waits(3).await, "both places are taken");
        drop(first);
        assert!(!waits(1).await && !waits(3).await);
        drop(second);
    }
}
