//! Analytics, compared with the calls that were made.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use claviger_app::analytics::{self, Analytics, Keys, Question};
use claviger_app::{Call, Error, Facts, Retention, background};
use claviger_domain::actor::{Actor, Presented};
use claviger_domain::capability::{Capability, Door};
use claviger_domain::credential::Class;
use claviger_domain::ids::{AdminKeyId, BootstrapKeyId, CredentialId, OrganizationId};
use claviger_domain::scope::Scopes;
use claviger_domain::secret::KeyFormat;
use claviger_domain::series::{Reach, Resolution};
use claviger_domain::text::Name;
use claviger_domain::usage::{Outcome, Tally};
use claviger_domain::verification::Code;
use serde_json::json;
use uuid::Uuid;

use super::stage::{self, Subject};
use super::{code, verify};
use crate::support::{Settled, World};

fn operator() -> Actor {
    Actor::Bootstrap(BootstrapKeyId::from_uuid(Uuid::nil()))
}

fn tenant(organization: OrganizationId) -> Actor {
    let scopes: Scopes = "usage:read".parse().unwrap();
    let credential = CredentialId::from_uuid(Uuid::nil());
    let key = Presented { credential, secret: 1, organization, user_account: None };
    Actor::credential(key, Door::Organization, &scopes)
}

async fn ask(
    world: &World,
    actor: Actor,
    organization: Option<OrganizationId>,
    period: &str,
) -> Result<Analytics, Error> {
    let reach = Reach::Back(period.parse().unwrap());
    let call = Call::new(world.app.clone(), actor, Facts::default());
    analytics::usage(&call, Question { organization, reach, keys: Keys::default() }).await
}

async fn report(world: &World, id: &str, subject: &Subject<'_>, status: u16, hours_ago: i64) {
    let at = world.app.now() - TimeDelta::hours(hours_ago);
    let report = json!({
        "id": id, "credential_id": subject.id.to_string(), "status": status, "duration_ms": 41, "units": 5,
        "occurred_at": at.to_rfc3339(),
    });
    let answer = world.bootstrap().post("/v1/usage/reports", &json!({"reports": [report]})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

fn by_outcome(told: &Analytics) -> Vec<(Code, u64)> {
    told.by_outcome.iter().map(|(code, tally)| (*code, tally.total)).collect()
}

#[tokio::test]
async fn calls_are_told_by_outcome_and_reports_beside_them() {
    let mut world = World::settled(Settled { file: Some("claviger.db"), ..Settled::default() }).await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let limits = "requests:10/60".parse().unwrap();
    let subject = stage::credential(&world, organization, Class::Live, |it| it.limits = limits).await;
    for (demand, expected) in [
        (json!({"cost": 3}), "VALID"),
        (json!({"cost": 7}), "VALID"),
        (json!({"cost": 0}), "VALID"),
        (json!({}), "RATE_LIMITED"),
        (json!({"environment": "test"}), "WRONG_ENVIRONMENT"),
    ] {
        assert_eq!(code(&world, &subject.key, demand).await, expected);
    }
    for unknown in ["rubbish", &stage::never_issued(KeyFormat::Live)] {
        code(&world, unknown, json!({})).await;
    }
    // Once more is not counted, and late ones are counted when they were.
    for _ in 0..2 {
        report(&world, "call-1", &subject, 503, 0).await;
        report(&world, "call-2", &subject, 200, 2).await;
    }
    let id = subject.id;
    world.restart().await;
    world.restart().await;
    let told = ask(&world, operator(), Some(organization), "24h").await.unwrap();
    assert_eq!(
        by_outcome(&told),
        [(Code::Valid, 3), (Code::WrongEnvironment, 1), (Code::RateLimited, 1)],
        "in the order of the checks"
    );
    assert_eq!(told.reported, Tally { total: 0, failed: 1, duration_ms: 82, timed: 2, units: 10 });
    assert_eq!(told.totals, Tally { total: 5, failed: 3, duration_ms: 82, timed: 2, units: 20 });
    assert_eq!((told.over.resolution(), told.series.len()), (Resolution::Hour, 25));
    let counted: Vec<_> =
        told.series.iter().filter(|(_, tally)| *tally != Tally::default()).map(|(_, it)| it.total).collect();
    assert_eq!(counted, [0, 5], "two hours ago there was a report, and no call");
    let keys: Vec<_> = told.by_key.iter().map(|used| (used.credential.id, used.tally)).collect();
    assert_eq!(keys, [(id, told.totals)]);
    assert_eq!(told, ask(&world, tenant(organization), None, "24h").await.unwrap());
    assert_eq!(told, ask(&world, operator(), None, "24h").await.unwrap());
    let month = ask(&world, operator(), None, "30d").await.unwrap();
    assert_eq!((month.over.resolution(), month.series.len()), (Resolution::Day, 31));
    assert_eq!((month.totals, month.by_outcome), (told.totals, told.by_outcome));
}

#[tokio::test]
async fn nobody_learns_of_another_organization() {
    let world = World::new().await;
    let [own, other] = ["Own", "Other"].map(|name| stage::organization(&world, name));
    let (own, other) = (own.await.id, other.await.id);
    let subject = stage::credential(&world, other, Class::Live, |_| ()).await;
    assert_eq!(code(&world, &subject.key, json!({})).await, "VALID");
    for id in [other, OrganizationId::from_uuid(Uuid::nil())] {
        let refused = ask(&world, tenant(own), Some(id), "24h").await.unwrap_err();
        assert!(matches!(refused, Error::NotFound(..)), "{refused:?}");
    }
    let unknown = OrganizationId::from_uuid(Uuid::max());
    for actor in [operator(), tenant(own)] {
        let refused = ask(&world, actor, Some(unknown), "24h").await.unwrap_err();
        assert!(matches!(refused, Error::NotFound(..)), "{refused:?}");
    }
    for organization in [None, Some(own)] {
        let told = ask(&world, tenant(own), organization, "24h").await.unwrap();
        assert_eq!((told.totals, told.by_key.len(), told.by_outcome.len()), (Tally::default(), 0, 0));
    }
    let key = Actor::AdminKey {
        id: AdminKeyId::from_uuid(Uuid::nil()),
        organization: other,
        entity: Name::new("Other").unwrap(),
        capabilities: Capability::PARTNER.into_iter().collect(),
    };
    let refused = ask(&world, key, None, "24h").await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
}

#[tokio::test]
async fn every_question_agrees_with_the_calls_whatever_became_of_the_process() {
    let retention = Retention { minutes: Some(1), hours: Some(9), ..Retention::default() };
    let settled = Settled { file: Some("claviger.db"), retention, ..Settled::default() };
    let mut world = World::settled(settled).await;
    let mut keys = Vec::new();
    let mut organizations = Vec::new();
    for name in ["One", "Two"] {
        let organization = stage::organization(&world, name).await.id;
        organizations.push(organization);
        for _ in 0..3 {
            let subject = stage::credential(&world, organization, Class::Live, |_| ()).await;
            keys.push((subject.id, organization, subject.key));
        }
    }
    let mut chance = 5_u64;
    let mut below = |bound: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % bound
    };
    let mut made = Vec::new();
    for turn in 0..250_u32 {
        let (id, organization, key) = keys[usize::try_from(below(6)).unwrap()].clone();
        let demand =
            [json!({}), json!({"cost": 4}), json!({"environment": "test"})][below(3) as usize].clone();
        let told = verify(&world, &key, demand.clone()).await["code"].as_str().unwrap().to_owned();
        let outcome = Outcome::of_word(&told).unwrap();
        let cost = demand["cost"].as_u64().unwrap_or(1) as u32;
        made.push((id, organization, world.app.now(), outcome, Tally::decided(told == "VALID", cost)));
        if below(3) == 0 {
            let subject = stage::subject(&world, &id.to_string(), &key);
            let (status, ago) = ([200, 404][below(2) as usize], below(40).cast_signed());
            report(&world, &format!("call-{turn}"), &subject, status, ago).await;
            let at = world.app.now() - TimeDelta::hours(ago);
            made.push((id, organization, at, Outcome::Reported, Tally::reported(status, 41, 5)));
        }
        match below(8) {
            0 => world.advance(TimeDelta::seconds(below(7_200).cast_signed())),
            1 => world.advance(TimeDelta::hours(below(30).cast_signed())),
            2 => world.drain().await,
            3 if turn % 4 == 0 => world.restart().await,
            4 if turn % 5 == 0 => background::forget(&world.app).await.unwrap(),
            _ => {}
        }
    }
    for period in ["1h", "24h", "7d", "8d", "30d", "366d"] {
        for organization in [None, Some(organizations[0]), Some(organizations[1])] {
            let told = ask(&world, operator(), organization, period).await.unwrap();
            let cells = told.over.cells();
            let asked = made.iter().filter(|(_, of, at, _, _)| {
                organization.is_none_or(|id| id == *of) && (cells.from..cells.until).contains(&at.timestamp())
            });
            let (mut totals, mut series) = (Tally::default(), BTreeMap::<i64, Tally>::new());
            let (mut outcomes, mut of_keys) = (BTreeMap::<_, Tally>::new(), BTreeMap::<_, Tally>::new());
            series.extend(told.over.starts().map(|start| (start, Tally::default())));
            for (id, _, at, outcome, tally) in asked {
                totals += *tally;
                *series.get_mut(&cells.span.floor(at.timestamp())).unwrap() += *tally;
                *outcomes.entry(*outcome).or_default() += *tally;
                *of_keys.entry(*id).or_default() += *tally;
            }
            assert_eq!(told.totals, totals, "{period}");
            assert_eq!(told.series, series.into_iter().collect::<Vec<_>>(), "{period}");
            let reported = outcomes.remove(&Outcome::Reported).unwrap_or_default();
            assert_eq!(told.reported, reported, "{period}");
            let decided = told.by_outcome.iter().map(|(code, tally)| (Outcome::Decided(*code), *tally));
            assert_eq!(decided.collect::<Vec<_>>(), outcomes.into_iter().collect::<Vec<_>>(), "{period}");
            let mut of_keys: Vec<_> = of_keys.into_iter().filter(|(_, tally)| tally.total > 0).collect();
            of_keys.sort_by_key(|(id, tally)| (std::cmp::Reverse(tally.total), *id));
            let keys: Vec<_> = told.by_key.iter().map(|used| (used.credential.id, used.tally)).collect();
            assert_eq!(keys, of_keys, "{period}");
        }
    }
}
