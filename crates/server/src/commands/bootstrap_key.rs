//! `claviger bootstrap-key`: a new root key, in force or only printed.

use claviger_domain::secret::{KeyFormat, Plaintext};

use crate::config::Config;
use crate::database::{self, Missing};
use crate::failure::{Failure, with_causes};
use crate::{output, system};

/// Replaces the key in force.
pub(crate) fn rotate(config: &Config) -> Result<(), Failure> {
    if config.keys.bootstrap.is_some() {
        return Err(Failure::configuration(
            "the bootstrap key is given by CLAVIGER_BOOTSTRAP_KEY (keys.bootstrap), which the next start would put back \
             in force; replace it there, for example with what `claviger bootstrap-key generate` prints, and start the \
             server again",
        ));
    }
    let key = database::with(config, Missing::Refused, async |app| {
        claviger_app::bootstrap::rotate(app).await.map_err(|error| {
            Failure::operation(format!("cannot replace the bootstrap key: {}", with_causes(&error)))
        })
    })?;
    output::print_key(&format!("bootstrap key: {}", key.expose()), "run the command again")
}

/// Prints a key that can be given as `CLAVIGER_BOOTSTRAP_KEY`.
pub(crate) fn generate() -> Result<(), Failure> {
    output::print(Plaintext::generate(KeyFormat::Bootstrap, &mut system::random()).expose())
}
