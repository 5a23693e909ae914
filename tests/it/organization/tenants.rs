//! The organization itself.

use serde_json::json;

use super::{Tenant, bad, data, refused};
use crate::support::World;

#[tokio::test]
async fn an_organization_sees_itself() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme Corporation").await;
    let answer = acme.owner.get(&acme.path("")).await;
    let expected = json!({
        "id": acme.organization["id"], "name": "Acme Corporation", "slug": "acme-corporation", "email": null,
        "plan": null, "status": "active", "metadata": {},
        "settings": {
            "ipAllowlist": [], "keyLifetime": {"defaultSeconds": null, "maxSeconds": null, "required": false},
            "defaultRateLimits": [], "retention": {"auditDays": null, "usageDays": null}
        },
        "createdAt": "2026-01-26T12:00:00Z", "updatedAt": null
    });
    assert_eq!(data(&answer, 200), expected);
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(data(&acme.owner.get("/v1/organizations/acme-corporation").await, 200), expected);
}

#[tokio::test]
async fn an_organization_changes_itself_under_its_tag() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let settings = json!({
        "ipAllowlist": ["192.0.2.0/24"],
        "keyLifetime": {"defaultSeconds": 3600, "maxSeconds": 7200, "required": true},
        "defaultRateLimits": [{"name": "r", "limit": 1, "window": 60, "pool": "credential"}],
        "retention": {"auditDays": 30, "usageDays": 31}
    });
    let patch = json!({"name": "Acme 2", "email": "a@acme.com", "metadata": {"a": 1}, "settings": settings});
    let answer = acme.owner.patch(&acme.path(""), &patch).await;
    let changed = data(&answer, 200);
    assert_eq!(answer.header("etag"), "\"2\"");
    for (field, value) in patch.as_object().unwrap() {
        assert_eq!(&changed[field], value, "{field}");
    }
    let path = acme.path("");
    let stale = acme.owner.request("PATCH", &path).header("if-match", "\"1\"");
    let stale = acme.owner.send(stale.header("content-type", "application/json"), "{\"name\":\"X\"}").await;
    refused(&stale, 412, "precondition_failed", "If-Match does not hold");
    let part = data(&acme.owner.patch(&path, &json!({"settings": {"retention": null}})).await, 200);
    assert_eq!(part["settings"]["retention"], json!({"auditDays": null, "usageDays": null}));
    assert_eq!(part["settings"]["keyLifetime"], settings["keyLifetime"]);
    let days = json!({"settings": {"retention": {"auditDays": 0}}});
    let detail = "settings.retention.auditDays must be an integer between 1 and 36525";
    bad(&acme.owner.patch(&path, &days).await, "settings.retention.auditDays", detail);
    let seconds = json!({"settings": {"keyLifetime": {"maxSeconds": -1}}});
    let answer = acme.owner.patch(&path, &seconds).await;
    assert_eq!((answer.status, &answer.json()["field"]), (400, &json!("settings.keyLifetime.maxSeconds")));
    for empty in [json!({}), json!({"settings": {}})] {
        refused(&acme.owner.patch(&path, &empty).await, 400, "invalid_request", "Nothing is to be changed");
    }
}

#[tokio::test]
async fn an_address_outside_the_organizations_list_is_turned_away() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let elsewhere = json!({"settings": {"ipAllowlist": ["203.0.113.0/24"]}});
    data(&acme.owner.patch(&acme.path(""), &elsewhere).await, 200);
    let answer = acme.owner.get(&acme.path("")).await;
    refused(&answer, 403, "ip_not_allowed", "The key may not be used from this address");
}

#[tokio::test]
async fn a_suspended_organizations_keys_open_nothing() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    data(&acme.owner.get(&acme.path("")).await, 200);
    let operator = world.bootstrap();
    assert_eq!(operator.post_empty("/admin/v1/organizations/acme/suspend").await.status, 200);
    let answer = acme.owner.get(&acme.path("")).await;
    refused(&answer, 401, "unauthorized", "The presented key opens nothing here");
    assert_eq!(operator.post_empty("/admin/v1/organizations/acme/reactivate").await.status, 200);
    data(&acme.owner.get(&acme.path("")).await, 200);
}
