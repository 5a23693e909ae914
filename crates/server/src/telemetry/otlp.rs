//! Sending traces to an OpenTelemetry collector over HTTP, encrypted by rustls for https.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use crate::failure::Failure;

/// For one export with its repetitions.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Collects spans and sends them to `endpoint` in batches.
pub(super) fn provider(endpoint: &Url) -> Result<SdkTracerProvider, Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::operation(format!("cannot send traces to CLAVIGER_OTLP_ENDPOINT: {error}"))
    };
    let client: Arc<dyn HttpClient> = if endpoint.scheme() == "https" {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| refused(&error))?
            .https_only()
            .enable_http1()
            .build();
        Arc::new(HyperClient::new(connector, EXPORT_TIMEOUT, None))
    } else {
        Arc::new(HyperClient::with_default_connector(EXPORT_TIMEOUT, None))
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(OnRuntime { runtime: Handle::current(), client })
        .with_endpoint(traces_address(endpoint))
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| refused(&error))?;
    let resource = Resource::builder()
        .with_service_name("claviger")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

/// Turns `tracing`'s spans into OpenTelemetry's.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, Tracer>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("claviger"))
}

fn traces_address(endpoint: &Url) -> String {
    let base = endpoint.as_str().trim_end_matches('/');
    if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
}

/// The batches are sent from a thread outside the runtime, where hyper cannot wait: it is lent one.
#[derive(Debug)]
struct OnRuntime {
    runtime: Handle,
    client: Arc<dyn HttpClient>,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signals_path_is_added_once() {
        for (given, address) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://host/otlp", "https://host/otlp/v1/traces"),
            ("https://host/otlp/v1/traces", "https://host/otlp/v1/traces"),
        ] {
            assert_eq!(traces_address(&given.parse().unwrap()), address);
        }
    }

    #[tokio::test]
    async fn https_is_prepared_without_openssl() {
        assert!(provider(&"https://collector:4318".parse().unwrap()).is_ok());
    }
}
