//! The limit on calls of one key.

use chrono::TimeDelta;
use serde_json::json;

use crate::openapi::operations::of;
use crate::support::{Answer, World};

fn number(answer: &Answer, name: &str) -> i64 {
    answer.header(name).parse().unwrap()
}

#[tokio::test]
async fn the_call_over_the_limit_waits_and_comes_back() {
    let world = World::limited(5).await;
    let partner = world.partner().await;
    let now = world.app.now().timestamp();
    for left in (0..5).rev() {
        let answer = partner.get("/v1/admin/me").await;
        assert_eq!(answer.status, 200);
        assert_eq!(number(&answer, "x-ratelimit-limit"), 5);
        assert_eq!(number(&answer, "x-ratelimit-remaining"), left);
        // The window of this minute is covered until the end of the next one.
        assert_eq!(number(&answer, "x-ratelimit-reset"), now + 120);
        assert_eq!(answer.header("ratelimit-policy"), "\"admin\";q=5;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"admin\";r={left};t=120"));
        assert!(answer.headers.get("retry-after").is_none());
    }
    let refused = partner.get("/v1/admin/me").await;
    refused.refused(429, "Rate limit exceeded");
    assert_eq!(number(&refused, "x-ratelimit-remaining"), 0);
    let wait = number(&refused, "retry-after");
    assert!((1..=120).contains(&wait), "{wait}");
    let operation = of("partner").into_iter().find(|operation| operation.id() == "get_me").unwrap();
    operation.admits(&refused);

    world.advance(TimeDelta::seconds(wait - 1));
    let early = partner.get("/v1/admin/me").await;
    early.refused(429, "Rate limit exceeded");
    assert_eq!(number(&early, "retry-after"), 1, "and being early costs nothing");
    world.advance(TimeDelta::seconds(1));
    assert_eq!(partner.get("/v1/admin/me").await.status, 200);
    partner.get("/v1/admin/me").await.refused(429, "Rate limit exceeded");
    world.advance(TimeDelta::seconds(120));
    for _ in 0..5 {
        assert_eq!(partner.get("/v1/admin/me").await.status, 200);
    }
}

#[tokio::test]
async fn each_key_has_its_own_limit() {
    let world = World::limited(5).await;
    // The bootstrap key makes these two, and has three calls left.
    let [one, other] = [world.partner().await, world.partner().await];
    for _ in 0..5 {
        assert_eq!(one.get("/v1/admin/users").await.status, 200);
    }
    one.get("/v1/admin/users").await.refused(429, "Rate limit exceeded");
    for _ in 0..5 {
        assert_eq!(other.get("/v1/admin/users").await.status, 200);
    }
    for _ in 0..3 {
        assert_eq!(world.bootstrap().get("/v1/admin/me").await.status, 200);
    }
    world.bootstrap().get("/v1/admin/me").await.refused(429, "Rate limit exceeded");
}

/// Whatever comes of it, a call of a known key is a call; those of nobody are nobody's.
#[tokio::test]
async fn refused_calls_are_calls() {
    let world = World::limited(5).await;
    let partner = world.partner_of("YourCompany", &["view_usage"]).await;
    for _ in 0..20 {
        assert_eq!(world.nobody().get("/v1/admin/me").await.status, 401);
        assert_eq!(world.bearer("rubbish").get("/v1/admin/me").await.status, 403);
    }
    assert!(world.nobody().get("/v1/admin/me").await.headers.get("x-ratelimit-limit").is_none());
    let denied = partner.get("/v1/admin/users").await;
    denied.refused(403, "Permission denied: manage_users required");
    assert_eq!(number(&denied, "x-ratelimit-remaining"), 4);
    assert_eq!(partner.get("/v1/admin/usage?limit=0").await.status, 400);
    assert_eq!(partner.get("/v1/admin/usage/01932a3e-5f00-7000-8000-0000000000a2").await.status, 404);
    assert_eq!(partner.post("/v1/admin/users", &json!({})).await.status, 403);
    assert_eq!(partner.get("/v1/admin/usage").await.status, 200);
    // No permission is looked at beyond the limit, and nothing is done.
    for path in ["/v1/admin/usage", "/v1/admin/users"] {
        partner.get(path).await.refused(429, "Rate limit exceeded");
    }
    partner.post("/v1/admin/users", &json!({"name": "A"})).await.refused(429, "Rate limit exceeded");
}

#[tokio::test]
async fn a_limit_of_nothing_is_none() {
    let world = World::limited(0).await;
    let partner = world.partner().await;
    for _ in 0..600 {
        let answer = partner.get("/v1/admin/me").await;
        assert_eq!(answer.status, 200);
        for name in ["x-ratelimit-limit", "ratelimit", "ratelimit-policy"] {
            assert!(answer.headers.get(name).is_none(), "{name}");
        }
    }
}

#[tokio::test]
async fn the_gateway_is_not_limited() {
    let world = World::limited(5).await;
    let partner = world.partner().await;
    let key = partner.credential("Production").await["api_key"].clone();
    for _ in 0..20 {
        let answer = world.bootstrap().post("/v1/keys/verify", &json!({"key": key})).await;
        assert_eq!((answer.status, &answer.json()["code"]), (200, &json!("VALID")));
        assert!(answer.headers.get("x-ratelimit-limit").is_none());
    }
    // Nor do those calls use up what the bootstrap key may do elsewhere: it has made one call there.
    let answer = world.bootstrap().get("/v1/admin/me").await;
    assert_eq!((answer.status, number(&answer, "x-ratelimit-remaining")), (200, 3));
}
