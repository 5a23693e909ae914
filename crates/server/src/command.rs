//! The command line: what can be asked of the program, and which function does it.

use std::path::PathBuf;

use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::commands::{admin_key, audit, bootstrap_key, openapi, peppers};
use crate::config::{self, Effective, Sources};
use crate::failure::Failure;
use crate::{backup, database, installation, output, serve};

/// Self-hosted control plane for API credentials.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, after_long_help = config::environment_help())]
pub(crate) struct CommandLine {
    /// The configuration file [default: claviger.toml in the working directory, if there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve; this is what happens when no command is given
    Serve(Serve),
    /// Bring the database's tables up to date without serving
    Migrate {
        /// Take the database as it is, although the server refuses it because changes are missing in it
        #[arg(long)]
        accept_older_database: bool,
    },
    /// Write the whole installation to one file, also while the server runs
    Backup(backup::Backup),
    /// Make an installation of a backup, in an empty data directory
    Restore(backup::Restore),
    /// Print one of the OpenAPI documents, or write them all to a directory
    #[command(group = ArgGroup::new("which").required(true))]
    Openapi {
        /// The document to print, such as `partner`
        #[arg(group = "which")]
        name: Option<String>,
        /// Where to write `<name>.json` for every document
        #[arg(long, group = "which")]
        dir: Option<PathBuf>,
    },
    /// The root key of this installation
    #[command(subcommand)]
    BootstrapKey(BootstrapKey),
    /// Partners' admin keys, directly on the database
    #[command(subcommand)]
    AdminKey(admin_key::Command),
    /// The audit log: whether anybody has touched it, and all of it as a file
    #[command(subcommand)]
    Audit(audit::Command),
    /// The secrets that keys are stored under: what depends on each, a new one, and removing an old one
    #[command(subcommand)]
    Peppers(peppers::Command),
    /// Show the settings in force and where each comes from; secrets are hidden
    Config(Config),
    /// Print a completion script for a shell
    Completions { shell: Shell },
}

#[derive(Debug, Default, Args)]
struct Serve {
    /// Write the bootstrap key that the first start makes to FILE, with mode 0600, instead of printing it
    /// [default FILE: `bootstrap-key` in the data directory]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "this is how clap tells an option without its value")]
    quiet_first_start: Option<Option<PathBuf>>,
}

#[derive(Debug, Subcommand)]
enum BootstrapKey {
    /// Replace the bootstrap key; the new one is printed once, and the command ends when the old one has stopped
    Rotate,
    /// Print a new key for CLAVIGER_BOOTSTRAP_KEY; no database is touched
    Generate,
}

#[derive(Debug, Args)]
struct Config {
    /// For programs
    #[arg(long)]
    json: bool,
    /// Show every setting's meaning, as README's table in Markdown
    #[arg(long, conflicts_with = "json")]
    reference: bool,
}

impl CommandLine {
    /// Does what is asked.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let named_file = self.config;
        let effective = || settings(named_file.clone());
        match self.command.unwrap_or(Command::Serve(Serve::default())) {
            Command::Serve(Serve { quiet_first_start }) => {
                let mut config = effective()?.config;
                if let Some(file) = quiet_first_start {
                    let file = file.unwrap_or_else(|| config.data_dir.join("bootstrap-key"));
                    config.keys.bootstrap_output = Some(file);
                }
                serve::run(&config)
            }
            Command::Migrate { accept_older_database } => {
                let config = effective()?.config;
                if accept_older_database {
                    installation::accept_older(&config)?;
                }
                database::migrate(&config)
            }
            Command::Backup(arguments) => backup::create(&arguments, &effective()?.config),
            Command::Restore(arguments) => backup::restore(&arguments, &effective()?.config),
            Command::Openapi { name, dir } => openapi::run(name.as_deref(), dir.as_deref()),
            Command::BootstrapKey(BootstrapKey::Rotate) => bootstrap_key::rotate(&effective()?.config),
            Command::BootstrapKey(BootstrapKey::Generate) => bootstrap_key::generate(),
            Command::AdminKey(command) => admin_key::run(command, &effective()?.config),
            Command::Audit(command) => audit::run(command, &effective()?.config),
            Command::Peppers(command) => peppers::run(command, &effective()?.config),
            Command::Config(Config { reference: true, .. }) => output::print(&config::reference_table()),
            Command::Config(Config { json: true, .. }) => {
                output::json(&config::effective_json(&effective()?))
            }
            Command::Config(_) => output::print(&config::effective_table(&effective()?)),
            Command::Completions { shell } => completions(shell),
        }
    }
}

fn settings(named_file: Option<PathBuf>) -> Result<Effective, Failure> {
    config::load(&Sources {
        named_file,
        directory: PathBuf::from("."),
        environment: std::env::vars_os().collect(),
    })
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "claviger", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn help_names_every_setting_and_no_command_serves() {
        let help = CommandLine::command().render_long_help().to_string();
        for setting in ["CLAVIGER_LISTEN", "CLAVIGER_PEPPERS", "CLAVIGER_CONFIG"] {
            assert!(help.contains(setting), "{setting}");
        }
        assert!(CommandLine::try_parse_from(["claviger"]).unwrap().command.is_none());
        assert!(CommandLine::try_parse_from(["claviger", "openapi"]).is_err());
        assert!(CommandLine::try_parse_from(["claviger", "openapi", "partner", "--dir", "x"]).is_err());
    }
}
