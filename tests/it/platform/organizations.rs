//! Organizations: opened, listed, changed, stopped and closed.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{NO_ORGANIZATION, actions, at, bad, code, data, key, organization, refused, text};
use crate::support::World;

const PATH: &str = "/admin/v1/organizations";
const NOTHING: &str = "There is no such thing among yours";

#[tokio::test]
async fn the_published_example_opens_an_organization() {
    let world = World::new().await;
    let body = json!({"name": "Acme Corporation", "email": "admin@acme.com", "plan": "enterprise"});
    let answer = world.bootstrap().post(PATH, &body).await;
    let told = data(&answer, 201);
    assert!(text(&told["id"]).starts_with("org_") && text(&told["id"]).len() == 30);
    let settings = json!({
        "ip_allowlist": [],
        "key_lifetime": {"default_seconds": null, "max_seconds": null, "required": false},
        "default_rate_limits": [],
        "retention": {"audit_days": null, "usage_days": null},
        "resource_limits": {"api_keys": null, "users": null, "roles": null, "admin_keys": null},
    });
    let expected = json!({
        "id": told["id"], "name": "Acme Corporation", "name_verified": true, "slug": "acme-corporation", "email": "admin@acme.com",
        "plan": "enterprise", "status": "active", "metadata": {}, "settings": settings,
        "created_at": "2026-01-26T12:00:00Z", "updated_at": null,
    });
    let whole = json!({
        "success": true, "data": expected,
        "metadata": {"timestamp": "2026-01-26T12:00:00Z", "requestId": answer.header("x-request-id")},
    });
    assert_eq!(answer.text, whole.to_string());
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(actions(&world, "").await, [("organization.created".to_owned(), told["id"].clone())]);
}

#[tokio::test]
async fn an_organization_is_found_by_its_id_in_either_spelling_and_by_its_slug() {
    let world = World::new().await;
    let told = organization(&world, "Acme Corporation").await;
    let bare = claviger_domain::ids::OrganizationId::parse_any(text(&told["id"])).unwrap().to_string();
    for name in [text(&told["id"]), &bare, "acme-corporation"] {
        let answer = world.bootstrap().get(&format!("{PATH}/{name}")).await;
        assert_eq!(data(&answer, 200), told, "{name}");
    }
    for name in [NO_ORGANIZATION, "no-such-one", "01932a3e-5f00-7000-8000-0000000000a1"] {
        refused(&world.bootstrap().get(&format!("{PATH}/{name}")).await, 404, "not_found", NOTHING);
    }
    for name in ["user_01h455vb4pex5vsknk084sn02q", "Acme", "a%20b", "org_"] {
        let answer = world.bootstrap().get(&format!("{PATH}/{name}")).await;
        refused(&answer, 400, "invalid_request", "An id in the path is malformed");
    }
}

#[tokio::test]
async fn everything_an_organization_is_told_is_kept() {
    let world = World::new().await;
    let settings = json!({
        "ip_allowlist": ["203.0.113.0/24", "2001:db8::/32"],
        "key_lifetime": {"default_seconds": 3600, "max_seconds": 86400, "required": true},
        "default_rate_limits": [{"name": "requests", "limit": 100, "window": 60, "pool": "organization"}],
        "retention": {"audit_days": 365, "usage_days": 90},
        "resource_limits": {"api_keys": 5000, "users": null, "roles": 0, "admin_keys": null},
    });
    let body = json!({"name": "Acme", "slug": "acme-1", "metadata": {"tier": 1}, "settings": settings});
    let told = data(&world.bootstrap().post(PATH, &body).await, 201);
    assert_eq!(
        (&told["slug"], &told["metadata"], &told["settings"]),
        (&json!("acme-1"), &json!({"tier": 1}), &settings)
    );
    // A part that is changed is replaced; the others stay.
    let patch =
        json!({"settings": {"key_lifetime": {"max_seconds": 60}, "ip_allowlist": null}, "email": "a@b"});
    let now = data(&world.bootstrap().patch(&at("organizations", &told), &patch).await, 200);
    let mut expected = settings.clone();
    expected["ip_allowlist"] = json!([]);
    expected["key_lifetime"] = json!({"default_seconds": null, "max_seconds": 60, "required": false});
    assert_eq!((&now["settings"], &now["email"], &now["name"]), (&expected, &json!("a@b"), &json!("Acme")));
    let cleared = json!({"email": null, "plan": null, "slug": "acme-2"});
    let now = data(&world.bootstrap().patch(&at("organizations", &told), &cleared).await, 200);
    assert_eq!((&now["email"], &now["slug"]), (&Value::Null, &json!("acme-2")));
    let answer = world.bootstrap().get(&format!("{PATH}/acme-1")).await;
    refused(&answer, 404, "not_found", NOTHING);
}

#[tokio::test]
async fn what_is_no_organization_is_refused_by_its_field() {
    let world = World::new().await;
    let operator = world.bootstrap();
    for (body, field, message) in [
        (json!({}), "name", "name is required"),
        (json!({"name": " "}), "name", "name is empty"),
        (json!({"name": 1}), "name", "name must be a string"),
        (json!({"name": "A", "email": "nobody"}), "email", "email is not of the expected form"),
        (json!({"name": "A", "slug": "Big"}), "slug", "slug is not of the expected form"),
        (json!({"name": "A", "surprise": 1}), "surprise", "Unknown field: surprise"),
        (json!({"name": "A", "metadata": []}), "metadata", "metadata must be an object"),
        (
            json!({"name": "A", "settings": {"ip_allowlist": ["nowhere"]}}),
            "settings.ip_allowlist",
            "settings.ip_allowlist must be at most 100 addresses or CIDR blocks",
        ),
        (
            json!({"name": "A", "settings": {"key_lifetime": {"max_seconds": 0}}}),
            "settings.key_lifetime.max_seconds",
            "settings.key_lifetime.max_seconds must be an integer between 1 and 3155760000",
        ),
        (
            json!({"name": "A", "settings": {"retention": {"audit_days": 36526}}}),
            "settings.retention.audit_days",
            "settings.retention.audit_days must be an integer between 1 and 36525",
        ),
        (
            json!({"name": "A", "settings": {"retention": {"forever": true}}}),
            "settings.retention.forever",
            "Unknown field: settings.retention.forever",
        ),
    ] {
        bad(&operator.post(PATH, &body).await, field, message);
    }
    let told = organization(&world, "Acme").await;
    let path = at("organizations", &told);
    for body in [json!({}), json!({"settings": {}})] {
        let answer = operator.patch(&path, &body).await;
        refused(&answer, 400, "invalid_request", "Nothing is to be changed");
    }
    bad(&operator.patch(&path, &json!({"name": null})).await, "name", "name must be a string");
    bad(&operator.patch(&path, &json!({"settings": null})).await, "settings", "settings must be an object");
    assert_eq!(operator.get(&path).await.header("etag"), "\"1\"", "nothing of it was changed");
    let answer = operator.send(operator.request("POST", PATH), json!({"name": "A"}).to_string()).await;
    refused(&answer, 415, "unsupported_media_type", "Content-Type must be application/json");
    let answer = operator.post(&format!("{PATH}?x=1"), &json!({"name": "A"})).await;
    refused(&answer, 400, "invalid_request", "Unknown query parameter: x");
}

#[tokio::test]
async fn a_slug_is_one_organizations_alone() {
    let world = World::new().await;
    let first = organization(&world, "Acme").await;
    let second = organization(&world, "Acme").await;
    assert_eq!(first["slug"], "acme");
    assert!(text(&second["slug"]).starts_with("acme-"), "{second}");
    let taken = "Another organization has this slug";
    let answer = world.bootstrap().post(PATH, &json!({"name": "B", "slug": "acme"})).await;
    refused(&answer, 409, "slug_taken", taken);
    let answer = world.bootstrap().patch(&at("organizations", &second), &json!({"slug": "acme"})).await;
    refused(&answer, 409, "slug_taken", taken);
}

#[tokio::test]
async fn organizations_are_listed_newest_first_searched_and_paged() {
    let world = World::new().await;
    for name in ["Acme", "Umbrella", "Initech"] {
        world.advance(TimeDelta::seconds(1));
        organization(&world, name).await;
    }
    data(&world.bootstrap().post_empty(&format!("{PATH}/umbrella/suspend")).await, 200);
    for (query, names, total) in [
        ("", vec!["Initech", "Umbrella", "Acme"], 3),
        ("?limit=1&offset=1", vec!["Umbrella"], 3),
        ("?search=ME", vec!["Acme"], 1),
        ("?status=suspended", vec!["Umbrella"], 1),
        ("?status=active&search=i", vec!["Initech"], 1),
        ("?offset=5", vec![], 3),
    ] {
        let answer = world.bootstrap().get(&format!("{PATH}{query}")).await;
        let rows = data(&answer, 200);
        let told: Vec<_> = rows.as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
        assert_eq!(told, names, "{query}");
        let pagination = answer.json()["pagination"].clone();
        assert_eq!(pagination["total"], total, "{query}");
        let offset = pagination["offset"].as_u64().unwrap();
        assert_eq!(pagination["hasMore"], offset + (names.len() as u64) < total as u64, "{query}");
    }
    let whole = world.bootstrap().get(PATH).await.json();
    assert_eq!(whole["pagination"], json!({"total": 3, "limit": 50, "offset": 0, "hasMore": false}));
    for (query, field, message) in [
        ("limit=0", "limit", "limit must be an integer between 1 and 100"),
        ("limit=101", "limit", "limit must be an integer between 1 and 100"),
        ("offset=-1", "offset", "offset must be a non-negative integer"),
        ("status=deleted", "status", "status must be one of: active, suspended"),
    ] {
        bad(&world.bootstrap().get(&format!("{PATH}?{query}")).await, field, message);
    }
    let answer = world.bootstrap().get(&format!("{PATH}?colour=red")).await;
    refused(&answer, 400, "invalid_request", "Unknown query parameter: colour");
}

#[tokio::test]
async fn a_suspended_organizations_keys_are_refused_at_once_and_work_again_at_once() {
    let world = World::new().await;
    let told = organization(&world, "Acme").await;
    world.advance(TimeDelta::seconds(1));
    let issued = key(&world, &told, &["workflows:read"], json!({})).await;
    assert_eq!(code(&world, &issued).await, "VALID");
    let path = at("organizations", &told);
    world.advance(TimeDelta::seconds(1));
    let now = data(&world.bootstrap().post_empty(&format!("{path}/suspend")).await, 200);
    assert_eq!((&now["status"], &now["updated_at"]), (&json!("suspended"), &json!("2026-01-26T12:00:02Z")));
    assert_eq!(code(&world, &issued).await, "ORGANIZATION_SUSPENDED");
    let again = world.bootstrap().post_empty(&format!("{path}/suspend")).await;
    refused(&again, 409, "wrong_state", "It is not in the state that this needs");
    let new = json!({"organization_id": told["id"], "name": "Another", "scopes": []});
    let answer = world.bootstrap().post("/admin/v1/api-keys", &new).await;
    refused(&answer, 409, "organization_suspended", "The organization is suspended");
    world.advance(TimeDelta::seconds(1));
    data(&world.bootstrap().post_empty(&format!("{path}/reactivate")).await, 200);
    assert_eq!(code(&world, &issued).await, "VALID");
    let told: Vec<_> = actions(&world, "").await.into_iter().map(|(action, _)| action).collect();
    let expected =
        ["organization.reactivated", "organization.suspended", "api_key.created", "organization.created"];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_organization_is_deleted_when_nothing_live_hangs_on_it() {
    let world = World::new().await;
    let told = organization(&world, "Acme").await;
    let issued = key(&world, &told, &[], json!({})).await;
    let path = at("organizations", &told);
    let answer = world.bootstrap().delete(&path).await;
    refused(&answer, 409, "organization_not_empty", "Keys of the organization still work: revoke them first");
    data(&world.bootstrap().delete(&at("api-keys", &issued)).await, 200);
    let caller = world.bootstrap();
    let stale = caller.send(caller.request("DELETE", &path).header("if-match", "\"9\""), "").await;
    refused(&stale, 412, "precondition_failed", "If-Match does not hold");
    // A partner's key is as live as a customer's; one that is switched off can be switched on, one that has ended cannot.
    let body = json!({"entity_name": "Acme", "permissions": ["view_usage"]});
    let admin_key = caller.post("/v1/admin/admin-keys", &body).await.data();
    let not_empty = "Keys of the organization still work: revoke them first";
    refused(&caller.delete(&path).await, 409, "organization_not_empty", not_empty);
    let admin_key = format!("/v1/admin/admin-keys/{}", text(&admin_key["admin_key"]["id"]));
    assert_eq!(caller.delete(&admin_key).await.status, 200);
    let off = key(&world, &told, &[], json!({})).await;
    data(&caller.post_empty(&format!("{}/disable", at("api-keys", &off))).await, 200);
    refused(&caller.delete(&path).await, 409, "organization_not_empty", not_empty);
    data(&caller.delete(&at("api-keys", &off)).await, 200);
    key(&world, &told, &[], json!({"expires_in": "1m"})).await;
    world.advance(chrono::TimeDelta::minutes(1));
    let gone = data(&caller.delete(&path).await, 200);
    assert_eq!(gone, json!({"id": told["id"], "deleted": true}));
    refused(&caller.get(&path).await, 404, "not_found", NOTHING);
    refused(&caller.delete(&path).await, 404, "not_found", NOTHING);
    assert_eq!(data(&caller.get(PATH).await, 200), json!([]));
    assert_eq!(organization(&world, "Acme").await["slug"], "acme", "its slug is free again");
}

#[tokio::test]
async fn a_change_is_made_of_the_state_it_was_meant_for() {
    let world = World::new().await;
    let told = organization(&world, "Acme").await;
    let path = at("organizations", &told);
    let caller = world.bootstrap();
    let patch = async |tag: &str, name: &str| {
        let request = caller.request("PATCH", &path).header("content-type", "application/json");
        caller.send(request.header("if-match", tag), json!({"name": name}).to_string()).await
    };
    assert_eq!(patch("\"1\"", "Acme 2").await.header("etag"), "\"2\"");
    refused(&patch("\"1\"", "Acme 3").await, 412, "precondition_failed", "If-Match does not hold");
    assert_eq!(data(&caller.get(&path).await, 200)["name"], "Acme 2");
}

#[tokio::test]
async fn a_repeated_request_opens_one_organization() {
    let world = World::new().await;
    let caller = world.bootstrap();
    let post = async |name: &str| {
        let request = caller.request("POST", PATH).header("content-type", "application/json");
        caller.send(request.header("idempotency-key", "one"), json!({"name": name}).to_string()).await
    };
    let (first, again) = (post("Acme").await, post("Acme").await);
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = post("Umbrella").await;
    refused(&other, 422, "idempotency_key_reused", "The idempotency key was used for another request");
    assert_eq!(caller.get(PATH).await.json()["pagination"]["total"], 1);
}
