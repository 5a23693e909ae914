use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn settings(log: &str, log_format: LogFormat) -> config::Telemetry {
    config::Telemetry { log: log.to_owned(), log_format, otlp_endpoint: None }
}

fn logged(settings: &config::Telemetry, on_terminal: bool) -> String {
    let log = Log::default();
    let (subscriber, _) = subscriber(settings, on_terminal, log.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let _request = tracing::info_span!("request", request_id = "abc").entered();
        tracing::info!(count = 3, "counted");
        tracing::debug!("details");
    });
    log.text()
}

#[test]
fn json_is_one_object_in_a_line_with_the_spans_fields() {
    let text = logged(&settings("info", LogFormat::Auto), false);
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&line["message"], &line["count"], &line["level"]),
        (&"counted".into(), &3.into(), &"INFO".into())
    );
    assert_eq!(line["span"]["request_id"], "abc");
}

#[test]
fn the_format_follows_the_terminal_unless_it_is_given() {
    assert!(logged(&settings("info", LogFormat::Auto), true).contains("counted"));
    assert!(!logged(&settings("info", LogFormat::Auto), true).starts_with('{'));
    assert!(logged(&settings("info", LogFormat::Json), true).starts_with('{'));
    assert!(!logged(&settings("info", LogFormat::Text), false).contains('\u{1b}'));
}

#[test]
fn the_filter_is_obeyed() {
    assert_eq!(logged(&settings("warn", LogFormat::Json), false), "");
    assert_eq!(logged(&settings("claviger=debug", LogFormat::Json), false).lines().count(), 2);
}

/// Answers one request, and tells what it was.
async fn collector(listener: TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).await.unwrap();
        request.extend_from_slice(&chunk[..count]);
        if count == 0 || is_whole(&request) {
            break;
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    request
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_the_collector_when_the_server_stops() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let collector = tokio::spawn(collector(listener));
    let settings = config::Telemetry {
        otlp_endpoint: Some(endpoint.parse().unwrap()),
        ..settings("off", LogFormat::Json)
    };
    let (subscriber, traces) = subscriber(&settings, false, io::sink).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        drop(tracing::info_span!("verify_key", request_id = "abc").entered());
        drop(tracing::info_span!(target: "hyper", "somebody_elses").entered());
    });
    Telemetry { traces }.stop().await;
    let request = tokio::time::timeout(Duration::from_secs(10), collector).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&request);
    assert!(text.starts_with("POST /v1/traces HTTP/1.1"), "{text}");
    assert!(text.contains("application/x-protobuf") && text.contains("claviger"), "{text}");
    assert!(text.contains("verify_key") && !text.contains("somebody_elses"), "{text}");
}
