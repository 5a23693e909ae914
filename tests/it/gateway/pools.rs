//! Limits that several credentials share.

use chrono::TimeDelta;
use claviger_domain::credential::Class;
use claviger_domain::ids::OrganizationId;
use serde_json::{Value, json};

use super::stage::{self, Subject};
use super::{code, verify};
use crate::support::World;

async fn of<'w>(
    world: &'w World,
    organization: OrganizationId,
    user: Option<&Value>,
    limits: &str,
) -> Subject<'w> {
    let user = user.map(|user| user["id"].as_str().unwrap().parse().unwrap());
    stage::credential(world, organization, Class::Live, |it| {
        it.limits = limits.parse().unwrap();
        it.user_account = user;
    })
    .await
}

async fn remaining(world: &World, subject: &Subject<'_>) -> Vec<u64> {
    let told = verify(world, &subject.key, json!({"cost": 0})).await;
    let limits = told["ratelimits"].as_array().unwrap().iter();
    limits.map(|limit| limit["remaining"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn an_organizations_credentials_spend_from_one_limit() {
    let world = World::new().await;
    let tenant = stage::organization(&world, "Tenant").await.id;
    let other = stage::organization(&world, "Other").await.id;
    let limits = "calls:5/60@organization";
    let [one, two] = [of(&world, tenant, None, limits).await, of(&world, tenant, None, limits).await];
    let stranger = of(&world, other, None, limits).await;
    for (subject, cost, expected) in [
        (&one, 2, "VALID"),
        (&two, 2, "VALID"),
        (&one, 2, "RATE_LIMITED"),
        (&two, 1, "VALID"),
        (&one, 1, "RATE_LIMITED"),
        (&two, 1, "RATE_LIMITED"),
        (&stranger, 5, "VALID"),
    ] {
        assert_eq!(code(&world, &subject.key, json!({"cost": cost})).await, expected);
    }
    // One made later finds what was spent before it, and so does one that may have less of it.
    let late = of(&world, tenant, None, limits).await;
    assert_eq!(remaining(&world, &late).await, [0]);
    let modest = of(&world, tenant, None, "calls:3/60@organization").await;
    assert_eq!(code(&world, &modest.key, json!({})).await, "RATE_LIMITED");
    // Another name or another window is another limit.
    let apart = of(&world, tenant, None, "calls:5/61@organization,other:5/60@organization,own:5/60").await;
    assert_eq!(remaining(&world, &apart).await, [5, 5, 5]);
    world.advance(TimeDelta::minutes(2));
    assert_eq!(code(&world, &one.key, json!({"cost": 5})).await, "VALID");
    assert_eq!(code(&world, &late.key, json!({})).await, "RATE_LIMITED");
}

#[tokio::test]
async fn a_user_accounts_credentials_spend_from_one_limit() {
    let world = World::new().await;
    let partner = world.partner().await;
    let organization = stage::organization_of(&world, &partner).await;
    let [acme, other] = [partner.user("Acme Corp").await, partner.user("Other").await];
    let limits = "calls:5/60@user_account";
    let one = of(&world, organization, Some(&acme), limits).await;
    let two = of(&world, organization, Some(&acme), limits).await;
    let theirs = of(&world, organization, Some(&other), limits).await;
    let nobodys = of(&world, organization, None, limits).await;
    let alone = of(&world, organization, None, limits).await;
    for (subject, cost, expected) in [
        (&one, 3, "VALID"),
        (&two, 3, "RATE_LIMITED"),
        (&two, 2, "VALID"),
        (&one, 1, "RATE_LIMITED"),
        (&theirs, 5, "VALID"),
        (&nobodys, 5, "VALID"),
        (&nobodys, 1, "RATE_LIMITED"),
        (&alone, 5, "VALID"),
    ] {
        assert_eq!(code(&world, &subject.key, json!({"cost": cost})).await, expected);
    }
}

#[tokio::test]
async fn shared_and_private_limits_are_charged_all_or_none() {
    let world = World::new().await;
    let partner = world.partner().await;
    let organization = stage::organization_of(&world, &partner).await;
    let user = partner.user("Acme Corp").await;
    let limits = "own:3/60,user:6/60@user_account,all:8/60@organization";
    let one = of(&world, organization, Some(&user), limits).await;
    let two = of(&world, organization, Some(&user), limits).await;
    let third = of(&world, organization, None, limits).await;
    for (subject, cost, expected, left) in [
        (&one, 3, "VALID", [0, 3, 5]),
        (&one, 1, "RATE_LIMITED", [0, 3, 5]),
        (&two, 2, "VALID", [1, 1, 3]),
        (&two, 2, "RATE_LIMITED", [1, 1, 3]),
        (&third, 3, "VALID", [0, 3, 0]),
        (&two, 1, "RATE_LIMITED", [1, 1, 0]),
    ] {
        assert_eq!(code(&world, &subject.key, json!({"cost": cost})).await, expected, "{cost}");
        assert_eq!(remaining(&world, subject).await, left);
    }
}

/// What is spent from a shared limit is spent also for a process that begins anew.
#[tokio::test]
async fn a_shared_limit_outlives_the_process() {
    let mut world = World::new().await;
    let tenant = stage::organization(&world, "Tenant").await.id;
    let limits = "calls:5/60@organization";
    let one = of(&world, tenant, None, limits).await.key;
    let two = of(&world, tenant, None, limits).await.key;
    assert_eq!(code(&world, &one, json!({"cost": 2})).await, "VALID");
    assert_eq!(code(&world, &two, json!({"cost": 2})).await, "VALID");
    world.restart().await;
    assert_eq!(code(&world, &two, json!({"cost": 2})).await, "RATE_LIMITED");
    assert_eq!(code(&world, &one, json!({"cost": 1})).await, "VALID");
    assert_eq!(code(&world, &two, json!({"cost": 1})).await, "RATE_LIMITED");
}
