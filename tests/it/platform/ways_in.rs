//! Who gets in, and from where.

use serde_json::json;

use super::{SCOPES, at, data, key, operator, organization, refused, text};
use crate::support::World;

const LISTS: [(&str, &str); 6] = [
    ("/admin/v1/organizations", "admin:orgs"),
    ("/admin/v1/users", "admin:users"),
    ("/admin/v1/api-keys", "admin:keys"),
    ("/admin/v1/audit-logs", "admin:audit"),
    ("/admin/v1/analytics/usage", "admin:analytics"),
    ("/admin/v1/settings", "admin:settings"),
];

#[tokio::test]
async fn a_tenants_own_keys_open_nothing_here() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    for scopes in [vec!["*"], vec!["users:*", "api-keys:*", "organizations:*", "keys:verify"], vec![]] {
        let issued = key(&world, &acme, &scopes, json!({})).await;
        let tenant = world.bearer(text(&issued["key"]));
        for (path, scope) in LISTS {
            let message = format!("The scope {scope} is required");
            refused(&tenant.get(path).await, 403, "forbidden", &message);
        }
    }
}

#[tokio::test]
async fn each_scope_opens_its_own_and_the_wildcard_all() {
    let world = World::new().await;
    for scope in SCOPES {
        let caller = operator(&world, &[scope]).await;
        for (path, needed) in LISTS {
            // What one scope includes of others, the published examples rely on.
            let includes = scope == "admin:orgs" && ["admin:analytics", "admin:audit"].contains(&needed);
            let expected = if needed == scope || includes { 200 } else { 403 };
            assert_eq!(caller.get(path).await.status, expected, "{scope} on {path}");
        }
    }
    let caller = operator(&world, &["admin:*"]).await;
    for (path, _) in LISTS {
        assert_eq!(caller.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_operators_key_works_from_where_key_and_organization_allow() {
    let world = World::new().await;
    let own = organization(&world, "Operations").await;
    let issued = key(&world, &own, &["admin:orgs"], json!({"ip_allowlist": ["198.51.100.0/24"]})).await;
    let caller = world.bearer(text(&issued["key"]));
    let elsewhere = "The key may not be used from this address";
    let path = "/admin/v1/organizations";
    refused(&caller.get(path).await, 403, "ip_not_allowed", elsewhere);
    // Callers come from 192.0.2.1.
    let here = json!({"ip_allowlist": ["192.0.2.0/24"]});
    data(&world.bootstrap().patch(&at("api-keys", &issued), &here).await, 200);
    assert_eq!(caller.get(path).await.status, 200);
    let there = json!({"settings": {"ip_allowlist": ["198.51.100.7"]}});
    data(&world.bootstrap().patch(&at("organizations", &own), &there).await, 200);
    refused(&caller.get(path).await, 403, "ip_not_allowed", elsewhere);
    refused(&caller.post(path, &json!({"name": "A"})).await, 403, "ip_not_allowed", elsewhere);
    let anywhere = json!({"settings": {"ip_allowlist": []}});
    data(&world.bootstrap().patch(&at("organizations", &own), &anywhere).await, 200);
    assert_eq!(caller.get(path).await.status, 200);
}

#[tokio::test]
async fn an_operators_key_stops_with_whatever_it_hangs_on() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    let own = organization(&world, "Operations").await;
    let issued = key(&world, &own, &["admin:orgs"], json!({})).await;
    let caller = world.bearer(text(&issued["key"]));
    let path = "/admin/v1/organizations";
    let opens_nothing = "The presented key opens nothing here";
    let of_key = at("api-keys", &issued);
    let of_organization = at("organizations", &own);
    for (stop, go) in [
        (format!("{of_key}/disable"), format!("{of_key}/enable")),
        (format!("{of_organization}/suspend"), format!("{of_organization}/reactivate")),
    ] {
        assert_eq!(caller.get(path).await.status, 200);
        data(&bootstrap.post_empty(&stop).await, 200);
        refused(&caller.get(path).await, 401, "unauthorized", opens_nothing);
        refused(&caller.post(path, &json!({"name": "A"})).await, 401, "unauthorized", opens_nothing);
        data(&bootstrap.post_empty(&go).await, 200);
    }
    let soon = json!({"expires_in": "1m"});
    data(&bootstrap.patch(&of_key, &soon).await, 200);
    assert_eq!(caller.get(path).await.status, 200);
    world.advance(chrono::TimeDelta::minutes(1));
    refused(&caller.get(path).await, 401, "unauthorized", opens_nothing);
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_told_in_the_surfaces_words() {
    let world = World::new().await;
    let answer = world.bootstrap().get("/admin/v1/nothing").await;
    refused(&answer, 404, "not_found", "There is nothing at this path");
    let answer = world.bootstrap().delete("/admin/v1/organizations").await;
    assert_eq!((answer.status, text(&answer.json()["error"]["code"])), (405, "METHOD_NOT_ALLOWED"));
}
