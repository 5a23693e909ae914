//! `kill -9` in the middle of verifications, also while another program holds the database: what was answered
//! is in the usage, nothing is there twice, and what was spent stays spent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};

use crate::support::{Installation, Server, call};

const WORKERS: usize = 4;
const CREDENTIALS: usize = 6;
/// Both are large enough never to refuse, and the window is long enough that nothing comes back meanwhile.
const BALANCE: u64 = 1_000_000_000;
const LIMIT: &str = "requests:1000000000/3153600000";
/// So many calls a minute are refused soon.
const NARROW: u64 = 40;

/// A credential with its figures as they were when they were looked at last.
struct Known {
    id: String,
    key: String,
    /// Whether calls are refused when [`NARROW`] is reached.
    is_narrow: bool,
    passed: u64,
    denied: u64,
    /// Of those that passed, the questions of [`Scene::check`], which cost nothing.
    free: u64,
}

/// What one stream of verifications saw, by credential.
#[derive(Default)]
struct Seen {
    passed: [u64; CREDENTIALS],
    denied: [u64; CREDENTIALS],
    unanswered: [u64; CREDENTIALS],
    slowest: Duration,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        for place in 0..CREDENTIALS {
            self.passed[place] += other.passed[place];
            self.denied[place] += other.denied[place];
            self.unanswered[place] += other.unanswered[place];
        }
        self.slowest = self.slowest.max(other.slowest);
    }

    fn answered(&self) -> u64 {
        self.passed.iter().chain(&self.denied).sum()
    }
}

/// A server, and those whose keys are verified.
struct Scene {
    installation: Installation,
    server: Server,
    bootstrap: String,
    admin: String,
    known: Vec<Known>,
}

impl Scene {
    async fn new() -> Self {
        let installation = Installation::new();
        let server = installation.start();
        let bootstrap = server.bootstrap_key();
        let admin = server.admin_key(&bootstrap, "Acme").await;
        let mut known = Vec::new();
        for place in 0..CREDENTIALS {
            let is_narrow = place == 0;
            let mut body = json!({"name": format!("Credential {place}"), "network_id": 0});
            if is_narrow {
                body["rate_limit_per_minute"] = NARROW.into();
            }
            let (status, made) = server.post("/v1/admin/credentials", &admin, &body).await;
            assert_eq!(status, StatusCode::CREATED, "{made}");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let id = text(&made["data"]["credential"]["id"]);
            known.push(Known {
                id,
                key: text(&made["data"]["api_key"]),
                is_narrow,
                passed: 0,
                denied: 0,
                free: 0,
            });
        }
        server.stop();
        // No surface gives balances and longer windows yet.
        let database = open(&installation).await;
        for Known { id, .. } in known.iter().filter(|known| !known.is_narrow) {
            let id = id.replace('-', "");
            let row = format!(
                "UPDATE credentials SET limits = '{LIMIT}', credits_grant = 1, credits_remaining = {BALANCE} \
                 WHERE lower(hex(id)) = '{id}'"
            );
            assert_eq!(database.execute_unprepared(&row).await.unwrap().rows_affected(), 1);
        }
        database.close().await.unwrap();
        let server = installation.start();
        Self { installation, server, bootstrap, admin, known }
    }

    fn kill(&mut self) {
        tokio::task::block_in_place(|| self.server.kill());
    }

    fn restart(&mut self) {
        self.server = tokio::task::block_in_place(|| self.installation.start());
    }

    /// Sends the workers on their way; they end when `is_over` says so, or when nobody answers.
    fn verifications(&self, is_over: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<Seen>> {
        let keys: Vec<_> = self.known.iter().map(|known| known.key.clone()).collect();
        let start = |worker| {
            let (address, is_over) = (self.server.address, is_over.clone());
            tokio::spawn(verify(address, self.bootstrap.clone(), keys.clone(), worker, is_over))
        };
        (0..WORKERS).map(start).collect()
    }

    /// Compares what was seen with what is counted, and with what was spent. Between what is counted and
    /// what was answered may be the calls that were in progress when the server ended, and no others.
    async fn check(&mut self, seen: &Seen) {
        self.drained().await;
        for (place, known) in self.known.iter_mut().enumerate() {
            let (status, usage) =
                self.server.get(&format!("/v1/admin/usage/{}", known.id), &self.admin).await;
            assert_eq!(status, StatusCode::OK, "{usage}");
            let figure = |name: &str| usage["data"][name].as_u64().unwrap();
            let (passed, denied) = (figure("successful_requests"), figure("failed_requests"));
            let (least_passed, least_denied) =
                (known.passed + seen.passed[place], known.denied + seen.denied[place]);
            assert!(passed >= least_passed && denied >= least_denied, "answered and lost: {usage}");
            let more = passed + denied - least_passed - least_denied;
            assert!(more <= seen.unanswered[place], "{more} more than were asked for: {usage}");
            (known.passed, known.denied) = (passed, denied);
            if !known.is_narrow {
                let (_, verdict) = ask(&self.server, &self.bootstrap, &known.key, 0).await;
                let left = BALANCE - (known.passed - known.free);
                assert_eq!(verdict["credits"], left, "{verdict}");
                assert_eq!(verdict["ratelimits"][0]["remaining"], left, "{verdict}");
                // The question itself was a call.
                known.passed += 1;
                known.free += 1;
            }
        }
        self.drained().await;
        let log = self.server.log();
        assert!(!log.contains("\"ERROR\"") && !log.contains("damaged"), "it had something to repair:\n{log}");
    }

    /// Waits until every decided call is in the database.
    async fn drained(&self) {
        let begun = Instant::now();
        loop {
            let (_, figures) = self.server.get("/metrics", "").await;
            let figures = figures.as_str().unwrap().to_owned();
            if figures.lines().any(|line| line == "claviger_journal_records 0") {
                assert!(figures.lines().any(|line| line == "claviger_journal_damaged_total 0"), "{figures}");
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{figures}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks for more than the narrow limit allows.
    async fn exhaust(&self) -> Seen {
        let mut seen = Seen::default();
        for _ in 0..=NARROW {
            match ask(&self.server, &self.bootstrap, &self.known[0].key, 1).await.1["code"].as_str() {
                Some("VALID") => seen.passed[0] += 1,
                Some("RATE_LIMITED") => seen.denied[0] += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(seen.denied[0] > 0);
        seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_answered_is_counted_once_and_stays_spent_however_often_the_server_is_killed() {
    let kills: u64 = std::env::var("CLAVIGER_TEST_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let mut scene = Scene::new().await;
    let (mut answered, mut unanswered) = (0, 0);
    for round in 0..kills {
        let before: u64 = scene.known.iter().map(|known| known.passed + known.denied).sum();
        let begun = Instant::now();
        let mut seen = scene.exhaust().await;
        let is_over = Arc::default();
        let workers = scene.verifications(&is_over);
        // Whoever asks for figures has the journal drained: so the kill meets drains too.
        let (address, admin) = (scene.server.address, scene.admin.clone());
        let reader = tokio::spawn(async move {
            let client = Client::new();
            while call(&client, address, Method::GET, "/v1/admin/usage", &admin, None).await.is_ok() {}
        });
        // Spread over the life of a stream, from its first calls on.
        tokio::time::sleep(Duration::from_micros(500 + round * 61_403 % 400_000)).await;
        scene.kill();
        for worker in workers {
            seen.add(&worker.await.unwrap());
        }
        reader.await.unwrap();
        scene.restart();
        // As the window moves on, calls come back one by one, and a part of one was left; with the restart
        // come none.
        let again = scene.exhaust().await;
        let moved = begun.elapsed().as_secs_f64() * NARROW as f64 / 60.0;
        assert!(again.passed[0] as f64 <= moved + 1.0, "{} came back with the restart", again.passed[0]);
        seen.add(&again);
        scene.check(&seen).await;
        let now: u64 = scene.known.iter().map(|known| known.passed + known.denied).sum();
        assert!(now >= before + seen.answered());
        answered += seen.answered();
        unanswered += seen.unanswered.iter().sum::<u64>();
    }
    scene.server.stop();
    println!("{kills} kills: {answered} calls answered and counted, {unanswered} in progress");
    assert!(unanswered > 0, "nothing was in progress when the server was killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_program_holds_the_database_keys_are_decided_and_no_call_is_lost() {
    let seconds = std::env::var("CLAVIGER_TEST_LOCK_SECONDS").map_or(5, |text| text.parse().unwrap());
    let locked_for = Duration::from_secs(seconds);
    let mut scene = Scene::new().await;
    for is_killed in [false, true] {
        let database = open(&scene.installation).await;
        database.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
        let is_over = Arc::<AtomicBool>::default();
        let workers = scene.verifications(&is_over);
        tokio::time::sleep(locked_for).await;
        if is_killed {
            scene.kill();
        }
        is_over.store(true, Ordering::Relaxed);
        let mut seen = Seen::default();
        for worker in workers {
            seen.add(&worker.await.unwrap());
        }
        database.execute_unprepared("ROLLBACK").await.unwrap();
        database.close().await.unwrap();
        if is_killed {
            scene.restart();
        } else {
            assert_eq!(seen.unanswered, [0; CREDENTIALS]);
        }
        println!(
            "locked for {seconds} s{}: {} calls answered and counted, the slowest after {:?}",
            if is_killed { ", then killed" } else { "" },
            seen.answered(),
            seen.slowest
        );
        // The database was locked all the time: whoever had waited for it, would have waited as long.
        assert!(seen.slowest < locked_for / 2, "a call waited for the database: {:?}", seen.slowest);
        assert!(seen.answered() > 0);
        scene.check(&seen).await;
    }
    scene.server.stop();
}

async fn open(installation: &Installation) -> DatabaseConnection {
    let url = format!("sqlite://{}", installation.data("claviger.db").display());
    let mut options = sea_orm::ConnectOptions::new(url);
    // A transaction that is begun by hand stays on its connection.
    options.max_connections(1).min_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn ask(server: &Server, bootstrap: &str, key: &str, cost: u32) -> (StatusCode, Value) {
    server.post("/v1/keys/verify", bootstrap, &json!({"key": key, "network_id": 0, "cost": cost})).await
}

/// Verifies the keys in turn.
async fn verify(
    address: SocketAddr,
    bootstrap: String,
    keys: Vec<String>,
    worker: usize,
    is_over: Arc<AtomicBool>,
) -> Seen {
    let client = Client::new();
    let mut seen = Seen::default();
    for place in (0..keys.len()).cycle().skip(worker) {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let body = json!({"key": keys[place], "network_id": 0});
        let begun = Instant::now();
        match call(&client, address, Method::POST, "/v1/keys/verify", &bootstrap, Some(&body)).await {
            Ok((status, verdict)) => {
                assert_eq!(status, StatusCode::OK, "{verdict}");
                let counted = match verdict["code"].as_str() {
                    Some("VALID") => &mut seen.passed,
                    Some("RATE_LIMITED") if place == 0 => &mut seen.denied,
                    _ => panic!("{verdict}"),
                };
                counted[place] += 1;
                seen.slowest = seen.slowest.max(begun.elapsed());
            }
            Err(_) => {
                seen.unanswered[place] += 1;
                break;
            }
        }
    }
    seen
}
