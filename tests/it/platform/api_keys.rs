//! API keys: issued, shown, listed.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{NO_ORGANIZATION, NO_USER, at, bad, code, data, key, organization, refused, text, user};
use crate::support::World;

const PATH: &str = "/admin/v1/api-keys";

#[tokio::test]
async fn the_published_example_issues_a_key() {
    let world = World::new().await;
    let acme = organization(&world, "Acme Corporation").await;
    let body = json!({
        "organization_id": acme["id"], "name": "Production API Key",
        "scopes": ["workflows:read", "transactions:write"],
    });
    let answer = world.bootstrap().post(PATH, &body).await;
    let told = data(&answer, 201);
    let secret = text(&told["key"]);
    assert!(secret.starts_with("ak_live_") && secret.len() == 48 && text(&told["id"]).starts_with("key_"));
    let expected = json!({
        "id": told["id"], "name": "Production API Key", "description": null, "organization_id": acme["id"],
        "user_id": null, "type": "api_key", "scopes": ["workflows:read", "transactions:write"],
        "environment": "live", "network_id": null, "prefix": secret[..16], "rate_limits": [], "ip_allowlist": [],
        "credits": null, "metadata": {}, "created_at": "2026-01-26T12:00:00Z", "updated_at": null,
        "expires_at": null, "last_used_at": null, "disabled": false, "disabled_at": null, "revoked": false,
        "revoked_at": null, "revocation_reason": null, "key": told["key"],
    });
    assert_eq!(told.to_string(), expected.to_string());
    assert_eq!((answer.header("cache-control"), answer.header("etag")), ("no-store", "\"1\""));
    let verified = json!({"key": secret, "scopes": "workflows:read AND transactions:write"});
    let verified = world.bootstrap().post("/v1/keys/verify", &verified).await.json();
    assert_eq!(
        (&verified["code"], &verified["organization"]["slug"]),
        (&json!("VALID"), &json!("acme-corporation"))
    );
    let shown = world.bootstrap().get(&at("api-keys", &told)).await;
    let mut expected = expected;
    expected.as_object_mut().unwrap().remove("key");
    expected["last_used_at"] = data(&shown, 200)["last_used_at"].clone();
    assert_eq!(data(&shown, 200), expected);
    assert!(!shown.text.contains(secret), "the key is shown once");
}

#[tokio::test]
async fn everything_a_key_is_told_is_kept_and_in_force() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let ada = user(&world, &acme, "Ada").await;
    let body = json!({
        "organization_id": "acme", "name": "Sandbox", "description": "For trying", "scopes": [], "environment": "test",
        "expires_in": "90d", "rate_limits": [{"name": "requests", "limit": 1, "window": 60}],
        "ip_allowlist": ["192.0.2.0/24"], "credits": {"remaining": 5, "refill": {"amount": 10, "interval": 3600}},
        "user_id": ada["id"], "metadata": {"team": "payments"},
    });
    let told = data(&world.bootstrap().post(PATH, &body).await, 201);
    assert!(text(&told["key"]).starts_with("ak_test_"));
    for (field, value) in [
        ("description", json!("For trying")),
        ("environment", json!("test")),
        ("type", json!("api_key")),
        ("expires_at", json!("2026-04-26T12:00:00Z")),
        ("rate_limits", json!([{"name": "requests", "limit": 1, "window": 60, "pool": "credential"}])),
        ("ip_allowlist", json!(["192.0.2.0/24"])),
        ("credits", json!({"remaining": 5, "refill": {"amount": 10, "interval": 3600}})),
        ("user_id", ada["id"].clone()),
        ("metadata", json!({"team": "payments"})),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    let verify = async |more: Value| {
        let mut body = json!({"key": told["key"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        text(&world.bootstrap().post("/v1/keys/verify", &body).await.json()["code"]).to_owned()
    };
    assert_eq!(verify(json!({"ip": "198.51.100.1"})).await, "IP_NOT_ALLOWED");
    assert_eq!(verify(json!({"ip": "192.0.2.9", "environment": "live"})).await, "WRONG_ENVIRONMENT");
    assert_eq!(verify(json!({"ip": "192.0.2.9"})).await, "VALID");
    assert_eq!(verify(json!({"ip": "192.0.2.9"})).await, "RATE_LIMITED");
    world.advance(TimeDelta::days(90));
    assert_eq!(verify(json!({"ip": "192.0.2.9"})).await, "EXPIRED");
    let scim = key(&world, &acme, &["users:*"], json!({"type": "scim"})).await;
    assert!(text(&scim["key"]).starts_with("scim_"));
    assert_eq!((&scim["type"], &scim["environment"]), (&json!("scim"), &json!("live")));
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_its_field() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let ada = user(&world, &acme, "Ada").await;
    let post = async |more: Value| {
        let mut body = json!({"organization_id": acme["id"], "name": "A", "scopes": []});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.as_object_mut().unwrap().retain(|_, value| *value != json!("absent"));
        world.bootstrap().post(PATH, &body).await
    };
    let scopes = "scopes[0] must be scopes like resource:action, resource:* or *; admin: has its own";
    for (more, field, message) in [
        (json!({"organization_id": "absent"}), "organization_id", "organization_id is required"),
        (json!({"name": "absent"}), "name", "name is required"),
        (json!({"scopes": "absent"}), "scopes", "scopes is required"),
        (json!({"scopes": "workflows:read"}), "scopes", "scopes must be an array"),
        (json!({"scopes": ["not a scope"]}), "scopes[0]", scopes),
        (json!({"scopes": ["admin:everything"]}), "scopes[0]", scopes),
        (json!({"environment": "staging"}), "environment", "environment must be one of: live, test"),
        (json!({"type": "partner"}), "type", "type must be one of: api_key, scim"),
        (json!({"type": "scim", "environment": "test"}), "environment", "environment must be one of: live"),
        (json!({"expires_at": "soon"}), "expires_at", "expires_at must be an ISO 8601 timestamp"),
        (json!({"expires_in": "1y"}), "expires_in", "expires_in must be a span like 90d, 12h or P1Y"),
        (
            json!({"expires_in": "1d", "expires_at": "2027-01-01"}),
            "expires_in",
            "expires_in cannot be given together with expires_at",
        ),
        (json!({"user_id": "ada"}), "user_id", "user_id names nothing that can be"),
        (
            json!({"ip_allowlist": ["x"]}),
            "ip_allowlist",
            "ip_allowlist must be at most 100 addresses or CIDR blocks",
        ),
        (json!({"rate_limits": [{"name": "a"}]}), "rate_limits[0].limit", "rate_limits[0].limit is required"),
        (json!({"surprise": 1}), "surprise", "Unknown field: surprise"),
    ] {
        bad(&post(more).await, field, message);
    }
    let past = post(json!({"expires_at": "2026-01-26T12:00:00Z"})).await;
    refused(&past, 400, "invalid_request", "An expiry must lie in the future");
    let nothing = "There is no such thing among yours";
    refused(&post(json!({"organization_id": NO_ORGANIZATION})).await, 404, "not_found", nothing);
    refused(&post(json!({"organization_id": "org-123"})).await, 404, "not_found", nothing);
    refused(&post(json!({"user_id": NO_USER})).await, 404, "not_found", nothing);
    let other = organization(&world, "Other").await;
    let foreign = post(json!({"organization_id": other["id"], "user_id": ada["id"]})).await;
    refused(&foreign, 404, "not_found", nothing);
    data(&world.bootstrap().post_empty(&format!("{}/suspend", at("users", &ada))).await, 200);
    let suspended = post(json!({"user_id": ada["id"]})).await;
    refused(&suspended, 409, "user_suspended", "The user is suspended");
}

#[tokio::test]
async fn keys_live_as_long_as_organization_and_installation_allow() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let rule = json!({"key_lifetime": {"default_seconds": 3600, "max_seconds": 7200, "required": false}});
    data(&operator.patch("/admin/v1/settings", &rule).await, 200);
    let acme = organization(&world, "Acme").await;
    let issued = key(&world, &acme, &[], json!({})).await;
    assert_eq!(issued["expires_at"], "2026-01-26T13:00:00Z");
    let body = json!({"organization_id": acme["id"], "name": "A", "scopes": [], "expires_in": "3h"});
    let answer = operator.post(PATH, &body).await;
    refused(
        &answer,
        400,
        "expiry_too_late",
        "The organization's keys live for at most 7200 seconds from their creation",
    );
    let none = json!({"key_lifetime": null});
    data(&operator.patch("/admin/v1/settings", &none).await, 200);
    let demand = json!({"settings": {"key_lifetime": {"required": true}}});
    data(&operator.patch(&at("organizations", &acme), &demand).await, 200);
    let body = json!({"organization_id": acme["id"], "name": "A", "scopes": []});
    let answer = operator.post(PATH, &body).await;
    refused(&answer, 400, "expiry_required", "The organization demands an expiry");
}

#[tokio::test]
async fn keys_without_limits_have_those_of_their_organization_or_of_the_installation() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let limits = |name: &str| json!([{"name": name, "limit": 7, "window": 60, "pool": "credential"}]);
    data(&operator.patch("/admin/v1/settings", &json!({"default_rate_limits": limits("all")})).await, 200);
    let acme = organization(&world, "Acme").await;
    assert_eq!(key(&world, &acme, &[], json!({})).await["rate_limits"], limits("all"));
    let own = json!({"settings": {"default_rate_limits": limits("own")}});
    data(&operator.patch(&at("organizations", &acme), &own).await, 200);
    assert_eq!(key(&world, &acme, &[], json!({})).await["rate_limits"], limits("own"));
    assert_eq!(key(&world, &acme, &[], json!({"rate_limits": []})).await["rate_limits"], json!([]));
}

#[tokio::test]
async fn keys_are_listed_of_all_organizations_and_narrowed() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let (acme, other) = (organization(&world, "Acme").await, organization(&world, "Other").await);
    let ada = user(&world, &acme, "Ada").await;
    let named = |name: &str, more: Value| {
        let mut body = more;
        body["name"] = json!(name);
        body
    };
    let one = key(&world, &acme, &[], named("one", json!({}))).await;
    world.advance(TimeDelta::seconds(1));
    key(&world, &acme, &[], named("two", json!({"environment": "test", "user_id": ada["id"]}))).await;
    world.advance(TimeDelta::seconds(1));
    key(&world, &other, &[], named("three", json!({"type": "scim"}))).await;
    world.advance(TimeDelta::seconds(1));
    world.partner().await.credential("a partner's").await;
    world.advance(TimeDelta::seconds(1));
    let gone = key(&world, &acme, &[], named("gone", json!({}))).await;
    data(&operator.delete(&at("api-keys", &gone)).await, 200);
    for (query, names) in [
        (String::new(), vec!["a partner's", "three", "two", "one"]),
        ("?include_revoked=true".to_owned(), vec!["gone", "a partner's", "three", "two", "one"]),
        (format!("?org_id={}", text(&acme["id"])), vec!["two", "one"]),
        ("?org_id=other".to_owned(), vec!["three"]),
        (format!("?user_id={}", text(&ada["id"])), vec!["two"]),
        ("?environment=test".to_owned(), vec!["two"]),
        ("?environment=live".to_owned(), vec!["a partner's", "three", "one"]),
        ("?search=THR".to_owned(), vec!["three"]),
        (format!("?search={}", text(&one["prefix"])), vec!["one"]),
        ("?limit=2&offset=1".to_owned(), vec!["three", "two"]),
    ] {
        let answer = operator.get(&format!("{PATH}{query}")).await;
        let rows = data(&answer, 200);
        let told: Vec<_> = rows.as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
        assert_eq!(told, names, "{query}");
        assert!(rows.as_array().unwrap().iter().all(|row| row.get("key").is_none()));
    }
    for (query, field, message) in [
        ("environment=staging", "environment", "environment must be one of: live, test"),
        ("include_revoked=yes", "include_revoked", "include_revoked must be true or false"),
        ("user_id=ada", "user_id", "user_id names nothing that can be"),
        ("search=", "search", "search is empty"),
    ] {
        bad(&operator.get(&format!("{PATH}?{query}")).await, field, message);
    }
}

#[tokio::test]
async fn a_repeated_request_issues_one_key_and_tells_it_again() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let caller = world.bootstrap();
    let body = json!({"organization_id": acme["id"], "name": "A", "scopes": []}).to_string();
    let post = async || {
        let request = caller.request("POST", PATH).header("content-type", "application/json");
        caller.send(request.header("idempotency-key", "one"), body.clone()).await
    };
    let (first, again) = (post().await, post().await);
    assert_eq!(first.text, again.text);
    assert_eq!((again.header("idempotency-replayed"), again.header("cache-control")), ("true", "no-store"));
    assert_eq!(code(&world, &data(&again, 201)).await, "VALID");
    assert_eq!(caller.get(PATH).await.json()["pagination"]["total"], 1);
}
