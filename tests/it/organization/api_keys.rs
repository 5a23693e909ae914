//! Making, seeing and revoking keys.

use claviger_domain::secret::KeyFormat;
use serde_json::json;

use super::{NO_KEY, Tenant, bad, code, data, ids, key_body, missing, refused, text};
use crate::gateway::stage;
use crate::support::World;

#[tokio::test]
async fn the_published_example_works_to_the_letter() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "YOUR ORG").await;
    let body = json!({
        "name": "Production API Key", "permissions": ["users:read", "users:write"], "expiresIn": "365d"
    });
    let answer = acme.owner.post("/v1/organizations/your-org/api-keys", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("etag"), "\"1\"");
    let issued = answer.json();
    let key = text(&issued["key"]);
    assert!(key.starts_with("ak_live_") && text(&issued["id"]).starts_with("key_"));
    let expected = json!({
        "id": issued["id"], "name": "Production API Key", "description": null, "userId": null, "type": "api_key",
        "environment": "live", "networkId": null, "permissions": ["users:read", "users:write"],
        "prefix": &key[..16], "rateLimits": [], "ipAllowlist": [], "credits": null, "metadata": {},
        "status": "active", "createdAt": "2026-01-26T12:00:00Z", "updatedAt": null,
        "expiresAt": "2027-01-26T12:00:00Z", "lastUsedAt": null, "disabledAt": null, "revokedAt": null,
        "revocationReason": null, "key": key
    });
    assert_eq!(issued, expected);
    let users = world.bearer(key).get("/v1/organizations/your-org/users").await;
    assert_eq!(data(&users, 200), json!([]));

    let path = format!("/v1/organizations/your-org/api-keys/{}", text(&issued["id"]));
    let gone = acme.owner.delete(&path).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert!(gone.headers.get("content-type").is_none());
    assert_eq!(code(&world, &issued).await, "REVOKED");
    let users = world.bearer(key).get("/v1/organizations/your-org/users").await;
    refused(&users, 401, "unauthorized", "The presented key opens nothing here");
    missing(&acme.owner.delete(&path).await);
    missing(&acme.owner.delete(&acme.path(&format!("/api-keys/{NO_KEY}"))).await);
    assert_eq!(data(&acme.owner.get(&path).await, 200)["status"], "revoked");
}

#[tokio::test]
async fn a_key_has_all_that_was_asked_for() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let user = acme.user("Ada", &["Owner"]).await;
    let more = json!({
        "description": "Of the sandbox", "environment": "test", "expiresAt": "2026-03-01T00:00:00Z",
        "rateLimits": [{"name": "requests", "limit": 5, "window": 60, "pool": "credential"}],
        "ipAllowlist": ["192.0.2.0/24"], "credits": {"remaining": 3, "refill": null}, "userId": user["id"],
        "metadata": {"team": "payments"}
    });
    let issued = acme.key(&["users:read"], more.clone()).await;
    for (field, value) in more.as_object().unwrap() {
        assert_eq!(&issued[field], value, "{field}");
    }
    assert!(text(&issued["key"]).starts_with("ak_test_"));
    let mut shown = data(&acme.owner.get(&acme.at("api-keys", &issued)).await, 200);
    shown["key"] = issued["key"].clone();
    assert_eq!(shown, issued);
    let scim = acme.key(&[], json!({"type": "scim"})).await;
    assert!(text(&scim["key"]).starts_with("scim_"));
    assert_eq!((&scim["type"], &scim["environment"]), (&json!("scim"), &json!("live")));
}

#[tokio::test]
async fn what_is_wrong_with_a_new_key_is_told_by_its_field() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let scopes = "permissions[0] must be scopes like resource:action, resource:* or *; admin: has its own";
    for (more, field, detail) in [
        (json!({"name": ""}), "name", "name is empty"),
        (json!({"permissions": ["not a scope"]}), "permissions[0]", scopes),
        (json!({"permissions": ["admin:nothing"]}), "permissions[0]", scopes),
        (json!({"expiresIn": "1y"}), "expiresIn", "expiresIn must be a span like 90d, 12h or P1Y"),
        (json!({"expiresAt": "soon"}), "expiresAt", "expiresAt must be an ISO 8601 timestamp"),
        (
            json!({"expiresAt": "2027-01-01", "expiresIn": "1d"}),
            "expiresIn",
            "expiresIn cannot be given together with expiresAt",
        ),
        (json!({"environment": "prod"}), "environment", "environment must be one of: live, test"),
        (json!({"type": "oauth"}), "type", "type must be one of: api_key, scim"),
        (json!({"userId": "me"}), "userId", "userId names nothing that can be"),
        (json!({"scopes": []}), "scopes", "Unknown field: scopes"),
        (json!({"permissions": "users:read"}), "permissions", "permissions must be an array"),
    ] {
        let answer = acme.owner.post(&acme.path("/api-keys"), &key_body(&[], more.clone())).await;
        assert_eq!(answer.status, 400, "{more}: {}", answer.text);
        assert_eq!(answer.json()["field"], field, "{more}");
        if field != "name" {
            bad(&answer, field, detail);
        }
    }
    let past = key_body(&[], json!({"expiresAt": "2020-01-01"}));
    let answer = acme.owner.post(&acme.path("/api-keys"), &past).await;
    refused(&answer, 400, "invalid_request", "An expiry must lie in the future");
    let of_nobody = key_body(&[], json!({"userId": super::NO_USER}));
    missing(&acme.owner.post(&acme.path("/api-keys"), &of_nobody).await);
}

#[tokio::test]
async fn keys_are_listed_by_pages_and_filters() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let user = acme.user("Ada", &["Owner"]).await;
    let mut made = Vec::new();
    for number in 0..5 {
        world.advance(chrono::TimeDelta::seconds(1));
        let more = json!({"name": format!("Key {number}"), "environment": if number == 3 { "test" } else { "live" }});
        made.push(acme.key(&[], more).await);
    }
    let (bound, _) = acme.bound(&user, &["users:read"]).await;
    assert_eq!(acme.owner.delete(&acme.at("api-keys", &made[0])).await.status, 204);
    let list = async |query: &str| acme.owner.get(&acme.path(&format!("/api-keys{query}"))).await.json();
    let all = list("").await;
    assert_eq!(all["pagination"], json!({"total": 6, "page": 1, "limit": 20, "hasMore": false}));
    let order = ids(&all["data"]);
    assert!(!all.to_string().contains("\"key\""), "no list holds a key");
    let mut walked = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = list(&query).await;
        walked.extend(ids(&page["data"]));
        assert_eq!(page["pagination"]["total"], 6);
        if page["pagination"]["hasMore"] == false {
            break;
        }
        query = format!("?limit=2&after={}", walked.last().unwrap());
    }
    assert_eq!(walked, order);
    let second = list("?limit=2&page=2").await;
    assert_eq!((ids(&second["data"]), &second["pagination"]["page"]), (order[2..4].to_vec(), &json!(2)));
    assert_eq!(list("?includeRevoked=true").await["pagination"]["total"], 7);
    assert_eq!(ids(&list("?environment=test").await["data"]), [text(&made[3]["id"])]);
    let of_user = list(&format!("?userId={}", text(&user["id"]))).await;
    assert_eq!(ids(&of_user["data"]), [text(&bound["id"])]);
    assert_eq!(ids(&list("?search=KEY%204").await["data"]), [text(&made[4]["id"])]);
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?page=0", "page"),
        ("?after=x", "after"),
        ("?environment=x", "environment"),
        ("?userId=x", "userId"),
        ("?includeRevoked=1", "includeRevoked"),
    ] {
        let answer = acme.owner.get(&acme.path(&format!("/api-keys{query}"))).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}");
    }
    let unknown = acme.owner.get(&acme.path("/api-keys?offset2=1")).await;
    refused(&unknown, 400, "invalid_request", "Unknown query parameter: offset2");
}

#[tokio::test]
async fn keys_of_other_kinds_open_nothing() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let test = acme.key(&["*"], json!({"environment": "test"})).await;
    let scim = acme.key(&["*"], json!({"type": "scim"})).await;
    let partner = world.partner().await;
    let customers = partner.credential("A customer's").await;
    for key in [
        text(&test["key"]),
        text(&scim["key"]),
        partner.key.as_ref().unwrap(),
        text(&customers["api_key"]),
        world.bootstrap().key.as_ref().unwrap(),
        &stage::never_issued(KeyFormat::Live),
        "garbage",
    ] {
        for path in [acme.path("/users"), acme.path(""), "/v1/users/me".to_owned()] {
            let answer = world.bearer(key).get(&path).await;
            refused(&answer, 401, "unauthorized", "The presented key opens nothing here");
        }
    }
}
