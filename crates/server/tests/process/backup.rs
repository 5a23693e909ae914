//! `claviger backup` and `claviger restore`: all of an installation in one file, and back, also while keys
//! are verified and when either is killed.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use claviger_test_postgres::Database;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Installation, Server, call, entries};

mod interrupted;
mod refused;

/// A server with one credential, and what is needed to ask about it.
struct Scene {
    installation: Installation,
    environment: Vec<(&'static str, String)>,
    server: Server,
    bootstrap: String,
    admin: String,
    id: String,
    key: String,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Vec::new()).await
    }

    async fn with(environment: Vec<(&'static str, String)>) -> Self {
        let installation = Installation::new();
        let server = start(&installation, &environment);
        let bootstrap = server.bootstrap_key();
        let admin = server.admin_key(&bootstrap, "Acme").await;
        let body = json!({"name": "Counted", "network_id": 0, "rate_limit_per_minute": 10_000});
        let (status, made) = server.post("/v1/admin/credentials", &admin, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (id, key) = (text(&made["data"]["credential"]["id"]), text(&made["data"]["api_key"]));
        Self { installation, environment, server, bootstrap, admin, id, key }
    }

    fn run(&self, installation: &Installation, arguments: &[&str]) -> crate::support::Finished {
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        tokio::task::block_in_place(|| installation.run_with(arguments, &environment))
    }

    async fn verify(&self, server: &Server) -> Value {
        let body = json!({"key": self.key, "network_id": 0});
        server.post("/v1/keys/verify", &self.bootstrap, &body).await.1
    }

    /// How many calls the server has counted for the credential.
    async fn counted(&self, server: &Server) -> u64 {
        let (status, usage) = server.get(&format!("/v1/admin/usage/{}", self.id), &self.admin).await;
        assert_eq!(status, StatusCode::OK, "{usage}");
        usage["data"]["total_requests"].as_u64().unwrap()
    }

    /// What the restored server must have, and that it works.
    async fn check_restored(&self, server: &Server) {
        assert_eq!(server.out(), "", "it was taken for a first start");
        let code = &self.verify(server).await["code"];
        assert!(code == "VALID" || code == "RATE_LIMITED", "{code}");
        assert_eq!(server.all("/v1/admin/admin-keys", &self.bootstrap).await.len(), 1);
        let log = server.log();
        assert!(!log.contains("\"ERROR\"") && !log.contains("damaged"), "{log}");
    }
}

fn start(installation: &Installation, environment: &[(&'static str, String)]) -> Server {
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    tokio::task::block_in_place(|| installation.start_with(&environment))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Calls that were asked for and answered.
#[derive(Default)]
struct Traffic {
    asked: AtomicU64,
    answered: AtomicU64,
    is_over: AtomicBool,
}

impl Traffic {
    async fn run(self: Arc<Self>, address: SocketAddr, bootstrap: String, key: String) {
        let client = Client::new();
        let body = json!({"key": key, "network_id": 0});
        while !self.is_over.load(Ordering::SeqCst) {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer =
                call(&client, address, Method::POST, "/v1/keys/verify", &bootstrap, Some(&body)).await;
            // A refused call is counted as well.
            let code = &answer.unwrap().1["code"];
            assert!(code == "VALID" || code == "RATE_LIMITED", "{code}");
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Backs up while keys are verified, restores elsewhere, and compares the counts.
async fn calls_are_counted_once(scene: &Scene, restored_into: &[(&'static str, String)], rounds: u64) {
    let traffic = Arc::<Traffic>::default();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (address, bootstrap, key) =
                (scene.server.address, scene.bootstrap.clone(), scene.key.clone());
            tokio::spawn(traffic.clone().run(address, bootstrap, key))
        })
        .collect();
    for round in 0..rounds {
        // The usage log is written to the database every one to five seconds: before, while and after.
        tokio::time::sleep(Duration::from_millis(300 + round * 517 % 1500)).await;
        let file = scene.installation.path(&format!("{round}.tar"));
        let answered_before = traffic.answered.load(Ordering::SeqCst);
        scene.run(&scene.installation, &["backup", text(&file)]).success();
        let asked_until = traffic.asked.load(Ordering::SeqCst);

        let elsewhere = Installation::new();
        let environment: Vec<_> = restored_into.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let restore = ["restore", text(&file)];
        tokio::task::block_in_place(|| elsewhere.run_with(&restore, &environment)).success();
        let server = start(&elsewhere, restored_into);
        let counted = scene.counted(&server).await;
        assert!(
            (answered_before..=asked_until).contains(&counted),
            "{counted} were counted, {answered_before} answered before the backup, {asked_until} asked for by its end"
        );
        scene.check_restored(&server).await;
        tokio::task::block_in_place(|| server.stop());
    }
    traffic.is_over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(scene.counted(&scene.server).await, traffic.answered.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_answered_before_a_backup_is_counted_once_after_the_restore() {
    let scene = Scene::new().await;
    calls_are_counted_once(&scene, &[], 4).await;
    tokio::task::block_in_place(|| scene.server.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_answered_before_a_backup_of_postgresql_is_counted_once_after_the_restore() {
    let (from, into) = (Database::empty().await, Database::empty().await);
    let environment = |database: &Database| {
        vec![
            ("CLAVIGER_DATABASE_URL", database.url()),
            ("CLAVIGER_PEPPERS", format!("1:{}", "5a".repeat(32))),
        ]
    };
    let scene = Scene::with(environment(&from)).await;
    calls_are_counted_once(&scene, &environment(&into), 1).await;
    // What is in the way is named, and the backup says that its peppers are elsewhere.
    let file = scene.installation.path("again.tar");
    let said = scene.run(&scene.installation, &["backup", text(&file)]).success();
    assert!(said.contains("NOT included") && said.contains("CLAVIGER_PEPPERS"), "{said}");
    let elsewhere = Installation::new();
    let sentence = scene.run(&elsewhere, &["restore", text(&file)]).refused(1);
    assert!(sentence.contains("empty database") && sentence.contains("admin_keys"), "{sentence}");
    assert_eq!(entries(&elsewhere.path("")), Vec::<String>::new());
    tokio::task::block_in_place(|| scene.server.stop());
    from.remove().await;
    into.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_and_a_killed_server_are_backed_up_alike() {
    let mut scene = Scene::new().await;
    for is_killed in [false, true] {
        let mut expected = scene.counted(&scene.server).await;
        for _ in 0..20 {
            scene.verify(&scene.server).await;
            expected += 1;
        }
        let server = std::mem::replace(&mut scene.server, idle());
        tokio::task::block_in_place(|| match is_killed {
            true => { server }.kill(),
            false => server.stop(),
        });
        let file = scene.installation.path(&format!("{is_killed}.tar"));
        scene.run(&scene.installation, &["backup", text(&file)]).success();
        let elsewhere = Installation::new();
        let said = scene.run(&elsewhere, &["restore", text(&file)]).success();
        assert!(said.contains("claviger audit verify"), "{said}");
        scene.run(&elsewhere, &["audit", "verify"]).success();
        let server = start(&elsewhere, &[]);
        assert_eq!(scene.counted(&server).await, expected, "killed: {is_killed}");
        scene.check_restored(&server).await;
        tokio::task::block_in_place(|| server.stop());
        scene.server = start(&scene.installation, &[]);
    }
    tokio::task::block_in_place(|| scene.server.stop());
}

/// A server that nobody asks, to stand in for one that is being stopped.
fn idle() -> Server {
    let installation = Installation::new();
    tokio::task::block_in_place(|| installation.start())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_its_owners_alone_and_leaves_nothing_beside_it() {
    let scene = Scene::new().await;
    let file = scene.installation.path("claviger.tar");
    let said = scene.run(&scene.installation, &["backup", text(&file)]).success();
    assert!(said.contains("peppers:   included (version 1)"), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let beside = || -> Vec<PathBuf> {
        let beside = fs::read_dir(scene.installation.path("")).unwrap();
        let mut beside: Vec<_> = beside.map(|entry| entry.unwrap().path()).collect();
        beside.sort();
        beside
    };
    assert_eq!(beside(), [scene.installation.path("claviger-data"), file.clone()]);

    let first = fs::read(&file).unwrap();
    let sentence = scene.run(&scene.installation, &["backup", text(&file)]).refused(1);
    assert!(sentence.contains("--overwrite"), "{sentence}");
    assert_eq!(fs::read(&file).unwrap(), first);
    scene.verify(&scene.server).await;
    scene.run(&scene.installation, &["backup", text(&file), "--overwrite"]).success();
    assert_ne!(fs::read(&file).unwrap(), first);
    assert_eq!(beside(), [scene.installation.path("claviger-data"), file.clone()]);

    let elsewhere = Installation::new();
    scene.run(&elsewhere, &["restore", text(&file)]).success();
    for name in entries(&elsewhere.data("")) {
        let mode = fs::metadata(elsewhere.data(&name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    tokio::task::block_in_place(|| scene.server.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_peppers_a_restore_says_which_are_needed() {
    let scene = Scene::new().await;
    let file = scene.installation.path("claviger.tar");
    let said = scene.run(&scene.installation, &["backup", text(&file), "--without-peppers"]).success();
    assert!(said.contains("NOT included") && said.contains("version 1"), "{said}");
    let peppers = fs::read_to_string(scene.installation.data("peppers")).unwrap();
    let secret = peppers.trim().strip_prefix("1:").unwrap();
    assert!(!String::from_utf8_lossy(&fs::read(&file).unwrap()).contains(secret));

    let elsewhere = Installation::new();
    let said = scene.run(&elsewhere, &["restore", text(&file)]).success();
    assert!(said.contains("not in this backup") && said.contains("version 1"), "{said}");
    let sentence = scene.run(&elsewhere, &["serve"]).refused(1);
    assert!(sentence.contains("peppers"), "{sentence}");
    fs::copy(scene.installation.data("peppers"), elsewhere.data("peppers")).unwrap();
    let server = start(&elsewhere, &[]);
    scene.check_restored(&server).await;
    tokio::task::block_in_place(|| server.stop());
    tokio::task::block_in_place(|| scene.server.stop());
}
