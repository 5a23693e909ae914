//! What the system knows of a process.

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// Its resident memory in bytes.
pub(crate) fn memory(id: u32) -> Outcome<u64> {
    kibibytes(&format!("/proc/{id}/status"), "VmRSS:")
}

/// What the machine has to give, in bytes.
pub(crate) fn available_memory() -> Outcome<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// The processor time it has used so far, in its own code and in the kernel's.
pub(crate) fn processor(id: u32) -> Outcome<Duration> {
    // What Linux calls USER_HZ, which is the same on every machine.
    const TICKS_PER_SECOND: u64 = 100;

    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name before the last parenthesis may hold anything; the times are the 14th and 15th field.
    let (_, fields) = stat.rsplit_once(')').ok_or("no process status")?;
    let times: Result<Vec<u64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(Duration::from_millis(times?.iter().sum::<u64>() * 1000 / TICKS_PER_SECOND))
}

fn kibibytes(file: &str, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(file)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(value.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
