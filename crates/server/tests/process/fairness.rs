//! One tenant does its worst on every surface at once, and another one's calls are answered as if it were alone.
//!
//! The long form, `just fairness`, measures a release build and prints a table; the short form only tells a server
//! with fair queues from one without.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Installation, Server, call};

/// Rounds of the quiet tenant's calls; each round is one call of every kind.
const ROUNDS: usize = 30;
const KINDS: [&str; 4] = ["verify", "create", "list", "revoke"];
/// Of the short form, in which everything runs unoptimized beside other tests. Without fair queues a create or a
/// revoke waits for two dozen requests of a thousand reports, some seconds each.
const SLOWEST: Duration = Duration::from_secs(3);

/// An organization and a key that may do everything in it.
#[derive(Clone)]
struct Tenant {
    address: SocketAddr,
    client: Client,
    path: String,
    key: String,
}

impl Tenant {
    async fn new(server: &Server, bootstrap: &str, name: &str) -> Self {
        let (status, made) = server.post("/admin/v1/organizations", bootstrap, &json!({"name": name})).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let id = &made["data"]["id"];
        let body = json!({"organization_id": id, "name": "Everything", "scopes": ["*"]});
        let (status, issued) = server.post("/admin/v1/api-keys", bootstrap, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{issued}");
        Self {
            address: server.address,
            client: Client::new(),
            path: format!("/v1/organizations/{}", id.as_str().unwrap()),
            key: issued["data"]["key"].as_str().unwrap().to_owned(),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(StatusCode, Value)> {
        call(&self.client, self.address, method, path, &self.key, body).await.ok()
    }

    /// A call that must succeed, and how long it took.
    async fn timed(&self, method: Method, path: &str, body: Option<Value>) -> (Duration, Value) {
        let began = Instant::now();
        let (status, answer) = self.call(method, path, body.as_ref()).await.unwrap();
        assert!(status.is_success(), "{path}: {status} {answer}");
        (began.elapsed(), answer)
    }

    async fn make(&self, name: &str) -> (Duration, Value) {
        let body = json!({"name": name, "permissions": ["docs:read"]});
        self.timed(Method::POST, &format!("{}/api-keys", self.path), Some(body)).await
    }

    /// How long its calls take, by kind.
    async fn measure(&self, rounds: usize) -> [Vec<Duration>; 4] {
        let mut took: [Vec<Duration>; 4] = Default::default();
        for _ in 0..rounds {
            let (create, issued) = self.make("Quiet").await;
            let asked = json!({"key": issued["key"]});
            let (verify, answer) = self.timed(Method::POST, "/v1/keys/verify", Some(asked.clone())).await;
            assert_eq!(answer["code"], "VALID");
            let (list, _) = self.timed(Method::GET, &format!("{}/api-keys?limit=20", self.path), None).await;
            let key = format!("{}/api-keys/{}", self.path, issued["id"].as_str().unwrap());
            let (revoke, _) = self.timed(Method::DELETE, &key, None).await;
            let (_, answer) = self.timed(Method::POST, "/v1/keys/verify", Some(asked)).await;
            assert_eq!(answer["code"], "REVOKED", "in force as soon as it is answered");
            for (kind, one) in took.iter_mut().zip([verify, create, list, revoke]) {
                kind.push(one);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took
    }
}

/// A tenant at its worst, on a thread of its own until dropped.
struct Worst {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Worst {
    fn begin(tenant: Tenant, credential: String, key: String) -> Self {
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (stop.clone(), calls.clone());
        let thread = std::thread::spawn(move || {
            // The load stands for other machines: it does not take the processor from the server.
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut tasks = tokio::task::JoinSet::new();
                for connection in 0..24 {
                    tasks.spawn(report(tenant.clone(), credential.clone(), connection, counted.clone()));
                }
                let keys = vec![json!({"key": key}); 100];
                let batch = json!({"requests": keys});
                for _ in 0..4 {
                    let path = "/v1/keys/verify-batch".to_owned();
                    tasks.spawn(again(
                        tenant.clone(),
                        Method::POST,
                        path,
                        Some(batch.clone()),
                        counted.clone(),
                    ));
                }
                let body = json!({"name": "Noise", "permissions": ["docs:read"]});
                for _ in 0..8 {
                    let path = format!("{}/api-keys", tenant.path);
                    tasks.spawn(again(
                        tenant.clone(),
                        Method::POST,
                        path,
                        Some(body.clone()),
                        counted.clone(),
                    ));
                }
                for path in
                    ["/api-keys?limit=100", "/users?limit=100", "/usage?period=30d", "/audit-logs?limit=100"]
                {
                    for _ in 0..2 {
                        let path = format!("{}{path}", tenant.path);
                        tasks.spawn(again(tenant.clone(), Method::GET, path, None, counted.clone()));
                    }
                }
                for _ in 0..4 {
                    let path = format!("{}/audit-logs?format=ndjson", tenant.path);
                    tasks.spawn(hang(tenant.clone(), "GET", path, stopped.clone()));
                }
                for _ in 0..64 {
                    let path = format!("{}/users", tenant.path);
                    tasks.spawn(hang(tenant.clone(), "POST", path, stopped.clone()));
                }
                while !stopped.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                tasks.abort_all();
            });
            runtime.shutdown_timeout(Duration::from_secs(3));
        });
        Self { stop, calls, thread: Some(thread) }
    }
}

impl Drop for Worst {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

/// A thousand new reports, again and again.
async fn report(tenant: Tenant, credential: String, connection: usize, calls: Arc<AtomicU64>) {
    for turn in 0.. {
        let mut body = String::from("{\"reports\":[");
        for place in 0..1_000 {
            let comma = if place > 0 { "," } else { "" };
            let id = format!("{connection}-{turn}-{place}");
            write!(body, "{comma}{{\"id\":\"{id}\",\"credential_id\":\"{credential}\",\"status\":200,\"duration_ms\":5}}")
                .unwrap();
        }
        let request = tenant.client.post(format!("http://{}/v1/usage/reports", tenant.address));
        let request = request.bearer_auth(&tenant.key).header("content-type", "application/json").body(body);
        if let Ok(answer) = request.send().await {
            drop(answer.bytes().await);
        }
        calls.fetch_add(1, Ordering::Relaxed);
    }
}

async fn again(tenant: Tenant, method: Method, path: String, body: Option<Value>, calls: Arc<AtomicU64>) {
    loop {
        drop(tenant.call(method.clone(), &path, body.as_ref()).await);
        calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// Begins a request and leaves it there: no body comes, and of the answer next to nothing is read.
async fn hang(tenant: Tenant, method: &'static str, path: String, stop: Arc<AtomicBool>) {
    let hang = move || {
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut stream) = TcpStream::connect(tenant.address) else { continue };
            let length = if method == "POST" {
                "content-type: application/json\r\ncontent-length: 5000\r\n"
            } else {
                ""
            };
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{length}\r\n",
                tenant.key
            );
            drop(stream.write_all(head.as_bytes()));
            drop(stream.set_read_timeout(Some(Duration::from_millis(500))));
            let mut room = [0; 64];
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
                match stream.read(&mut room) {
                    Ok(0) => break,
                    Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
                    _ => {}
                }
            }
        }
    };
    drop(tokio::task::spawn_blocking(hang).await);
}

fn at(took: &mut [Duration], percent: usize) -> Duration {
    took.sort_unstable();
    took[(took.len() * percent).div_ceil(100).saturating_sub(1)]
}

#[tokio::test]
async fn a_tenant_at_its_worst_does_not_slow_another() {
    let long = std::env::var("CLAVIGER_TEST_FAIRNESS_ROUNDS").ok().map(|rounds| rounds.parse().unwrap());
    let rounds = long.unwrap_or(ROUNDS);
    let installation = Installation::new();
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let quiet = Tenant::new(&server, &bootstrap, "Quiet").await;
    let noisy = Tenant::new(&server, &bootstrap, "Noisy").await;
    let (_, target) = noisy.make("Target").await;
    let of = |name: &str| target[name].as_str().unwrap().to_owned();

    quiet.measure(5).await;
    let mut alone = quiet.measure(rounds).await;
    let worst = Worst::begin(noisy, of("id"), of("key"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (calls, began) = (worst.calls.load(Ordering::Relaxed), Instant::now());
    let mut beside = quiet.measure(rounds).await;
    let calls = worst.calls.load(Ordering::Relaxed) - calls;
    let rate = calls as f64 / began.elapsed().as_secs_f64();
    drop(worst);
    println!("{rounds} rounds; the other tenant made {rate:.0} calls a second beside them");
    println!("{:<8} {:>22} {:>22} {:>6}", "ms", "alone p50/p99/max", "beside p50/p99/max", "p99 x");
    let ms = |took: Duration| took.as_secs_f64() * 1000.0;
    for (place, kind) in KINDS.iter().enumerate() {
        let [alone, beside] = [&mut alone[place], &mut beside[place]];
        let [told, then] =
            [&mut *alone, &mut *beside].map(|took| [50, 99, 100].map(|percent| ms(at(took, percent))));
        let show = |[p50, p99, max]: [f64; 3]| format!("{p50:.1}/{p99:.1}/{max:.1}");
        println!("{kind:<8} {:>22} {:>22} {:>6.1}", show(told), show(then), then[1] / told[1]);
    }
    if long.is_none() {
        for (kind, took) in KINDS.iter().zip(&mut beside) {
            assert!(at(took, 90) < SLOWEST, "{kind}: {:?}", at(took, 90));
        }
    }
    assert!(calls > 0, "the other tenant was not at its worst");
}
