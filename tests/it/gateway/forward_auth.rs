//! What a proxy is told about the request of its client.

use axum::body::{Body, Bytes};
use chrono::TimeDelta;
use claviger_domain::credential::{Class, Credential, Credits, Network, Revocation};
use claviger_domain::organization::OrganizationStatus;
use claviger_domain::secret::KeyFormat;
use claviger_http::HttpSettings;
use serde_json::json;

use super::stage::{self, Subject};
use crate::openapi::operations::{Operation, of};
use crate::support::{Answer, World};

const PATH: &str = "/v1/forward-auth";

fn forward_auth() -> Operation {
    of("gateway").into_iter().find(|operation| operation.id() == "forward_auth").unwrap()
}

async fn ask(world: &World, key: &str, query: &str) -> Answer {
    let answer = world.bearer(key).get(&format!("{PATH}?{query}")).await;
    forward_auth().admits(&answer);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer
}

async fn staged(world: &World, with: impl FnOnce(&mut Credential)) -> Subject<'_> {
    let organization = stage::organization(world, "Tenant").await.id;
    stage::credential(world, organization, Class::Live, with).await
}

/// What a refusal says, in either dialect: its status, and for a proxy that knows few statuses, headers.
async fn denied(world: &World, key: &str, query: &str, status: u16, code: &str) {
    let to_nginx = if matches!(status, 402 | 429) { 403 } else { status };
    for (dialect, told) in [("", status), ("&dialect=nginx", to_nginx)] {
        let answer = ask(world, key, &format!("{query}{dialect}")).await;
        assert_eq!(answer.status, told, "{code}{dialect}: {}", answer.text);
        let body = answer.json();
        assert_eq!((&body["status"], &body["code"]), (&json!(told), &json!(code.to_lowercase())));
        assert_eq!(body["request_id"], answer.header("x-request-id"));
        assert_eq!(answer.header("x-claviger-deny-code"), code);
        assert_eq!(answer.header("x-claviger-deny-status"), status.to_string());
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{code}{dialect}");
        assert_eq!(answer.headers.contains_key("ratelimit"), code == "RATE_LIMITED", "{code}{dialect}");
        let facts = ["credential-id", "organization-id", "user-id", "external-id", "scopes", "environment"];
        for fact in facts {
            assert!(!answer.headers.contains_key(format!("x-claviger-{fact}")), "{code} tells of {fact}");
        }
    }
}

#[tokio::test]
async fn each_code_has_its_status_in_both_dialects() {
    let world = World::new().await;
    let now = world.app.now();
    let mut mistyped = stage::never_issued(KeyFormat::Live);
    mistyped.pop();
    denied(&world, &mistyped, "", 401, "MALFORMED").await;
    denied(&world, &stage::never_issued(KeyFormat::Partner), "", 401, "NOT_FOUND").await;
    denied(&world, world.bootstrap().key.as_ref().unwrap(), "", 401, "NOT_FOUND").await;

    let revoked = staged(&world, |it| it.revoked = Some(Revocation { at: now, reason: None })).await;
    denied(&world, &revoked.key, "", 401, "REVOKED").await;
    let expired = staged(&world, |it| it.expires_at = Some(now)).await;
    denied(&world, &expired.key, "", 401, "EXPIRED").await;
    let disabled = staged(&world, |it| it.disabled_at = Some(now)).await;
    denied(&world, &disabled.key, "", 403, "DISABLED").await;
    let elsewhere = staged(&world, |it| it.ip_allowlist = "198.51.100.0/24".parse().unwrap()).await;
    denied(&world, &elsewhere.key, "", 403, "IP_NOT_ALLOWED").await;
    let networked = staged(&world, |it| it.network = Some(Network::Preview)).await;
    denied(&world, &networked.key, "network_id=0", 403, "WRONG_NETWORK").await;
    denied(&world, &networked.key, "environment=test", 403, "WRONG_ENVIRONMENT").await;
    denied(&world, &networked.key, "scopes=users:read+OR+a:b", 403, "INSUFFICIENT_SCOPE").await;
    let limited = staged(&world, |it| it.limits = "requests:1/60".parse().unwrap()).await;
    assert_eq!(ask(&world, &limited.key, "dialect=nginx").await.status, 200);
    denied(&world, &limited.key, "", 429, "RATE_LIMITED").await;
    let poor = staged(&world, |it| it.credits = Some(Credits::granted(3, None))).await;
    denied(&world, &poor.key, "cost=4", 402, "CREDITS_EXHAUSTED").await;
    assert_eq!(ask(&world, &poor.key, "cost=3").await.status, 200);

    let organization = stage::organization(&world, "Suspended").await.id;
    let halted = stage::credential(&world, organization, Class::Live, |_| {}).await;
    stage::change_organization(&world, organization, |it| it.status = OrganizationStatus::Suspended).await;
    denied(&world, &halted.key, "", 403, "ORGANIZATION_SUSPENDED").await;

    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let issued = partner.credential_of(&user, "Production").await;
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", user["id"].as_str().unwrap())).await.data();
    denied(&world, issued["api_key"].as_str().unwrap(), "", 403, "USER_SUSPENDED").await;
    assert_eq!(revoked.usage().await, (2, 2), "each denial is counted");
}

#[tokio::test]
async fn what_is_known_of_a_key_stands_in_headers() {
    let world = World::new().await;
    let partner = world.partner().await;
    let organization = stage::organization_of(&world, &partner).await.to_string();
    for (external_id, encoded) in [
        ("customer-123", "customer-123"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("Kundä/🔑", "Kund%C3%A4/%F0%9F%94%91"),
        ("a\"b,c;d", "a\"b,c;d"),
    ] {
        let body = json!({"name": "Acme Corp", "external_id": external_id});
        let user = partner.post("/v1/admin/users", &body).await.data();
        let issued = partner.credential_of(&user, "Production").await;
        let answer = ask(&world, issued["api_key"].as_str().unwrap(), "").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        for (name, value) in [
            ("credential-id", issued["credential"]["id"].as_str().unwrap()),
            ("organization-id", organization.as_str()),
            ("user-id", user["id"].as_str().unwrap()),
            ("external-id", encoded),
            ("environment", "live"),
        ] {
            assert_eq!(answer.header(&format!("x-claviger-{name}")), value, "{name}");
        }
        assert!(!answer.headers.contains_key("x-claviger-scopes"), "it has none");
        assert!(!answer.headers.contains_key("x-claviger-deny-code"));
    }
    let organization = stage::organization(&world, "Tenant").await.id;
    let scopes = "workflows:read users:*".parse().unwrap();
    let bare = stage::credential(&world, organization, Class::Test, |it| it.scopes = scopes).await;
    let answer =
        ask(&world, &bare.key, "scopes=workflows:read+AND+users:write&environment=test&cost=0").await;
    assert_eq!((answer.status, answer.header("x-claviger-environment")), (200, "test"));
    let mut told: Vec<_> = answer.header("x-claviger-scopes").split(' ').collect();
    told.sort_unstable();
    assert_eq!(told, ["users:*", "workflows:read"]);
    for name in ["x-claviger-user-id", "x-claviger-external-id"] {
        assert!(!answer.headers.contains_key(name), "{name}: it is linked to nobody");
    }
}

#[tokio::test]
async fn the_key_comes_as_bearer_or_in_a_header_of_its_own() {
    let world = World::new().await;
    let good = staged(&world, |_| {}).await.key;
    let other = stage::never_issued(KeyFormat::Live);
    let [bearer, foreign] = [format!("Bearer {good}"), format!("Bearer {other}")];
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Headers<'_>, u16, &str); 12] = [
        (&[("authorization", &bearer)], 200, ""),
        (&[("x-api-key", &good)], 200, ""),
        (&[("authorization", &bearer), ("x-api-key", &other)], 200, ""),
        (&[("authorization", &foreign), ("x-api-key", &good)], 401, "not_found"),
        (&[("authorization", "Basic dXNlcjpwYXNz"), ("x-api-key", &good)], 200, ""),
        (&[("authorization", "Basic dXNlcjpwYXNz")], 401, "unauthorized"),
        (&[("authorization", &good)], 401, "unauthorized"),
        (&[("x-api-key", &good), ("x-api-key", &good)], 401, "unauthorized"),
        (&[("x-api-key", "ä")], 401, "unauthorized"),
        (&[("x-api-key", "")], 401, "malformed"),
        (&[("x-api-key", &bearer)], 401, "malformed"),
        (&[], 401, "unauthorized"),
    ];
    for (headers, status, code) in cases {
        let caller = world.nobody();
        let mut request = caller.request("GET", PATH);
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let answer = caller.send(request, Body::empty()).await;
        forward_auth().admits(&answer);
        assert_eq!(answer.status, status, "{headers:?}");
        if status != 200 {
            assert_eq!((&answer.json()["code"], answer.header("www-authenticate")), (&json!(code), "Bearer"));
        }
    }
    // Nor is a key read from where logs would have it.
    let answer = world.nobody().get(&format!("{PATH}?key={good}")).await;
    assert_eq!((answer.status, &answer.json()["detail"]), (400, &json!("Unknown query parameter: key")));
}

#[tokio::test]
async fn whoever_is_too_fast_is_told_when_to_come_back() {
    let world = World::new().await;
    let limits = "burst:2/10,hourly:100/3600".parse().unwrap();
    let subject = staged(&world, |it| it.limits = limits).await;
    for _ in 0..2 {
        let passed = ask(&world, &subject.key, "").await;
        assert_eq!(passed.status, 200);
        assert!(!passed.headers.contains_key("retry-after"));
    }
    let refused = ask(&world, &subject.key, "").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit-policy"), "\"burst\";q=2;w=10, \"hourly\";q=100;w=3600");
    assert_eq!(refused.header("ratelimit"), "\"burst\";r=0;t=20, \"hourly\";r=98;t=7200");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(ask(&world, &subject.key, "dialect=nginx").await.header("retry-after"), wait.to_string());
    world.advance(TimeDelta::seconds(wait) - TimeDelta::milliseconds(1));
    assert_eq!(ask(&world, &subject.key, "").await.header("retry-after"), "1", "a moment too early");
    world.advance(TimeDelta::milliseconds(1));
    assert_eq!(ask(&world, &subject.key, "").await.status, 200);

    // What is more than a limit ever lets pass will not fit later either, whatever the other limits say.
    for limits in ["burst:2/10", "burst:2/10,hourly:3/3600", "hourly:3/3600,burst:2/10"] {
        let subject = staged(&world, |it| it.limits = limits.parse().unwrap()).await;
        assert_eq!(ask(&world, &subject.key, "").await.status, 200);
        let refused = ask(&world, &subject.key, "cost=3").await;
        assert_eq!(refused.status, 429);
        assert!(!refused.headers.contains_key("retry-after"), "{limits}: {:?}", refused.headers);
    }
}

#[tokio::test]
async fn a_wrong_question_is_no_answer_about_the_key() {
    let world = World::new().await;
    let subject = staged(&world, |it| it.limits = "requests:1/60".parse().unwrap()).await;
    for (query, field) in [
        ("cost=-1", "cost"),
        ("cost=%2B1", "cost"),
        ("cost=", "cost"),
        ("network_id=3", "network_id"),
        ("environment=prod", "environment"),
        ("scopes=", "scopes"),
        ("dialect=apache", "dialect"),
    ] {
        for caller in [world.bearer(&subject.key), world.nobody()] {
            let answer = caller.get(&format!("{PATH}?{query}")).await;
            forward_auth().admits(&answer);
            assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}");
            assert!(!answer.headers.contains_key("x-claviger-deny-code"));
        }
    }
    assert_eq!(ask(&world, &subject.key, "").await.status, 200, "nothing was spent");
    assert_eq!(subject.usage().await, (1, 0));
}

#[tokio::test]
async fn the_clients_address_is_what_trusted_proxies_say() {
    // Requests come from 192.0.2.1.
    let (office, proxy) = ("203.0.113.0/24", "192.0.2.0/24");
    for (allowed, proxies, forwarded, status) in [
        (office, proxy, None, 403),
        (office, proxy, Some(&b"203.0.113.9"[..]), 200),
        (office, proxy, Some(b"6.6.6.6, 203.0.113.9"), 200),
        (office, proxy, Some(b"203.0.113.9, 6.6.6.6"), 403),
        (office, proxy, Some(b"203.0.113.9, 192.0.2.77"), 200),
        (office, proxy, Some(b"203.0.113.9, rubbish"), 403),
        (office, "10.0.0.0/8", Some(b"203.0.113.9"), 403),
        // What cannot be read does not turn the client into the proxy.
        (office, proxy, Some(b"\xff, 203.0.113.9"), 200),
        (proxy, proxy, None, 200),
        (proxy, proxy, Some(b"\xff, 6.6.6.6"), 403),
        (proxy, proxy, Some(b"\xff"), 403),
        (proxy, proxy, Some(b"rubbish"), 403),
    ] {
        let trusted_proxies = vec![proxies.parse().unwrap()];
        let world = World::with_http(HttpSettings { trusted_proxies, ..HttpSettings::default() }).await;
        let subject = staged(&world, |it| it.ip_allowlist = allowed.parse().unwrap()).await;
        let caller = world.bearer(&subject.key);
        let mut request = caller.request("GET", PATH);
        if let Some(forwarded) = forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        let answer = caller.send(request, Body::empty()).await;
        assert_eq!(answer.status, status, "{proxies} {forwarded:?}");
    }
}

/// The client's method is none of our business.
#[tokio::test]
async fn every_method_is_answered_alike() {
    let world = World::new().await;
    let good = staged(&world, |_| {}).await.key;
    let unknown = stage::never_issued(KeyFormat::Live);
    let told = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id");
        headers
    };
    for (key, status) in [(&good, 200), (&unknown, 401)] {
        let caller = world.bearer(key);
        let got = caller.get(PATH).await;
        assert_eq!(got.status, status);
        for method in
            ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "PURGE"]
        {
            let answer = caller.send(caller.request(method, PATH), Body::empty()).await;
            assert_eq!(answer.status, status, "{method}");
            assert_eq!(told(&answer), told(&got), "{method}");
        }
    }
}

/// A proxy may leave the client's `Content-Length` and never send what it announces.
#[tokio::test]
async fn the_body_is_not_waited_for() {
    let world = World::new().await;
    let good = staged(&world, |_| {}).await.key;
    let caller = world.bearer(&good);
    let never = futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>();
    let request = caller.request("POST", PATH).header("content-type", "application/json");
    let answer = caller.send(request.header("content-length", "1000"), Body::from_stream(never)).await;
    assert_eq!(answer.status, 200);
    let huge = "x".repeat(4 << 20);
    assert_eq!(caller.send(caller.request("PUT", PATH), huge).await.status, 200);
}
