//! The peppers: from configuration, or from a file beside the embedded database that is made on
//! the first start. Losing them would lock every key out, so that they are never made twice.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use claviger_app::Entropy;
use claviger_app::peppers::Dependent;
use claviger_domain::secret::{InvalidPeppers, PepperVersion, Peppers};
use zeroize::Zeroizing;

use crate::config::{Config, Embedded, Reason};
use crate::durable::{self, Placed};
use crate::failure::Failure;

/// The peppers of this installation, made now if this is its first start.
pub(crate) fn of(config: &Config, entropy: &dyn Entropy) -> Result<Peppers, Failure> {
    let database = config.database_url();
    let file = file(config);
    if let Some(peppers) = &config.keys.peppers {
        if database.embedded().is_some() && file.exists() {
            tracing::warn!(file = %file.display(), "peppers are taken from {}, this file is not read", place(config));
        }
        return Ok(peppers.clone());
    }
    match database.embedded() {
        None => Err(Failure::configuration(
            "CLAVIGER_PEPPERS or CLAVIGER_PEPPERS_FILE must be set, because the database is not the embedded one: only there are peppers made \
             on the first start; give `<version>:<64 hexadecimal characters>`, for example `1:$(openssl rand -hex 32)`",
        )),
        Some(Embedded::Memory) => {
            parse(&generate(1, entropy)).map_err(|Reason(reason)| Failure::operation(reason))
        }
        Some(Embedded::File(database)) => match read(&file)? {
            Some(peppers) => Ok(peppers),
            None if holds_data(database) => Err(missing(&file, database)),
            None => make(&file, entropy),
        },
    }
}

/// The peppers of this installation, which must be there: for commands that need nothing else of it.
pub(crate) fn given(config: &Config) -> Result<Peppers, Failure> {
    let file = file(config);
    match &config.keys.peppers {
        Some(peppers) => Ok(peppers.clone()),
        None => read(&file)?.ok_or_else(|| {
            Failure::configuration(format!(
                "there are no peppers: set CLAVIGER_PEPPERS to those of the installation, or CLAVIGER_DATA_DIR to where they \
                 are ({} is not there)",
                file.display()
            ))
        }),
    }
}

/// Reads `<version>:<64 hex>,…`; a file may have one on each line as well.
pub(crate) fn parse(text: &str) -> Result<Peppers, Reason> {
    let peppers = parts(text).map(one).collect::<Result<_, _>>()?;
    Peppers::new(peppers).map_err(|invalid| match invalid {
        InvalidPeppers::None => Reason("there is none"),
        InvalidPeppers::Twice(_) => Reason("one version is given twice"),
    })
}

fn one(text: &str) -> Result<(u32, [u8; 32]), Reason> {
    let (version, hex) =
        text.split_once(':').ok_or(Reason("a version and a colon must stand before each pepper"))?;
    let version = version
        .parse()
        .ok()
        .filter(|version| *version > 0)
        .ok_or(Reason("a version is not a whole number above 0"))?;
    let mut key = [0_u8; 32];
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits
        .filter(|digits| digits.len() == 64)
        .ok_or(Reason("a pepper is not 64 hexadecimal characters"))?;
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Ok((version, key))
}

fn generate(version: PepperVersion, entropy: &dyn Entropy) -> String {
    let mut key = [0_u8; 32];
    entropy.fill(&mut key);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{version}:{hex}")
}

/// The file that the peppers come from; `None` when they stand in a variable or in `claviger.toml`.
pub(crate) fn source(config: &Config) -> Option<PathBuf> {
    match config.secret_files.get("CLAVIGER_PEPPERS") {
        Some(file) => Some(file.clone()),
        None => config.keys.peppers.is_none().then(|| file(config)),
    }
}

/// Adds a new pepper of this version to the file, which has none of it yet.
pub(crate) fn add(file: &Path, version: PepperVersion, entropy: &dyn Entropy) -> Result<(), Failure> {
    edit(file, entropy, |mut peppers| {
        if peppers.iter().any(|pepper| version_of(pepper) == Some(version)) {
            return Err(Failure::operation(format!(
                "pepper {version} was added to {} by another command meanwhile",
                file.display()
            )));
        }
        peppers.push(generate(version, entropy));
        Ok(peppers)
    })
}

/// Removes the pepper of this version from the file.
pub(crate) fn remove(file: &Path, version: PepperVersion, entropy: &dyn Entropy) -> Result<(), Failure> {
    edit(file, entropy, |mut peppers| {
        peppers.retain(|pepper| version_of(pepper) != Some(version));
        Ok(peppers)
    })
}

/// Rewrites the file as a whole, one pepper a line. Commands that do so at once take turns.
fn edit(
    file: &Path,
    entropy: &dyn Entropy,
    change: impl FnOnce(Vec<String>) -> Result<Vec<String>, Failure>,
) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        Failure::operation(format!("cannot change the peppers file {}: {error}", file.display()))
    };
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let turn = File::open(directory).map_err(cannot)?;
    turn.lock().map_err(cannot)?;
    let text = Zeroizing::new(fs::read_to_string(file).map_err(cannot)?);
    let peppers = change(parts(&text).map(str::to_owned).collect())?;
    let changed = Zeroizing::new(format!("{}\n", peppers.join("\n")));
    // What would not be read back is not written.
    parse(&changed).map_err(|Reason(reason)| {
        Failure::operation(format!("the peppers file {} is not changed: {reason}", file.display()))
    })?;
    durable::replace(file, changed.as_bytes(), entropy).map_err(cannot)
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.trim().split([',', '\n']).map(str::trim)
}

fn version_of(pepper: &str) -> Option<PepperVersion> {
    pepper.split_once(':')?.0.parse().ok()
}

fn make(file: &Path, entropy: &dyn Entropy) -> Result<Peppers, Failure> {
    let placed =
        durable::place(file, format!("{}\n", generate(1, entropy)).as_bytes(), entropy).map_err(|error| {
            Failure::operation(format!("cannot make the peppers file {}: {error}", file.display()))
        })?;
    if placed == Placed::New {
        tracing::info!(file = %file.display(), "peppers made; back this file up together with the database");
    }
    read(file)?.ok_or_else(|| Failure::operation(format!("the peppers file {} vanished", file.display())))
}

fn read(file: &Path) -> Result<Option<Peppers>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::operation(format!("cannot read the peppers file {}: {error}", file.display()))
    };
    let mut opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mode = opened.metadata().map_err(unreadable)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::operation(format!(
            "the peppers file {file} is open to others (mode {mode:04o}); run `chmod 600 {file}`",
            file = file.display()
        )));
    }
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(unreadable)?;
    parse(&text).map(Some).map_err(|Reason(reason)| {
        Failure::operation(format!(
            "the peppers file {} is not `<version>:<64 hexadecimal characters>`: {reason}; restore it from a backup",
            file.display()
        ))
    })
}

/// What is said when the database knows another pepper by this version.
pub(crate) fn different(config: &Config, version: PepperVersion) -> Failure {
    let (place, database) = (place(config), config.database_url());
    Failure::operation(format!(
        "pepper {version} in {place} is not the one that keys in {} were made under: every one of them would be refused; \
         put back the pepper that belongs to this database (a new one gets a version of its own beside it)",
        database.shown()
    ))
}

/// What is said when something stored needs a pepper that is not there.
pub(crate) fn absent(config: &Config, version: PepperVersion, dependents: &[Dependent]) -> Failure {
    let (place, database) = (place(config), config.database_url());
    let dependents: Vec<&str> = dependents.iter().map(|dependent| dependent.words()).collect();
    Failure::operation(format!(
        "pepper {version} is missing from {place}, and these in {} depend on it: {}; put it back beside the others \
         (`claviger peppers status` says when it may go; if it is lost for good, see `claviger peppers retire --help`)",
        database.shown(),
        dependents.join(", ")
    ))
}

/// Where the peppers come from, in words.
pub(crate) fn place(config: &Config) -> String {
    match (config.secret_files.get("CLAVIGER_PEPPERS"), &config.keys.peppers) {
        (Some(named), _) => format!("the file {} (CLAVIGER_PEPPERS_FILE)", named.display()),
        (None, Some(_)) => "CLAVIGER_PEPPERS (keys.peppers)".to_owned(),
        (None, None) => format!("the peppers file {}", file(config).display()),
    }
}

fn file(config: &Config) -> PathBuf {
    config.data_dir.join("peppers")
}

/// SQLite may still have everything in the log beside an empty file.
pub(crate) fn holds_data(database: &Path) -> bool {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    [database.to_owned(), PathBuf::from(log)]
        .iter()
        .any(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0))
}

fn missing(file: &Path, database: &Path) -> Failure {
    Failure::operation(format!(
        "the database {} has keys whose peppers should be in {}, which is missing; restore that file from a backup or set \
         CLAVIGER_PEPPERS, since new peppers would lock every key out",
        database.display(),
        file.display()
    ))
}

#[cfg(test)]
mod tests;
