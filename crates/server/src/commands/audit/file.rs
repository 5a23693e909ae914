//! Verifying an exported file: line by line, without a database.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use claviger_domain::audit::line::Line;
use claviger_domain::audit::{AuditKeys, ChainId, End, Kept, Walk};

use super::report::Report;
use crate::failure::Failure;

/// No entry's line is as long.
const LONGEST: u64 = 16 << 20;

pub(super) fn verify(
    path: &Path,
    keys: &AuditKeys,
    kept: &[Kept],
    report: &mut Report,
) -> Result<(), Failure> {
    let unread = |error: io::Error| Failure::unread(format!("cannot read {}: {error}", path.display()));
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(1 << 18, File::open(path).map_err(unread)?))
    };
    let mut walks = BTreeMap::<ChainId, Walk<'_>>::new();
    for chain in kept.iter().map(|kept| kept.chain) {
        walks.entry(chain).or_insert_with(|| Walk::anywhere(keys, chain, kept));
    }
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        if (&mut input).take(LONGEST).read_until(b'\n', &mut text).map_err(unread)? == 0 {
            break;
        }
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
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
