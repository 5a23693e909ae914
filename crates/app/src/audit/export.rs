//! Handing the log out, page by page: however long it is, no more than two pages are in memory, and nobody
//! goes on reading for a receiver that has gone, or takes too little.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use claviger_domain::actor::{Actor, Owner};
use claviger_domain::audit::filtered::ExportSeal;
use claviger_domain::audit::{ChainId, Detail, Details, Link, Mac, line};
use claviger_domain::capability::Capability::ViewAuditLogs;
use claviger_domain::ids::OrganizationId;
use claviger_store::{ChainPlace, Chained, Store, Tables};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Search, csv};
use crate::{App, Call, Error};

/// Entries in one chunk, at most; and about how many bytes.
const PAGE: u64 = 1_000;
const CHUNK: u64 = 256 << 10;
/// Entries in the first one, before it is known how long they are.
const FIRST: u64 = 100;
/// Exports of all tenants under way at once. Each holds two chunks for as long as its receiver takes.
pub(crate) const EXPORTS_AT_ONCE: usize = 64;
/// Minimum transfer rate. A slower client is disconnected once its credit is used up.
const BYTES_PER_SECOND: u64 = 32 * 1024;
/// How long it may take nothing at first, and at most when it has been ahead.
const FIRST_CREDIT: Duration = Duration::from_secs(10);
const MOST_CREDIT: Duration = Duration::from_secs(20);

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The lines that are verified, one for each entry.
    Ndjson,
    /// For spreadsheets.
    Csv,
}

/// An export under way. Dropping it ends it.
#[derive(Debug)]
pub struct Export {
    chunks: mpsc::Receiver<Result<Vec<u8>, Error>>,
    is_done: Arc<AtomicBool>,
}

impl Export {
    /// The next bytes; `None` at the end. After an error there is no more: what came so far is not the whole.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, Error>> {
        match self.chunks.recv().await {
            Some(chunk) => Some(chunk),
            // Whoever handed it out has stopped in the middle: what came must not look like the whole.
            None if !self.is_done.swap(true, Ordering::AcqRel) => Some(Err(Error::Busy)),
            None => None,
        }
    }
}

/// Hands out the caller's entries that are wanted, oldest first, one chain after the other.
///
/// Of instants, the first and last entry that they admit are the ends, and all between these is handed out: a
/// chain is in the order of its commits, which is about that of the instants, and an export with holes would not
/// verify. With any other condition but the organization there are gaps: such an export says in its first line by what
/// it was filtered, and its last line seals it ([`filtered`](claviger_domain::audit::filtered)).
///
/// # Errors
/// [`Error::Refused`] when the caller may not; [`Error::Busy`] when too many exports are under way, or the caller's
/// tenant has one already.
pub async fn export(call: &Call, search: Search, format: Format) -> Result<Export, Error> {
    call.require(ViewAuditLogs)?;
    let turn = call.turn_in(call.app().exports()).await?;
    let (chunks, receiver) = mpsc::channel(1);
    let owner = call.owner();
    let only = match owner {
        Owner::Installation => search.organization,
        Owner::Organization(_) | Owner::AdminKey(_) => call.actor().organization(),
    };
    // What is another tenant's is not there.
    let is_nothing = search.organization.is_some() && search.organization != only;
    // On the command line nobody else waits for the place, and somebody may be reading page by page.
    let is_patient = matches!(call.actor(), Actor::Operator);
    let credit = Mutex::new(if is_patient { Duration::MAX } else { FIRST_CREDIT });
    let filter = filter_of(owner, &search);
    let mut source = Source {
        app: call.app().clone(),
        store: call.app().store().clone(),
        owner,
        search,
        format,
        chunks,
        credit,
        filter,
        seal: None,
    };
    let is_done = Arc::new(AtomicBool::new(false));
    let export = Export { chunks: receiver, is_done: is_done.clone() };
    tokio::spawn(async move {
        let _turn = turn;
        let done = source.whole(is_nothing, only).await;
        match done {
            Ok(is_whole) => is_done.store(is_whole, Ordering::Release),
            // Told of the failure, the receiver needs no other end; one that has not taken it gets that of a cut.
            Err(error) => {
                let is_told = source.chunks.send_timeout(Err(error), FIRST_CREDIT).await.is_ok();
                is_done.store(is_told, Ordering::Release);
            }
        }
    });
    Ok(export)
}

/// What leaves gaps in an export, as its first line tells it; `None` of one without gaps. The whole span and the whole
/// organization are told with it.
fn filter_of(owner: Owner, search: &Search) -> Option<Details> {
    let Search { organization, action, actor, target, from, until, include_reads } = search;
    let admin_key = match owner {
        Owner::AdminKey(id) => Some(id),
        Owner::Organization(_) | Owner::Installation => None,
    };
    let is_whole =
        action.is_none() && actor.is_none() && target.is_none() && *include_reads && admin_key.is_none();
    if is_whole {
        return None;
    }
    let text = |value: Option<&dyn Display>| value.map(|value| Detail::Text(value.to_string()));
    let conditions = [
        ("organization_id", text(organization.as_ref().map(|id| id as _))),
        ("admin_key_id", text(admin_key.as_ref().map(|id| id as _))),
        ("action", text(action.as_ref().map(|action| action as _))),
        ("actor_id", text(actor.as_ref().map(|id| id as _))),
        ("target_id", text(target.as_ref().map(|id| id as _))),
        ("from", from.map(Detail::instant)),
        ("to", until.map(Detail::instant)),
        ("include_reads", Some(Detail::Flag(*include_reads))),
    ];
    let set = |(name, value): (&str, Option<Detail>)| value.map(|value| (name.to_owned(), value));
    Some(conditions.into_iter().filter_map(set).collect())
}

struct Source {
    app: App,
    store: Store,
    owner: Owner,
    search: Search,
    format: Format,
    chunks: mpsc::Sender<Result<Vec<u8>, Error>>,
    /// For how long the receiver may take nothing from now on.
    credit: Mutex<Duration>,
    /// What leaves gaps.
    filter: Option<Details>,
    /// Of lines with gaps: what seals them.
    seal: Option<ExportSeal>,
}

/// Whether anybody still wants more; if so at the end, all was handed out.
type Wanted = bool;

impl Source {
    /// Hands out everything, from the first line to the last.
    async fn whole(&mut self, is_nothing: bool, only: Option<OrganizationId>) -> Result<Wanted, Error> {
        if !self.begin().await {
            return Ok(false);
        }
        if !is_nothing && !self.run(only.map(Some)).await? {
            return Ok(false);
        }
        match self.seal.take() {
            Some(seal) => Ok(self.send(seal.end()).await),
            None => Ok(true),
        }
    }

    async fn begin(&mut self) -> Wanted {
        match (self.format, &self.filter) {
            (Format::Csv, _) => self.send(csv::header(self.filter_text().as_deref())).await,
            (Format::Ndjson, None) => true,
            (Format::Ndjson, Some(filter)) => {
                let (seal, first) = ExportSeal::begin(self.app.audit_keys(), filter, self.app.now());
                self.seal = Some(seal);
                self.send(first).await
            }
        }
    }

    fn filter_text(&self) -> Option<String> {
        self.filter.as_ref().map(|filter| {
            let mut text = String::new();
            line::write_details(&mut text, filter);
            text
        })
    }

    async fn send(&self, chunk: String) -> Wanted {
        if chunk.is_empty() {
            return !self.chunks.is_closed();
        }
        let length = chunk.len() as u64;
        let credit = *self.credit();
        let began = Instant::now();
        let is_taken = self.chunks.send_timeout(Ok(chunk.into_bytes()), credit).await.is_ok();
        if credit < Duration::MAX {
            let earned = Duration::from_millis(length.saturating_mul(1000) / BYTES_PER_SECOND);
            *self.credit() = (credit.saturating_sub(began.elapsed()) + earned).min(MOST_CREDIT);
        }
        is_taken
    }

    fn credit(&self) -> MutexGuard<'_, Duration> {
        self.credit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out one chain, or all of them.
    async fn run(&mut self, only: Option<impl Into<ChainId>>) -> Result<Wanted, Error> {
        if let Some(only) = only {
            return self.chain(only.into()).await;
        }
        let mut after = None;
        while let Some(chain) = self.store.audit_log().chain_after_unscoped(after).await? {
            if !self.chain(chain).await? {
                return Ok(false);
            }
            after = Some(chain);
        }
        Ok(true)
    }

    async fn chain(&mut self, chain: ChainId) -> Result<Wanted, Error> {
        let store = self.store.clone();
        let log = store.audit_log();
        let filter_text = self.filter_text();
        let first = match self.search.from {
            Some(from) => match log.first_since(chain, from).await? {
                Some(first) => Some(first),
                None => return Ok(true),
            },
            None => None,
        };
        let last = match self.search.until {
            Some(until) => match log.last_until(chain, until).await? {
                Some(last) => last,
                None => return Ok(true),
            },
            None => u64::MAX,
        };
        let mut previous = self.before(chain, first).await?;
        let mut place = first.map(ChainPlace::before);
        let mut is_begun = false;
        let mut rows = FIRST;
        let mut room = String::new();
        loop {
            let page = log.of_chain(chain, place, rows).await?;
            let Some(end) = page.last() else {
                // What was still to come may have been removed for its age meanwhile.
                let head = log.head(chain).await?.map(|sealed| sealed.head);
                let handed_out = previous.map_or(0, |(number, _)| number);
                let is_cut = is_begun && head.is_some_and(|head| head.pruned_through > handed_out);
                return if is_cut { Err(Error::Overtaken) } else { Ok(true) };
            };
            place = Some(end.place());
            let is_last = end.link.sequence >= last;
            let mut chunk = String::new();
            let mut written = 0;
            for row in page.iter().take_while(|row| row.link.sequence <= last) {
                if previous.is_none_or(|(number, _)| number + 1 < row.link.sequence) {
                    previous = self.behind_pruned(chain, row, previous, is_begun).await?;
                }
                is_begun = true;
                let before = previous.map_or(Mac::NONE, |(_, mac)| mac);
                if self.seal.is_some() && !self.follows(row, previous, &mut room) {
                    let broken = format!("the audit log is broken at entry {} of {chain}", row.link.sequence);
                    return Err(Error::Internal(broken.into()));
                }
                if self.write(&mut chunk, row, before, filter_text.as_deref()) {
                    written += 1;
                }
                previous = Some((row.link.sequence, row.link.mac));
            }
            // Long entries come fewer at once: what is held is so many bytes.
            let fitting = CHUNK * page.len() as u64 / (chunk.len() as u64).max(1);
            rows = fitting.clamp(1, PAGE).min(rows * 2);
            if let Some(seal) = &mut self.seal {
                seal.add(chunk.as_bytes(), written);
            }
            if !self.send(chunk).await {
                return Ok(false);
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// The number and the hash of what comes before the first entry to be handed out.
    async fn before(&self, chain: ChainId, first: Option<u64>) -> Result<Option<(u64, Mac)>, Error> {
        if let Some(before) = first.and_then(|first| first.checked_sub(1)) {
            let rows = self.store.audit_log().of_chain(chain, Some(ChainPlace::before(before)), 1).await?;
            if let Some(row) = rows.first().filter(|row| row.link.sequence == before) {
                return Ok(Some((before, row.link.mac)));
            }
        }
        let head = self.store.audit_log().head(chain).await?;
        Ok(head.map(|sealed| (sealed.head.pruned_through, sealed.head.pruned_mac)))
    }

    /// As [`before`](Self::before), where numbers are missing: they may have been removed for their age just
    /// now. That is no hole when nothing was handed out yet; what has begun would have one.
    async fn behind_pruned(
        &self,
        chain: ChainId,
        row: &Chained,
        previous: Option<(u64, Mac)>,
        is_begun: bool,
    ) -> Result<Option<(u64, Mac)>, Error> {
        let head = self.store.audit_log().head(chain).await?;
        match head.map(|sealed| sealed.head) {
            Some(head) if head.pruned_through + 1 == row.link.sequence => match is_begun {
                true => Err(Error::Overtaken),
                false => Ok(Some((head.pruned_through, head.pruned_mac))),
            },
            _ => Ok(previous),
        }
    }

    /// Whether an entry is as it was written, right behind the one before it. Who reads a filtered export cannot see
    /// what is missing between its lines: the server must not seal it when something is.
    fn follows(&self, row: &Chained, previous: Option<(u64, Mac)>, room: &mut String) -> bool {
        let Link { chain: _, sequence, pepper, mac } = &row.link;
        let (number, before) = previous.unwrap_or((0, Mac::NONE));
        let Some(entry) = row.entry.as_ref().filter(|_| *sequence == number + 1) else { return false };
        line::mac_of(self.app.audit_keys(), room, entry, *sequence, *pepper, &before).as_ref() == Some(mac)
    }

    /// Writes an entry if it is wanted; answers whether it is.
    fn write(&self, chunk: &mut String, row: &Chained, previous: Mac, filter: Option<&str>) -> bool {
        let Some(entry) = &row.entry else {
            // The hole that it leaves is found by whoever verifies.
            tracing::error!(
                entry = %row.id,
                "an entry of the audit log is not what was written; `claviger audit verify` tells more"
            );
            return false;
        };
        let is_own = match self.owner {
            Owner::AdminKey(id) => entry.author.admin_key() == Some(id),
            Owner::Organization(_) | Owner::Installation => true,
        };
        if !is_own || !(Search { from: None, until: None, ..self.search }).admits(entry) {
            return false;
        }
        match self.format {
            Format::Ndjson => {
                line::write_covered(chunk, entry, row.link.sequence, row.link.pepper, &previous);
                line::write_mac(chunk, &row.link.mac);
                chunk.push('\n');
            }
            Format::Csv => csv::write(chunk, entry, &row.link, filter),
        }
        true
    }
}
