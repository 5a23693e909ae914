//! `kill -9` in the middle of a stream of creates: what was answered is there, what was not is there
//! as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Installation, Server, call};

const WORKERS: usize = 4;

/// What one stream of creates saw.
#[derive(Default)]
struct Seen {
    answered: Vec<Answered>,
    /// Names of creates for which no answer came.
    unanswered: Vec<String>,
}

struct Answered {
    name: String,
    id: String,
    /// Of a credential.
    key: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_and_nothing_is_left_in_halves() {
    let kills: u64 = std::env::var("CLAVIGER_TEST_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let installation = Installation::new();
    let mut server = installation.start();
    let bootstrap = server.bootstrap_key();
    let (mut answered, mut unanswered, mut found) = (0, 0, 0);
    let mut rounds = Vec::new();
    for round in 0..kills {
        // One admin key a round: it sees what was made in it, and nothing else.
        let key = server.admin_key(&bootstrap, &format!("Round {round}")).await;
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| tokio::spawn(creates(server.address, key.clone(), format!("{round}-{worker}"))))
            .collect();
        // Spread over the life of a stream, from its first transactions on.
        tokio::time::sleep(Duration::from_millis(15 + round * 61 % 400)).await;
        tokio::task::block_in_place(|| server.kill());
        let mut seen = Seen::default();
        for worker in workers {
            let Seen { answered, unanswered } = worker.await.unwrap();
            seen.answered.extend(answered);
            seen.unanswered.extend(unanswered);
        }
        server = tokio::task::block_in_place(|| installation.start());
        let rows = check(&server, &bootstrap, &key, &seen).await;
        answered += seen.answered.len();
        unanswered += seen.unanswered.len();
        found += rows - seen.answered.len();
        rounds.push((key, rows));
    }
    // A later crash must not take away what an earlier one left.
    for (key, rows) in rounds {
        let now = server.all("/v1/admin/users", &key).await.len()
            + server.all("/v1/admin/credentials", &key).await.len();
        assert_eq!(now, rows);
    }
    server.stop();
    println!("{kills} kills: {answered} creates answered, {unanswered} not, of which {found} were kept");
    assert!(answered > 0 && unanswered > 0, "nothing was in progress when the server was killed");
}

/// Creates users and credentials in turn until the server is gone.
async fn creates(address: SocketAddr, key: String, worker: String) -> Seen {
    let client = Client::new();
    let mut seen = Seen::default();
    for count in 0.. {
        let is_user = count % 2 == 0;
        let name = format!("{}-{worker}-{count}", if is_user { "user" } else { "credential" });
        let (path, body) = if is_user {
            ("/v1/admin/users", json!({"name": name, "external_id": name}))
        } else {
            ("/v1/admin/credentials", json!({"name": name, "network_id": 0}))
        };
        match call(&client, address, Method::POST, path, &key, Some(&body)).await {
            Ok((status, answer)) => {
                assert_eq!(status, StatusCode::CREATED, "{answer}");
                seen.answered.push(answer_to(name, &answer["data"]));
            }
            Err(_) => {
                seen.unanswered.push(name);
                break;
            }
        }
    }
    seen
}

fn answer_to(name: String, data: &Value) -> Answered {
    let made = if data["credential"].is_object() { &data["credential"] } else { data };
    assert_eq!(made["name"], name.as_str());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Answered { name, id: text(&made["id"]).unwrap(), key: text(&data["api_key"]) }
}

/// Compares what was seen with what is there, and tells how many rows are.
async fn check(server: &Server, bootstrap: &str, key: &str, seen: &Seen) -> usize {
    let mut rows = BTreeMap::new();
    for path in ["/v1/admin/users", "/v1/admin/credentials"] {
        for row in server.all(path, key).await {
            let (name, id) =
                (row["name"].as_str().unwrap().to_owned(), row["id"].as_str().unwrap().to_owned());
            let (status, whole) = server.get(&format!("{path}/{id}"), key).await;
            assert_eq!((status, &whole["data"]), (StatusCode::OK, &row));
            assert_eq!(rows.insert(name, id), None, "made twice: {row}");
        }
    }
    for Answered { name, id, key } in &seen.answered {
        assert_eq!(rows.get(name), Some(id), "answered and lost: {name}");
        if let Some(key) = key {
            let (_, verdict) = server.post("/v1/keys/verify", bootstrap, &json!({"key": key})).await;
            assert_eq!(verdict["code"], "VALID", "{name}: {verdict}");
        }
    }
    let known: BTreeSet<&String> =
        seen.answered.iter().map(|answered| &answered.name).chain(&seen.unanswered).collect();
    assert!(rows.keys().all(|name| known.contains(name)), "never asked for: {rows:?}");

    let audited: Vec<(String, String)> = server
        .all("/v1/admin/audit-logs", key)
        .await
        .iter()
        .filter(|entry| entry["action"].as_str().is_some_and(|action| action.ends_with(".created")))
        .map(|entry| {
            (entry["action"].as_str().unwrap().to_owned(), entry["target_id"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected =
        |name: &str| if name.starts_with("user") { "user_account.created" } else { "credential.created" };
    for (name, id) in &rows {
        let entries =
            audited.iter().filter(|(action, target)| action == expected(name) && target == id).count();
        assert_eq!(entries, 1, "{name} has {entries} audit entries");
    }
    assert_eq!(audited.len(), rows.len(), "an audit entry without its row: {audited:?}");
    rows.len()
}
