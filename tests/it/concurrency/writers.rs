//! A thousand writers at once, and writers that go away in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{at_once, request};
use crate::hostile::rows;
use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_writers_all_get_their_turn_or_are_told_when_to_try_again() {
    let world = Arc::new(World::on_disk().await);
    let partners = [world.partner().await, world.stranger().await];
    let create = |turn: usize| {
        let (path, body) = match turn % 4 {
            0 => (
                "/v1/admin/users",
                json!({"name": format!("User {turn}"), "external_id": format!("x-{turn}")}),
            ),
            _ => ("/v1/admin/credentials", json!({"name": format!("Credential {turn}"), "network_id": 0})),
        };
        request(&partners[turn % 2], "POST", path, &body)
    };
    let mut answers = Vec::new();
    let mut left: Vec<usize> = (0..1000).collect();
    while !left.is_empty() {
        let told = at_once(&world, left.iter().map(|turn| create(*turn)).collect()).await;
        let before = answers.len();
        let mut refused = Vec::new();
        for (turn, answer) in left.into_iter().zip(told) {
            match answer.status {
                201 => answers.push(answer),
                503 => {
                    assert_eq!(answer.header("retry-after"), "5");
                    refused.push(turn);
                }
                _ => panic!("{answer:?}"),
            }
        }
        assert!(answers.len() > before, "nobody had a turn");
        left = refused;
    }
    let id = |data: &Value| data["id"].as_str().or(data["credential"]["id"].as_str()).unwrap().to_owned();
    let ids: BTreeSet<_> = answers.iter().map(|answer| id(&answer.data())).collect();
    assert_eq!(ids.len(), 1000);
    let counts = rows::counts(&world).await;
    let expected = [("user_accounts", 250), ("credentials", 750), ("secrets", 750)];
    for (table, rows) in expected {
        assert_eq!(counts[table], rows, "{table}");
    }
    for (place, partner) in partners.iter().enumerate() {
        // Even turns are the first partner's, and every other of those makes a user.
        let users = if place == 0 { 250 } else { 0 };
        let totals = ["users", "credentials", "audit-logs"].map(|kind| format!("/v1/admin/{kind}?limit=1"));
        let mut told = Vec::new();
        for path in totals {
            told.push(partner.get(&path).await.json()["pagination"]["total"].as_u64().unwrap());
        }
        assert_eq!(told, [users, 500 - users, 500]);
    }
}

/// A client that hangs up takes its request with it, wholly or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_writer_that_goes_away_leaves_all_or_nothing() {
    let world = Arc::new(World::on_disk().await);
    let partner = world.partner().await;
    let mut tasks = Vec::new();
    for turn in 0..200_u64 {
        let body = json!({"name": format!("Credential {turn}"), "network_id": 0});
        let request = request(&partner, "POST", "/v1/admin/credentials", &body);
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            let patience = Duration::from_micros(turn * 150);
            tokio::time::timeout(patience, world.send(request)).await.ok().map(|answer| answer.status)
        }));
    }
    let mut outcomes = BTreeMap::new();
    for task in tasks {
        *outcomes.entry(task.await.unwrap()).or_insert(0_i64) += 1;
    }
    assert!(outcomes.keys().all(|outcome| matches!(outcome, None | Some(201))), "{outcomes:?}");
    // The writer is free again, and every credential there is has its secret and its entry.
    partner.credential("Last").await;
    let counted = rows::numbers(
        &world,
        "SELECT (SELECT count(*) FROM credentials), (SELECT count(*) FROM secrets), \
         (SELECT count(*) FROM audit_log WHERE action = 'credential.created')",
    );
    let counted = counted.await;
    assert_eq!(counted[1..], [counted[0]; 2]);
    let answered = outcomes.get(&Some(201)).copied().unwrap_or_default();
    assert!(counted[0] > answered, "whatever was answered is there: {counted:?} {outcomes:?}");
}
