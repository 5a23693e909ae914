//! The peppers: from configuration, or from a file beside the embedded database that is made on
//! the first start. Losing them would lock every key out, so that they are never made twice.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use claviger_app::Entropy;
use claviger_domain::secret::{InvalidPeppers, PepperVersion, Peppers};

use crate::config::{Config, Embedded, Reason};
use crate::durable::{self, Placed};
use crate::failure::Failure;

/// The peppers of this installation, made now if this is its first start.
pub(crate) fn of(config: &Config, entropy: &dyn Entropy) -> Result<Peppers, Failure> {
    let database = config.database_url();
    let file = file(config);
    if let Some(peppers) = &config.keys.peppers {
        if database.embedded().is_some() && file.exists() {
            tracing::warn!(file = %file.display(), "peppers are taken from CLAVIGER_PEPPERS, the file is not read");
        }
        return Ok(peppers.clone());
    }
    match database.embedded() {
        None => Err(Failure::configuration(
            "CLAVIGER_PEPPERS must be set, because the database is not the embedded one: only there are peppers made \
             on the first start; give `<version>:<64 hexadecimal characters>`, for example `1:$(openssl rand -hex 32)`",
        )),
        Some(Embedded::Memory) => {
            parse(&generate(entropy)).map_err(|Reason(reason)| Failure::operation(reason))
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
    let peppers =
        text.trim().split([',', '\n']).map(|pepper| one(pepper.trim())).collect::<Result<_, _>>()?;
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

fn generate(entropy: &dyn Entropy) -> String {
    let mut key = [0_u8; 32];
    entropy.fill(&mut key);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("1:{hex}")
}

fn make(file: &Path, entropy: &dyn Entropy) -> Result<Peppers, Failure> {
    let placed =
        durable::place(file, format!("{}\n", generate(entropy)).as_bytes(), entropy).map_err(|error| {
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

/// What is said when keys need a pepper that is not there.
pub(crate) fn absent(config: &Config, version: PepperVersion) -> Failure {
    let (place, database) = (place(config), config.database_url());
    Failure::operation(format!(
        "pepper {version} is not in {place}, and keys in {} that are in force were made under it: every one of them would \
         be refused; put it back beside the others, until none of these keys is in force",
        database.shown()
    ))
}

fn place(config: &Config) -> String {
    match config.keys.peppers {
        Some(_) => "CLAVIGER_PEPPERS (keys.peppers)".to_owned(),
        None => format!("the peppers file {}", file(config).display()),
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
