//! What is said of a log that was walked along.

use std::time::Instant;

use claviger_domain::audit::filtered::{ExportFlaw, FirstLine};
use claviger_domain::audit::{Break, ChainId, Flaw, Walked};

use crate::failure::Failure;
use crate::output;

/// The words, printed as they come up, and the sum of it all.
pub(super) struct Report {
    heads: bool,
    begun: Instant,
    chains: u64,
    broken: u64,
    entries: u64,
    held: u64,
    no_entries: u64,
    unseen: usize,
    is_filtered: bool,
    seal_flaw: Option<ExportFlaw>,
    written: Result<(), Failure>,
}

impl Report {
    pub(super) fn new(heads: bool) -> Self {
        let (chains, broken, entries, held, no_entries, unseen) = (0, 0, 0, 0, 0, 0);
        Self {
            heads,
            begun: Instant::now(),
            chains,
            broken,
            entries,
            held,
            no_entries,
            unseen,
            is_filtered: false,
            seal_flaw: None,
            written: Ok(()),
        }
    }

    fn print(&mut self, line: &str) {
        if self.written.is_ok() {
            self.written = output::print(line);
        }
    }

    /// Says what was found on one chain: nothing, if it is whole and from the first entry on.
    pub(super) fn tell(&mut self, walked: &Walked) {
        let Walked { chain, first, last, mac, entries, held, broken, kept_unseen, pruned_from_age } = walked;
        self.chains += 1;
        self.entries += entries;
        self.held += held;
        let name = name(*chain);
        // Where nothing is left, what comes next would be the first.
        let first = first.unwrap_or(last.saturating_add(1));
        match pruned_from_age {
            _ if self.is_filtered => {}
            Some(age) => {
                let age = span(*age);
                self.print(&format!(
                    "{name}: from entry {first} on; earlier ones were removed for their age, none younger than {age}"
                ));
            }
            None if first > 1 && *entries > 0 => {
                self.print(&format!("{name}: from entry {first} on; earlier ones are not there"));
            }
            None => {}
        }
        self.unseen += kept_unseen;
        if *kept_unseen > 0 && self.is_filtered {
            self.print(&format!(
                "{name}: the entry of a kept head is not in this export: it cannot be compared"
            ));
        } else if *kept_unseen > 0 {
            self.print(&format!(
                "{name}: a kept head is older than what is there, nothing can be said of it"
            ));
        }
        match broken {
            Some(broken) => {
                self.broken += 1;
                self.print(&format!("{name}: {}", sentence(broken)));
            }
            None if self.heads && !self.is_filtered => self.print(&format!("head {chain}:{last}:{mac}")),
            None => {}
        }
    }

    /// Says that the file is a filtered export.
    pub(super) fn filtered(&mut self, first: &FirstLine<'_>) {
        self.is_filtered = true;
        let FirstLine { filter, exported_at, .. } = first;
        self.print(&format!("this export is filtered: {filter}, made {exported_at}"));
    }

    /// Says what is wrong with the seal of a filtered export.
    pub(super) fn seal(&mut self, flaw: Option<ExportFlaw>) {
        self.seal_flaw = flaw;
        let text = match flaw {
            None => return,
            Some(ExportFlaw::CutOff) => {
                "the last line of the export is missing: the file was cut off".to_owned()
            }
            Some(ExportFlaw::NotAsSealed) => {
                "the seal does not hold: lines of the export were changed, removed or added".to_owned()
            }
            Some(ExportFlaw::GoesOn) => {
                "lines follow the last line of the export: they were added".to_owned()
            }
            Some(ExportFlaw::UnknownPepper(pepper)) => format!(
                "the export was sealed under pepper {pepper}, which is not given: its seal cannot be checked"
            ),
        };
        self.print(&text);
    }

    /// Says that a line of a file is none of the log.
    pub(super) fn no_entry(&mut self, line: u64) {
        self.no_entries += 1;
        // A file of another kind is told in one line too.
        if self.no_entries == 1 {
            self.print(&format!("line {line} is no entry of an audit log"));
        }
    }

    /// Says what it amounts to.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        let Self { chains, entries, held, broken, no_entries, unseen, .. } = self;
        let seconds = self.begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "it is shown in whole numbers")]
        let rate = entries as f64 / seconds;
        self.print(&format!(
            "{chains} chains, {entries} entries, {seconds:.3} seconds, {rate:.0} entries per second"
        ));
        if entries > 0 && held == 0 {
            self.print("no entry holds: are these the peppers of the installation that wrote it?");
        }
        if self.is_filtered {
            self.print(
                "note: checked were the seal of the file, each entry's own hash, the order, and the links between \
                 entries that follow each other; not checked is what the filter left out: export without a filter \
                 for that",
            );
        }
        self.written?;
        if self.seal_flaw.is_some() {
            return Err(Failure::operation("the filtered export is not as the server made it".to_owned()));
        }
        match (broken, no_entries) {
            (0, 0) if unseen > 0 => Err(Failure::operation(format!(
                "{unseen} kept heads are of entries that are not there any more"
            ))),
            (0, 0) => Ok(()),
            (0, lines) => Err(Failure::operation(format!("{lines} lines are no entries of an audit log"))),
            (broken, _) => Err(Failure::operation(format!("{broken} of {chains} chains are broken"))),
        }
    }
}

fn name(chain: ChainId) -> String {
    chain.organization().map_or_else(|| "installation".to_owned(), |id| format!("organization {id}"))
}

fn span(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600) {
        (0, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    }
}

fn sentence(broken: &Break) -> String {
    let Break { sequence, id, flaw } = broken;
    let entry = match id {
        Some(id) => format!("entry {sequence} ({id})"),
        None => format!("entry {sequence}"),
    };
    match flaw {
        Flaw::Changed => format!("{entry} was changed"),
        Flaw::Removed { through } if through > sequence => {
            format!("entries {sequence} to {through} were removed")
        }
        Flaw::Removed { .. } => format!("{entry} was removed"),
        Flaw::Inserted => format!("{entry} was inserted"),
        Flaw::Reordered => format!("entries were reordered, from {entry} on"),
        Flaw::UnknownPepper(pepper) if id.is_some() => format!(
            "{entry} was made under pepper {pepper}, which is not given: nothing can be said of it and what follows"
        ),
        Flaw::UnknownPepper(pepper) => {
            format!(
                "the head was sealed under pepper {pepper}, which is not given: nothing can be said of the end"
            )
        }
        Flaw::HeadMissing => format!("the head was removed; the last entry that holds is {sequence}"),
        Flaw::HeadForged => format!("the head was forged: it says {sequence} entries"),
        Flaw::HeadSetBack => format!("the head is an earlier one, of {entry}, put back"),
        Flaw::AnchorForged => format!("that entries up to {sequence} were removed for their age was forged"),
        Flaw::SealBroken => {
            "the head, or up to where entries were removed for their age, was forged".to_owned()
        }
        Flaw::NotAsKept(kept) => format!("the kept head, entry {kept}, is not contained"),
    }
}
