//! What is told about settings: README's table, `--help`, and the values in force.

use serde_json::{Value, json};

use super::secret_file;
use super::settings::{SETTINGS, Secrecy};
use super::sources::{Effective, Origin};

/// README's table of settings, in Markdown.
pub(crate) fn reference_table() -> String {
    let mut table =
        String::from("| variable | in `claviger.toml` | default | meaning |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let default = match setting.otherwise {
            Some(words) => words.to_owned(),
            None => format!("`{}`", setting.default_text()),
        };
        table.push_str(&format!(
            "| `{}` | `{}` | {default} | {}. Form: {}; for example `{}` |\n",
            setting.variable,
            setting.key,
            setting.meaning,
            in_cell(setting.form),
            setting.example
        ));
        if let (Some(variable), Some(key)) = (secret_file::variable(setting), secret_file::key(setting)) {
            table.push_str(&format!(
                "| `{variable}` | `{key}` | none | A file with the value of `{}`, instead of it; others must \
                 not be able to read it. Form: the path of a file; for example `/run/secrets/{}` |\n",
                setting.variable,
                setting.variable.trim_start_matches("CLAVIGER_").to_lowercase()
            ));
        }
    }
    table
}

/// Angle brackets would be taken for HTML.
fn in_cell(text: &str) -> String {
    text.replace('<', "\\<")
}

/// The settings for the end of `claviger --help`.
pub(crate) fn environment_help() -> String {
    let mut help = String::from("Settings, from the environment or (in brackets) from claviger.toml:\n");
    for setting in SETTINGS {
        help.push_str(&format!(
            "\n  {} [{}]\n      {}. Default: {}\n",
            setting.variable,
            setting.key,
            setting.meaning,
            setting.default_text()
        ));
        if let (Some(variable), Some(key)) = (secret_file::variable(setting), secret_file::key(setting)) {
            help.push_str(&format!(
                "\n  {variable} [{key}]\n      A file with the value of {}\n",
                setting.variable
            ));
        }
    }
    help.push_str("\n  CLAVIGER_CONFIG\n      The configuration file, like --config");
    help
}

/// The settings in force as a table for a terminal; secrets are hidden.
pub(crate) fn effective_table(effective: &Effective) -> String {
    let rows: Vec<[String; 3]> = SETTINGS
        .iter()
        .zip(&effective.origins)
        .map(|(setting, origin)| {
            let value =
                (setting.get)(&effective.config).unwrap_or_else(|| format!("({})", setting.default_text()));
            let mut from = origin_text(*origin, effective);
            if let Some(file) = effective.config.secret_files.get(setting.variable) {
                from = format!("{from}, the file {}", file.display());
            }
            [setting.variable.to_owned(), value, from]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    rows.iter()
        .map(|[variable, value, from]| format!("{variable:first$}  {value:second$}  {from}\n"))
        .collect()
}

/// The settings in force for a program; a secret that is set has no `value`, only `"set": true`.
pub(crate) fn effective_json(effective: &Effective) -> Value {
    let settings: Vec<Value> = SETTINGS
        .iter()
        .zip(&effective.origins)
        .map(|(setting, origin)| {
            let value = (setting.get)(&effective.config);
            let secret = setting.secrecy == Secrecy::Hidden;
            json!({
                "variable": setting.variable,
                "key": setting.key,
                "set": value.is_some(),
                "value": value.filter(|_| !secret),
                "secret": secret,
                "from": match origin {
                    Origin::Default => "default",
                    Origin::File => "file",
                    Origin::Environment => "environment",
                },
                "secret_file": effective.config.secret_files.get(setting.variable)
                    .map(|file| file.display().to_string()),
            })
        })
        .collect();
    json!({ "file": effective.file.as_ref().map(|file| file.display().to_string()), "settings": settings })
}

fn origin_text(origin: Origin, effective: &Effective) -> String {
    match (origin, &effective.file) {
        (Origin::File, Some(file)) => file.display().to_string(),
        (Origin::File, None) | (Origin::Default, _) => "default".to_owned(),
        (Origin::Environment, _) => "environment".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BEGIN: &str =
        "<!-- configuration: written by `UPDATE_README=1 cargo test -p claviger-server readme` -->\n";
    const END: &str = "<!-- end of configuration -->";

    #[test]
    fn the_table_in_readme_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
        let readme = fs::read_to_string(path).unwrap();
        let (before, rest) =
            readme.split_once(BEGIN).expect("README.md has no line that begins the configuration table");
        let (_, after) =
            rest.split_once(END).expect("README.md has no line that ends the configuration table");
        let current = format!("{before}{BEGIN}{}{END}{after}", reference_table());
        if std::env::var_os("UPDATE_README").is_some() {
            fs::write(path, &current).unwrap();
        } else {
            assert!(readme == current, "stale: run `UPDATE_README=1 cargo test -p claviger-server readme`");
        }
    }
}
