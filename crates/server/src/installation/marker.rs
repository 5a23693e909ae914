//! The file `installation` in the data directory.

use super::*;

const FILE: &str = "installation";
const HEADER: &str = "# Ties this directory to its database. Keep it with the other files. `claviger restore` writes a new one.";

/// What the data directory knows of its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) id: Uuid,
    pub(crate) state: State,
    /// How far the database was at least: see `InstallationRecord::progress_unscoped`.
    pub(crate) progress: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The first start has begun: the database may still be empty.
    FirstStart,
    Complete,
    /// The operator takes the database as it is.
    Accepted,
}

impl State {
    const ALL: [Self; 3] = [Self::FirstStart, Self::Complete, Self::Accepted];

    fn word(self) -> &'static str {
        match self {
            Self::FirstStart => "first-start",
            Self::Complete => "complete",
            Self::Accepted => "accepted",
        }
    }
}

fn path(config: &Config) -> PathBuf {
    config.data_dir.join(FILE)
}

pub(super) fn read(config: &Config) -> Result<Option<Marker>, Failure> {
    let path = path(config);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).map(Some).ok_or_else(|| {
            Failure::operation(format!(
                "{} is not what claviger wrote there; move it away if the database is the right one",
                path.display()
            ))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::operation(format!("cannot read {}: {error}", path.display()))),
    }
}

fn parse(text: &str) -> Option<Marker> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let state = value("state")?;
    Some(Marker {
        id: value("id")?.parse().ok()?,
        state: State::ALL.into_iter().find(|known| known.word() == state)?,
        progress: value("progress")?.parse().ok()?,
    })
}

fn text(marker: &Marker) -> String {
    let Marker { id, state, progress } = marker;
    format!("{HEADER}\nid={id}\nstate={}\nprogress={progress}\n", state.word())
}

/// Writes the marker unless there is one.
pub(super) fn place(config: &Config, marker: &Marker, entropy: &dyn Entropy) -> Result<(), Failure> {
    let path = path(config);
    durable::create_directory(&config.data_dir)
        .and_then(|()| durable::place(&path, text(marker).as_bytes(), entropy))
        .map(drop)
        .map_err(|error| Failure::operation(format!("cannot make {}: {error}", path.display())))
}

/// Writes the marker in the place of any that is there.
pub(super) fn write(config: &Config, marker: &Marker, entropy: &dyn Entropy) -> Result<(), Failure> {
    let path = path(config);
    durable::create_directory(&config.data_dir)
        .and_then(|()| durable::replace(&path, text(marker).as_bytes(), entropy))
        .map_err(|error| Failure::operation(format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        for state in State::ALL {
            let marker = Marker { id: Uuid::from_u128(7), state, progress: 41 };
            assert_eq!(parse(&text(&marker)), Some(marker));
        }
    }

    #[test]
    fn anything_else_is_no_marker() {
        let whole = text(&Marker { id: Uuid::from_u128(7), state: State::Complete, progress: 41 });
        for wrong in ["", "id=7", &whole[..whole.len() - 4], &whole.replace("complete", "done")] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
