//! The threads that everything asynchronous runs on.

use tokio::runtime::{Builder, Runtime};

use crate::config::Config;
use crate::failure::Failure;

pub(crate) fn start(config: &Config) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if config.runtime.worker_threads > 0 {
        builder.worker_threads(config.runtime.worker_threads);
    }
    builder.enable_all().build().map_err(|error| Failure::operation(format!("cannot start threads: {error}")))
}
