//! Walking along a chain, entry after entry, and saying where it is broken and how, as far as that can be told.
//!
//! Nobody without the keys can make a hash that holds. So what does not hold was touched; what it was before
//! is found by trying it, and what comes after it, in other places of the chain.

use super::Entry;
use super::chain::{AuditKeys, ChainId, Head, Link, Mac, SealedHead};
use super::finding::{Break, Flaw, Kept, Walked};
use super::line::{self, Line};
use crate::ids::AuditEntryId;

/// What there is of an entry beside its place.
#[derive(Debug, Clone, Copy)]
pub enum Material<'a> {
    /// What the columns of its row say.
    Entry(&'a Entry),
    /// Its line: the hash before it as the line states it, and the bytes that its own hash covers.
    Line {
        /// The hash before it.
        previous: Mac,
        /// What is covered.
        covered: &'a [u8],
    },
    /// Columns that no entry was ever written as.
    Unreadable,
}

impl<'a> From<Line<'a>> for Material<'a> {
    fn from(Line { previous, covered, .. }: Line<'a>) -> Self {
        Self::Line { previous, covered }
    }
}

/// What is known of a chain's end.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// Nothing: a file may end anywhere.
    Open,
    /// What the database says; `None` when it has no head of this chain.
    Sealed(Option<&'a SealedHead>),
}

/// A walk under way. It holds one entry at most.
#[derive(Debug)]
pub struct Walk<'k> {
    keys: &'k AuditKeys,
    chain: ChainId,
    /// The number that comes next and the hash before it; `None` before the first line of a file.
    place: Option<(u64, Mac)>,
    /// The hash that the first one stated to come after, and its number.
    start: Option<(u64, Mac)>,
    entries: u64,
    held: u64,
    suspect: Option<Suspect>,
    kept: Vec<Kept>,
    not_as_kept: Option<Break>,
    /// Room to work in.
    line: String,
}

/// The first entry that does not hold, and how it is to be explained so far.
#[derive(Debug)]
struct Suspect {
    broken: Break,
    expected: u64,
    previous: Mac,
    link: Link,
    material: Owned,
    is_next: bool,
    is_first: bool,
}

#[derive(Debug)]
enum Owned {
    Entry(Box<Entry>),
    Line { previous: Mac, covered: Vec<u8> },
    Unreadable,
}

impl Owned {
    fn of(material: Material<'_>) -> Self {
        match material {
            Material::Entry(entry) => Self::Entry(Box::new(entry.clone())),
            Material::Line { previous, covered } => Self::Line { previous, covered: covered.to_vec() },
            Material::Unreadable => Self::Unreadable,
        }
    }

    fn material(&self) -> Material<'_> {
        match self {
            Self::Entry(entry) => Material::Entry(entry),
            Self::Line { previous, covered } => Material::Line { previous: *previous, covered },
            Self::Unreadable => Material::Unreadable,
        }
    }
}

/// How many entries may have been cut out, with the rest renumbered to hide it, for that to be recognised.
const MOST_CUT_OUT: u64 = 1_000;

impl<'k> Walk<'k> {
    /// Along lines that may begin anywhere in the chain; `kept` are heads of this and other chains.
    #[must_use]
    pub fn anywhere(keys: &'k AuditKeys, chain: ChainId, kept: &[Kept]) -> Self {
        let kept = kept.iter().filter(|kept| kept.chain == chain).copied().collect();
        let (place, start, suspect, not_as_kept) = (None, None, None, None);
        Self {
            keys,
            chain,
            place,
            start,
            entries: 0,
            held: 0,
            suspect,
            kept,
            not_as_kept,
            line: String::new(),
        }
    }

    /// Along all that remains of the chain.
    #[must_use]
    pub fn whole(keys: &'k AuditKeys, head: &Head, kept: &[Kept]) -> Self {
        let place = Some((head.pruned_through.saturating_add(1), head.pruned_mac));
        Self { place, ..Self::anywhere(keys, head.chain, kept) }
    }

    /// The last number that was passed; of a whole chain, what comes next follows it.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.place.map_or(0, |(next, _)| next - 1)
    }

    /// What is old was removed while the walk was under way: it goes on behind that.
    pub fn pruned(&mut self, head: &Head) {
        if self.suspect.is_none() && self.passed() < head.pruned_through {
            self.place = Some((head.pruned_through.saturating_add(1), head.pruned_mac));
        }
    }

    /// The next entry, in the order of the numbers that are stated.
    pub fn take(&mut self, id: AuditEntryId, link: &Link, material: Material<'_>) {
        self.entries += 1;
        if self.suspect.is_some() {
            return self.explain(link, material);
        }
        let is_first = self.start.is_none();
        let (expected, previous) = self.place.unwrap_or((
            link.sequence,
            match material {
                Material::Line { previous, .. } if link.sequence > 1 => previous,
                _ => Mac::NONE,
            },
        ));
        self.start.get_or_insert((expected, previous));
        let (sequence, flaw) = if link.sequence > expected {
            (expected, Flaw::Removed { through: link.sequence - 1 })
        } else if link.sequence < expected {
            (link.sequence, Flaw::Inserted)
        } else {
            match self.holds(link, material, expected, &previous) {
                Some(true) => return self.pass(link),
                Some(false) => (expected, Flaw::Changed),
                None => (expected, Flaw::UnknownPepper(link.pepper)),
            }
        };
        let stands_there = !matches!(flaw, Flaw::Removed { .. });
        self.suspect = Some(Suspect {
            broken: Break { sequence, id: stands_there.then_some(id), flaw },
            expected,
            previous,
            link: *link,
            material: Owned::of(material),
            is_next: true,
            is_first,
        });
    }

    fn pass(&mut self, link: &Link) {
        self.held += 1;
        self.place = Some((link.sequence.saturating_add(1), link.mac));
        let differs = |kept: &Kept| kept.sequence == link.sequence && kept.mac != link.mac;
        if self.not_as_kept.is_none() && self.kept.iter().any(differs) {
            let flaw = Flaw::NotAsKept(link.sequence);
            self.not_as_kept = Some(Break { sequence: link.sequence, id: None, flaw });
        }
    }

    /// Whether an entry holds at a place; `None` when its pepper is not here.
    fn holds(&mut self, link: &Link, material: Material<'_>, at: u64, after: &Mac) -> Option<bool> {
        let mac = match material {
            Material::Entry(entry) => line::mac_of(self.keys, &mut self.line, entry, at, link.pepper, after),
            // What a line states is part of what it is.
            Material::Line { previous, covered } if link.sequence == at && previous == *after => {
                self.keys.mac(link.pepper, covered)
            }
            Material::Line { .. } | Material::Unreadable => return Some(false),
        };
        mac.map(|mac| mac == link.mac)
    }

    /// Looks whether what follows tells how the suspect came to stand where it stands.
    fn explain(&mut self, link: &Link, material: Material<'_>) {
        let Some(mut suspect) = self.suspect.take() else { return };
        let held = suspect.material.material();
        let is_gap = matches!(suspect.broken.flaw, Flaw::Removed { .. });
        let mut holds = |link, material, at, after: &Mac| self.holds(link, material, at, after) == Some(true);
        match suspect.broken.flaw {
            Flaw::Changed | Flaw::Inserted | Flaw::Removed { .. } => {
                // The suspect's own place is beside this one.
                if holds(&suspect.link, held, link.sequence, &link.mac)
                    || holds(&suspect.link, held, link.sequence.saturating_add(1), &link.mac)
                {
                    suspect.broken.flaw = Flaw::Reordered;
                // The missing one stands here: it was moved, or others were put before it.
                } else if holds(link, material, suspect.expected, &suspect.previous) {
                    suspect.broken.flaw = if is_gap { Flaw::Reordered } else { Flaw::Inserted };
                } else if suspect.is_next && suspect.broken.flaw == Flaw::Changed {
                    // What follows once followed it at a greater number: some before both were cut out.
                    let cut = |many: &u64| {
                        holds(link, material, suspect.expected.saturating_add(1 + many), &suspect.link.mac)
                    };
                    if let Some(many) = (1..=MOST_CUT_OUT).find(cut) {
                        suspect.broken.id = None;
                        suspect.broken.flaw =
                            Flaw::Removed { through: suspect.expected.saturating_add(many - 1) };
                    }
                }
            }
            _ => {}
        }
        suspect.is_next = false;
        self.suspect = Some(suspect);
    }

    /// What the walk has shown, now that there is nothing more.
    #[must_use]
    pub fn end(mut self, end: End<'_>) -> Walked {
        let (next, mac) = self.place.unwrap_or((1, Mac::NONE));
        let pruned_from_age = match end {
            End::Sealed(Some(sealed)) if self.keys.holds(sealed) == Some(true) => sealed.head.pruned_from_age,
            End::Sealed(_) | End::Open => None,
        };
        let broken = match end {
            End::Open => self.suspect.take().map(|suspect| suspect.broken),
            End::Sealed(sealed) => self.end_of_all(sealed),
        };
        let (broken, kept_unseen) = self.compare_kept(broken);
        let Self { chain, start, entries, held, .. } = self;
        let first = start.map(|(first, _)| first);
        Walked { chain, first, last: next - 1, mac, entries, held, broken, kept_unseen, pruned_from_age }
    }

    fn end_of_all(&mut self, sealed: Option<&SealedHead>) -> Option<Break> {
        let (next, mac) = self.place.unwrap_or((1, Mac::NONE));
        let suspect = self.suspect.take();
        let at = |sequence, flaw| Some(Break { sequence, id: None, flaw });
        let Some(sealed) = sealed else {
            return match suspect {
                Some(suspect) if !suspect.is_first => Some(suspect.broken),
                _ => at(next.saturating_sub(1), Flaw::HeadMissing),
            };
        };
        let head = sealed.head;
        let holds = self.keys.holds(sealed);
        if let Some(Suspect { mut broken, is_first, .. }) = suspect {
            if holds == Some(false) && is_first && head.pruned_through > 0 {
                return at(head.pruned_through, Flaw::AnchorForged);
            }
            if broken.flaw == Flaw::Changed && broken.sequence > head.sequence && holds == Some(true) {
                broken.flaw = Flaw::Inserted;
            }
            return Some(broken);
        }
        match holds {
            None => at(head.sequence, Flaw::UnknownPepper(sealed.pepper)),
            Some(false) => {
                let with = |head| self.keys.holds(&SealedHead { head, ..*sealed }) == Some(true);
                let whole = Head { pruned_through: 0, pruned_mac: Mac::NONE, pruned_from_age: None, ..head };
                at(
                    head.sequence,
                    if with(Head { sequence: next - 1, mac, ..head }) {
                        Flaw::HeadForged
                    } else if with(whole) {
                        Flaw::AnchorForged
                    } else {
                        Flaw::SealBroken
                    },
                )
            }
            Some(true) if next <= head.sequence => at(next, Flaw::Removed { through: head.sequence }),
            Some(true) if next - 1 > head.sequence => at(head.sequence, Flaw::HeadSetBack),
            Some(true) if mac != head.mac => at(head.sequence, Flaw::HeadForged),
            Some(true) => None,
        }
    }

    /// Compares with what was kept elsewhere; an earlier break than that stays the first.
    fn compare_kept(&self, broken: Option<Break>) -> (Option<Break>, usize) {
        let (next, _) = self.place.unwrap_or((1, Mac::NONE));
        let (first, before) = self.start.or(self.place).unwrap_or((1, Mac::NONE));
        let mut found = self.not_as_kept;
        let mut unseen = 0;
        for kept in &self.kept {
            let flaw = Flaw::NotAsKept(kept.sequence);
            if kept.sequence.saturating_add(1) < first {
                unseen += 1;
            } else if kept.sequence.saturating_add(1) == first && kept.mac != before {
                found = Some(Break { sequence: kept.sequence, id: None, flaw });
            } else if kept.sequence >= next && broken.is_none() {
                found = found.or(Some(Break { sequence: next, id: None, flaw }));
            }
        }
        let first = match (broken, found) {
            (Some(broken), Some(found)) if found.sequence < broken.sequence => Some(found),
            (broken, found) => broken.or(found),
        };
        (first, unseen)
    }
}

#[cfg(test)]
mod tests;
