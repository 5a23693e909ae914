//! Logs on standard error (standard output belongs to what the program was asked for), and traces
//! to a collector when one is configured.

mod otlp;

use std::io::{self, IsTerminal};
use std::panic;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, filter, fmt};

use crate::config::{self, LogFormat};
use crate::failure::Failure;

/// Longest wait for a collector that does not answer, once the server has stopped.
const LAST_EXPORT: Duration = Duration::from_secs(5);

/// Keeps the traces that are not sent yet; [`Telemetry::stop`] sends them.
#[derive(Debug)]
#[must_use]
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Starts logging for the whole process. Needs a Tokio runtime when traces are sent.
pub(crate) fn start(settings: &config::Telemetry) -> Result<Telemetry, Failure> {
    let on_terminal = io::stderr().is_terminal();
    let (subscriber, traces) = subscriber(settings, on_terminal, io::stderr)?;
    subscriber.try_init().map_err(|error| Failure::operation(format!("cannot start logging: {error}")))?;
    // The default hook would print beside the log, in another format.
    panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a task panicked")));
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Sends the traces that are left.
    pub(crate) async fn stop(self) {
        let Some(traces) = self.traces else { return };
        let stopped = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(LAST_EXPORT)).await;
        match stopped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not sent"),
            Err(error) => tracing::warn!(%error, "the last traces were not sent"),
        }
    }
}

type Boxed = Box<dyn Subscriber + Send + Sync>;

fn subscriber<W>(
    settings: &config::Telemetry,
    on_terminal: bool,
    writer: W,
) -> Result<(Boxed, Option<SdkTracerProvider>), Failure>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + Clone + 'static,
{
    let filter = EnvFilter::builder()
        .parse(&settings.log)
        .map_err(|error| Failure::configuration(format!("CLAVIGER_LOG is not a log filter: {error}")))?;
    let as_text = match settings.log_format {
        LogFormat::Auto => on_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let text = as_text.then(|| fmt::layer().with_ansi(on_terminal).with_writer(writer.clone()));
    let json =
        (!as_text).then(|| fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer));
    let traces = settings.otlp_endpoint.as_ref().map(otlp::provider).transpose()?;
    let sent = traces.as_ref().map(|traces| otlp::layer(traces).with_filter(filter::filter_fn(is_traced)));
    let logged = text.map(Layer::boxed).or_else(|| json.map(Layer::boxed)).with_filter(filter);
    Ok((Box::new(tracing_subscriber::registry().with(logged).with(sent)), traces))
}

/// Our own spans, whatever is logged. The exporter's would make an export of each export.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("claviger") && *metadata.level() <= Level::INFO
}

#[cfg(test)]
mod tests;
