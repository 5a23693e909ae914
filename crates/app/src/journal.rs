//! What is written in batches: reads and refused calls, and when keys were used last. Changes never
//! pass here; a crash may cost the last second of what does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use claviger_domain::Timestamp;
use claviger_domain::audit::{Action, Author, AuthorKind, Detail, Details, Entry, Resource, Target, Verb};
use claviger_domain::ids::{AdminKeyId, AuditEntryId};
use claviger_store::{StoreError, Tables, Tx};
use tokio::sync::Notify;

use crate::{App, Facts};

/// More than this many entries are not held: while the database is away, the newest are lost, and counted.
const MOST_HELD: usize = 20_000;
/// A batch worth writing before its second is over.
const WORTH_WRITING: usize = 400;
/// Callers without a working key get this many lines a batch; the rest is one line with their number.
/// Otherwise whoever can reach the port could fill the disk.
const MOST_UNKNOWN: usize = 5;

/// How much is held back, and how much was lost since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalState {
    pub held: usize,
    pub lost: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    held: Mutex<Held>,
    pub(crate) worth_writing: Notify,
}

#[derive(Debug, Default)]
struct Held {
    entries: Vec<Entry>,
    unknown: usize,
    /// Lines of unknown callers that were not kept in this batch.
    suppressed: u64,
    lost: u64,
    used: BTreeMap<AdminKeyId, Timestamp>,
}

impl Journal {
    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, entry: Entry) {
        let mut held = self.lock();
        if entry.author.kind == AuthorKind::Unknown {
            held.unknown += 1;
            if held.unknown > MOST_UNKNOWN {
                held.suppressed += 1;
                return;
            }
        }
        if held.entries.len() >= MOST_HELD {
            held.lost += 1;
            return;
        }
        held.entries.push(entry);
        if held.entries.len() >= WORTH_WRITING {
            self.worth_writing.notify_one();
        }
    }

    pub(crate) fn used(&self, key: AdminKeyId, at: Timestamp) {
        self.lock().used.insert(key, at);
    }

    pub(crate) fn state(&self) -> JournalState {
        let held = self.lock();
        JournalState { held: held.entries.len(), lost: held.lost }
    }

    pub(crate) async fn flush(&self, app: &App) -> Result<(), StoreError> {
        let (mut entries, used, suppressed) = {
            let mut held = self.lock();
            held.unknown = 0;
            (
                std::mem::take(&mut held.entries),
                std::mem::take(&mut held.used),
                std::mem::take(&mut held.suppressed),
            )
        };
        if suppressed > 0 {
            let details = vec![("suppressed".to_owned(), number(suppressed))];
            let action = Action { resource: Resource::AdminKey, verb: Verb::Denied };
            entries.push(app.batch_entry(&Author::UNKNOWN, action, None, &Facts::default(), details));
        }
        if entries.is_empty() && used.is_empty() {
            return Ok(());
        }
        let written = app
            .store()
            .transaction(async |tx: &Tx| {
                tx.audit_log().insert_many(&entries).await?;
                for (key, at) in &used {
                    tx.admin_keys().touch_unscoped(*key, *at).await?;
                }
                Ok::<_, StoreError>(())
            })
            .await;
        if written.is_err() {
            let mut held = self.lock();
            // What came meanwhile is newer and goes behind.
            let newer = std::mem::replace(&mut held.entries, entries);
            let room = MOST_HELD.saturating_sub(held.entries.len());
            held.lost += newer.len().saturating_sub(room) as u64;
            held.entries.extend(newer.into_iter().take(room));
            for (key, at) in used {
                held.used.entry(key).or_insert(at);
            }
        }
        written
    }
}

fn number(count: u64) -> Detail {
    Detail::Number(i64::try_from(count).unwrap_or(i64::MAX))
}

impl App {
    fn batch_entry(
        &self,
        author: &Author,
        action: Action,
        target: Option<Target>,
        facts: &Facts,
        details: Details,
    ) -> Entry {
        let now = self.now();
        Entry {
            id: AuditEntryId::generate(now, &mut self.random()),
            at: now,
            action,
            author: author.clone(),
            organization: author.organization,
            target,
            address: facts.address,
            request_id: facts.request_id.clone(),
            details,
        }
    }

    /// Notes a read or a refused call for the next batch. `author` is who called, as far as known.
    /// `target` is what the request names; whether there is such a thing is not said.
    pub fn note(&self, author: &Author, action: Action, target: Option<Target>, facts: &Facts, details: Details) {
        self.journal().push(self.batch_entry(author, action, target, facts, details));
    }

    /// Completes when a batch is worth writing before its time.
    pub(crate) async fn batch_is_full(&self) {
        self.journal().worth_writing.notified().await;
    }
}
