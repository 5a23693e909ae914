//! The shim that makes system calls of the server fail, and the page by which a test controls it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a call goes.
pub(super) const DATABASE: u32 = 1;
pub(super) const USAGE_LOG: u32 = 2;
/// The database's main file, which only checkpoints write to.
pub(super) const MAIN_FILE: u32 = 4;
pub(super) const SOCKET: u32 = 8;

/// Kinds of calls.
pub(super) const WRITE: u32 = 1;
pub(super) const SYNC: u32 = 2;
pub(super) const OPEN: u32 = 8;
pub(super) const UNLINK: u32 = 16;
pub(super) const READ: u32 = 128;
pub(super) const SEND: u32 = 512;
pub(super) const RECEIVE: u32 = 1024;
/// Every kind but reading: pages are read by other threads at any time.
pub(super) const FILE_CHANGES: u32 = 1 | 2 | 4 | 8 | 16 | 32 | 64 | 256;
/// Those of the usage log, the opening of a segment for reading included.
pub(super) const LOG_CHANGES: u32 = 1 | 2 | 4 | 8 | 16 | 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fault {
    NoSpace = 1,
    IoError,
    Interrupted,
    Reset,
    Short,
    KillBefore,
    KillAfter,
    KillTorn,
    LostAnswer,
    Terminated,
}

impl Fault {
    /// What can happen to a call of this kind.
    pub(super) fn of(op: u32) -> &'static [Self] {
        use Fault::{
            Interrupted, IoError, KillAfter, KillBefore, KillTorn, LostAnswer, NoSpace, Reset, Short,
            Terminated,
        };
        match op {
            WRITE => &[NoSpace, IoError, Interrupted, Short, KillBefore, KillAfter, KillTorn],
            SYNC => &[IoError, NoSpace, KillBefore, KillAfter],
            READ => &[IoError, Interrupted, KillBefore],
            SEND => &[Reset, Interrupted, Short, KillBefore, KillAfter, KillTorn, LostAnswer, Terminated],
            RECEIVE => &[Reset, Interrupted, Short, KillBefore, KillAfter],
            _ => &[IoError, NoSpace, Interrupted, KillBefore, KillAfter],
        }
    }

    pub(super) fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter | Self::KillTorn)
    }
}

/// What is to fail, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) scope: u32,
    pub(super) ops: u32,
    /// Counted from 1; 0 is none, calls are only counted then.
    pub(super) position: u32,
    pub(super) fault: Fault,
    /// How many calls fail, from the position on.
    pub(super) times: u32,
    /// Of the database server, for [`SOCKET`].
    pub(super) port: u16,
}

/// The control page, and the shim that maps it.
#[derive(Debug)]
pub(super) struct Control {
    page: File,
    path: PathBuf,
    shim: PathBuf,
    _directory: tempfile::TempDir,
}

const TRACE_AT: u64 = 64;
const TRACE_LENGTH: u32 = 1024;

impl Control {
    /// Compiles the shim. A test that finds no C compiler fails: the product does not build without one either.
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (shim, path) = (directory.path().join("shim.so"), directory.path().join("control"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/faults/shim.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&shim, &source])
            .arg("-ldl")
            .output()
            .unwrap_or_else(|error| panic!("the fault injection tests need a C compiler, `cc`: {error}"));
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let page = OpenOptions::new().create_new(true).read(true).write(true).open(&path).unwrap();
        page.set_len(4096).unwrap();
        Self { page, path, shim, _directory: directory }
    }

    /// What the server must be started with, for the data directory `data`.
    pub(super) fn environment(&self, data: &Path) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("LD_PRELOAD", text(&self.shim)),
            ("FAULTS_CONTROL", text(&self.path)),
            ("FAULTS_DIRECTORY", text(data)),
            ("FAULTS_USAGE_LOG", text(&data.join("journal"))),
            // The shim compares whole paths.
            ("CLAVIGER_DATA_DIR", text(data)),
        ]
    }

    pub(super) fn arm(&self, plan: &Plan) {
        self.disarm();
        let Plan { scope, ops, position, fault, times, port } = *plan;
        let position = if position == 0 { u32::MAX } else { position };
        for (index, value) in
            (1..).zip([scope, ops, position, fault as u32, times, u32::from(port), 0, 0, 0, 0, 0, 0])
        {
            self.put(index, value);
        }
        self.put(0, 1);
    }

    pub(super) fn disarm(&self) {
        self.put(0, 0);
        self.resume();
    }

    /// How many calls failed.
    pub(super) fn fired(&self) -> u32 {
        self.get(8)
    }

    /// The kinds of the calls that were counted, in their order.
    pub(super) fn trace(&self) -> Vec<u32> {
        let mut bytes = vec![0; 2 * self.get(7).min(TRACE_LENGTH) as usize];
        self.page.read_exact_at(&mut bytes, TRACE_AT).unwrap();
        bytes.chunks(2).map(|pair| u32::from(u16::from_ne_bytes([pair[0], pair[1]]))).collect()
    }

    /// The local port of the connection whose call waits to be resumed.
    pub(super) fn paused(&self) -> Option<u32> {
        (self.get(10) == 1 && self.get(11) == 0).then(|| self.get(12))
    }

    pub(super) fn resume(&self) {
        self.put(11, 1);
    }

    fn put(&self, index: u64, value: u32) {
        self.page.write_all_at(&value.to_ne_bytes(), 4 * index).unwrap();
    }

    fn get(&self, index: u64) -> u32 {
        let mut bytes = [0; 4];
        self.page.read_exact_at(&mut bytes, 4 * index).unwrap();
        u32::from_ne_bytes(bytes)
    }
}
