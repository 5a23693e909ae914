//! For those who lose nothing in a power cut: an answer waits until its call is on disk. Calls that wait at
//! the same time are written by one `fdatasync`.

use std::collections::BTreeMap;

use claviger_engine::journal::Place;
use tokio::sync::Mutex;

use crate::{App, Error};

/// What a power cut may cost. A process that is killed costs nothing in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The calls of the last second or two: the kernel writes them in its own time, and every second at the
    /// latest.
    #[default]
    Process,
    /// Nothing: each answer waits for the disk.
    Disk,
}

/// For each lane of the journal, how much of it is on disk.
#[derive(Debug)]
pub(crate) struct OnDisk {
    durability: Durability,
    lanes: BTreeMap<u32, Mutex<u64>>,
}

impl OnDisk {
    pub(crate) fn new(durability: Durability, lanes: impl Iterator<Item = u32>) -> Self {
        Self { durability, lanes: lanes.map(|lane| (lane, Mutex::default())).collect() }
    }
}

impl App {
    /// Completes when what stands at these places cannot be lost any more.
    pub(crate) async fn await_disk(&self, places: impl Iterator<Item = Place>) -> Result<(), Error> {
        match self.on_disk().durability {
            Durability::Process => Ok(()),
            Durability::Disk => Box::pin(self.sync_up_to(places)).await,
        }
    }

    async fn sync_up_to(&self, places: impl Iterator<Item = Place>) -> Result<(), Error> {
        let on_disk = self.on_disk();
        let mut furthest = BTreeMap::new();
        for Place { lane, offset } in places {
            let of_lane = furthest.entry(lane).or_insert(offset);
            *of_lane = offset.max(*of_lane);
        }
        for (lane, offset) in furthest {
            let Some(synced) = on_disk.lanes.get(&lane) else { continue };
            // Whoever comes first writes for all who wait behind.
            let mut synced = synced.lock().await;
            if *synced < offset {
                *synced = sync(self, lane).await?;
            }
        }
        Ok(())
    }

    /// Hands everything journaled so far to the disk.
    ///
    /// # Errors
    /// [`Error::NotCounted`] when the disk does not take it.
    pub(crate) async fn sync_journal(&self) -> Result<(), Error> {
        for (lane, synced) in &self.on_disk().lanes {
            let mut synced = synced.lock().await;
            *synced = sync(self, *lane).await?;
        }
        Ok(())
    }
}

async fn sync(app: &App, lane: u32) -> Result<u64, Error> {
    let app = app.clone();
    let work = move || app.engine().journal().map_or(Ok(0), |journal| journal.sync(lane));
    let synced = tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(error.into()))?;
    synced.map_err(Error::NotCounted)
}
