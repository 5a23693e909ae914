//! What is written in batches: reads and refused calls, and when keys were used last. Changes never
//! pass here; a crash may cost the last second of what does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use claviger_domain::Timestamp;
use claviger_domain::audit::{Action, Author, Detail, Details, Entry, Resource, Target, Verb};
use claviger_domain::ids::{AdminKeyId, AuditEntryId};
use claviger_store::{StoreError, Tables, Tx};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{App, Facts};

/// More than this many entries are not held: while the database is away, the newest are lost, and counted.
const MOST_HELD: usize = 20_000;
/// A batch worth writing before its second is over.
const WORTH_WRITING: usize = 400;
/// Entries in one transaction: a revocation may have to wait for it.
const AT_ONCE: usize = 200;
/// Calls beyond a caller's quota, and those from one address without a working key, get this many lines a
/// batch; the rest is one line with their number. Otherwise whoever can reach the port could fill the disk, and
/// hide behind the noise.
const MOST_REFUSED: u64 = 5;
/// So many callers and addresses are told apart in a batch; the rest share a line.
const MOST_TOLD_APART: usize = 200;

/// A call that changed nothing.
#[derive(Debug)]
pub struct Noted<'a> {
    /// Who called, as far as known.
    pub author: &'a Author,
    pub action: Action,
    /// What the request names; whether there is such a thing is not said.
    pub target: Option<Target>,
    pub facts: &'a Facts,
    pub details: Details,
    /// Whether nothing else bounds how many of these come: then only the first few of a batch are
    /// written, and the number of the rest.
    pub is_bounded: bool,
}

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
    refused: BTreeMap<Source, Refused>,
    lost: u64,
    used: BTreeMap<AdminKeyId, Timestamp>,
}

/// Whose refused calls are counted together: a key's, or an address'; `None` is everybody else's.
type Source = Option<(Option<Uuid>, Option<IpAddr>)>;

#[derive(Debug)]
struct Refused {
    author: Author,
    address: Option<IpAddr>,
    resource: Resource,
    count: u64,
}

impl Held {
    /// Counts a refused call; answers whether it gets a line of its own.
    fn refuse(&mut self, entry: &Entry) -> bool {
        let known = Some(match entry.author.id {
            Some(id) => (Some(id), None),
            None => (None, entry.address),
        });
        let told_apart = self.refused.len() < MOST_TOLD_APART || self.refused.contains_key(&known);
        let refused = self.refused.entry(if told_apart { known } else { None }).or_insert_with(|| Refused {
            author: if told_apart { entry.author.clone() } else { Author::UNKNOWN },
            address: entry.address.filter(|_| told_apart),
            resource: entry.action.resource,
            count: 0,
        });
        refused.count += 1;
        told_apart && refused.count <= MOST_REFUSED
    }
}

impl Journal {
    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, entry: Entry, is_bounded: bool) {
        let mut held = self.lock();
        if is_bounded && !held.refuse(&entry) {
            return;
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
        let (mut entries, mut used, refused) = {
            let mut held = self.lock();
            (
                std::mem::take(&mut held.entries),
                std::mem::take(&mut held.used),
                std::mem::take(&mut held.refused),
            )
        };
        for (source, Refused { author, address, resource, count }) in refused {
            let own_lines = if source.is_some() { MOST_REFUSED } else { 0 };
            if count > own_lines {
                let action = Action { resource, verb: Verb::Denied };
                let facts = Facts { address, request_id: String::new() };
                let details = vec![("suppressed".to_owned(), number(count - own_lines))];
                entries.push(app.batch_entry(&author, action, None, &facts, details));
            }
        }
        if entries.is_empty() && used.is_empty() {
            return Ok(());
        }
        let mut done = 0;
        let written = loop {
            let piece = &entries[done..entries.len().min(done + AT_ONCE)];
            let written = app
                .write_bulk("audit", async |tx: &Tx| {
                    // Before the log, as changes do it: two that lock keys and chains in opposite orders would
                    // wait for each other.
                    for (key, at) in &used {
                        tx.admin_keys().touch_unscoped(*key, *at).await?;
                    }
                    tx.audit_log().append(app.audit_keys(), piece).await
                })
                .await;
            if written.is_err() {
                break written;
            }
            used.clear();
            done += piece.len();
            if done == entries.len() {
                break Ok(());
            }
        };
        entries.drain(..done);
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

    /// Notes a read or a refused call for the next batch.
    pub fn note(&self, noted: Noted<'_>) {
        let Noted { author, action, target, facts, details, is_bounded } = noted;
        self.journal().push(self.batch_entry(author, action, target, facts, details), is_bounded);
    }

    /// Completes when a batch is worth writing before its time.
    pub(crate) async fn batch_is_full(&self) {
        self.journal().worth_writing.notified().await;
    }
}
