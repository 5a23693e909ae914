//! The organization itself.

use claviger_app::Retention;
use serde_json::json;

use super::{Tenant, bad, data, refused};
use crate::platform::{self, at, operator};
use crate::support::{Settled, World};

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
        "memberCount": 0, "createdAt": "2026-01-26T12:00:00Z", "updatedAt": null
    });
    assert_eq!(data(&answer, 200), expected);
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(data(&acme.owner.get("/v1/organizations/acme-corporation").await, 200), expected);
}

#[tokio::test]
async fn an_organization_changes_itself_under_its_tag() {
    let retention = Retention { audit: Some(30), days: Some(31), ..Retention::default() };
    let world = World::settled(Settled { retention, ..Settled::default() }).await;
    let acme = Tenant::new(&world, "Acme").await;
    let settings = json!({
        "ipAllowlist": ["192.0.2.0/24"],
        "keyLifetime": {"defaultSeconds": 3600, "maxSeconds": 7200, "required": true},
        "defaultRateLimits": [{"name": "r", "limit": 1, "window": 60, "pool": "credential"}],
        "retention": {"auditDays": 30, "usageDays": 31}
    });
    acme.user("Ada", &["Owner"]).await;
    acme.user("Bob", &[]).await;
    let patch = json!({"name": "Acme 2", "email": "a@acme.com", "metadata": {"a": 1}, "settings": settings});
    let answer = acme.owner.patch(&acme.path(""), &patch).await;
    let changed = data(&answer, 200);
    assert_eq!(answer.header("etag"), "\"2\"");
    for (field, value) in patch.as_object().unwrap() {
        assert_eq!(&changed[field], value, "{field}");
    }
    assert_eq!(changed["memberCount"], 1, "a user without a role is no member");
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
    let elsewhere = json!({"settings": {"ipAllowlist": ["203.0.113.0/24"]}, "force": true});
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

#[tokio::test]
async fn an_organization_does_not_shorten_its_own_records() {
    let retention = Retention { audit: Some(30), days: None, ..Retention::default() };
    let world = World::settled(Settled { retention, ..Settled::default() }).await;
    let acme = Tenant::new(&world, "Acme").await;
    let path = acme.path("");
    let kept = |audit, usage| json!({"settings": {"retention": {"auditDays": audit, "usageDays": usage}}});
    let short = |field: &str| format!("settings.retention.{field}");
    let days = "The installation keeps these records for 30 days: keep them as long";
    for (patch, field, detail) in [
        (kept(json!(1), json!(null)), "auditDays", days),
        (kept(json!(29), json!(null)), "auditDays", days),
        (
            kept(json!(30), json!(36_525)),
            "usageDays",
            "The installation keeps these records for ever: no days can be given",
        ),
    ] {
        let answer = acme.owner.patch(&path, &patch).await;
        refused(&answer, 400, "retention_too_short", detail);
        assert_eq!(answer.json()["field"], short(field));
    }
    data(&acme.owner.patch(&path, &kept(json!(30), json!(null))).await, 200);
    data(&acme.owner.patch(&path, &kept(json!(365), json!(null))).await, 200);
    // The operator may, for any of them; and what the operator has settled can be said again.
    let by_operator = json!({"settings": {"retention": {"audit_days": 7, "usage_days": 7}}});
    assert_eq!(
        world.bootstrap().patch(&at("organizations", &acme.organization), &by_operator).await.status,
        200
    );
    data(&acme.owner.patch(&path, &kept(json!(7), json!(7))).await, 200);
    refused(&acme.owner.patch(&path, &kept(json!(6), json!(7))).await, 400, "retention_too_short", days);
    data(&acme.owner.patch(&path, &kept(json!(null), json!(null))).await, 200);
    // The installation's rule is the one that holds now, not the one it was started with.
    let settled = json!({"retention": {"audit_days": 3, "usage_days": 3}});
    assert_eq!(world.bootstrap().patch("/admin/v1/settings", &settled).await.status, 200);
    data(&acme.owner.patch(&path, &kept(json!(3), json!(3))).await, 200);
}

#[tokio::test]
async fn a_name_an_organization_gave_itself_is_nobodys_entity() {
    let world = World::new().await;
    let eve = Tenant::new(&world, "Eve").await;
    let issue = async || {
        let body = json!({"entity_name": "Acme Reseller", "permissions": ["manage_credentials"]});
        let answer = world.bootstrap().post("/v1/admin/admin-keys", &body).await.data();
        answer["admin_key"]["organization_id"].clone()
    };
    let called = async |name: &str| {
        let path = format!("/admin/v1/organizations?search={name}");
        world.bootstrap().get(&path).await.json()["pagination"]["total"].clone()
    };
    data(&eve.owner.patch(&eve.path(""), &json!({"name": "Acme Reseller"})).await, 200);
    let resellers = issue().await;
    assert_eq!(called("acme%20reseller").await, 2, "it has not joined what called itself so");
    assert_eq!(issue().await, resellers, "the name that the operator gave is joined");
    // What the operator calls so is so.
    let second = operator(&world, &["admin:orgs"]).await;
    let other = Tenant::new(&world, "Other").await;
    let rename = json!({"name": "Second Reseller"});
    data(&other.owner.patch(&other.path(""), &json!({"name": "Mine"})).await, 200);
    assert_eq!(second.patch(&at("organizations", &other.organization), &rename).await.status, 200);
    let body = json!({"entity_name": "Second Reseller", "permissions": ["manage_credentials"]});
    world.bootstrap().post("/v1/admin/admin-keys", &body).await.data();
    assert_eq!(called("second%20reseller").await, 1, "no other one was opened");
    // Saying an unchanged name again is no blessing: a form sends back what it was given.
    let (eves, given) = (at("organizations", &eve.organization), json!({"name": "Acme Reseller"}));
    let told = platform::data(&world.bootstrap().patch(&eves, &given).await, 200);
    assert_eq!(told["name_verified"], false);
    assert_eq!(issue().await, resellers);
}

#[tokio::test]
async fn the_operator_verifies_a_name_by_saying_so() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let path = at("organizations", &acme.organization);
    let operator = world.bootstrap();
    let set = async |patch: serde_json::Value| operator.patch(&path, &patch).await;
    let verified = async || platform::data(&operator.get(&path).await, 200)["name_verified"].clone();
    assert_eq!(verified().await, true);
    data(&acme.owner.patch(&acme.path(""), &json!({"name": "Acme Reseller"})).await, 200);
    assert_eq!(verified().await, false);
    // Which name is verified is said with it, and it is no field of the tenant's.
    platform::bad(&set(json!({"name_verified": true})).await, "name", "name is required");
    platform::bad(
        &set(json!({"name_verified": null})).await,
        "name_verified",
        "name_verified must be a boolean",
    );
    let answer = acme.owner.patch(&acme.path(""), &json!({"name": "A", "name_verified": true})).await;
    bad(&answer, "name_verified", "Unknown field: name_verified");
    platform::data(&set(json!({"name": "Acme Reseller", "name_verified": true})).await, 200);
    assert_eq!(verified().await, true);
    let issue = json!({"entity_name": "Acme Reseller", "permissions": ["manage_credentials"]});
    let joined = operator.post("/v1/admin/admin-keys", &issue).await.data();
    let own =
        claviger_domain::ids::OrganizationId::parse_any(acme.organization["id"].as_str().unwrap()).unwrap();
    assert_eq!(joined["admin_key"]["organization_id"], own.to_string());
    platform::data(&set(json!({"name_verified": false})).await, 200);
    assert_eq!(verified().await, false);
    let changes = operator.get("/admin/v1/audit-logs?action=organization.updated&limit=1").await;
    let told = &platform::data(&changes, 200)[0]["details"]["changes"]["name_verified"];
    assert_eq!(told, &json!({"from": true, "to": false}));
}

#[tokio::test]
async fn an_entity_name_of_two_organizations_is_refused_and_both_are_named() {
    let world = World::new().await;
    let [one, two] =
        [platform::organization(&world, "Acme").await, platform::organization(&world, "Acme").await];
    let issue = async || {
        let body = json!({"entity_name": "Acme", "permissions": ["manage_credentials"]});
        world.bootstrap().post("/v1/admin/admin-keys", &body).await
    };
    let named =
        |it: &serde_json::Value| format!("{} ({})", it["id"].as_str().unwrap(), it["slug"].as_str().unwrap());
    let candidates = format!("{}, {}", named(&one), named(&two));
    let error = format!(
        "entity_name matches several organizations: {candidates}. Rename all but one of them, or set name_verified to false."
    );
    issue().await.refused(409, &error);
    let patch = json!({"name_verified": false});
    platform::data(&world.bootstrap().patch(&at("organizations", &two), &patch).await, 200);
    let own = claviger_domain::ids::OrganizationId::parse_any(one["id"].as_str().unwrap()).unwrap();
    assert_eq!(issue().await.data()["admin_key"]["organization_id"], own.to_string());
}

#[tokio::test]
async fn a_tenant_does_not_shut_its_own_address_out_unless_it_says_so() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let list = |blocks: &[&str], force: serde_json::Value| json!({"settings": {"ipAllowlist": blocks}, "force": force});
    let refusal =
        "The list does not admit the address of this request (192.0.2.1): set `force` to lock it out anyway";
    for force in [json!(null), json!(false)] {
        let answer = acme.owner.patch(&acme.path(""), &list(&["203.0.113.0/24"], force)).await;
        refused(&answer, 409, "address_excluded", refusal);
    }
    data(&acme.owner.patch(&acme.path(""), &list(&["192.0.2.0/24"], json!(null))).await, 200);
    data(&acme.owner.patch(&acme.path(""), &list(&[], json!(null))).await, 200);
    // The operator's own organization shuts the operator's key out; another one's does not.
    let caller = operator(&world, &["admin:orgs"]).await;
    let elsewhere = json!({"settings": {"ip_allowlist": ["203.0.113.0/24"]}});
    let own = "/admin/v1/organizations/operations";
    platform::refused(&caller.patch(own, &elsewhere).await, 409, "address_excluded", refusal);
    platform::data(&caller.patch(&at("organizations", &acme.organization), &elsewhere).await, 200);
    let mut forced = elsewhere.clone();
    forced["force"] = json!(true);
    platform::data(&caller.patch(own, &forced).await, 200);
    assert_eq!(caller.get(own).await.status, 403);
    // A key's own list is none of its own business, forced or not.
    let umbrella = Tenant::new(&world, "Umbrella").await;
    let issued = umbrella.key(&["api-keys:*"], json!({})).await;
    let caller = world.bearer(issued["key"].as_str().unwrap());
    let answer =
        caller.patch(&umbrella.at("api-keys", &issued), &json!({"ipAllowlist": ["203.0.113.0/24"]})).await;
    refused(&answer, 403, "own_authority", "A key does not change its own authority");
    data(&umbrella.owner.patch(&umbrella.path(""), &list(&["203.0.113.0/24"], json!(true))).await, 200);
    assert_eq!(umbrella.owner.get(&umbrella.path("")).await.status, 403);
}
