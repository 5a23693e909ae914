//! Every code, and the order in which they are found.

use chrono::TimeDelta;
use claviger_domain::credential::{Class, Credits, Network, Revocation};
use claviger_domain::organization::OrganizationStatus;
use claviger_domain::secret::KeyFormat;
use serde_json::json;

use super::stage::{self, Subject};
use super::{code, verify};
use crate::support::World;

/// A credential with every fault there is, healed one at a time: at each step the first of the
/// remaining ones is told. Nothing of all that is charged.
#[tokio::test]
async fn the_first_check_that_fails_is_told() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let suspend = format!("/v1/admin/users/{}/suspend", user["id"].as_str().unwrap());
    partner.post_empty(&suspend).await.data();
    let organization = stage::organization_of(&world, &partner).await;
    let now = world.app.now();
    let subject = stage::credential(&world, organization, Class::Live, |it| {
        it.user_account = Some(user["id"].as_str().unwrap().parse().unwrap());
        it.revoked = Some(Revocation { at: now, reason: None });
        it.expires_at = Some(now);
        it.disabled_at = Some(now);
        it.ip_allowlist = "198.51.100.0/24".parse().unwrap();
        it.network = Some(Network::Preview);
        it.scopes = "workflows:read".parse().unwrap();
        it.limits = "requests:1/60".parse().unwrap();
        it.credits = Some(Credits::granted(1, None));
    })
    .await;
    stage::change_organization(&world, organization, |it| it.status = OrganizationStatus::Suspended).await;

    let mut demand = json!({
        "ip": "192.0.2.9", "network_id": 0, "environment": "test", "scopes": "users:read", "cost": 2
    });
    let mut mistyped = subject.key.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == '0' { '1' } else { '0' });
    assert_eq!(code(&world, &mistyped, demand.clone()).await, "MALFORMED");
    assert_eq!(code(&world, &stage::never_issued(KeyFormat::Live), demand.clone()).await, "NOT_FOUND");

    assert_eq!(code(&world, &subject.key, demand.clone()).await, "REVOKED");
    subject.change(|it| it.revoked = None).await;
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "EXPIRED");
    subject.change(|it| it.expires_at = None).await;
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "DISABLED");
    subject.change(|it| it.disabled_at = None).await;
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "USER_SUSPENDED");
    subject.change(|it| it.user_account = None).await;
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "ORGANIZATION_SUSPENDED");
    stage::change_organization(&world, organization, |it| it.status = OrganizationStatus::Active).await;
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "IP_NOT_ALLOWED");
    demand["ip"] = json!("198.51.100.9");
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "WRONG_NETWORK");
    demand["network_id"] = json!(1);
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "WRONG_ENVIRONMENT");
    demand["environment"] = json!("live");
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "INSUFFICIENT_SCOPE");
    demand["scopes"] = json!("workflows:read");
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "RATE_LIMITED");
    subject.change(|it| it.limits = "requests:2/60".parse().unwrap()).await;
    assert_eq!(code(&world, &subject.key, demand.clone()).await, "CREDITS_EXHAUSTED");
    assert_eq!(subject.stored().await.last_used_at, None, "a denied call is no use");
    subject.change(|it| it.credits = Some(Credits::granted(2, None))).await;

    let told = verify(&world, &subject.key, demand).await;
    assert_eq!((&told["code"], &told["credits"]), (&json!("VALID"), &json!(0)));
    assert_eq!(told["ratelimits"][0]["remaining"], 0, "eleven denials had charged nothing");
    assert_eq!(subject.usage().await, (12, 11), "each call of a known key is counted, denials as failed");
    assert_eq!(subject.stored().await.last_used_at, Some(now));
}

#[tokio::test]
async fn what_has_not_the_form_of_a_key_is_malformed() {
    let world = World::new().await;
    let partner = world.partner().await;
    let good = partner.credential("Production").await["api_key"].as_str().unwrap().to_owned();
    for text in [
        String::new(),
        " ".to_owned(),
        "iiak_".to_owned(),
        "iiak_…".to_owned(),
        "Bearer".to_owned(),
        "\0".to_owned(),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}0"),
        good[..52].to_owned(),
        good.to_uppercase(),
        format!("Bearer {good}"),
        "x".repeat(60_000),
    ] {
        let told = verify(&world, &text, json!({})).await;
        assert_eq!(told["code"], "MALFORMED", "{text:?}");
        assert_eq!((&told["scopes"], &told["ratelimits"]), (&json!([]), &json!([])));
        assert!(told.get("credential").is_none() && told.get("organization").is_none(), "{told}");
    }
    assert_eq!(code(&world, &good, json!({})).await, "VALID");
}

/// Keys of other kinds are no credentials, however good they are.
#[tokio::test]
async fn keys_to_our_own_surfaces_are_not_found() {
    let world = World::new().await;
    let admin = world.partner().await.key.clone().unwrap();
    let bootstrap = world.bootstrap().key.clone().unwrap();
    for key in [admin, bootstrap] {
        assert_eq!(code(&world, &key, json!({})).await, "NOT_FOUND");
    }
}

/// Asked below HTTP, where no caller has to be looked up first, about a database that is gone.
#[tokio::test]
async fn malformed_is_told_without_asking_the_store() {
    use claviger_app::Error;
    use claviger_app::verify::{Request, verify};
    use claviger_domain::actor::Actor;
    use claviger_domain::verification::{Code, Demand};

    let world = World::new().await;
    world.app.store().clone().close().await;
    let ask = async |key: &str| {
        let request = Request { key, demand: Demand::default() };
        verify(&world.app, &Actor::Operator, &request).await.map(|decision| decision.code)
    };
    let good = stage::never_issued(KeyFormat::Partner);
    for place in 0..good.len() {
        let mut mistyped = good.clone().into_bytes();
        mistyped[place] = if mistyped[place] == b'a' { b'b' } else { b'a' };
        assert_eq!(ask(&String::from_utf8(mistyped).unwrap()).await.unwrap(), Code::Malformed);
    }
    assert!(matches!(ask(&good).await, Err(Error::Unavailable(_))), "only a well-formed key is looked for");
    let answer = world.bootstrap().post("/v1/keys/verify", &json!({"key": good})).await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("service_unavailable")));
}

#[tokio::test]
async fn suspension_stops_a_users_keys_at_once_and_ends_at_once() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let key = partner.credential_of(&user, "Production").await["api_key"].as_str().unwrap().to_owned();
    let path = |verb: &str| format!("/v1/admin/users/{}/{verb}", user["id"].as_str().unwrap());
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
    partner.post_empty(&path("suspend")).await.data();
    assert_eq!(code(&world, &key, json!({})).await, "USER_SUSPENDED");
    partner.post_empty(&path("reactivate")).await.data();
    assert_eq!(code(&world, &key, json!({})).await, "VALID");
}

#[tokio::test]
async fn a_credential_stops_at_its_expiry_and_at_its_revocation() {
    let world = World::new().await;
    let partner = world.partner().await;
    let end = (world.app.now() + TimeDelta::seconds(10)).to_rfc3339();
    let body = json!({"name": "Short", "network_id": 0, "expires_at": end});
    let issued = partner.post("/v1/admin/credentials", &body).await.data();
    let key = issued["api_key"].as_str().unwrap();
    world.advance(TimeDelta::milliseconds(9_999));
    assert_eq!(code(&world, key, json!({})).await, "VALID");
    world.advance(TimeDelta::milliseconds(1));
    assert_eq!(code(&world, key, json!({})).await, "EXPIRED");
    partner
        .delete(&format!("/v1/admin/credentials/{}", issued["credential"]["id"].as_str().unwrap()))
        .await
        .data();
    assert_eq!(code(&world, key, json!({})).await, "REVOKED");
}

#[tokio::test]
async fn a_rotated_key_overlaps_with_the_one_before_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    let issued = partner.credential("Production").await;
    let first = issued["api_key"].as_str().unwrap().to_owned();
    let path = format!("/v1/admin/credentials/{}/rotate", issued["credential"]["id"].as_str().unwrap());
    let rotated = partner.post(&path, &json!({"overlap_seconds": 60})).await.data();
    let second = rotated["api_key"].as_str().unwrap().to_owned();
    for key in [&first, &second] {
        assert_eq!(code(&world, key, json!({})).await, "VALID");
    }
    world.advance(TimeDelta::milliseconds(59_999));
    assert_eq!(code(&world, &first, json!({})).await, "VALID");
    world.advance(TimeDelta::milliseconds(1));
    assert_eq!(code(&world, &first, json!({})).await, "EXPIRED");
    assert_eq!(code(&world, &second, json!({})).await, "VALID");
    let third = partner.post(&path, &json!({"overlap_seconds": 0})).await.data();
    assert_eq!(code(&world, &second, json!({})).await, "EXPIRED");
    assert_eq!(code(&world, third["api_key"].as_str().unwrap(), json!({})).await, "VALID");
}

/// Asks from `ip`, or without saying from where.
async fn from(world: &World, subject: &Subject<'_>, ip: Option<&str>) -> String {
    let demand = ip.map_or(json!({}), |ip| json!({"ip": ip}));
    code(world, &subject.key, demand).await
}

#[tokio::test]
async fn both_allowlists_admit_or_nobody_passes() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let subject = stage::credential(&world, organization, Class::Live, |_| {}).await;
    assert_eq!(from(&world, &subject, None).await, "VALID", "no list admits anybody");

    subject.change(|it| it.ip_allowlist = "10.0.0.0/8,2001:db8::/32".parse().unwrap()).await;
    for (ip, expected) in [
        (Some("10.255.0.1"), "VALID"),
        (Some("::ffff:10.0.0.1"), "VALID"),
        (Some("2001:db8::7"), "VALID"),
        (Some("11.0.0.1"), "IP_NOT_ALLOWED"),
        (Some("2001:db9::7"), "IP_NOT_ALLOWED"),
        (None, "IP_NOT_ALLOWED"),
    ] {
        assert_eq!(from(&world, &subject, ip).await, expected, "{ip:?}");
    }
    let narrower = |it: &mut claviger_domain::organization::Organization| {
        it.settings.ip_allowlist = "10.1.0.0/16".parse().unwrap();
    };
    stage::change_organization(&world, organization, narrower).await;
    assert_eq!(from(&world, &subject, Some("10.1.0.1")).await, "VALID");
    assert_eq!(from(&world, &subject, Some("10.2.0.1")).await, "IP_NOT_ALLOWED", "not the organization's");
    subject.change(|it| it.ip_allowlist = "".parse().unwrap()).await;
    assert_eq!(from(&world, &subject, Some("192.0.2.1")).await, "IP_NOT_ALLOWED");
    assert_eq!(from(&world, &subject, None).await, "IP_NOT_ALLOWED");
}

#[tokio::test]
async fn a_key_of_one_environment_does_not_reach_the_other() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    for (class, own, other) in [(Class::Live, "live", "test"), (Class::Test, "test", "live")] {
        let subject = stage::credential(&world, organization, class, |_| {}).await;
        let told = verify(&world, &subject.key, json!({})).await;
        assert_eq!((&told["code"], &told["credential"]["environment"]), (&json!("VALID"), &json!(own)));
        assert_eq!(code(&world, &subject.key, json!({"environment": own})).await, "VALID");
        assert_eq!(code(&world, &subject.key, json!({"environment": other})).await, "WRONG_ENVIRONMENT");
    }
}

#[tokio::test]
async fn a_demanded_network_is_the_credentials_own() {
    let world = World::new().await;
    let partner = world.partner().await;
    for network in 0..3 {
        let body = json!({"name": "Networked", "network_id": network});
        let issued = partner.post("/v1/admin/credentials", &body).await.data();
        let key = issued["api_key"].as_str().unwrap();
        for demanded in 0..3 {
            let expected = if demanded == network { "VALID" } else { "WRONG_NETWORK" };
            assert_eq!(code(&world, key, json!({"network_id": demanded})).await, expected);
        }
        assert_eq!(code(&world, key, json!({})).await, "VALID");
    }
    let organization = stage::organization(&world, "Tenant").await.id;
    let without = stage::credential(&world, organization, Class::Live, |_| {}).await;
    assert_eq!(code(&world, &without.key, json!({"network_id": 0})).await, "WRONG_NETWORK");
}
