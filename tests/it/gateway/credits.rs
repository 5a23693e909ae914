//! Credits: a balance that calls spend.

use chrono::TimeDelta;
use claviger_domain::credential::{Class, Credits, Refill};
use serde_json::json;

use super::stage::{self, Subject};
use super::verify;
use crate::support::World;

async fn with<'w>(world: &'w World, credits: Credits) -> Subject<'w> {
    let organization = stage::organization(world, "Tenant").await.id;
    stage::credential(world, organization, Class::Live, |it| it.credits = Some(credits)).await
}

/// Spends `cost` and expects this code and this balance, told and stored.
async fn spend(world: &World, subject: &Subject<'_>, cost: u32, expected: &str, balance: u64) {
    let told = verify(world, &subject.key, json!({"cost": cost})).await;
    assert_eq!((&told["code"], &told["credits"]), (&json!(expected), &json!(balance)), "at a cost of {cost}");
    if expected == "VALID" && cost > 0 {
        assert_eq!(subject.stored().await.credits.unwrap().remaining, balance);
    }
}

#[tokio::test]
async fn a_balance_is_spent_and_never_below_zero() {
    let world = World::new().await;
    let subject = with(&world, Credits::granted(5, None)).await;
    spend(&world, &subject, 0, "VALID", 5).await;
    spend(&world, &subject, 6, "CREDITS_EXHAUSTED", 5).await;
    spend(&world, &subject, 3, "VALID", 2).await;
    spend(&world, &subject, 3, "CREDITS_EXHAUSTED", 2).await;
    spend(&world, &subject, 2, "VALID", 0).await;
    spend(&world, &subject, 1, "CREDITS_EXHAUSTED", 0).await;
    spend(&world, &subject, u32::MAX, "CREDITS_EXHAUSTED", 0).await;
    spend(&world, &subject, 0, "VALID", 0).await;
    world.advance(TimeDelta::days(365));
    spend(&world, &subject, 1, "CREDITS_EXHAUSTED", 0).await;
    assert_eq!(subject.stored().await.credits, Some(Credits::granted(0, None)));
}

#[tokio::test]
async fn a_refill_comes_on_its_day_and_does_not_add_up() {
    let world = World::new().await;
    let since = world.app.now();
    let refill = Refill { amount: 10, every: TimeDelta::hours(1), since };
    let subject = with(&world, Credits::granted(3, Some(refill))).await;
    spend(&world, &subject, 3, "VALID", 0).await;
    world.advance(TimeDelta::milliseconds(3_599_999));
    spend(&world, &subject, 1, "CREDITS_EXHAUSTED", 0).await;
    world.advance(TimeDelta::milliseconds(1));
    spend(&world, &subject, 4, "VALID", 6).await;
    spend(&world, &subject, 7, "CREDITS_EXHAUSTED", 6).await;
    world.advance(TimeDelta::minutes(150));
    spend(&world, &subject, 0, "VALID", 10).await;
    spend(&world, &subject, 10, "VALID", 0).await;
    world.advance(TimeDelta::minutes(29));
    spend(&world, &subject, 1, "CREDITS_EXHAUSTED", 0).await;
    world.advance(TimeDelta::minutes(1));
    spend(&world, &subject, 1, "VALID", 9).await;
    let kept = subject.stored().await.credits.unwrap().refill.unwrap();
    assert_eq!(kept, Refill { since: since + TimeDelta::hours(4), ..refill }, "the rhythm is kept");
}

/// What one check refuses, the other is not charged for.
#[tokio::test]
async fn limits_and_credits_are_charged_all_or_none() {
    let world = World::new().await;
    let subject = with(&world, Credits::granted(3, None)).await;
    subject.change(|it| it.limits = "requests:4/60".parse().unwrap()).await;
    let ask = async |cost: u32| {
        let told = verify(&world, &subject.key, json!({"cost": cost})).await;
        (told["code"].clone(), told["ratelimits"][0]["remaining"].clone(), told["credits"].clone())
    };
    assert_eq!(ask(4).await, (json!("CREDITS_EXHAUSTED"), json!(4), json!(3)));
    assert_eq!(ask(5).await, (json!("RATE_LIMITED"), json!(4), json!(3)));
    assert_eq!(ask(3).await, (json!("VALID"), json!(1), json!(0)));
    assert_eq!(ask(2).await, (json!("RATE_LIMITED"), json!(1), json!(0)));
    assert_eq!(ask(1).await, (json!("CREDITS_EXHAUSTED"), json!(1), json!(0)));
}

/// Renaming a credential while it is in use writes its whole row; its balance must not be set back.
#[tokio::test]
async fn a_change_of_the_credential_does_not_set_its_balance_back() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let id = issued["credential"]["id"].as_str().unwrap();
    let subject = stage::subject(&world, id, issued["api_key"].as_str().unwrap());
    subject.change(|it| it.credits = Some(Credits::granted(5, None))).await;
    spend(&world, &subject, 2, "VALID", 3).await;
    partner.patch(&format!("/v1/admin/credentials/{id}"), &json!({"name": "Renamed"})).await.data();
    spend(&world, &subject, 1, "VALID", 2).await;
    assert_eq!(subject.stored().await.name.as_str(), "Renamed");
}
