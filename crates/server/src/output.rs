//! Standard output: the product's own answers, apart from the log on standard error.

use std::io::{self, ErrorKind, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Writes `text`, ending in a line break.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match write(text) {
        // Whoever reads (`| head`) has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.map_err(|error| Failure::operation(format!("cannot write to standard output: {error}")))
        }
    }
}

/// Writes some of a long answer; answers whether anybody wants more.
pub(crate) fn part(bytes: &[u8]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::operation(format!("cannot write to standard output: {error}"))),
    }
}

/// Tells the person at the terminal how things stand; what a script reads is on standard output.
pub(crate) fn note(text: &str) {
    // Nothing depends on it.
    drop(writeln!(io::stderr(), "{text}"));
}

/// Writes a key that is shown this once. `remedy` says what to do when nobody could see it.
pub(crate) fn print_key(text: &str, remedy: &str) -> Result<(), Failure> {
    write(text)
        .map_err(|error| Failure::operation(format!("the new key could not be printed ({error}); {remedy}")))
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write!(out, "{text}{end}")?;
    out.flush()
}

/// Writes `value` for a program to read.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}
