use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path};
use axum::routing::{get, post};
use futures_util::stream::unfold;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::*;

/// More than the kernel keeps for a client that does not read.
const LARGE: usize = 64 << 20;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Ended>,
}

/// A server that tells the caller's port, that takes as many milliseconds as the path says, and that has so many
/// between two pieces of an answer.
async fn start(limits: Limits) -> Running {
    let router = Router::new()
        .route(
            "/peer",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.port().to_string() }),
        )
        .route(
            "/wait/{milliseconds}",
            get(|Path(milliseconds): Path<u64>| async move {
                sleep(Duration::from_millis(milliseconds)).await;
                "waited"
            }),
        );
    let drip = async |Path(milliseconds): Path<u64>| {
        let parts = unfold(0, move |told| async move {
            if told > 0 {
                sleep(Duration::from_millis(milliseconds)).await;
            }
            (told < 2).then(|| (Ok::<_, Infallible>("drop"), told + 1))
        });
        Body::from_stream(parts)
    };
    let large = async || vec![7_u8; LARGE];
    let endless = async || {
        Body::from_stream(unfold((), |()| async { Some((Ok::<_, Infallible>(vec![7_u8; 1 << 20]), ())) }))
    };
    let router = router
        .route("/drip/{milliseconds}", get(drip))
        .route("/echo", post(async |body: Bytes| body))
        .route("/large", get(large))
        .route("/endless", get(endless));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let answering = move |peer: SocketAddr| {
        let router = router.clone();
        move |mut request: Request<Body>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().oneshot(request);
            async move { answer.await.unwrap() }
        }
    };
    let ended =
        tokio::spawn(
            async move { serve(listener, answering, &limits, async move { drop(stopped.await) }).await },
        );
    Running { address, stop, ended }
}

fn limits() -> Limits {
    Limits {
        max_connections: 8,
        max_connections_per_address: None,
        trusted_proxies: Vec::new(),
        first_head: Duration::from_secs(10),
        silence: Duration::from_secs(10),
        unread: Duration::from_secs(10),
        grace: Duration::from_secs(10),
        arrival: Duration::from_secs(3),
    }
}

async fn send(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Everything until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    timeout(Duration::from_secs(5), stream.read_to_string(&mut text)).await.expect("still open").unwrap();
    text
}

/// The next bytes, once there are some.
async fn some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = timeout(Duration::from_secs(5), stream.read(&mut bytes)).await.expect("silent").unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[tokio::test]
async fn requests_know_their_peer() {
    let server = start(limits()).await;
    let mut stream = send(server.address, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let port = stream.local_addr().unwrap().port().to_string();
    assert!(rest(&mut stream).await.ends_with(&port));
}

#[tokio::test]
async fn what_is_not_http_is_answered_400() {
    let server = start(limits()).await;
    let mut stream = send(server.address, "hello there\r\n\r\n").await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_answered_431() {
    let server = start(limits()).await;
    for (length, status) in [(LONGEST_HEAD - 200, "200"), (LONGEST_HEAD + 200, "431")] {
        let head = format!("GET /peer HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(length));
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The answer may come, and the connection be closed, before the last byte is taken.
        drop(stream.write_all(head.as_bytes()).await);
        let answer = some(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
    }
}

#[tokio::test]
async fn a_request_in_progress_is_finished_and_no_other_is_begun() {
    let server = start(limits()).await;
    let mut busy = send(server.address, "GET /wait/400 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut idle = send(server.address, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(some(&mut idle).await.starts_with("HTTP/1.1 200 "));
    sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("waited"), "{answer}");
    assert_eq!(server.ended.await.unwrap(), Ended::AllFinished);
}

#[tokio::test]
async fn the_grace_has_an_end() {
    let server = start(Limits { grace: Duration::from_millis(100), ..limits() }).await;
    let mut busy = send(server.address, "GET /wait/60000 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    assert_eq!(timeout(Duration::from_secs(5), server.ended).await.unwrap().unwrap(), Ended::Cut(1));
    assert_eq!(rest(&mut busy).await, "");
}

/// At shutdown, each of these is closed long before the grace is over.
#[tokio::test]
async fn a_request_that_does_not_arrive_does_not_hold_up_the_shutdown() {
    for part in [
        "",
        "GET /peer HTTP/1.1\r\nho",
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf",
        "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf",
        "GET /peer HTTP/1.1\r\nhost: x\r\n\r\nGET /pe",
    ] {
        let arrival = Duration::from_millis(200);
        let server = start(Limits { grace: Duration::from_secs(60), arrival, ..limits() }).await;
        let mut halting = send(server.address, part).await;
        let mut busy = send(server.address, "GET /wait/600 HTTP/1.1\r\nhost: x\r\n\r\n").await;
        sleep(Duration::from_millis(100)).await;
        server.stop.send(()).unwrap();
        let ended = timeout(Duration::from_secs(5), server.ended).await.expect("still waiting").unwrap();
        assert_eq!(ended, Ended::AllFinished, "{part}");
        drop(halting.read_to_end(&mut Vec::new()).await);
        assert!(rest(&mut busy).await.ends_with("waited"), "a request that had arrived is answered");
    }
}

#[tokio::test]
async fn the_rest_of_a_request_may_arrive_during_the_shutdown() {
    let server = start(limits()).await;
    let half = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst";
    let mut halting = send(server.address, half).await;
    sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    sleep(Duration::from_millis(100)).await;
    halting.write_all(b"+rest").await.unwrap();
    assert!(rest(&mut halting).await.ends_with("first+rest"));
    assert_eq!(server.ended.await.unwrap(), Ended::AllFinished);
}

#[tokio::test]
async fn an_answer_that_the_client_takes_slowly_is_finished_during_the_shutdown() {
    let arrival = Duration::from_millis(100);
    let server = start(Limits { arrival, ..limits() }).await;
    let mut slow = send(server.address, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_millis(300)).await;
    server.stop.send(()).unwrap();
    sleep(4 * arrival).await;
    let answer = rest(&mut slow).await;
    assert!(answer.ends_with(&"x".repeat(LARGE)), "{} bytes came", answer.len());
    assert_eq!(server.ended.await.unwrap(), Ended::AllFinished);
}

#[tokio::test]
async fn callers_beyond_the_limit_wait_until_another_leaves() {
    let server = start(Limits { max_connections: 1, ..limits() }).await;
    let mut first = send(server.address, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(some(&mut first).await.starts_with("HTTP/1.1 200 "));
    let mut second = send(server.address, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut byte = [0; 1];
    assert!(timeout(Duration::from_millis(200), second.read(&mut byte)).await.is_err());
    drop(first);
    assert!(some(&mut second).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn whoever_says_nothing_is_shown_out() {
    let server = start(Limits { first_head: Duration::from_millis(100), ..limits() }).await;
    let mut silent = send(server.address, "").await;
    let mut halting = send(server.address, "GET /peer HTTP/1.1\r\nho").await;
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut halting).await, "");
}

#[tokio::test]
async fn after_an_answer_there_is_another_patience() {
    let first_head = Duration::from_millis(100);
    let server = start(Limits { first_head, ..limits() }).await;
    let mut stream = send(server.address, "GET /wait/200 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(some(&mut stream).await.starts_with("HTTP/1.1 200 "), "a slow answer is not silence");
    sleep(3 * first_head).await;
    stream.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(some(&mut stream).await.starts_with("HTTP/1.1 200 "));

    let server = start(Limits { silence: Duration::from_millis(100), ..limits() }).await;
    let mut stream = send(server.address, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(some(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn an_answer_that_is_being_told_is_no_silence() {
    let server = start(Limits { silence: Duration::from_millis(100), ..limits() }).await;
    let mut stream = send(server.address, "GET /drip/400 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let told = rest(&mut stream).await;
    assert_eq!(told.matches("drop").count(), 2, "{told}");
    assert!(told.ends_with("0\r\n\r\n"), "{told}");
}

#[tokio::test]
async fn an_address_beyond_its_limit_is_closed_and_takes_no_slot() {
    let per_address = Limits { max_connections_per_address: Some(2), max_connections: 3, ..limits() };
    let server = start(per_address.clone()).await;
    let mut first = send(server.address, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(some(&mut first).await.starts_with("HTTP/1.1 200 "));
    let _silent = send(server.address, "").await;
    for _ in 0..5 {
        let mut refused = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(rest(&mut refused).await, "");
    }
    drop(first);
    // The server learns of it a moment later.
    let answered = async {
        loop {
            let mut again = TcpStream::connect(server.address).await.unwrap();
            drop(again.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await);
            let mut answer = String::new();
            if again.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200 ") {
                break;
            }
        }
    };
    timeout(Duration::from_secs(5), answered).await.expect("the place was not given back");

    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = start(Limits { trusted_proxies: proxies, ..per_address }).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = send(server.address, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(some(&mut stream).await.starts_with("HTTP/1.1 200 "));
        streams.push(stream);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_disconnected() {
    let unread = Duration::from_millis(400);
    let server = start(Limits { unread, ..limits() }).await;
    let mut idle = send(server.address, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut slow = send(server.address, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut stream = send(server.address, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // Something is taken every now and then: that is slow, and no reason to be cut.
    let mut taken = 0;
    let mut buffer = vec![0; 8 << 20];
    for _ in 0..8 {
        sleep(unread / 4).await;
        let until = taken + (4 << 20);
        while taken < until {
            taken += slow.read(&mut buffer).await.unwrap();
        }
    }
    loop {
        match slow.read(&mut buffer).await.unwrap() {
            0 => break,
            count => taken += count,
        }
    }
    assert!(taken > LARGE, "the whole answer: {taken}");
    let mut read = 0;
    let cut = loop {
        match timeout(Duration::from_secs(5), idle.read(&mut buffer)).await.expect("still open") {
            Ok(0) | Err(_) => break read,
            Ok(count) => read += count,
        }
    };
    assert!(cut < LARGE, "it was cut: {cut}");
    // A stream that is not read has a time limit of its own.
    let mut read = 0;
    while read < LARGE {
        let count = timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.expect("silent").unwrap();
        assert!(count > 0, "it goes on");
        read += count;
    }
}
