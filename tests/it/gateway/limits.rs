//! Rate limits as verification charges them.

use chrono::TimeDelta;
use claviger_domain::credential::Class;
use serde_json::{Value, json};

use super::stage::{self, Subject};
use super::{code, verify};
use crate::support::World;

async fn limited<'w>(world: &'w World, limits: &str) -> Subject<'w> {
    let organization = stage::organization(world, "Tenant").await.id;
    stage::credential(world, organization, Class::Live, |it| it.limits = limits.parse().unwrap()).await
}

/// How many of `calls` calls pass at this instant.
async fn admitted(world: &World, subject: &Subject<'_>, calls: u32) -> u32 {
    let mut admitted = 0;
    for _ in 0..calls {
        match code(world, &subject.key, json!({})).await.as_str() {
            "VALID" => admitted += 1,
            other => assert_eq!(other, "RATE_LIMITED"),
        }
    }
    admitted
}

#[tokio::test]
async fn a_window_slides_over_its_edge() {
    let world = World::new().await;
    // The world begins on a whole minute, which is where a window of sixty seconds begins.
    let subject = limited(&world, "requests:6/60").await;
    assert_eq!(admitted(&world, &subject, 10).await, 6);
    let steps = [
        (59_999, 0, "the window is not over"),
        (1, 0, "at the edge the burst before it still counts whole"),
        (9_999, 0, "and until a sixth of it has left"),
        (1, 1, "then one fits"),
        (9_999, 0, ""),
        (1, 1, ""),
        (40_000, 4, "two of the new window are still there"),
        (120_000, 6, "after two windows nothing is left"),
    ];
    for (ms, expected, why) in steps {
        world.advance(TimeDelta::milliseconds(ms));
        assert_eq!(admitted(&world, &subject, 8).await, expected, "after {ms} ms more: {why}");
    }
}

/// The part of the window before that is still covered is rounded up, which may cost a call at an edge.
#[tokio::test]
async fn steady_calls_at_the_limit_are_not_starved() {
    let world = World::new().await;
    let subject = limited(&world, "requests:60/60").await;
    let mut passed = 0;
    for _ in 0..240 {
        passed += admitted(&world, &subject, 1).await;
        world.advance(TimeDelta::seconds(1));
    }
    assert!((236..=240).contains(&passed), "{passed} of 240 over four windows");
}

/// A gateway that goes on asking does not keep its caller out.
#[tokio::test]
async fn denied_calls_are_not_charged() {
    let world = World::new().await;
    let [quiet, noisy] = [limited(&world, "requests:2/60").await, limited(&world, "requests:2/60").await];
    for subject in [&quiet, &noisy] {
        assert_eq!(admitted(&world, subject, 2).await, 2);
    }
    for _ in 0..119 {
        world.advance(TimeDelta::milliseconds(250));
        assert_eq!(admitted(&world, &noisy, 1).await, 0);
    }
    for _ in 0..9 {
        world.advance(TimeDelta::seconds(10));
        let passed = admitted(&world, &quiet, 1).await;
        assert_eq!(admitted(&world, &noisy, 1).await, passed);
    }
}

#[tokio::test]
async fn several_limits_are_charged_all_or_none() {
    let world = World::new().await;
    let subject = limited(&world, "burst:5/10,hourly:3/3600").await;
    let remaining = |told: &Value| {
        [&told["ratelimits"][0]["remaining"], &told["ratelimits"][1]["remaining"]]
            .map(|figure| figure.as_u64().unwrap())
    };
    let told = verify(&world, &subject.key, json!({"cost": 2})).await;
    assert_eq!((&told["code"], remaining(&told)), (&json!("VALID"), [3, 1]));
    let told = verify(&world, &subject.key, json!({"cost": 2})).await;
    assert_eq!((&told["code"], remaining(&told)), (&json!("RATE_LIMITED"), [3, 1]), "neither was charged");
    let exceeded: Vec<_> = told["ratelimits"].as_array().unwrap().iter().map(|it| &it["exceeded"]).collect();
    assert_eq!(exceeded, [false, true], "which one it was");
    let told = verify(&world, &subject.key, json!({"cost": 1})).await;
    assert_eq!((&told["code"], remaining(&told)), (&json!("VALID"), [2, 0]));
    world.advance(TimeDelta::seconds(20));
    let told = verify(&world, &subject.key, json!({"cost": 1})).await;
    assert_eq!((&told["code"], remaining(&told)), (&json!("RATE_LIMITED"), [5, 0]));
}

#[tokio::test]
async fn a_cost_of_nothing_asks_without_spending() {
    let world = World::new().await;
    let subject = limited(&world, "requests:1/60").await;
    for _ in 0..3 {
        let told = verify(&world, &subject.key, json!({"cost": 0})).await;
        assert_eq!((&told["code"], &told["ratelimits"][0]["remaining"]), (&json!("VALID"), &json!(1)));
    }
    assert_eq!(admitted(&world, &subject, 2).await, 1);
    let told = verify(&world, &subject.key, json!({"cost": 0})).await;
    assert_eq!((&told["code"], &told["ratelimits"][0]["remaining"]), (&json!("VALID"), &json!(0)));
    assert_eq!(subject.usage().await, (6, 1), "a question is a request too");
}

#[tokio::test]
async fn a_cost_counts_as_so_many_calls() {
    let world = World::new().await;
    let subject = limited(&world, "requests:10/60").await;
    for (cost, expected, remaining) in [
        (11_u32, "RATE_LIMITED", 10),
        (u32::MAX, "RATE_LIMITED", 10),
        (7, "VALID", 3),
        (4, "RATE_LIMITED", 3),
        (3, "VALID", 0),
        (1, "RATE_LIMITED", 0),
    ] {
        let told = verify(&world, &subject.key, json!({"cost": cost})).await;
        assert_eq!(
            (&told["code"], &told["ratelimits"][0]["remaining"]),
            (&json!(expected), &json!(remaining))
        );
    }
    assert_eq!(subject.usage().await, (6, 4), "a call is one request, whatever it costs");
}

#[tokio::test]
async fn a_standing_says_when_the_limit_is_free_again() {
    let world = World::new().await;
    let subject = limited(&world, "requests:2/60").await;
    world.advance(TimeDelta::milliseconds(5_500));
    for expected in ["VALID", "VALID", "RATE_LIMITED"] {
        let told = verify(&world, &subject.key, json!({})).await;
        let limit = &told["ratelimits"][0];
        assert_eq!(told["code"], expected);
        assert_eq!((&limit["name"], &limit["limit"]), (&json!("requests"), &json!(2)));
        assert_eq!(limit["exceeded"], expected == "RATE_LIMITED");
        // Spent in the minute of 12:00, covered by the window until the minute of 12:01 is over.
        let reset: chrono::DateTime<chrono::Utc> = limit["reset_at"].as_str().unwrap().parse().unwrap();
        let free = "2026-01-26T12:02:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        assert!((0..=1).contains(&(reset - free).num_seconds()), "{reset}");
    }
    world.advance(TimeDelta::minutes(2));
    let told = verify(&world, &subject.key, json!({"cost": 0})).await;
    assert_eq!(told["ratelimits"][0]["remaining"], 2);
}

/// The limit that `rate_limit_per_minute` stands for.
#[tokio::test]
async fn a_partners_credential_is_limited_by_the_minute() {
    let world = World::new().await;
    let partner = world.partner().await;
    let body = json!({"name": "Slow", "network_id": 0, "rate_limit_per_minute": 2});
    let issued = partner.post("/v1/admin/credentials", &body).await.data();
    let key = issued["api_key"].as_str().unwrap();
    let told = verify(&world, key, json!({})).await;
    let expected = json!([{
        "name": "requests", "limit": 2, "remaining": 1, "reset_at": told["ratelimits"][0]["reset_at"],
        "exceeded": false
    }]);
    assert_eq!(told["ratelimits"], expected);
    assert_eq!(code(&world, key, json!({})).await, "VALID");
    assert_eq!(code(&world, key, json!({})).await, "RATE_LIMITED");
    let usual = partner.credential("Usual").await;
    let told = verify(&world, usual["api_key"].as_str().unwrap(), json!({})).await;
    assert_eq!(told["ratelimits"][0]["limit"], 60);
}
