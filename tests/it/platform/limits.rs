//! How many calls a key may make, and how many of them may be batches.

use serde_json::json;

use super::{data, refused};
use crate::support::World;

const BATCH: &str = "/admin/v1/api-keys/batch-revoke";

#[tokio::test]
async fn a_call_tells_what_is_left_of_the_limit() {
    let world = World::limited(500).await;
    let answer = world.bootstrap().get("/admin/v1/organizations").await;
    data(&answer, 200);
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("500", "499"));
    assert_eq!(answer.header("ratelimit-policy"), "\"admin\";q=500;w=60");
    assert_eq!(answer.header("ratelimit"), "\"admin\";r=499;t=120");
}

#[tokio::test]
async fn batches_have_a_limit_of_their_own_beside_the_common_one() {
    let world = World::limited(500).await;
    let operator = world.bootstrap();
    for left in (0..100).rev() {
        let answer = operator.post(BATCH, &json!({"ids": []})).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit"), "100");
        assert_eq!(answer.header("x-ratelimit-remaining"), left.to_string());
        assert_eq!(answer.header("ratelimit-policy"), "\"admin\";q=500;w=60, \"batch\";q=100;w=60");
        let both = format!("\"admin\";r={};t=120, \"batch\";r={left};t=120", left + 400);
        assert_eq!(answer.header("ratelimit"), both);
    }
    for path in [BATCH, "/admin/v1/api-keys/batch"] {
        let answer = operator.post(path, &json!({})).await;
        refused(&answer, 429, "rate_limit_exceeded", "Too many requests");
        assert_eq!(
            (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")),
            ("100", "0")
        );
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    // What was refused cost nothing, and other calls pass.
    let answer = operator.get("/admin/v1/api-keys").await;
    assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, "399"));
}

#[tokio::test]
async fn the_common_limit_holds_batches_as_well() {
    let world = World::limited(3).await;
    let operator = world.bootstrap();
    for _ in 0..3 {
        assert_eq!(operator.get("/admin/v1/settings").await.status, 200);
    }
    let answer = operator.post(BATCH, &json!({"ids": []})).await;
    refused(&answer, 429, "rate_limit_exceeded", "Too many requests");
    assert_eq!(answer.header("x-ratelimit-limit"), "3", "the limit that refuses is told");
}
