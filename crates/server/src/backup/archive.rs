//! The tar archive that a backup is: written once from front to back, and verified before anything is
//! taken out of it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use claviger_app::engine::journal;
use tar::{Archive, Builder, EntryType, Header};

use super::manifest::{Manifest, Part};
use super::{DatabaseKind, MANIFEST, PEPPERS, USAGE_LOG};

/// Longer manifests are not read.
const LONGEST_MANIFEST: u64 = 64 << 20;

/// A backup that is being written.
pub(super) struct Writer<W: Write> {
    tar: Builder<W>,
    modified: u64,
    parts: Vec<Part>,
}

impl<W: Write> Writer<W> {
    /// `modified` is the time of all parts, in seconds since the epoch.
    pub(super) fn new(into: W, modified: u64) -> Self {
        Self { tar: Builder::new(into), modified, parts: Vec::new() }
    }

    /// Adds the first `bytes` bytes of `from`.
    pub(super) fn add(&mut self, name: &str, from: impl Read, bytes: u64) -> io::Result<()> {
        let mut from = Hashing::new(from.take(bytes));
        self.append(name, &mut from, bytes)?;
        if from.bytes != bytes {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                format!("{name} became shorter while it was read"),
            ));
        }
        self.parts.push(Part { name: name.to_owned(), bytes, blake3: from.hash() });
        Ok(())
    }

    /// What was added so far.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Adds the manifest, without which no part counts.
    pub(super) fn finish(mut self, manifest: &Manifest) -> io::Result<W> {
        let text = manifest.text();
        self.append(MANIFEST, &mut text.as_bytes(), text.len() as u64)?;
        self.tar.into_inner()
    }

    fn append(&mut self, name: &str, from: &mut dyn Read, bytes: u64) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.modified);
        header.set_size(bytes);
        self.tar.append_data(&mut header, name, from)
    }
}

/// Reads the whole backup and compares it with its manifest.
///
/// # Errors
/// A reason in words.
pub(super) fn verify(file: &Path) -> Result<Manifest, String> {
    let mut found = Vec::new();
    let mut manifest = None;
    walk(file, |name, entry| {
        if manifest.is_some() {
            return Err("it goes on after its manifest".to_owned());
        }
        if name == MANIFEST {
            let mut text = String::new();
            let read = entry.take(LONGEST_MANIFEST).read_to_string(&mut text);
            read.map_err(|error| unreadable(&error))?;
            manifest = Some(Manifest::parse(&text)?);
            return Ok(());
        }
        let mut entry = Hashing::new(entry);
        io::copy(&mut entry, &mut io::sink()).map_err(|error| unreadable(&error))?;
        found.push(Part { name: name.to_owned(), bytes: entry.bytes, blake3: entry.hash() });
        Ok(())
    })?;
    let manifest = manifest.ok_or("it ends before its manifest: it was not written to its end")?;
    if let Some(name) = manifest.parts.iter().map(|part| &part.name).find(|name| !is_part(name)) {
        return Err(format!("its manifest has a part that does not belong into a backup: {name}"));
    }
    if !manifest.has_part(manifest.database.part()) {
        return Err("the database is not in it".to_owned());
    }
    match manifest.parts.iter().zip(&found).find(|(wanted, found)| wanted != found) {
        Some((part, _)) => Err(format!("{} is not what was backed up: its checksum differs", part.name)),
        None if manifest.parts.len() != found.len() => {
            Err("its parts are not those of its manifest".to_owned())
        }
        None => Ok(manifest),
    }
}

/// Hands out each part of a verified backup. What is read must be what was verified.
///
/// # Errors
/// What `take` answers, or a reason in words.
pub(super) fn extract(
    file: &Path,
    manifest: &Manifest,
    mut take: impl FnMut(&str, &mut dyn Read) -> Result<(), String>,
) -> Result<(), String> {
    walk(file, |name, entry| {
        let Some(part) = manifest.parts.iter().find(|part| part.name == name) else { return Ok(()) };
        let mut entry = Hashing::new(entry);
        take(name, &mut entry)?;
        match entry.hash() == part.blake3 {
            true => Ok(()),
            false => Err(format!("{name} has changed since it was verified")),
        }
    })
}

fn walk(file: &Path, mut visit: impl FnMut(&str, &mut dyn Read) -> Result<(), String>) -> Result<(), String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let mut archive = Archive::new(io::BufReader::with_capacity(1 << 20, opened));
    for entry in archive.entries().map_err(|error| unreadable(&error))? {
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular {
            return Err(format!("{name} in it is not a regular file"));
        }
        visit(&name, &mut entry)?;
    }
    Ok(())
}

fn unreadable(error: &io::Error) -> String {
    format!("it is damaged, or was not written to its end ({error})")
}

/// Names that a backup may hold: nothing else is ever written to a data directory.
fn is_part(name: &str) -> bool {
    let is_usage = |name: &str| name.strip_prefix(USAGE_LOG).is_some_and(journal::is_file_name);
    name == PEPPERS
        || [DatabaseKind::Sqlite, DatabaseKind::Postgres].iter().any(|kind| kind.part() == name)
        || is_usage(name)
}

/// Hashes and counts what is read through it.
struct Hashing<R> {
    from: R,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl<R> Hashing<R> {
    fn new(from: R) -> Self {
        Self { from, bytes: 0, hasher: blake3::Hasher::new() }
    }

    fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}
