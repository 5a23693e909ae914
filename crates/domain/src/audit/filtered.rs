//! Filtered exports: a first line that names the filter, the entries that passed it, and a last line that seals the
//! file.
//!
//! A filtered export has gaps, and a gap looks the same whether the filter made it or somebody removed lines from the
//! file afterwards. So the last line holds a keyed hash of every byte before it: the file is as the server made it. What
//! the filter left out is not in the file, and nothing can be said of it.

use std::fmt::Write;

use chrono::SecondsFormat;

use super::Details;
use super::chain::{AuditKeys, ChainId, Mac};
use super::finding::{Break, Flaw, Kept, Walked};
use super::line::{self, Line};
use crate::Timestamp;
use crate::secret::PepperVersion;

const FIRST: &str = "{\"claviger_export\":\"filtered\",\"exported_at\":\"";
const FILTER: &str = "\",\"filter\":";
const PEPPER: &str = ",\"pepper\":";
const LAST: &str = "{\"claviger_export\":\"end\",\"entries\":";
const MAC: &str = ",\"mac\":\"";

/// The hash over a filtered export, while the export is written or read.
#[derive(Debug)]
pub struct ExportSeal {
    hasher: blake3::Hasher,
    entries: u64,
}

impl ExportSeal {
    /// Begins an export made at `at`: answers its seal under the newest pepper, and its first line with a line break.
    #[must_use]
    pub fn begin(keys: &AuditKeys, filter: &Details, at: Timestamp) -> (Self, String) {
        let mut first = FIRST.to_owned();
        first.push_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true));
        first.push_str(FILTER);
        line::write_details(&mut first, filter);
        let (pepper, hasher) = keys.newest_export_hasher();
        // Writing to a string cannot fail.
        let _ = writeln!(first, "{PEPPER}{pepper}}}");
        let mut seal = Self { hasher, entries: 0 };
        seal.hasher.update(first.as_bytes());
        (seal, first)
    }

    /// Goes on with so many more entries, each with its line break.
    pub fn add(&mut self, lines: &[u8], entries: u64) {
        self.hasher.update(lines);
        self.entries += entries;
    }

    /// The last line, with a line break.
    #[must_use]
    pub fn end(mut self) -> String {
        let mut last = format!("{LAST}{}", self.entries);
        self.hasher.update(last.as_bytes());
        let mac = Mac::from_bytes(*self.hasher.finalize().as_bytes());
        let _ = writeln!(last, "{MAC}{mac}\"}}");
        last
    }
}

/// The first line of a filtered export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstLine<'a> {
    /// When it was made, as the line says.
    pub exported_at: &'a str,
    /// The filter, a JSON object.
    pub filter: &'a str,
    pepper: PepperVersion,
}

impl<'a> FirstLine<'a> {
    /// Takes a line apart, without its line break; `None` of any other line.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.strip_prefix(FIRST)?;
        let (exported_at, rest) = line.split_once(FILTER)?;
        let (filter, pepper) = rest.strip_suffix('}')?.rsplit_once(PEPPER)?;
        Some(Self { exported_at, filter, pepper: pepper.parse().ok()? })
    }
}

/// What is wrong with a filtered export as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFlaw {
    /// There is no last line: the file was cut off.
    CutOff,
    /// The seal is not that of these lines: they were changed, removed or added, or the seal was forged.
    NotAsSealed,
    /// Lines follow the last one.
    GoesOn,
    /// It was sealed under a pepper that is not given.
    UnknownPepper(PepperVersion),
}

/// Checks the seal of a filtered export, line after line.
#[derive(Debug)]
pub struct SealCheck {
    hasher: Option<blake3::Hasher>,
    pepper: PepperVersion,
    entries: u64,
    flaw: Option<ExportFlaw>,
}

impl SealCheck {
    /// Begins with the first line: `text` is the line itself, without its line break.
    #[must_use]
    pub fn new(keys: &AuditKeys, first: &FirstLine<'_>, text: &[u8]) -> Self {
        let hasher = keys.export_hasher(first.pepper).map(|mut hasher| {
            hasher.update(text).update(b"\n");
            hasher
        });
        Self { hasher, pepper: first.pepper, entries: 0, flaw: Some(ExportFlaw::CutOff) }
    }

    /// The next line, without its line break. Answers whether it belongs to the seal, and is no entry.
    pub fn take(&mut self, text: &[u8]) -> bool {
        if self.flaw != Some(ExportFlaw::CutOff) {
            self.flaw = Some(ExportFlaw::GoesOn);
            return true;
        }
        let Some((covered, mac)) = text.strip_suffix(b"\"}").and_then(|text| line::cut_hash(text, MAC))
        else {
            return self.pass(text);
        };
        let Some(entries) = covered.strip_prefix(LAST.as_bytes()) else { return self.pass(text) };
        self.flaw = match &mut self.hasher {
            None => Some(ExportFlaw::UnknownPepper(self.pepper)),
            Some(hasher) => {
                let found = Mac::from_bytes(*hasher.update(covered).finalize().as_bytes());
                let holds = found == mac && line::number(entries) == Some(self.entries);
                (!holds).then_some(ExportFlaw::NotAsSealed)
            }
        };
        true
    }

    fn pass(&mut self, text: &[u8]) -> bool {
        self.entries += 1;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(text).update(b"\n");
        }
        false
    }

    /// What is wrong, now that there is nothing more.
    #[must_use]
    pub fn end(self) -> Option<ExportFlaw> {
        self.flaw
    }
}

/// Checks the entries of one chain in a filtered export: each one's own hash, their order, and the link between two
/// that follow each other.
#[derive(Debug)]
pub struct FilteredWalk<'k> {
    keys: &'k AuditKeys,
    chain: ChainId,
    kept: Vec<Kept>,
    first: Option<u64>,
    last: Option<(u64, Mac)>,
    entries: u64,
    held: u64,
    broken: Option<Break>,
}

impl<'k> FilteredWalk<'k> {
    /// Along entries of this chain; `kept` are heads of this and other chains.
    #[must_use]
    pub fn new(keys: &'k AuditKeys, chain: ChainId, kept: &[Kept]) -> Self {
        let kept = kept.iter().filter(|kept| kept.chain == chain).copied().collect();
        Self { keys, chain, kept, first: None, last: None, entries: 0, held: 0, broken: None }
    }

    /// The next entry, in the order of the file.
    pub fn take(&mut self, line: &Line<'_>) {
        self.entries += 1;
        if self.broken.is_some() {
            return;
        }
        let Line { id, link, previous, covered } = line;
        let differs = |kept: &&Kept| kept.sequence == link.sequence && kept.mac != link.mac;
        let flaw = match (self.keys.mac(link.pepper, covered), self.last) {
            (None, _) => Some(Flaw::UnknownPepper(link.pepper)),
            (Some(mac), _) if mac != link.mac => Some(Flaw::Changed),
            (Some(_), Some((last, _))) if link.sequence <= last => Some(Flaw::Reordered),
            // Both were written by us, and not one after the other.
            (Some(_), Some((last, mac))) if link.sequence == last + 1 && *previous != mac => {
                Some(Flaw::Inserted)
            }
            _ => self.kept.iter().find(differs).map(|kept| Flaw::NotAsKept(kept.sequence)),
        };
        self.broken = flaw.map(|flaw| Break { sequence: link.sequence, id: Some(*id), flaw });
        if self.broken.is_none() {
            self.held += 1;
            self.first.get_or_insert(link.sequence);
            self.last = Some((link.sequence, link.mac));
            self.kept.retain(|kept| kept.sequence != link.sequence);
        }
    }

    /// What the walk has shown, now that there is nothing more.
    #[must_use]
    pub fn end(self) -> Walked {
        let Self { keys: _, chain, kept, first, last, entries, held, broken } = self;
        let (last, mac) = last.unwrap_or((0, Mac::NONE));
        let kept_unseen = kept.len();
        Walked { chain, first, last, mac, entries, held, broken, kept_unseen, pruned_from_age: None }
    }
}
