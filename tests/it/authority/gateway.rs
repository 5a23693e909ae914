//! Who may ask about keys.

use claviger_domain::Timestamp;
use claviger_domain::credential::{Class, Credential, Revocation};
use claviger_domain::organization::OrganizationStatus;
use claviger_domain::secret::KeyFormat;
use serde_json::json;

use crate::authority::scene::Scene;
use crate::gateway::stage::{self, organization_of};
use crate::openapi::operations::{Operation, of};
use crate::openapi::{OF_THE_PRESENTED_KEY, WITHOUT_CALLER};
use crate::support::{Answer, Caller, World};

async fn ask(caller: &Caller<'_>, key: &str) -> Answer {
    caller.post("/v1/keys/verify", &json!({"key": key})).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body = answer.json();
    assert_eq!(body["code"], code);
    assert_eq!(body["type"], format!("urn:claviger:problem:{code}"));
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    if status == 401 {
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn every_operation_wants_a_key_with_its_scope() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let organization = organization_of(&world, &scene.owner).await;
    let mut guarded = 0;
    for operation in of("gateway") {
        if [OF_THE_PRESENTED_KEY, WITHOUT_CALLER].contains(&operation.id()) {
            assert_eq!(operation.permissions().unwrap(), [""; 0], "{}", operation.id());
            continue;
        }
        guarded += 1;
        assert_eq!(operation.permissions().unwrap(), ["keys:verify"], "{}", operation.id());
        refused(&scene.call(&world.nobody(), &operation).await, 401, "unauthorized");
        let holding = async |class, scopes: &str| {
            let scopes = scopes.parse().unwrap();
            stage::credential(&world, organization, class, |it| it.scopes = scopes).await.key
        };
        let without = holding(Class::Live, "keys:read users:verify keys:verify:all").await;
        refused(&scene.call(&world.bearer(&without), &operation).await, 403, "forbidden");
        let known = [
            ("garbage", "garbage".to_owned()),
            ("admin", scene.owner.key.clone().unwrap()),
            ("a partner's customer's", scene.key.clone()),
            ("test", holding(Class::Test, "keys:verify").await),
            ("scim", holding(Class::Scim, "keys:verify").await),
        ];
        for (what, key) in &known {
            let answer = scene.call(&world.bearer(key), &operation).await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.text);
            refused(&answer, 401, "unauthorized");
            operation.admits(&answer);
        }
        for scopes in ["keys:verify", "other:read keys:*"] {
            let key = holding(Class::Live, scopes).await;
            let answer = scene.call(&world.bearer(&key), &operation).await;
            assert_eq!(answer.status, 200, "{scopes}: {}", answer.text);
            operation.admits(&answer);
        }
        assert_eq!(scene.call(&world.bootstrap(), &operation).await.status, 200);
    }
    assert_eq!(guarded, 3, "of the surface's operations, the others ask for no key of its own");
}

/// The key that is presented decides, and the caller's own keys open nothing more than they do as such.
#[tokio::test]
async fn a_proxy_needs_no_key_but_the_clients() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let organization = organization_of(&world, &scene.owner).await;
    let operation = operation(OF_THE_PRESENTED_KEY);
    let asker = stage::credential(&world, organization, Class::Live, |it| {
        it.scopes = "keys:verify".parse().unwrap();
    });
    let asker = asker.await.key;
    refused(&scene.call(&world.nobody(), &operation).await, 401, "unauthorized");
    for (what, key, status, code) in [
        ("garbage", "garbage", 401, "malformed"),
        ("unknown", &stage::never_issued(KeyFormat::Partner), 401, "not_found"),
        ("the bootstrap", world.bootstrap().key.as_ref().unwrap(), 401, "not_found"),
        ("an admin", scene.owner.key.as_ref().unwrap(), 401, "not_found"),
        ("the client's", &scene.key, 200, ""),
        ("a gateway's own", &asker, 200, ""),
    ] {
        let answer = scene.call(&world.bearer(key), &operation).await;
        operation.admits(&answer);
        assert_eq!(answer.status, status, "{what} key: {}", answer.text);
        if status != 200 {
            refused(&answer, status, code);
        }
    }
}

#[tokio::test]
async fn nobody_is_asked_who_ends_a_key() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let operation = operation(WITHOUT_CALLER);
    let callers = [
        world.nobody(),
        world.bearer("garbage"),
        world.bearer(&stage::never_issued(KeyFormat::Admin)),
        (*scene.owner).clone(),
        world.bootstrap(),
    ];
    for caller in callers {
        let answer = scene.call(&caller, &operation).await;
        operation.admits(&answer);
        assert_eq!((answer.status, answer.json()), (200, json!({})));
    }
    assert_eq!(ask(&world.bootstrap(), &scene.key).await.json()["code"], "VALID", "the example is no key");
}

/// What is in force is asked where the reports are written down: memory may be late by what another process has
/// changed meanwhile.
#[tokio::test]
async fn a_report_counts_only_for_whom_may_report_when_it_is_written() {
    let world = World::new().await;
    let other = world.beside().await;
    let partner = world.partner().await;
    let organization = organization_of(&world, &partner).await;
    let credential = partner.credential("Production").await["credential"]["id"].clone();
    let now = world.app.now();
    type Change = fn(&mut Credential, Timestamp);
    let changes: [(Change, u16, &str); 4] = [
        (|it, now| it.revoked = Some(Revocation { at: now, reason: None }), 401, "unauthorized"),
        (|it, now| it.disabled_at = Some(now), 401, "unauthorized"),
        (|it, now| it.expires_at = Some(now), 401, "unauthorized"),
        (|it, _| it.scopes = "keys:read".parse().unwrap(), 403, "forbidden"),
    ];
    for (place, (change, status, code)) in changes.into_iter().enumerate() {
        let spell = |it: &mut Credential| it.scopes = "keys:verify".parse().unwrap();
        let gateway = stage::credential(&world, organization, Class::Live, spell).await;
        let caller = world.bearer(&gateway.key);
        let report = async |id: String| {
            let report = json!({"id": id, "credential_id": credential, "status": 200, "duration_ms": 1});
            caller.post("/v1/usage/reports", &json!({"reports": [report]})).await
        };
        assert_eq!(report(format!("before-{place}")).await.status, 200);
        let seen_there = stage::subject(&other, &gateway.id.to_string(), &gateway.key);
        seen_there.change(|it| change(it, now)).await;
        refused(&report(format!("after-{place}")).await, status, code);
    }
    let spell = |it: &mut Credential| it.scopes = "keys:verify".parse().unwrap();
    let gateway = stage::credential(&world, organization, Class::Live, spell).await;
    let body = json!({"reports": []});
    assert_eq!(world.bearer(&gateway.key).post("/v1/usage/reports", &body).await.status, 200);
    stage::change_organization(&other, organization, |it| it.status = OrganizationStatus::Suspended).await;
    refused(&world.bearer(&gateway.key).post("/v1/usage/reports", &body).await, 401, "unauthorized");
}

fn operation(id: &str) -> Operation {
    of("gateway").into_iter().find(|operation| operation.id() == id).unwrap()
}

#[tokio::test]
async fn a_tenants_key_asks_about_its_own_organization_only() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let own = organization_of(&world, &scene.owner).await;
    let other = stage::organization(&world, "Somebody else").await;
    let asker = stage::credential(&world, own, Class::Live, |it| it.scopes = "keys:verify".parse().unwrap());
    let asker = world.bearer(&asker.await.key);
    let foreign = stage::credential(&world, other.id, Class::Live, |_| {}).await;

    assert_eq!(ask(&asker, &scene.key).await.json()["code"], "VALID");
    let mut answers = Vec::new();
    for key in [&foreign.key, &stage::never_issued(KeyFormat::Live)] {
        let mut body = ask(&asker, key).await.json();
        body["request_id"] = json!("any");
        answers.push(body);
    }
    assert_eq!(answers[0]["code"], "NOT_FOUND");
    assert_eq!(answers[0], answers[1], "another's key is as good as none");
    assert_eq!(foreign.usage().await, (0, 0), "and asking about it counts nothing");
    assert_eq!(foreign.stored().await.last_used_at, None);
    assert_eq!(ask(&world.bootstrap(), &foreign.key).await.json()["code"], "VALID");
}

#[tokio::test]
async fn a_tenants_key_asks_only_while_it_is_good() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await;
    let spell = |it: &mut Credential| it.scopes = "keys:verify".parse().unwrap();
    let asker = stage::credential(&world, organization.id, Class::Live, spell).await;
    let caller = world.bearer(&asker.key);
    let key = stage::never_issued(KeyFormat::Live);
    assert_eq!(ask(&caller, &key).await.status, 200);

    let now = world.app.now();
    asker.change(|it| it.disabled_at = Some(now)).await;
    refused(&ask(&caller, &key).await, 401, "unauthorized");
    asker.change(|it| (it.disabled_at, it.expires_at) = (None, Some(now))).await;
    refused(&ask(&caller, &key).await, 401, "unauthorized");
    // Callers come from 192.0.2.1.
    asker.change(|it| (it.expires_at, it.ip_allowlist) = (None, "198.51.100.0/24".parse().unwrap())).await;
    refused(&ask(&caller, &key).await, 403, "ip_not_allowed");
    asker.change(|it| it.ip_allowlist = "192.0.2.0/24".parse().unwrap()).await;
    assert_eq!(ask(&caller, &key).await.status, 200);
    asker.change(|it| it.revoked = Some(Revocation { at: now, reason: None })).await;
    refused(&ask(&caller, &key).await, 401, "unauthorized");
    asker.change(|it| it.revoked = None).await;
    assert_eq!(ask(&caller, &key).await.status, 200);
    stage::change_organization(&world, organization.id, |it| it.status = OrganizationStatus::Suspended).await;
    refused(&ask(&caller, &key).await, 401, "unauthorized");
}
