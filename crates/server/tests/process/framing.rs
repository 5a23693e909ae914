//! Requests that only a raw socket sends: framing that two servers may read differently.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::Installation;

/// All that is answered until the server closes the connection; fails when it stays open.
#[track_caller]
fn answered(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{request:?} stays open: {error}"));
    String::from_utf8(answer).unwrap()
}

const SURFACES: [(&str, &str); 6] = [
    ("/v1/admin/me", "{\"success\":false,\"error\":"),
    ("/admin/v1/organizations", "\"code\":\"INVALID_REQUEST\""),
    ("/v1/organizations/me", "\"code\":\"invalid_request\""),
    ("/v1/keys/verify", "\"code\":\"invalid_request\""),
    ("/v1/forward-auth", "\"code\":\"invalid_request\""),
    ("/health/live", "\"code\":\"invalid_request\""),
];

#[test]
fn a_request_needs_one_host() {
    let installation = Installation::new();
    let server = installation.start();
    for (path, dialect) in SURFACES {
        for head in [
            "HTTP/1.1\r\n",
            "HTTP/1.1\r\nhost: a\r\nhost: a\r\n",
            "HTTP/1.1\r\nhost: a\r\nHost: b\r\n",
            "HTTP/1.0\r\nhost: a\r\nhost: b\r\n",
            "HTTP/1.1\r\nhost: a b\r\n",
            "HTTP/1.1\r\nhost: user@a\r\n",
            "HTTP/1.1\r\nhost: a/b\r\n",
        ] {
            let answer = answered(server.address, &format!("GET {path} {head}\r\n"));
            assert!(answer.contains(" 400 ") && answer.contains("Host"), "{path} {head:?}: {answer}");
            assert!(answer.contains(dialect), "{path} {head:?}: {answer}");
            assert!(answer.contains("connection: close"), "{path} {head:?}: {answer}");
        }
    }
    for head in [
        "HTTP/1.0\r\n",
        "HTTP/1.0\r\nhost: a\r\n",
        "HTTP/1.1\r\nconnection: close\r\nhost: a_b.example:8080\r\n",
        "HTTP/1.1\r\nconnection: close\r\nhost: [::1]:80\r\n",
        "HTTP/1.1\r\nconnection: close\r\nhost:\r\n",
    ] {
        let answer = answered(server.address, &format!("GET /health/live {head}\r\n"));
        assert!(answer.contains(" 200 "), "{head:?}: {answer}");
    }
    server.stop();
}

#[test]
fn a_transfer_encoding_is_chunked_once_or_the_connection_is_closed() {
    let installation = Installation::new();
    let server = installation.start();
    let request = |path: &str, codings: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{codings}\r\n\
             2\r\n{{}}\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
    };
    for (path, _) in SURFACES {
        for codings in [
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked, chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        ] {
            let answer = answered(server.address, &request(path, codings));
            assert!(answer.starts_with("HTTP/1.1 400 "), "{path} {codings:?}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "closed after it: {answer}");
        }
    }
    let answer = answered(server.address, &request("/v1/keys/verify", "Transfer-Encoding: Chunked\r\n"));
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    server.stop();
}
