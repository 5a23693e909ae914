//! Where settings come from, and what is said when one of them is wrong.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::settings::{Kind, SETTINGS, Secrecy, Setting};
use super::value::Reason;
use super::{Config, secret_file};
use crate::failure::Failure;

const PREFIX: &str = "CLAVIGER_";
const FILE_VARIABLE: &str = "CLAVIGER_CONFIG";
const FILE: &str = "claviger.toml";

/// What to read settings from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The file that the command line names.
    pub(crate) named_file: Option<PathBuf>,
    /// Where `claviger.toml` is looked for when no file is named.
    pub(crate) directory: PathBuf,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// The settings in force, and where each came from, in the order of [`SETTINGS`].
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) config: Config,
    pub(crate) origins: Vec<Origin>,
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File,
    Environment,
}

/// Reads every source. Each wrong value is told, one in a line, also one that a later source
/// overrides: it was meant for something.
pub(crate) fn load(sources: &Sources) -> Result<Effective, Failure> {
    let mut wrong = Vec::new();
    let mut environment = environment(&sources.environment, &mut wrong);
    let named = sources.named_file.clone().or_else(|| environment.remove(FILE_VARIABLE).map(PathBuf::from));
    let (file, table) = read_file(named, &sources.directory)?;
    let file_name = file.as_deref().unwrap_or(Path::new(FILE)).display().to_string();
    let mut in_file = BTreeMap::new();
    flatten("", &table, &file_name, &mut in_file, &mut wrong);

    let mut config = Config::default();
    let mut origins = Vec::with_capacity(SETTINGS.len());
    for setting in SETTINGS {
        let mut origin = Origin::Default;
        let named = |key: &str| format!("{key} in {file_name}");
        if let Some(value) = in_file.get(setting.key) {
            origin = Origin::File;
            apply(setting, &mut config, &named(setting.key), text_of(setting, value).as_deref(), &mut wrong);
        }
        let key = secret_file::key(setting);
        if let Some((key, value)) = key.and_then(|key| in_file.get(&key).map(|value| (named(&key), value))) {
            if origin == Origin::File {
                wrong.push(twice(&named(setting.key), &key));
            }
            origin = Origin::File;
            match value.as_str() {
                Some(path) => apply_file(setting, &mut config, &key, path, &mut wrong),
                None => wrong.push(format!("{key} must be text: the path of a file")),
            }
        }
        if let Some(text) = environment.get(setting.variable) {
            origin = Origin::Environment;
            apply(setting, &mut config, setting.variable, Some(text), &mut wrong);
        }
        let variable = secret_file::variable(setting);
        if let Some((variable, path)) = variable.and_then(|name| environment.get_key_value(&name)) {
            if origin == Origin::Environment {
                wrong.push(twice(setting.variable, variable));
            }
            origin = Origin::Environment;
            apply_file(setting, &mut config, variable, path, &mut wrong);
        }
        origins.push(origin);
    }
    if wrong.is_empty() {
        Ok(Effective { config, origins, file })
    } else {
        Err(Failure::configuration(wrong.join("\n")))
    }
}

/// Our variables. Others that begin like them are refused: a mistyped one would be lost in silence.
fn environment(given: &[(OsString, OsString)], wrong: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for (name, value) in given {
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) {
            continue;
        }
        if is_kubernetes(&name, &value.to_string_lossy()) {
            continue;
        }
        let files = SETTINGS.iter().filter_map(secret_file::variable);
        let names: Vec<String> = SETTINGS
            .iter()
            .map(|setting| setting.variable.to_owned())
            .chain([FILE_VARIABLE.to_owned()])
            .chain(files)
            .collect();
        if !names.iter().any(|known| *known == name) {
            wrong.push(format!(
                "{name} is not a variable of Claviger{}; `claviger --help` lists them",
                meant(&name, names.iter().map(String::as_str))
            ));
            continue;
        }
        match value.to_str() {
            Some(value) => drop(known.insert(name.into_owned(), value.to_owned())),
            None => wrong.push(format!("{name} is not UTF-8 text")),
        }
    }
    known
}

/// What Kubernetes puts into every container of a namespace that has a Service named `claviger`.
/// `CLAVIGER_PORT` is an address there; a plain number is somebody who means `CLAVIGER_LISTEN`.
fn is_kubernetes(name: &str, value: &str) -> bool {
    match name.strip_prefix(PREFIX) {
        Some("PORT") => value.contains("://"),
        Some("SERVICE_HOST" | "SERVICE_PORT") => true,
        Some(rest) => rest.starts_with("PORT_") || rest.starts_with("SERVICE_PORT_"),
        None => false,
    }
}

fn read_file(named: Option<PathBuf>, directory: &Path) -> Result<(Option<PathBuf>, Table), Failure> {
    let must_exist = named.is_some();
    let path = named.unwrap_or_else(|| directory.join(FILE));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => return Ok((None, Table::new())),
        Err(error) => {
            return Err(Failure::configuration(format!(
                "cannot read the configuration file {}: {error}",
                path.display()
            )));
        }
    };
    // The parser's own report would print the line, which may hold a secret.
    let table = text.parse::<Table>().map_err(|error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Failure::configuration(format!(
            "{} is not TOML: line {line}: {}",
            path.display(),
            one_line(error.message())
        ))
    })?;
    Ok((Some(path), table))
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts every value under its dotted key, and refuses keys that no setting has.
fn flatten<'t>(
    above: &str,
    table: &'t Table,
    file: &str,
    found: &mut BTreeMap<String, &'t Value>,
    wrong: &mut Vec<String>,
) {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let is_setting = SETTINGS
            .iter()
            .any(|setting| setting.key == key || secret_file::key(setting).is_some_and(|file| file == key));
        let is_section = SETTINGS.iter().any(|setting| setting.key.starts_with(&format!("{key}.")));
        match value {
            Value::Table(inner) if is_section => flatten(&key, inner, file, found, wrong),
            value if is_setting => drop(found.insert(key, value)),
            _ => {
                let keys = SETTINGS.iter().map(|setting| setting.key);
                let meant = meant(&key, keys);
                wrong.push(format!("{key} in {file} is not a setting of Claviger{meant}; `claviger config --reference` lists them"));
            }
        }
    }
}

/// The value as the environment would say it; `None` when it is of the wrong type.
fn text_of(setting: &Setting, value: &Value) -> Option<String> {
    match (setting.kind, value) {
        (Kind::Text | Kind::List, Value::String(text)) => Some(text.clone()),
        (Kind::Integer, Value::Integer(number)) => Some(number.to_string()),
        (Kind::List, Value::Array(items)) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

/// As [`apply`], of a value that stands in the file at `path`.
fn apply_file(setting: &Setting, config: &mut Config, name: &str, path: &str, wrong: &mut Vec<String>) {
    match secret_file::read(Path::new(path)) {
        Ok(text) => {
            apply(setting, config, &format!("{name} ({path})"), Some(&text), wrong);
            config.secret_files.insert(setting.variable, PathBuf::from(path));
        }
        Err(reason) => wrong.push(format!("{name} {reason}")),
    }
}

fn twice(value: &str, file: &str) -> String {
    format!("{value} and {file} are both set; remove one of them")
}

fn apply(setting: &Setting, config: &mut Config, name: &str, text: Option<&str>, wrong: &mut Vec<String>) {
    let outcome = match text {
        None => Err(Reason("it is a TOML value of another type")),
        // An empty list is a list; anything else that is empty is a substitution gone wrong.
        Some(text)
            if text.trim().is_empty()
                && (setting.kind != Kind::List || setting.secrecy == Secrecy::Hidden) =>
        {
            Err(Reason("it is empty"))
        }
        Some(text) => (setting.set)(config, text),
    };
    // What an earlier source said does not hold any more.
    config.secret_files.remove(setting.variable);
    if let Err(Reason(reason)) = outcome {
        let value = match text {
            Some(text) if setting.secrecy == Secrecy::Open && !text.is_empty() => format!(" {text:?}"),
            _ => String::new(),
        };
        let Setting { form, example, .. } = setting;
        wrong.push(format!(
            "{name} has a wrong value{value}: {reason}; expected {form}, for example {example}"
        ));
    }
}

fn meant<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> String {
    names
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness > 0.9)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or_else(String::new, |(_, name)| format!(" (did you mean {name}?)"))
}
