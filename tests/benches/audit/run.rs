//! Running a command to its end, and how much memory it took at most.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::mebibytes;
use crate::{Outcome, process};

pub(crate) struct Done {
    pub(crate) seconds: f64,
    /// What it wrote to standard output.
    pub(crate) bytes: u64,
    /// The beginning of it.
    pub(crate) said: String,
    /// The most resident memory that was seen, in MiB.
    pub(crate) peak: f64,
    pub(crate) status: i32,
}

pub(crate) fn run(command: &mut Command) -> Outcome<Done> {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let id = child.id();
    let watch = std::thread::spawn(move || {
        let mut peak = 0;
        // A process that has ended has no memory to be read of.
        while let Ok(now) = process::memory(id) {
            peak = peak.max(now);
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let mut out = child.stdout.take().ok_or("no output")?;
    let (mut bytes, mut said, mut room) = (0, Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = out.read(&mut room)?;
        if read == 0 {
            break;
        }
        bytes += u64::try_from(read)?;
        if said.len() < 1_000 {
            said.extend_from_slice(&room[..read.min(1_000)]);
        }
    }
    let status = child.wait()?.code().unwrap_or(-1);
    let seconds = begun.elapsed().as_secs_f64();
    let peak = mebibytes(watch.join().map_err(|_| "the watch has failed")?);
    Ok(Done { seconds, bytes, said: String::from_utf8_lossy(&said).into_owned(), peak, status })
}
