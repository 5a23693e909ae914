//! Stopping: nothing that was begun is lost, unless somebody insists.

use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{Installation, Server};

const BODY: &str = r#"{"name":"Half sent"}"#;

/// A create whose body is sent up to the half, so that it is in progress until the rest follows.
async fn begun(server: &Server, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /v1/admin/users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        BODY.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&BODY.as_bytes()[..10]).await.unwrap();
    // Long enough for the server to have read the head.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream
}

async fn stopping(server: &Server) {
    tokio::task::block_in_place(|| {
        server.wait_for(|server| server.log().contains("\"SIGTERM\"").then_some(()));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_progress_is_answered_and_kept() {
    let installation = Installation::new();
    let mut server = installation.start();
    let key = server.admin_key(&server.bootstrap_key(), "Acme").await;
    let mut request = begun(&server, &key).await;
    server.signal(Signal::TERM);
    stopping(&server).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    request.write_all(&BODY.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(20), request.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(server.ended().success(), "{}", server.log());

    let server = installation.start();
    let users = server.all("/v1/admin/users", &key).await;
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["name"], "Half sent");
    // Reads are written in batches; the ones of before the stop are there as well.
    let log = server.all("/v1/admin/audit-logs", &key).await;
    assert_eq!(log.iter().filter(|entry| entry["action"] == "user_account.created").count(), 1, "{log:?}");
    server.stop();
}

#[tokio::test]
async fn reads_that_wait_for_their_batch_are_written_on_the_way_out() {
    let installation = Installation::new();
    let server = installation.start();
    let key = server.admin_key(&server.bootstrap_key(), "Acme").await;
    for _ in 0..3 {
        server.get("/v1/admin/users", &key).await;
    }
    server.stop();
    let server = installation.start();
    let (_, log) =
        server.get("/v1/admin/audit-logs?include_reads=true&action=user_account.read&limit=100", &key).await;
    assert_eq!(log["data"].as_array().map(Vec::len), Some(3), "{log}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_has_an_end() {
    let installation = Installation::new();
    let mut server = installation.start_with(&[("CLAVIGER_SHUTDOWN_GRACE_SECONDS", "1")]);
    let key = server.admin_key(&server.bootstrap_key(), "Acme").await;
    let _request = begun(&server, &key).await;
    server.signal(Signal::TERM);
    assert!(server.ended().success());
    assert!(server.log().contains("connections were cut"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_sent_body_does_not_hold_up_the_end() {
    let installation = Installation::new();
    let mut server = installation.start_with(&[("CLAVIGER_SHUTDOWN_GRACE_SECONDS", "3600")]);
    let key = server.admin_key(&server.bootstrap_key(), "Acme").await;
    let mut request = begun(&server, &key).await;
    server.signal(Signal::TERM);
    // Support waits for a minute at most, which is far from the grace.
    assert!(server.ended().success(), "{}", server.log());
    assert!(server.log().contains("closed connections whose request had not arrived"), "{}", server.log());
    let mut answer = Vec::new();
    drop(request.read_to_end(&mut answer).await);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once() {
    let installation = Installation::new();
    let mut server = installation.start_with(&[("CLAVIGER_SHUTDOWN_GRACE_SECONDS", "3600")]);
    let key = server.admin_key(&server.bootstrap_key(), "Acme").await;
    let _request = begun(&server, &key).await;
    server.signal(Signal::TERM);
    stopping(&server).await;
    server.signal(Signal::INT);
    assert_eq!(server.ended().code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_sent_before_the_end() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let received = tokio::spawn(async move {
        let (mut stream, _) = collector.accept().await.unwrap();
        let mut start = vec![0; 1024];
        let count = stream.read(&mut start).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&start[..count]).into_owned()
    });
    let installation = Installation::new();
    let server = installation.start_with(&[("CLAVIGER_OTLP_ENDPOINT", &endpoint)]);
    server.get("/v1/admin/users", "nothing").await;
    tokio::task::block_in_place(|| server.stop());
    let request = timeout(Duration::from_secs(10), received).await.unwrap().unwrap();
    assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
}
