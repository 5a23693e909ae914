//! What restricts a key restricts all that it makes and changes.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Tenant, data, key_body, refused, text};
use crate::platform;
use crate::support::{Answer, Caller, World};

const LIFTED: &str = ", unless your key holds api-keys:unrestrict";

/// A key that is restricted in all four ways.
fn restricted() -> Value {
    json!({
        "expiresIn": "1d", "ipAllowlist": ["192.0.2.0/24"], "credits": {"remaining": 5},
        "rateLimits": [{"name": "requests", "limit": 10, "window": 60, "pool": "credential"}]
    })
}

const EXPIRY: &str = "Your key ends at 2026-01-27T12:00:00Z: the key must not end later";
const NETWORKS: &str = "Your key is restricted to 192.0.2.0/24: the key's networks must lie within these";
const LIMIT: &str = "Your key has the rate limit requests (10 per 60 seconds, pool credential): the key must keep it, \
                     or one as strict";
const CREDITS: &str = "Your key spends credits: it can give other keys none";

#[track_caller]
fn bound(answer: &Answer, rule: &str) {
    refused(answer, 403, "restricted_key", &format!("{rule}{LIFTED}"));
}

async fn holder<'w>(acme: &Tenant<'w>, scopes: &[&str], more: Value) -> (Value, Caller<'w>) {
    let issued = acme.key(scopes, more).await;
    let caller = acme.world.bearer(text(&issued["key"]));
    (issued, caller)
}

#[tokio::test]
async fn a_restricted_key_makes_keys_that_are_restricted_as_much() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let (own, caller) = holder(&acme, &["api-keys:*", "docs:read"], restricted()).await;
    // `api-keys:*` lifts restrictions: what is given out counts.
    assert_eq!(
        caller.post(&acme.path("/api-keys"), &key_body(&[], json!({}))).await.json()["expiresAt"],
        Value::Null
    );
    let less = json!({"permissions": ["api-keys:read", "api-keys:write", "docs:read"]});
    data(&acme.owner.patch(&acme.at("api-keys", &own), &less).await, 200);
    let make =
        async |more: Value| caller.post(&acme.path("/api-keys"), &key_body(&["docs:read"], more)).await;
    let sibling = make(json!({})).await;
    assert_eq!(sibling.status, 201, "{}", sibling.text);
    let told = data(&acme.owner.get(&acme.at("api-keys", &sibling.json())).await, 200);
    for field in ["expiresAt", "ipAllowlist", "rateLimits"] {
        assert_eq!(told[field], own[field], "{field}");
    }
    assert_eq!(told["credits"], json!({"remaining": 0, "refill": null}), "a balance is not copied");
    for (more, rule) in [
        (json!({"expiresIn": "2d"}), EXPIRY),
        (json!({"expiresAt": "2026-01-27T12:00:01Z"}), EXPIRY),
        (json!({"ipAllowlist": []}), NETWORKS),
        (json!({"ipAllowlist": ["192.0.2.0/24", "198.51.100.1"]}), NETWORKS),
        (json!({"rateLimits": []}), LIMIT),
        (json!({"rateLimits": [{"name": "requests", "limit": 11, "window": 60}]}), LIMIT),
        (json!({"rateLimits": [{"name": "other", "limit": 1, "window": 1}]}), LIMIT),
        (json!({"credits": {"remaining": 1}}), CREDITS),
        (json!({"credits": {"remaining": 0, "refill": {"amount": 1, "interval": 60}}}), CREDITS),
        (json!({"environment": "test", "expiresIn": "2d"}), EXPIRY),
    ] {
        bound(&make(more).await, rule);
    }
    let stricter = json!({
        "expiresIn": "1h", "ipAllowlist": ["192.0.2.1"], "credits": {"remaining": 0},
        "rateLimits": [{"name": "slow", "limit": 10, "window": 3600}]
    });
    assert_eq!(make(stricter).await.status, 201);
}

#[tokio::test]
async fn a_sibling_does_not_loosen_the_key_that_made_it() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let scopes = ["api-keys:read", "api-keys:write", "docs:read"];
    let (own, caller) = holder(&acme, &scopes, restricted()).await;
    let sibling = caller.post(&acme.path("/api-keys"), &key_body(&scopes, json!({}))).await.json();
    let sibling = world.bearer(text(&sibling["key"]));
    let path = acme.at("api-keys", &own);
    for (patch, rule) in [
        (json!({"rateLimits": []}), LIMIT),
        (json!({"rateLimits": null}), LIMIT),
        (json!({"credits": null}), CREDITS),
        (json!({"credits": {"remaining": 5}}), CREDITS),
        (json!({"ipAllowlist": []}), NETWORKS),
        (json!({"ipAllowlist": null}), NETWORKS),
        (json!({"expiresAt": null}), EXPIRY),
        (json!({"expiresIn": "365d"}), EXPIRY),
    ] {
        bound(&sibling.patch(&path, &patch).await, rule);
    }
    data(&sibling.patch(&path, &json!({"expiresIn": "1h"})).await, 200);
    data(&sibling.patch(&path, &json!({"credits": {"remaining": 0}})).await, 200);
}

#[tokio::test]
async fn a_restricted_key_neither_takes_nor_feeds_a_looser_one() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let scopes = ["api-keys:write", "docs:read"];
    for (more, rule) in [
        (json!({"expiresIn": "1d"}), EXPIRY),
        (json!({"ipAllowlist": ["192.0.2.0/24"]}), NETWORKS),
        (json!({"rateLimits": restricted()["rateLimits"]}), LIMIT),
        (json!({"credits": {"remaining": 5}}), CREDITS),
    ] {
        let (own, caller) = holder(&acme, &scopes, more.clone()).await;
        let path = acme.at("api-keys", &acme.key(&["docs:read"], json!({})).await);
        bound(&caller.post_empty(&format!("{path}/rotate")).await, rule);
        let bare = acme.at("api-keys", &acme.key(&[], json!({})).await);
        bound(&caller.patch(&bare, &json!({"permissions": ["docs:read"]})).await, rule);
        data(&caller.post_empty(&format!("{path}/disable")).await, 200);
        bound(&caller.post_empty(&format!("{path}/enable")).await, rule);
        // One that is restricted as much is rotated, and so is the key itself.
        let alike = acme.at("api-keys", &acme.key(&["docs:read"], more).await);
        data(&caller.post_empty(&format!("{alike}/rotate")).await, 200);
        data(&caller.post_empty(&format!("{}/rotate", acme.at("api-keys", &own))).await, 200);
    }
}

#[tokio::test]
async fn a_shared_pool_stays_shared() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let limit = |limit: u32, pool: &str| json!([{"name": "all", "limit": limit, "window": 60, "pool": pool}]);
    let (_, caller) =
        holder(&acme, &["api-keys:write"], json!({"rateLimits": limit(10, "organization")})).await;
    let make = async |more: Value| caller.post(&acme.path("/api-keys"), &key_body(&[], more)).await;
    assert_eq!(make(json!({})).await.json()["rateLimits"], limit(10, "organization"));
    let rule = "Your key has the rate limit all (10 per 60 seconds, pool organization): the key must keep it, or one as \
                strict";
    bound(&make(json!({"rateLimits": limit(10, "credential")})).await, rule);
    assert_eq!(make(json!({"rateLimits": limit(9, "organization")})).await.status, 201);
}

#[tokio::test]
async fn who_may_lift_restrictions_is_not_bound_by_its_own() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let words = data(&acme.owner.get(&acme.path("/permissions")).await, 200);
    let word = words.as_array().unwrap().iter().find(|it| it["permission"] == "api-keys:unrestrict");
    let roles = word.unwrap_or_else(|| panic!("{words}")).to_string();
    assert!(roles.contains("Owner") && roles.contains("Admin") && !roles.contains("Member"), "{roles}");
    let free = json!({"expiresAt": null, "ipAllowlist": [], "rateLimits": [], "credits": null});
    for (scopes, is_free) in [
        (&["api-keys:write", "api-keys:unrestrict"][..], true),
        (&["*"][..], true),
        (&["api-keys:write", "organizations:write"][..], false),
    ] {
        let (own, caller) = holder(&acme, scopes, restricted()).await;
        let other = acme.at("api-keys", &acme.key(&["api-keys:write"], restricted()).await);
        assert_eq!(caller.patch(&other, &free).await.status == 200, is_free, "{scopes:?}");
        // Nobody lifts what restricts itself.
        let answer = caller.patch(&acme.at("api-keys", &own), &free).await;
        refused(&answer, 403, "own_authority", "A key does not change its own authority");
    }
    // A user's key lifts them as long as the user may.
    let (admin, member) = (acme.user("Ada", &["Admin"]).await, acme.user("Bob", &["Member"]).await);
    for (user, scopes, is_free) in [(&admin, "api-keys:*", true), (&member, "api-keys:write", false)] {
        let (_, caller) = holder(&acme, &[scopes], json!({"expiresIn": "1d", "userId": user["id"]})).await;
        let made = caller.post(&acme.path("/api-keys"), &key_body(&[], json!({}))).await;
        assert_eq!(made.json()["expiresAt"].is_null(), is_free, "{}", made.text);
    }
}

#[tokio::test]
async fn a_restricted_operators_key_passes_its_restrictions_on_one_by_one_and_in_a_batch() {
    let world = World::new().await;
    let acme = platform::organization(&world, "Acme").await;
    let own = platform::organization(&world, "Operations").await;
    let more = json!({"expires_in": "1d", "ip_allowlist": ["192.0.2.0/24"]});
    let caller = async |scopes: &[&str]| {
        let issued = platform::key(&world, &own, scopes, more.clone()).await;
        world.bearer(text(&issued["key"]))
    };
    let body = |more: Value| {
        let mut body = json!({"organization_id": acme["id"], "name": "A", "scopes": ["admin:keys"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let (bound, free) = (caller(&["admin:keys"]).await, caller(&["admin:keys", "api-keys:unrestrict"]).await);
    let late = body(json!({"expires_in": "2d"}));
    let made = platform::data(&bound.post("/admin/v1/api-keys", &body(json!({}))).await, 201);
    let told = platform::data(&world.bootstrap().get(&platform::at("api-keys", &made)).await, 200);
    assert_eq!(
        (&told["expires_at"], &told["ip_allowlist"]),
        (&json!("2026-01-27T12:00:00Z"), &json!(["192.0.2.0/24"]))
    );
    let refusal = format!("{EXPIRY}{LIFTED}");
    platform::refused(&bound.post("/admin/v1/api-keys", &late).await, 403, "restricted_key", &refusal);
    let batch = json!({"api_keys": [late, body(json!({}))]});
    let told = platform::data(&bound.post("/admin/v1/api-keys/batch", &batch).await, 200);
    assert_eq!((&told["results"][0]["status"], &told["results"][1]["status"]), (&json!(403), &json!(201)));
    let patch = bound.patch(&platform::at("api-keys", &made), &json!({"expires_at": null})).await;
    platform::refused(&patch, 403, "restricted_key", &refusal);
    let loose = platform::key(&world, &acme, &["docs:read"], json!({})).await;
    let rotated = bound.post_empty(&format!("{}/rotate", platform::at("api-keys", &loose))).await;
    platform::refused(&rotated, 403, "restricted_key", &refusal);
    // Nor does it make a key that could free it, one by one or by giving scopes later.
    for scopes in
        [json!(["admin:keys", "api-keys:unrestrict"]), json!(["admin:keys", "*"]), json!(["api-keys:*"])]
    {
        let freed = bound.post("/admin/v1/api-keys", &body(json!({"scopes": scopes}))).await;
        assert_eq!(
            (freed.status, &freed.json()["error"]["code"]),
            (403, &json!("FORBIDDEN")),
            "{}",
            freed.text
        );
        let patch = bound.patch(&platform::at("api-keys", &made), &json!({"scopes": scopes})).await;
        assert_eq!(
            (patch.status, &patch.json()["error"]["code"]),
            (403, &json!("FORBIDDEN")),
            "{}",
            patch.text
        );
    }
    let made = platform::data(&free.post("/admin/v1/api-keys", &late).await, 201);
    assert_eq!(made["expires_at"], "2026-01-28T12:00:00Z");
    // What binds the operator's keys by their own organization binds what they make elsewhere.
    let narrow = json!({"settings": {"ip_allowlist": ["192.0.2.0/25"]}});
    platform::data(&world.bootstrap().patch(&platform::at("organizations", &own), &narrow).await, 200);
    let made = platform::data(&bound.post("/admin/v1/api-keys", &body(json!({}))).await, 201);
    let told = platform::data(&world.bootstrap().get(&platform::at("api-keys", &made)).await, 200);
    assert_eq!(told["ip_allowlist"], json!(["192.0.2.0/25"]));
}

#[tokio::test]
async fn no_change_prolongs_a_key_beyond_the_longest_life_from_its_creation() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    data(
        &acme.owner.patch(&acme.path(""), &json!({"settings": {"keyLifetime": {"maxSeconds": 7200}}})).await,
        200,
    );
    let issued = acme.key(&[], json!({"expiresIn": "2h"})).await;
    let path = acme.at("api-keys", &issued);
    world.advance(TimeDelta::minutes(90));
    let late = "The organization's keys live for at most 7200 seconds from their creation";
    refused(&acme.owner.patch(&path, &json!({"expiresIn": "1h"})).await, 400, "expiry_too_late", late);
    let answer =
        world.bootstrap().patch(&platform::at("api-keys", &issued), &json!({"expires_in": "1h"})).await;
    platform::refused(&answer, 400, "expiry_too_late", late);
    for patch in [json!({"expiresIn": "30m"}), json!({"expiresAt": null})] {
        assert_eq!(data(&acme.owner.patch(&path, &patch).await, 200)["expiresAt"], issued["expiresAt"]);
    }
}
