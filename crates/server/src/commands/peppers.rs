//! `claviger peppers`: what depends on each pepper, a new one, and the end of an old one.

use chrono::SecondsFormat;
use clap::Subcommand;
use claviger_app::App;
use claviger_app::peppers::{self, AuditUntil, Status};
use claviger_domain::Timestamp;
use claviger_domain::secret::PepperVersion;
use claviger_store::KeysUnder;
use serde_json::{Value, json};

use crate::config::Config;
use crate::database::{self, Missing};
use crate::failure::{Failure, with_causes};
use crate::{output, system};

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Show what depends on each pepper and when it may go; ends with 1 when one that is needed is missing
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Add a new pepper to the peppers file; servers make keys under it from their next start on
    Rotate {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Remove an old pepper from the peppers file, unless something stored depends on it
    Retire {
        version: PepperVersion,
        /// The pepper is lost for good: keys made under it stay unknown, and `audit verify` reports the audit
        /// entries made under it from then on
        #[arg(long)]
        lost: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: Command, config: &Config) -> Result<(), Failure> {
    match command {
        Command::Status { json } => status(config, json),
        Command::Rotate { json } => rotate(config, json),
        Command::Retire { version, lost: true, json } => give_up(config, version, json),
        Command::Retire { version, lost: false, json } => retire(config, version, json),
    }
}

fn status(config: &Config, json: bool) -> Result<(), Failure> {
    let all = database::with_any_peppers(config, read)?;
    if json {
        let peppers: Vec<Value> = all.iter().map(view).collect();
        output::json(&json!({ "source": crate::peppers::place(config), "peppers": peppers }))?;
    } else {
        output::print(&all.iter().map(text).collect::<String>())?;
    }
    let missing = all.iter().find(|status| !status.is_configured && !status.is_unused());
    match missing {
        None => Ok(()),
        Some(status) => Err(Failure::operation(format!(
            "pepper {} is missing from {}, and something stored depends on it",
            status.version,
            crate::peppers::place(config)
        ))),
    }
}

async fn read(app: &App) -> Result<Vec<Status>, Failure> {
    peppers::status(app).await.map_err(|error| {
        Failure::operation(format!("cannot read what depends on peppers: {}", with_causes(&error)))
    })
}

fn rotate(config: &Config, json: bool) -> Result<(), Failure> {
    let newest = database::with(config, Missing::Refused, read)?.first().map_or(0, |status| status.version);
    let version = newest.checked_add(1).ok_or_else(|| {
        Failure::operation("there is no higher version; give the peppers lower ones in a new installation")
    })?;
    let Some(file) = crate::peppers::source(config) else {
        return Err(Failure::configuration(format!(
            "the peppers come from {}, which this command cannot change: add `{version}:` and the output of \
             `openssl rand -hex 32` to it, after a comma, and restart every server",
            crate::peppers::place(config)
        )));
    };
    crate::peppers::add(&file, version, &system::OsEntropy)?;
    if json {
        return output::json(&json!({
            "version": version,
            "file": file.display().to_string(),
            "restart_required": true,
        }));
    }
    output::print(&format!(
        "pepper {version} was added to {}\n\nRestart every server now: from then on new keys are made under it. Then back up \
         the file together with the database.",
        file.display()
    ))
}

fn retire(config: &Config, version: PepperVersion, json: bool) -> Result<(), Failure> {
    let status = database::with(config, Missing::Refused, async |app| {
        let is_old = |status: &&Status| status.version == version && !status.signs;
        let before = read(app).await?;
        if before.iter().find(is_old).is_none_or(|status| !status.is_configured) {
            return Ok(before.into_iter().find(|status| status.version == version));
        }
        peppers::seal_chains(app).await.map_err(|error| {
            Failure::operation(format!("cannot seal the audit log anew: {}", with_causes(&error)))
        })?;
        Ok(read(app).await?.into_iter().find(|status| status.version == version))
    })?;
    let place = crate::peppers::place(config);
    match status {
        Some(status) if status.is_configured && status.signs => Err(Failure::operation(format!(
            "pepper {version} is the newest one: new keys are made under it; `claviger peppers rotate` adds another"
        ))),
        Some(status) if status.is_configured && !status.is_unused() => {
            Err(Failure::operation(format!("pepper {version} stays: {}", needs(&status).join("; "))))
        }
        Some(status) if status.is_configured => remove(config, &status, json),
        _ => Err(Failure::operation(format!("pepper {version} is not in {place}"))),
    }
}

fn remove(config: &Config, status: &Status, json: bool) -> Result<(), Failure> {
    let version = status.version;
    let Some(file) = crate::peppers::source(config) else {
        return Err(Failure::configuration(format!(
            "nothing depends on pepper {version}: remove it from {}, which this command cannot change",
            crate::peppers::place(config)
        )));
    };
    crate::peppers::remove(&file, version, &system::OsEntropy)?;
    if json {
        return output::json(&json!({ "version": version, "file": file.display().to_string() }));
    }
    let expired = status.admin_keys.expired + status.credentials.expired;
    let note = match expired {
        0 => String::new(),
        many => format!("\n\nExpired keys made under it, which cannot be extended any more: {many}"),
    };
    output::print(&format!("pepper {version} was removed from {}{note}", file.display()))
}

fn give_up(config: &Config, version: PepperVersion, json: bool) -> Result<(), Failure> {
    let status = database::with_any_peppers(config, async |app| {
        let status = read(app).await?.into_iter().find(|status| status.version == version);
        if status.as_ref().is_some_and(|status| !status.is_configured) {
            peppers::give_up(app, version).await.map_err(|error| {
                Failure::operation(format!("cannot give up pepper {version}: {}", with_causes(&error)))
            })?;
        }
        Ok(status)
    })?;
    match status {
        None => Err(Failure::operation(format!("no pepper {version} is known"))),
        Some(status) if status.is_configured => Err(Failure::operation(format!(
            "pepper {version} is in {}: it is not lost",
            crate::peppers::place(config)
        ))),
        Some(status) if json => output::json(&json!({ "version": version, "lost": view(&status) })),
        Some(status) => output::print(&format!("pepper {version} is given up\n{}", counts(&status))),
    }
}

fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn text(status: &Status) -> String {
    let state = match (status.is_configured, status.signs) {
        (true, true) => "new keys are made under it".to_owned(),
        (true, false) if status.is_unused() => {
            format!("may go: `claviger peppers retire {}`", status.version)
        }
        (true, false) => match status.free_from() {
            Some(at) => format!("needed, until {} at the latest if nothing new is made under it", time(at)),
            None => "needed".to_owned(),
        },
        (false, _) if status.is_unused() => "removed".to_owned(),
        (false, _) => "MISSING, and needed".to_owned(),
    };
    let needs = if status.signs {
        String::new()
    } else {
        needs(status).iter().map(|need| format!("  - {need}\n")).collect()
    };
    format!("pepper {}: {state}\n{}{needs}", status.version, counts(status))
}

fn counts(status: &Status) -> String {
    let Status { bootstrap_key, admin_keys, credentials, audit_entries, audit_chains, .. } = status;
    format!(
        "  bootstrap key: {}, admin keys: {}, keys: {}, audit entries: {audit_entries}, audit chains: {audit_chains}, expired \
         keys: {}\n",
        if *bootstrap_key { "1" } else { "0" },
        admin_keys.in_force,
        credentials.in_force,
        admin_keys.expired + credentials.expired,
    )
}

/// What stands in the way of removing a pepper, and what to do about each.
fn needs(status: &Status) -> Vec<String> {
    let mut needs = Vec::new();
    if status.bootstrap_key {
        needs.push("the bootstrap key: replace it (`claviger bootstrap-key rotate`)".to_owned());
    }
    needs.extend(keys("admin keys", "revoke them and make new ones", status.admin_keys));
    needs.extend(keys("keys", "rotate or revoke them", status.credentials));
    match status.audit_until {
        AuditUntil::Nothing => {}
        AuditUntil::At(at) => {
            needs.push(format!("{} audit entries: the last leaves on {}", status.audit_entries, time(at)));
        }
        AuditUntil::Never => needs.push(format!(
            "{} audit entries: never, while audit entries are kept for ever (CLAVIGER_AUDIT_RETENTION_DAYS)",
            status.audit_entries
        )),
    }
    if status.audit_chains > 0 {
        needs.push(format!(
            "{} ends of audit chains: a server that has a newer pepper seals them anew within ten minutes",
            status.audit_chains
        ));
    }
    needs
}

fn keys(name: &str, remedy: &str, under: KeysUnder) -> Option<String> {
    let KeysUnder { in_force, without_end, last_end, expired: _ } = under;
    (in_force > 0).then(|| {
        let end = last_end
            .map_or_else(String::new, |at| format!(", the last of those that expire on {}", time(at)));
        match without_end {
            0 => format!("{in_force} {name}{end}"),
            many => format!("{in_force} {name}, {many} of which do not expire ({remedy}){end}"),
        }
    })
}

fn view(status: &Status) -> Value {
    let Status {
        version,
        is_configured,
        signs,
        bootstrap_key,
        admin_keys,
        credentials,
        audit_entries,
        audit_chains,
        audit_until,
    } = status;
    json!({
        "version": version,
        "configured": is_configured,
        "signs": signs,
        "needed": !status.is_unused(),
        "may_go": *is_configured && status.may_go(),
        "free_from": status.free_from().map(time),
        "bootstrap_key": bootstrap_key,
        "admin_keys": keys_view(admin_keys),
        "keys": keys_view(credentials),
        "audit_entries": audit_entries,
        "audit_entries_leave": match audit_until {
            AuditUntil::Nothing => Value::Null,
            AuditUntil::At(at) => time(*at).into(),
            AuditUntil::Never => "never".into(),
        },
        "audit_chains": audit_chains,
    })
}

fn keys_view(under: &KeysUnder) -> Value {
    let KeysUnder { in_force, without_end, last_end, expired } = under;
    json!({
        "in_force": in_force,
        "without_end": without_end,
        "last_end": last_end.map(time),
        "expired": expired,
    })
}
