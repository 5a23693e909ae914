//! `claviger audit`: the log as a file, and whether anybody has touched it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use claviger_app::audit::{self, Format, Search};
use claviger_app::{Call, Facts};
use claviger_domain::Timestamp;
use claviger_domain::actor::Actor;
use claviger_domain::audit::{ChainId, Kept};
use claviger_domain::ids::OrganizationId;

use crate::config::Config;
use crate::database::{self, Missing};
use crate::failure::{Failure, with_causes};
use crate::output;

mod file;
mod report;

use report::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell whether anybody has touched the log, and where first; ends with 0: whole, 1: broken, 2: not readable
    Verify(Verify),
    /// Print the log, oldest entries first: as lines of JSON, which `verify --file` takes
    Export(Export),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this organization's entries
    #[arg(long, value_name = "ID", value_parser = organization)]
    organization: Option<OrganizationId>,
    /// An exported file, without the database; `-` is standard input
    #[arg(long, value_name = "PATH", conflicts_with = "organization")]
    file: Option<PathBuf>,
    /// A head as `--heads` printed it, which the log must still contain; may be given several times
    #[arg(long, value_name = "CHAIN:SEQUENCE:MAC", value_parser = head)]
    head: Vec<Kept>,
    /// Print where each chain ends, to be kept where nobody with the database can change it
    #[arg(long)]
    heads: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Export {
    /// Only this organization's entries
    #[arg(long, value_name = "ID", value_parser = organization)]
    organization: Option<OrganizationId>,
    /// From the first entry on that is not older, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIMESTAMP", value_parser = timestamp)]
    from: Option<Timestamp>,
    /// Up to the last entry that is not newer
    #[arg(long, value_name = "TIMESTAMP", value_parser = timestamp)]
    to: Option<Timestamp>,
    /// Only lines of JSON can be verified
    #[arg(long, value_enum, default_value_t = As::Ndjson)]
    format: As,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    Ndjson,
    Csv,
}

pub(crate) fn run(command: Command, config: &Config) -> Result<(), Failure> {
    match command {
        // Status 1 says that the log is broken, and nothing else.
        Command::Verify(verify) => self::verify(verify, config)?.end(),
        Command::Export(export) => self::export(export, config),
    }
}

fn verify(verify: Verify, config: &Config) -> Result<Report, Failure> {
    let Verify { organization, file, head, heads } = verify;
    let is_other = |kept: &Kept| organization.is_some_and(|only| kept.chain != ChainId::from(Some(only)));
    if head.iter().any(is_other) {
        return Err(Failure::unread("--head is of a chain that --organization leaves out".to_owned()));
    }
    let mut report = Report::new(heads);
    let read = match file {
        Some(file) => crate::peppers::given(config)
            .and_then(|peppers| file::verify(&file, &peppers.audit_keys(), &head, &mut report)),
        None => database::with(config, Missing::Refused, async |app| {
            let call = operator(app);
            audit::verify(&call, organization, &head, |walked| report.tell(walked)).await.map_err(|error| {
                Failure::unread(format!("cannot read the audit log: {}", with_causes(&error)))
            })
        }),
    };
    match read {
        Ok(()) => Ok(report),
        Err(Failure::Operation(sentence)) => Err(Failure::Unread(sentence)),
        Err(other) => Err(other),
    }
}

fn export(export: Export, config: &Config) -> Result<(), Failure> {
    let Export { organization, from, to, format } = export;
    let search = Search { organization, from, until: to, include_reads: true, ..Search::default() };
    let format = match format {
        As::Ndjson => Format::Ndjson,
        As::Csv => Format::Csv,
    };
    let failed =
        |error: &_| Failure::operation(format!("the audit log is not whole here: {}", with_causes(error)));
    database::with(config, Missing::Refused, async |app| {
        let mut export =
            audit::export(&operator(app), search, format).await.map_err(|error| failed(&error))?;
        while let Some(chunk) = export.next().await {
            if !output::part(&chunk.map_err(|error| failed(&error))?)? {
                break;
            }
        }
        Ok(())
    })
}

fn operator(app: &claviger_app::App) -> Call {
    Call::new(app.clone(), Actor::Operator, Facts::default())
}

fn organization(text: &str) -> Result<OrganizationId, String> {
    OrganizationId::parse_any(text).map_err(|error| error.to_string())
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "it is not an ISO 8601 timestamp such as 2027-01-31T00:00:00Z".to_owned())
}

/// Reads what [`Report`] prints.
fn head(text: &str) -> Result<Kept, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let parsed = match parts[..] {
        [chain, sequence, mac] => {
            let chain = chain.parse::<OrganizationId>().ok().map(|id| ChainId::from_uuid(id.uuid()));
            chain.zip(sequence.parse().ok()).zip(mac.parse().ok())
        }
        _ => None,
    };
    parsed.map(|((chain, sequence), mac)| Kept { chain, sequence, mac }).ok_or_else(|| {
        "it is not CHAIN:SEQUENCE:MAC, as `claviger audit verify --heads` prints it".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let mac = "0123456789abcdef".repeat(4);
        let kept = head(&format!("00000000-0000-0000-0000-000000000000:17:{mac}")).unwrap();
        assert_eq!((kept.chain, kept.sequence, kept.mac.to_string()), (ChainId::INSTALLATION, 17, mac));
        for wrong in ["", "1:2:3", "00000000-0000-0000-0000-000000000000:17", "::"] {
            assert!(head(wrong).is_err(), "{wrong}");
        }
    }
}
