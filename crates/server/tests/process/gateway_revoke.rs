//! A revocation that was answered is in force: no call that begins after the answer passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use crate::support::{Installation, call};

const WORKERS: usize = 4;

/// When each call began, and whether it passed.
type Calls = Vec<(Instant, bool)>;

#[tokio::test(flavor = "multi_thread")]
async fn no_call_that_begins_after_a_revocation_was_answered_passes() {
    let trials: usize =
        std::env::var("CLAVIGER_TEST_REVOCATIONS").map_or(30, |trials| trials.parse().unwrap());
    let installation = Installation::new();
    let server = installation.start();
    let bootstrap = server.bootstrap_key();
    let admin = server.admin_key(&bootstrap, "Acme").await;
    let clients: Vec<_> = (0..WORKERS).map(|_| Client::new()).collect();
    let (mut before, mut during, mut after) = (0, 0, 0);
    for trial in 0..trials {
        let body =
            json!({"name": format!("Trial {trial}"), "network_id": 0, "rate_limit_per_minute": 10_000});
        let (status, made) = server.post("/v1/admin/credentials", &admin, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let key = made["data"]["api_key"].as_str().unwrap();
        let path = format!("/v1/admin/credentials/{}", made["data"]["credential"]["id"].as_str().unwrap());
        let is_over = Arc::<AtomicBool>::default();
        let workers: Vec<_> = clients
            .iter()
            .map(|client| {
                let (client, bootstrap, key) = (client.clone(), bootstrap.clone(), key.to_owned());
                tokio::spawn(hammer(client, server.address, bootstrap, key, is_over.clone()))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(5 + trial as u64 % 10)).await;
        let asked_at = Instant::now();
        let (status, answer) = server.call(Method::DELETE, &path, &admin, None).await.unwrap();
        let answered_at = Instant::now();
        assert_eq!(status, StatusCode::OK, "{answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
        is_over.store(true, Ordering::Relaxed);
        let mut last_began_after = false;
        for worker in workers {
            for (begun, has_passed) in worker.await.unwrap() {
                match begun {
                    _ if begun > answered_at => {
                        assert!(!has_passed, "trial {trial}: passed {:?} too late", begun - answered_at);
                        last_began_after = true;
                        after += 1;
                    }
                    _ if begun > asked_at => during += 1,
                    _ => {
                        before += usize::from(has_passed);
                    }
                }
            }
        }
        assert!(last_began_after, "trial {trial}: nobody asked after the revocation");
    }
    server.stop();
    println!(
        "{trials} revocations: {before} calls passed before them, {during} began meanwhile, none of {after} passed after"
    );
    assert!(before > 0);
}

/// Asks until it is over, and at least once more.
async fn hammer(
    client: Client,
    address: SocketAddr,
    bootstrap: String,
    key: String,
    is_over: Arc<AtomicBool>,
) -> Calls {
    let body = json!({"key": key, "network_id": 0});
    let mut calls = Vec::new();
    loop {
        let is_last = is_over.load(Ordering::Relaxed);
        let begun = Instant::now();
        let answer = call(&client, address, Method::POST, "/v1/keys/verify", &bootstrap, Some(&body)).await;
        let (status, verdict) = answer.unwrap();
        assert_eq!(status, StatusCode::OK, "{verdict}");
        match verdict["code"].as_str() {
            Some("VALID") => calls.push((begun, true)),
            Some("REVOKED") => calls.push((begun, false)),
            _ => panic!("{verdict}"),
        }
        if is_last {
            return calls;
        }
    }
}
