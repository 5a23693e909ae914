//! On PostgreSQL: what was decided is counted exactly once there too, whenever the process is killed.

use claviger_test_postgres::Database;
use serde_json::json;

use crate::support::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn decided_calls_are_counted_once_on_postgresql_too() {
    let database = Database::empty().await;
    let installation = Installation::new();
    let peppers = format!("1:{}", "5a".repeat(32));
    let environment = [("CLAVIGER_DATABASE_URL", &*database.url()), ("CLAVIGER_PEPPERS", &*peppers)];
    let start = || tokio::task::block_in_place(|| installation.start_with(&environment));
    let mut server = start();
    let bootstrap = server.bootstrap_key();
    let admin = server.admin_key(&bootstrap, "On PostgreSQL").await;
    let body = json!({"name": "Counted", "network_id": 0, "rate_limit_per_minute": 10_000});
    let (_, made) = server.post("/v1/admin/credentials", &admin, &body).await;
    let (key, id) = (&made["data"]["api_key"], &made["data"]["credential"]["id"]);
    let mut decided = 0;
    for round in 1..=3_u64 {
        for _ in 0..50 {
            let (_, answer) = server.post("/v1/keys/verify", &bootstrap, &json!({"key": key})).await;
            decided += 1;
            assert_eq!(answer["code"], "VALID");
            // No earlier call was given back by the kill in between; at the edge of a cell the window has slid on by a
            // few seconds, which frees less than a quarter.
            let remaining = answer["ratelimits"][0]["remaining"].as_u64().unwrap();
            assert!(remaining <= 10_000 - decided * 3 / 4, "{remaining} after {decided}");
        }
        if round < 3 {
            tokio::task::block_in_place(|| server.kill());
            server = start();
        }
        let path = format!("/v1/admin/usage/{}", id.as_str().unwrap());
        let (_, usage) = server.get(&path, &admin).await;
        assert_eq!(usage["data"]["total_requests"], 50 * round);
    }
    tokio::task::block_in_place(|| server.stop());
    database.remove().await;
}
