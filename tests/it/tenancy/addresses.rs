//! Where callers may come from, on every admin surface and through proxies.

use axum::body::Body;
use claviger_http::HttpSettings;
use serde_json::json;

use super::estate::Estate;
use crate::openapi::operations::text;
use crate::platform::{self, at, data};
use crate::support::{ALL, Answer, Caller, World};

/// A read of each admin surface by a caller of that organization.
async fn read(caller: &Caller<'_>, path: &str, forwarded: Option<&str>) -> Answer {
    let request = caller.request("GET", path);
    let request = match forwarded {
        Some(address) => request.header("x-forwarded-for", address),
        None => request,
    };
    caller.send(request, Body::empty()).await
}

#[tokio::test]
async fn an_allowlist_holds_on_every_admin_surface_behind_proxies_too() {
    // Requests come from 192.0.2.1.
    let trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    let world = World::with_http(HttpSettings { trusted_proxies, ..HttpSettings::default() }).await;
    let own = platform::organization(&world, "Operations").await;
    let issued = platform::key(&world, &own, &["admin:orgs", "*"], json!({})).await;
    let caller = world.bearer(text(&issued["key"]));
    let partner = world.partner_of("Operations", &ALL).await;
    let only = json!({"settings": {"ip_allowlist": ["203.0.113.0/24"]}});
    data(&world.bootstrap().patch(&at("organizations", &own), &only).await, 200);
    let surfaces = [
        (&caller, "/admin/v1/organizations"),
        (&caller, "/v1/organizations/operations"),
        (&*partner, "/v1/admin/users"),
    ];
    for (caller, path) in surfaces {
        for (forwarded, status) in [
            (Some("203.0.113.9"), 200),
            (Some("6.6.6.6, 203.0.113.9"), 200),
            (Some("203.0.113.9, 192.0.2.7"), 200),
            (Some("203.0.113.9, 6.6.6.6"), 403),
            (Some("203.0.113.9, rubbish"), 403),
            (Some("6.6.6.6"), 403),
            (None, 403),
        ] {
            let answer = read(caller, path, forwarded).await;
            assert_eq!(answer.status, status, "{path} {forwarded:?}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn what_a_stranger_forwards_is_not_believed() {
    let world = World::new().await;
    let estate = Estate::of(&world, "Acme").await;
    let only = json!({"settings": {"ip_allowlist": ["203.0.113.0/24"]}});
    let path = format!("/admin/v1/organizations/{}", estate.organization);
    data(&world.bootstrap().patch(&path, &only).await, 200);
    let (partner, tenant) = (&estate.callers[0].1, &estate.callers[1].1);
    let own = format!("/v1/organizations/{}", estate.organization);
    for (caller, path) in [(partner, "/v1/admin/users"), (tenant, own.as_str())] {
        for forwarded in [None, Some("203.0.113.9")] {
            assert_eq!(read(caller, path, forwarded).await.status, 403, "{path} {forwarded:?}");
        }
    }
}

/// A partner is remembered for a moment between its changes: not beyond a list that is set meanwhile.
#[tokio::test]
async fn a_list_that_is_set_holds_at_once() {
    let world = World::new().await;
    let estate = Estate::of(&world, "Acme").await;
    let (partner, tenant) = (&estate.callers[0].1, &estate.callers[1].1);
    let new = json!({"name": "A"});
    assert_eq!(partner.post("/v1/admin/users", &new).await.status, 201);
    let own = format!("/v1/organizations/{}", estate.organization);
    let elsewhere = json!({"settings": {"ipAllowlist": ["203.0.113.0/24"]}, "force": true});
    assert_eq!(tenant.patch(&own, &elsewhere).await.status, 200);
    partner.post("/v1/admin/users", &new).await.refused(403, "IP address not allowed");
    partner.get("/v1/admin/users").await.refused(403, "IP address not allowed");
    assert_eq!(tenant.get(&own).await.status, 403);
    let verify = async |ip: &str| {
        let key = json!({"key": tenant.key, "ip": ip});
        text(&world.bootstrap().post("/v1/keys/verify", &key).await.json()["code"]).to_owned()
    };
    assert_eq!(verify("198.51.100.1").await, "IP_NOT_ALLOWED");
    assert_eq!(verify("203.0.113.9").await, "VALID");
    let anywhere = json!({"settings": {"ip_allowlist": []}});
    let path = format!("/admin/v1/organizations/{}", estate.organization);
    data(&world.bootstrap().patch(&path, &anywhere).await, 200);
    assert_eq!(partner.post("/v1/admin/users", &new).await.status, 201);
    assert_eq!(verify("198.51.100.1").await, "VALID");
}

#[tokio::test]
async fn a_keys_own_list_holds_on_its_organizations_surface() {
    let world = World::new().await;
    let acme = crate::organization::Tenant::new(&world, "Acme").await;
    for (list, status) in [(json!(["203.0.113.0/24"]), 403), (json!(["192.0.2.0/24"]), 200)] {
        let issued = acme.key(&["users:read"], json!({"ipAllowlist": list})).await;
        let answer = world.bearer(text(&issued["key"])).get(&acme.path("/users")).await;
        assert_eq!(answer.status, status, "{list}: {}", answer.text);
    }
}
