//! How long records stay: as the configuration says, unless the operator has settled it, unless an organization has its
//! own rule.

use chrono::TimeDelta;
use claviger_app::{Call, Facts, Retention, audit, background};
use claviger_domain::actor::Actor;
use claviger_domain::ids::OrganizationId;
use serde_json::{Value, json};

use crate::organization::{Tenant, data};
use crate::platform::at;
use crate::support::{Settled, World};

/// How many entries of its own log a tenant sees, and how many calls of the last year.
async fn left(tenant: &Tenant<'_>) -> (usize, u64) {
    tenant.world.flush().await;
    let lines = tenant.owner.get(&tenant.path("/audit-logs?format=ndjson&action=api_key.created")).await;
    let usage = data(&tenant.owner.get(&tenant.path("/usage?period=366d")).await, 200);
    (
        lines.text.lines().filter(|line| line.contains("\"sequence\":")).count(),
        usage["totals"]["totalRequests"].as_u64().unwrap(),
    )
}

/// One key made and used on each of so many days.
async fn days(tenants: &[&Tenant<'_>], count: u32) {
    let world = tenants[0].world;
    for _ in 0..count {
        for tenant in tenants {
            let issued = tenant.key(&[], json!({})).await;
            let asked = world.bootstrap().post("/v1/keys/verify", &json!({"key": issued["key"]})).await;
            assert_eq!(asked.json()["code"], "VALID");
        }
        world.drain().await;
        world.advance(TimeDelta::days(1));
    }
}

async fn settle(tenant: &Tenant<'_>, retention: Value) {
    let path = at("organizations", &tenant.organization);
    let answer = tenant.world.bootstrap().patch(&path, &json!({"settings": {"retention": retention}})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// Lets go of what is old; the log still verifies, and says how many days old the youngest entry was that ever left, for
/// each of these tenants.
async fn forgotten(world: &World, tenants: &[&Tenant<'_>]) -> Vec<Option<u64>> {
    background::forget(&world.app).await.unwrap();
    let operator = Call::new(world.app.clone(), Actor::Operator, Facts::default());
    let mut walked = Vec::new();
    audit::verify(&operator, None, &[], |of_one| walked.push(*of_one)).await.unwrap();
    assert!(walked.iter().all(|walked| walked.broken.is_none()), "{walked:?}");
    let of = |tenant: &Tenant<'_>| {
        let id = OrganizationId::parse_any(tenant.organization["id"].as_str().unwrap()).unwrap();
        walked.iter().find(|walked| walked.chain.organization() == Some(id)).unwrap().pruned_from_age
    };
    tenants.iter().map(|tenant| of(tenant).map(|age| age / 86_400)).collect()
}

#[tokio::test]
async fn records_stay_as_long_as_the_nearest_rule_says() {
    let retention = Retention { audit: Some(20), days: Some(20), ..Retention::default() };
    let world = World::settled(Settled { retention, ..Settled::default() }).await;
    let [plain, brief, long] = [
        Tenant::new(&world, "Plain").await,
        Tenant::new(&world, "Brief").await,
        Tenant::new(&world, "Long").await,
    ];
    settle(&brief, json!({"audit_days": 5, "usage_days": 3})).await;
    let own = json!({"settings": {"retention": {"auditDays": 25}}});
    data(&long.owner.patch(&long.path(""), &own).await, 200);
    days(&[&plain, &brief, &long], 30).await;
    let all = [left(&plain).await, left(&brief).await, left(&long).await];
    assert_eq!(
        all.map(|(entries, calls)| (entries > 30, calls)),
        [(true, 30); 3],
        "nothing was let go of yet"
    );
    let ages = forgotten(&world, &[&plain, &brief, &long]).await;
    assert_eq!(ages, [Some(21), Some(6), Some(26)]);
    // A day's figures stay while any of the day does: so figures are of a day more than entries.
    assert_eq!(left(&plain).await, (20, 20));
    assert_eq!(left(&brief).await, (5, 3));
    assert_eq!(left(&long).await, (25, 20), "figures are the installation's matter");

    // What the operator settles while it runs goes before the configuration.
    let path = "/admin/v1/settings";
    let settled = json!({"retention": {"audit_days": 10, "usage_days": 8}});
    assert_eq!(world.bootstrap().patch(path, &settled).await.status, 200);
    let ages = forgotten(&world, &[&plain, &brief, &long]).await;
    assert_eq!(ages, [Some(11), Some(6), Some(26)]);
    assert_eq!(left(&plain).await, (10, 8));
    assert_eq!(left(&brief).await, (5, 3));
    assert_eq!(left(&long).await, (25, 8));
    // Taken back, an organization's own rule leaves it to the installation's.
    data(&long.owner.patch(&long.path(""), &json!({"settings": {"retention": null}})).await, 200);
    assert_eq!(
        forgotten(&world, &[&long]).await,
        [Some(11)],
        "and that stays told, whatever is settled later"
    );
    assert_eq!(left(&long).await.0, 10);
}
