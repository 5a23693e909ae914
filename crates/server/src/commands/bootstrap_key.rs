//! `claviger bootstrap-key`: a new root key, in force or only printed.

use claviger_app::bootstrap::{self, Rotated, TAKEN_UP_WITHIN};
use claviger_domain::admin_key::BootstrapKey;
use claviger_domain::secret::{KeyFormat, Plaintext};

use crate::config::Config;
use crate::database::{self, Missing};
use crate::failure::{Failure, with_causes};
use crate::{output, system};

/// Replaces the key in force.
pub(crate) fn rotate(config: &Config) -> Result<(), Failure> {
    if config.keys.bootstrap.is_some() {
        return Err(Failure::configuration(
            "the bootstrap key is given by CLAVIGER_BOOTSTRAP_KEY or CLAVIGER_BOOTSTRAP_KEY_FILE (keys.bootstrap, \
             keys.bootstrap_file), which the next start would put back in force; replace it there, for example with what \
             `claviger bootstrap-key generate` prints, and start the server again",
        ));
    }
    let process = system::process_name("bootstrap-key rotate");
    let Rotated { key, replaced } = database::with(config, Missing::Refused, async |app| {
        bootstrap::rotate(app, &process).await.map_err(|error| {
            Failure::operation(format!("cannot replace the bootstrap key: {}", with_causes(&error)))
        })
    })?;
    // Printed before the wait: whoever interrupts that has the key.
    output::print_key(&format!("bootstrap key: {}", key.expose()), "run the command again")?;
    let Some(BootstrapKey { prefix, made_by, .. }) = replaced else { return Ok(()) };
    let within = TAKEN_UP_WITHIN.as_secs_f32();
    let old = prefix.as_str();
    output::note(&format!("waiting {within} s for running servers to refuse the old key {old}..."));
    std::thread::sleep(TAKEN_UP_WITHIN);
    output::note(&format!(
        "the old key {old}... (made by {made_by}) has stopped; only a server that cannot read the database still takes it"
    ));
    Ok(())
}

/// Prints a key that can be given as `CLAVIGER_BOOTSTRAP_KEY`.
pub(crate) fn generate() -> Result<(), Failure> {
    output::print(Plaintext::generate(KeyFormat::Bootstrap, &mut system::random()).expose())
}
