//! Admin keys: issued, shown, listed, by the bootstrap key alone.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{NO_IDS, NOTHING, exactly, is_id, names, text};
use crate::support::{ALL, World};

const PATH: &str = "/v1/admin/admin-keys";
const MESSAGE: &str = "Admin key created. Store the api_key securely - it will not be shown again.";

#[tokio::test]
async fn a_new_admin_key_is_answered_with_its_eleven_fields_its_text_and_a_message() {
    let world = World::new().await;
    let new = json!({
        "entity_name": "YourCompany", "permissions": ALL, "name": "Billing system",
        "expires_at": "2027-01-26T12:00:00Z",
    });
    let answer = world.bootstrap().post(PATH, &new).await;
    let data = answer.json()["data"].clone();
    is_id(&data["admin_key"]["id"]);
    is_id(&data["admin_key"]["organization_id"]);
    let expected = json!({
        "success": true,
        "data": {
            "admin_key": {
                "id": data["admin_key"]["id"],
                "name": "Billing system",
                "entity_name": "YourCompany",
                "organization_id": data["admin_key"]["organization_id"],
                "permissions": ["manage_credentials", "manage_users", "view_audit_logs", "view_usage"],
                "api_key_prefix": text(&data["api_key"])[..19],
                "created_at": "2026-01-26T12:00:00Z",
                "expires_at": "2027-01-26T12:00:00Z",
                "last_used_at": null,
                "revoked": false,
                "revoked_at": null,
            },
            "api_key": data["api_key"],
        },
        "message": MESSAGE,
    });
    exactly(&answer, 201, &expected);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn name_and_expiry_may_be_left_out() {
    let world = World::new().await;
    let short = json!({"entity_name": "YourCompany", "permissions": ["view_usage"]});
    let nulls = json!({"entity_name": "YourCompany", "permissions": ["view_usage"], "name": null, "expires_at": null});
    for new in [short, nulls] {
        let key = world.bootstrap().post(PATH, &new).await.data()["admin_key"].clone();
        assert_eq!((&key["name"], &key["expires_at"]), (&json!(null), &json!(null)));
    }
}

#[tokio::test]
async fn permissions_are_a_set_told_in_one_order() {
    let world = World::new().await;
    let create = async |permissions: Value| {
        let new = json!({"entity_name": "YourCompany", "permissions": permissions});
        world.bootstrap().post(PATH, &new).await.data()["admin_key"]["permissions"].clone()
    };
    for one in ALL {
        assert_eq!(create(json!([one])).await, json!([one]));
    }
    let given = json!(["view_usage", "manage_users", "view_usage"]);
    assert_eq!(create(given).await, json!(["manage_users", "view_usage"]));
}

#[tokio::test]
async fn an_entity_is_joined_by_its_name_and_made_when_it_is_new() {
    let world = World::new().await;
    let organization_of = async |entity: &str| {
        let new = json!({"entity_name": entity, "permissions": ["view_usage"]});
        let key = world.bootstrap().post(PATH, &new).await.data()["admin_key"].clone();
        assert_eq!(key["entity_name"], entity.trim());
        text(&key["organization_id"]).to_owned()
    };
    let yours = organization_of("YourCompany").await;
    assert_eq!(organization_of("YourCompany").await, yours);
    assert_eq!(organization_of("  YourCompany ").await, yours, "names are trimmed");
    let mut others = vec![yours];
    // Names that make the same slug, or none, are names all the same.
    for other in ["Stranger", "Your Company", "Your-Company", "株式会社", "有限会社", "!!!"] {
        let organization = organization_of(other).await;
        assert!(!others.contains(&organization), "{other}");
        assert_eq!(organization_of(other).await, organization);
        others.push(organization);
    }
}

#[tokio::test]
async fn wrong_admin_keys_are_refused() {
    let world = World::new().await;
    let words = "permissions must be one of: manage_credentials, manage_users, view_audit_logs, view_usage";
    for (field, value, sentence) in [
        ("entity_name", None, "entity_name is required"),
        ("entity_name", Some(json!("")), "entity_name must be a non-empty string"),
        ("entity_name", Some(json!("  ")), "entity_name must be a non-empty string"),
        ("entity_name", Some(json!(1)), "entity_name must be a string"),
        ("entity_name", Some(json!(null)), "entity_name must be a string"),
        ("entity_name", Some(json!("x".repeat(256))), "entity_name must be 255 characters or less"),
        ("permissions", None, "permissions is required"),
        ("permissions", Some(json!([])), "permissions must not be empty"),
        ("permissions", Some(json!("view_usage")), "permissions must be an array"),
        ("permissions", Some(json!([1])), "permissions must be an array of strings"),
        ("permissions", Some(json!(["view_usage", null])), "permissions must be an array of strings"),
        ("permissions", Some(json!(["view_usage", "root"])), words),
        ("permissions", Some(json!(["manage_admin_keys"])), words),
        ("permissions", Some(json!(["verify_keys"])), words),
        ("permissions", Some(json!(["View_Usage"])), words),
        ("name", Some(json!("")), "Name is required and must be a non-empty string"),
        ("name", Some(json!(1)), "name must be a string"),
        ("expires_at", Some(json!("soon")), "expires_at must be an ISO 8601 timestamp"),
        ("expires_at", Some(json!("2026-01-26T12:00:00Z")), "expires_at must be in the future"),
        ("expires_at", Some(json!(1)), "expires_at must be a string"),
        ("organization_id", Some(json!(NOTHING)), "Unknown field: organization_id"),
    ] {
        let mut new = json!({"entity_name": "YourCompany", "permissions": ["view_usage"]});
        match value {
            Some(value) => new[field] = value,
            None => drop(new.as_object_mut().unwrap().remove(field)),
        }
        world.bootstrap().post(PATH, &new).await.refused(400, sentence);
    }
    assert_eq!(world.bootstrap().get(PATH).await.data(), json!([]));
}

#[tokio::test]
async fn admin_keys_are_listed_newest_first_and_read_one_by_one_without_their_text() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    let mut keys = Vec::new();
    for (entity, name) in [("YourCompany", "a"), ("Stranger", "b"), ("YourCompany", "c")] {
        world.advance(TimeDelta::seconds(1));
        let new = json!({"entity_name": entity, "permissions": ["view_usage"], "name": name});
        keys.push(bootstrap.post(PATH, &new).await.data()["admin_key"].clone());
    }
    let pagination = json!({"limit": 20, "offset": 0, "total": 3, "hasMore": false});
    let expected = json!({"success": true, "data": [keys[2], keys[1], keys[0]], "pagination": pagination});
    exactly(&bootstrap.get(PATH).await, 200, &expected);
    let page = bootstrap.get(&format!("{PATH}?limit=1&offset=1")).await;
    let pagination = json!({"limit": 1, "offset": 1, "total": 3, "hasMore": true});
    exactly(&page, 200, &json!({"success": true, "data": [keys[1]], "pagination": pagination}));
    for key in &keys {
        let answer = bootstrap.get(&format!("{PATH}/{}", text(&key["id"]))).await;
        exactly(&answer, 200, &json!({"success": true, "data": key}));
    }
}

#[tokio::test]
async fn revoked_admin_keys_are_listed_only_when_asked_for_and_expired_ones_always() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    for (name, expires_at) in
        [("stays", json!(null)), ("expires", json!("2026-01-26T13:00:00Z")), ("goes", json!(null))]
    {
        world.advance(TimeDelta::seconds(1));
        let new = json!({
            "entity_name": "YourCompany", "permissions": ["view_usage"], "name": name, "expires_at": expires_at,
        });
        let key = bootstrap.post(PATH, &new).await.data()["admin_key"].clone();
        if name == "goes" {
            bootstrap.delete(&format!("{PATH}/{}", text(&key["id"]))).await.data();
        }
    }
    world.advance(TimeDelta::hours(2));
    for (query, expected) in [
        ("", vec!["expires", "stays"]),
        ("?includeRevoked=false", vec!["expires", "stays"]),
        ("?includeRevoked=true", vec!["goes", "expires", "stays"]),
    ] {
        let answer = bootstrap.get(&format!("{PATH}{query}")).await;
        assert_eq!(names(&answer), expected, "{query}");
        assert_eq!(answer.json()["pagination"]["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn the_last_use_is_told_after_the_next_batch() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = format!("{PATH}/{}", partner.id);
    assert_eq!(world.bootstrap().get(&path).await.data()["last_used_at"], json!(null));
    world.advance(TimeDelta::minutes(5));
    partner.get("/v1/admin/users").await;
    world.advance(TimeDelta::minutes(5));
    world.flush().await;
    assert_eq!(world.bootstrap().get(&path).await.data()["last_used_at"], "2026-01-26T12:05:00Z");
}

#[tokio::test]
async fn unknown_and_malformed_admin_keys_are_told_apart() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    let path = format!("{PATH}/{NOTHING}");
    let missing = "Admin key not found or already revoked";
    bootstrap.get(&path).await.refused(404, "Admin key not found");
    bootstrap.patch(&path, &json!({"name": "B"})).await.refused(404, missing);
    bootstrap.delete(&path).await.refused(404, missing);
    for id in NO_IDS {
        let path = format!("{PATH}/{id}");
        let sentence = "Invalid admin key ID format";
        bootstrap.get(&path).await.refused(400, sentence);
        bootstrap.patch(&path, &json!({"name": "B"})).await.refused(400, sentence);
        bootstrap.delete(&path).await.refused(400, sentence);
    }
}

#[tokio::test]
async fn no_admin_key_manages_admin_keys_not_even_itself() {
    let world = World::new().await;
    let partner = world.partner().await;
    let own = format!("{PATH}/{}", partner.id);
    let sentence = "Permission denied: bootstrap key required";
    partner.get(PATH).await.refused(403, sentence);
    partner.get(&own).await.refused(403, sentence);
    let new = json!({"entity_name": "YourCompany", "permissions": ["view_usage"]});
    partner.post(PATH, &new).await.refused(403, sentence);
    partner.patch(&own, &json!({"expires_at": null})).await.refused(403, sentence);
    partner.delete(&own).await.refused(403, sentence);
    assert_eq!(partner.get("/v1/admin/me").await.status, 200);
}
