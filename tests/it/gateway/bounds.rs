//! What one request may cost: expressions and answers are bounded, and what nobody needs leaves memory and tables.

use chrono::TimeDelta;
use claviger_app::background;
use claviger_app::memory;
use claviger_domain::credential::Class;
use claviger_domain::text::Metadata;
use claviger_store::Tables;
use serde_json::{Value, json};

use super::stage::{self, Subject};
use super::{code, verify};
use crate::openapi::operations::of;
use crate::support::World;

const BATCH: &str = "/v1/keys/verify-batch";

async fn plain(world: &World) -> Subject<'_> {
    let organization = stage::organization(world, "Tenant").await.id;
    stage::credential(world, organization, Class::Live, |_| {}).await
}

#[tokio::test]
async fn an_expression_that_is_too_large_is_refused_with_its_limit() {
    let world = World::new().await;
    let subject = plain(&world).await;
    let terms = |count: usize| vec!["a:b"; count];
    for (scopes, told) in [
        (json!(terms(129).join(" OR ")), "scopes must name 128 scopes or less"),
        (json!([terms(100).join(" OR "), terms(29).join(" OR ")]), "scopes must name 128 scopes or less"),
        (json!(terms(101)), "scopes must have 100 items or less"),
        (json!(format!("a:b{}", " ".repeat(4_094))), "scopes must be 4096 bytes or less"),
        (json!(vec![format!("a:{}", "b".repeat(126)); 33]), "scopes must be 4096 bytes or less"),
    ] {
        let alone = json!({"key": subject.key, "scopes": scopes});
        let refused = world.bootstrap().post("/v1/keys/verify", &alone).await;
        assert_eq!((refused.status, &refused.json()["detail"]), (400, &json!(told)), "{told}");
        let refused = world.bootstrap().post(BATCH, &json!({"requests": [alone]})).await;
        assert_eq!((refused.status, &refused.json()["detail"]), (400, &json!(format!("requests[0].{told}"))));
    }
    assert_eq!(subject.usage().await, (0, 0));
    for scopes in [json!(terms(128).join(" OR ")), json!(terms(100))] {
        assert_eq!(code(&world, &subject.key, json!({"scopes": scopes})).await, "INSUFFICIENT_SCOPE");
    }
}

#[tokio::test]
async fn the_answer_to_a_batch_leaves_out_details_once_it_is_long() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let long = json!({"note": "x".repeat(16_000)}).to_string();
    let subject = stage::credential(&world, organization, Class::Live, |it| {
        it.metadata = Metadata::new(long, 1).unwrap();
        it.scopes = "a:read".parse().unwrap();
        it.limits = "requests:1000/60".parse().unwrap();
    })
    .await;
    let batch = json!({"requests": vec![json!({"key": subject.key}); 100]});
    let answer = world.bootstrap().post(BATCH, &batch).await;
    let operation = of("gateway").into_iter().find(|operation| operation.id() == "verify_keys").unwrap();
    operation.admits(&answer);
    assert_eq!(answer.status, 200);
    assert!(answer.text.len() < 400_000, "{}", answer.text.len());
    let results = answer.json()["results"].as_array().unwrap().clone();
    let is_whole = |result: &&Value| result.get("details_omitted").is_none();
    let whole = results.iter().take_while(is_whole).count();
    assert_eq!((results.len(), whole), (100, 15), "15 of 16.5 KB fit into 256 KiB");
    for (place, result) in results.iter().enumerate() {
        assert_eq!((&result["code"], &result["valid"]), (&json!("VALID"), &json!(true)));
        assert_eq!(result["credential"]["id"], results[0]["credential"]["id"]);
        if place >= whole {
            assert_eq!(result["details_omitted"], true);
            assert_eq!((&result["credential"]["metadata"], &result["scopes"]), (&json!({}), &json!([])));
        }
    }
    assert_eq!(subject.usage().await, (100, 0), "each is counted");
}

#[tokio::test]
async fn a_large_body_is_read_like_a_small_one() {
    let world = World::new().await;
    let subject = plain(&world).await;
    let mut requests = vec![json!({"key": subject.key, "tags": ["x"]}); 99];
    requests.push(json!({"key": "k".repeat(200_000)}));
    let answer = world.bootstrap().post(BATCH, &json!({"requests": requests})).await;
    let codes = answer.json()["results"].as_array().unwrap().clone();
    assert_eq!((answer.status, codes.len(), &codes[99]["code"]), (200, 100, &json!("MALFORMED")));
    requests[98] = json!({"key": 7});
    let refused = world.bootstrap().post(BATCH, &json!({"requests": requests})).await;
    assert_eq!((refused.status, &refused.json()["field"]), (400, &json!("requests[98].key")));
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let world = World::new().await;
    let subject = plain(&world).await;
    for path in ["/v1/keys/verify", BATCH, "/v1/keys/revoke-self", "/v1/usage/reports"] {
        for body in [json!([subject.key]), json!([[{"key": subject.key}]]), json!(subject.key), json!(null)] {
            let refused = world.bootstrap().post(path, &body).await;
            assert_eq!(
                (refused.status, &refused.json()["code"]),
                (400, &json!("invalid_request")),
                "{path} {body}"
            );
        }
    }
    assert_eq!(subject.usage().await, (0, 0));
}

#[tokio::test]
async fn a_provisioning_key_serves_no_environment() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let scim = stage::credential(&world, organization, Class::Scim, |_| {}).await;
    for environment in ["live", "test"] {
        let asked = json!({"environment": environment});
        assert_eq!(code(&world, &scim.key, asked).await, "WRONG_ENVIRONMENT", "{environment}");
    }
    assert_eq!(code(&world, &scim.key, json!({})).await, "VALID");
}

#[tokio::test]
async fn counters_of_names_that_nobody_has_leave_the_table() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let limits = "n0:9/31622400@organization,own0:9/31622400";
    let subject =
        stage::credential(&world, organization, Class::Live, |it| it.limits = limits.parse().unwrap()).await;
    memory::load(&world.app).await.unwrap();
    for n in 0..120 {
        let limits = format!("n{n}:9/31622400@organization,own{n}:9/31622400");
        subject.change(|it| it.limits = limits.parse().unwrap()).await;
        assert_eq!(code(&world, &subject.key, json!({})).await, "VALID");
        world.drain().await;
    }
    let owners = [organization.uuid(), subject.id.uuid()];
    let rows = world.app.store().counters().of_owners(&owners).await.unwrap();
    let of = |owner| rows.iter().filter(|row| row.owner == owner).count();
    assert!(of(owners[0]) <= 66 && of(owners[1]) <= 18, "{} {}", of(owners[0]), of(owners[1]));
    let told = verify(&world, &subject.key, json!({"cost": 0})).await;
    assert_eq!(told["ratelimits"][0]["remaining"], 8, "the limits that it has go on");
}

#[tokio::test]
async fn what_ended_a_day_ago_leaves_memory_and_is_still_told_right() {
    let mut world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let now = world.app.now();
    let make = async |end: Option<chrono::DateTime<chrono::Utc>>| {
        let made = stage::credential(&world, organization, Class::Live, |it| it.expires_at = end).await;
        (made.id, made.key)
    };
    let (_, live) = make(None).await;
    let (_, expired) = make(Some(now + TimeDelta::hours(1))).await;
    let (id, revoked) = make(None).await;
    stage::subject(&world, &id.to_string(), &revoked)
        .change(|it| it.revoked = it.clone().revoke(None, now).unwrap().revoked)
        .await;
    memory::load(&world.app).await.unwrap();
    assert_eq!(world.app.engine().known_keys(), 3);
    let codes = async |world: &World| {
        let mut codes = Vec::new();
        for key in [&live, &expired, &revoked] {
            codes.push(code(world, key, json!({})).await);
        }
        codes
    };
    world.advance(TimeDelta::hours(2));
    background::forget(&world.app).await.unwrap();
    assert_eq!(world.app.engine().known_keys(), 3, "not a day ago");
    world.advance(TimeDelta::hours(24));
    world.drain().await;
    background::forget(&world.app).await.unwrap();
    assert_eq!(world.app.engine().known_keys(), 1);
    assert_eq!(codes(&world).await, ["VALID", "EXPIRED", "REVOKED"]);
    world.drain().await;
    background::forget(&world.app).await.unwrap();
    assert_eq!(world.app.engine().known_keys(), 1, "what was looked up goes again");
    world.restart().await;
    memory::load(&world.app).await.unwrap();
    assert_eq!(world.app.engine().known_keys(), 1, "a start does not load it");
    assert_eq!(codes(&world).await, ["VALID", "EXPIRED", "REVOKED"]);
}

#[tokio::test]
async fn a_balance_that_would_be_cut_is_refused() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id.to_string();
    let make = async |credits: &str| {
        let body = format!(
            r#"{{"organization_id": "{organization}", "name": "Key", "scopes": [], "credits": {credits}}}"#
        );
        let body: Value = serde_json::from_str(&body).unwrap();
        let answer = world.bootstrap().post("/admin/v1/api-keys", &body).await;
        (answer.status, answer.json()["error"]["message"].clone())
    };
    let told = "must be a balance with whole numbers up to 9007199254740991, its interval in seconds";
    for number in ["9007199254740992", "9223372036854775807", "9223372036854775808", "1e30", "-1"] {
        let refill = format!(r#"{{"remaining": 1, "refill": {{"amount": {number}, "interval": 60}}}}"#);
        for credits in [format!(r#"{{"remaining": {number}}}"#), refill] {
            assert_eq!(make(&credits).await, (400, json!(format!("credits {told}"))), "{credits}");
        }
    }
    assert_eq!(make(r#"{"remaining": 9007199254740991}"#).await.0, 201);
}

#[tokio::test]
async fn a_block_of_mapped_addresses_matches_or_is_refused() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id.to_string();
    let make = async |blocks: Value| {
        let body =
            json!({"organization_id": organization, "name": "Key", "scopes": [], "ip_allowlist": blocks});
        world.bootstrap().post("/admin/v1/api-keys", &body).await
    };
    let made = make(json!(["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"])).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["data"]["ip_allowlist"], json!(["10.0.0.0/8", "192.0.2.7/32"]));
    let key = made.json()["data"]["key"].as_str().unwrap().to_owned();
    for (ip, expected) in [
        ("10.1.2.3", "VALID"),
        ("::ffff:10.1.2.3", "VALID"),
        ("::ffff:192.0.2.7", "VALID"),
        ("192.0.2.8", "IP_NOT_ALLOWED"),
        ("fe80::1", "IP_NOT_ALLOWED"),
    ] {
        assert_eq!(code(&world, &key, json!({"ip": ip})).await, expected, "{ip}");
    }
    let refused = make(json!(["10.0.0.0/8", "::ffff:0:0/95"])).await;
    let told = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 400);
    assert!(told.starts_with("ip_allowlist[1] covers IPv4-mapped addresses"), "{told}");
}
