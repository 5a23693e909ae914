//! Verifying an exported file: line by line, without a database.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use claviger_domain::audit::filtered::{FilteredWalk, FirstLine, SealCheck};
use claviger_domain::audit::line::Line;
use claviger_domain::audit::{AuditKeys, ChainId, End, Kept, Walk};

use super::report::Report;
use crate::failure::Failure;

/// No entry's line is as long.
const LONGEST: u64 = 16 << 20;

/// The lines of a file, without their line breaks.
struct Lines<'p> {
    path: &'p Path,
    input: Box<dyn BufRead>,
    text: Vec<u8>,
    number: u64,
}

impl<'p> Lines<'p> {
    fn open(path: &'p Path) -> Result<Self, Failure> {
        let input: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(path).map_err(|error| unread(path, &error))?;
            Box::new(BufReader::with_capacity(1 << 18, file))
        };
        Ok(Self { path, input, text: Vec::new(), number: 0 })
    }

    fn next(&mut self) -> Result<Option<(u64, &[u8])>, Failure> {
        self.text.clear();
        let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut self.text);
        if read.map_err(|error| unread(self.path, &error))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let text = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        Ok(Some((self.number, text)))
    }
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    Failure::unread(format!("cannot read {}: {error}", path.display()))
}

pub(super) fn verify(
    path: &Path,
    keys: &AuditKeys,
    kept: &[Kept],
    report: &mut Report,
) -> Result<(), Failure> {
    let mut lines = Lines::open(path)?;
    let mut walks = BTreeMap::<ChainId, Walk<'_>>::new();
    for chain in kept.iter().map(|kept| kept.chain) {
        walks.entry(chain).or_insert_with(|| Walk::anywhere(keys, chain, kept));
    }
    while let Some((number, text)) = lines.next()? {
        if number == 1
            && let Some(first) = FirstLine::parse(text)
        {
            report.filtered(&first);
            let seal = SealCheck::new(keys, &first, text);
            return filtered(lines, keys, kept, report, seal);
        }
        match Line::parse(text) {
            Some(line) => walks
                .entry(line.link.chain)
                .or_insert_with(|| Walk::anywhere(keys, line.link.chain, kept))
                .take(line.id, &line.link, line.into()),
            None => report.no_entry(number),
        }
    }
    for walk in walks.into_values() {
        report.tell(&walk.end(End::Open));
    }
    Ok(())
}

/// Checks what follows the first line of a filtered export.
fn filtered(
    mut lines: Lines<'_>,
    keys: &AuditKeys,
    kept: &[Kept],
    report: &mut Report,
    mut seal: SealCheck,
) -> Result<(), Failure> {
    let mut walks = BTreeMap::<ChainId, FilteredWalk<'_>>::new();
    for chain in kept.iter().map(|kept| kept.chain) {
        walks.entry(chain).or_insert_with(|| FilteredWalk::new(keys, chain, kept));
    }
    while let Some((number, text)) = lines.next()? {
        if seal.take(text) {
            continue;
        }
        match Line::parse(text) {
            Some(line) => walks
                .entry(line.link.chain)
                .or_insert_with(|| FilteredWalk::new(keys, line.link.chain, kept))
                .take(&line),
            None => report.no_entry(number),
        }
    }
    for walk in walks.into_values() {
        report.tell(&walk.end());
    }
    report.seal(seal.end());
    Ok(())
}
