//! How long keys live, and how fast they may be used, where nobody says or everybody does.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::organization::{Tenant, code, data, key_body, refused};
use crate::platform;
use crate::support::{ALL, World};

const LATE: &str = "The organization's keys live for at most 7200 seconds from their creation";

async fn settle(tenant: &Tenant<'_>, lifetime: Value) {
    let path = platform::at("organizations", &tenant.organization);
    let answer =
        tenant.world.bootstrap().patch(&path, &json!({"settings": {"key_lifetime": lifetime}})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn an_organizations_rule_holds_within_the_installations() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let made = async || {
        let own = acme.key(&[], json!({})).await["expiresAt"].clone();
        let operators = platform::key(&world, &acme.organization, &[], json!({})).await["expires_at"].clone();
        assert_eq!(own, operators, "whoever makes it");
        own
    };
    assert_eq!(made().await, Value::Null);
    settle(&acme, json!({"default_seconds": 3600})).await;
    assert_eq!(made().await, "2026-01-26T13:00:00Z");
    settle(&acme, json!({"default_seconds": 36000, "max_seconds": 7200})).await;
    assert_eq!(made().await, "2026-01-26T14:00:00Z");
    let installation = json!({"key_lifetime": {"max_seconds": 1800}});
    assert_eq!(world.bootstrap().patch("/admin/v1/settings", &installation).await.status, 200);
    assert_eq!(made().await, "2026-01-26T12:30:00Z");
}

#[tokio::test]
async fn a_change_and_an_item_of_a_batch_keep_to_the_rule() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let issued = acme.key(&[], json!({})).await;
    settle(&acme, json!({"max_seconds": 7200})).await;
    let (own, operators) = (acme.at("api-keys", &issued), platform::at("api-keys", &issued));
    refused(&acme.owner.patch(&own, &json!({"expiresIn": "3h"})).await, 400, "expiry_too_late", LATE);
    let answer = world.bootstrap().patch(&operators, &json!({"expires_in": "3h"})).await;
    platform::refused(&answer, 400, "expiry_too_late", LATE);
    // For ever is as long as may be.
    let told = data(&acme.owner.patch(&own, &json!({"expiresAt": null})).await, 200);
    assert_eq!(told["expiresAt"], "2026-01-26T14:00:00Z");
    let told = platform::data(&world.bootstrap().patch(&operators, &json!({"expires_at": null})).await, 200);
    assert_eq!(told["expires_at"], "2026-01-26T14:00:00Z");
    let item = |span: &str| json!({"organization_id": acme.organization["id"], "name": "A", "scopes": [], "expires_in": span});
    let batch = json!({"api_keys": [item("1h"), item("3h"), item("2h")]});
    let told = platform::data(&world.bootstrap().post("/admin/v1/api-keys/batch", &batch).await, 200);
    let statuses: Vec<_> =
        told["results"].as_array().unwrap().iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, [json!(201), json!(400), json!(201)]);
    assert_eq!(told["results"][1]["error"]["details"]["reason"], "expiry_too_late");
    settle(&acme, json!({"required": true})).await;
    let answer = acme.owner.patch(&own, &json!({"expiresAt": null})).await;
    refused(&answer, 400, "expiry_required", "The organization demands an expiry");
    let answer = world.bootstrap().patch(&operators, &json!({"expires_at": null})).await;
    platform::refused(&answer, 400, "expiry_required", "The organization demands an expiry");
}

#[tokio::test]
async fn a_partner_is_told_of_the_rule_in_its_own_words() {
    let world = World::new().await;
    let partner = world.partner_of("Acme", &ALL).await;
    let path = "/admin/v1/organizations/acme";
    let rule = json!({"settings": {"key_lifetime": {"max_seconds": 7200, "required": true}}});
    assert_eq!(world.bootstrap().patch(path, &rule).await.status, 200);
    let make = async |more: Value| {
        let mut body = json!({"name": "A", "network_id": 0});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        partner.post("/v1/admin/credentials", &body).await
    };
    make(json!({})).await.refused(400, "expires_at is required");
    let late = make(json!({"expires_at": "2026-01-26T15:00:00Z"})).await;
    late.refused(400, "expires_at must be at most 7200 seconds ahead");
    assert_eq!(make(json!({"expires_at": "2026-01-26T14:00:00Z"})).await.status, 201);
    // A customer may be made the last owner of what the partner's organization is.
    let user = partner.user("A customer").await;
    let member = json!({"user_id": user["id"], "role": "Owner"});
    assert_eq!(world.bootstrap().post(&format!("{path}/members"), &member).await.status, 201);
    let suspend = format!("/v1/admin/users/{}/suspend", user["id"].as_str().unwrap());
    let answer = partner.post_empty(&suspend).await;
    answer.refused(409, "The last owner of an organization cannot be removed");
}

#[tokio::test]
async fn a_key_without_limits_has_those_of_its_organization_at_the_gateway() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let limits = json!([{"name": "requests", "limit": 3, "window": 60, "pool": "credential"}]);
    let patch = json!({"settings": {"defaultRateLimits": limits}});
    data(&acme.owner.patch(&acme.path(""), &patch).await, 200);
    let usual = acme.key(&[], json!({})).await;
    assert_eq!(usual["rateLimits"], limits);
    let free = acme.key(&[], json!({"rateLimits": []})).await;
    assert_eq!(free["rateLimits"], json!([]));
    let mut said = Vec::new();
    for _ in 0..4 {
        said.push((code(&world, &usual).await, code(&world, &free).await));
    }
    let expected =
        ["VALID", "VALID", "VALID", "RATE_LIMITED"].map(|code| (code.to_owned(), "VALID".to_owned()));
    assert_eq!(said, expected);
    world.advance(TimeDelta::minutes(2));
    assert_eq!(code(&world, &usual).await, "VALID");
    assert_eq!(
        acme.owner.post(&acme.path("/api-keys"), &key_body(&[], json!({"rateLimits": null}))).await.status,
        201
    );
}
