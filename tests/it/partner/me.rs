//! `GET /v1/admin/me`: what the presented key is.

use serde_json::json;

use super::{exactly, is_id};
use crate::support::{ALL, World};

#[tokio::test]
async fn an_admin_key_is_told_what_the_bootstrap_key_is_told_of_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    let answer = partner.get("/v1/admin/me").await;
    let key = world.bootstrap().get(&format!("/v1/admin/admin-keys/{}", partner.id)).await.data();
    assert_eq!(key["id"], partner.id);
    exactly(&answer, 200, &json!({"success": true, "data": key}));
}

#[tokio::test]
async fn any_admin_key_may_ask_whatever_it_may_do_else() {
    let world = World::new().await;
    for permission in ALL {
        let partner = world.partner_of("YourCompany", &[permission]).await;
        let me = partner.get("/v1/admin/me").await.data();
        assert_eq!((&me["id"], &me["permissions"]), (&json!(partner.id), &json!([permission])));
    }
}

#[tokio::test]
async fn the_bootstrap_key_belongs_to_no_entity() {
    let world = World::new().await;
    let answer = world.bootstrap().get("/v1/admin/me").await;
    let id = answer.json()["data"]["id"].clone();
    is_id(&id);
    let expected = json!({
        "success": true,
        "data": {
            "id": id, "name": "Bootstrap key", "entity_name": null, "organization_id": null,
            "permissions": ["manage_admin_keys", "verify_keys", "view_audit_logs", "view_usage"],
            "api_key_prefix": world.bootstrap().key.unwrap()[..23], "created_at": "2026-01-26T12:00:00Z",
            "expires_at": null, "last_used_at": null, "revoked": false, "revoked_at": null,
        },
    });
    exactly(&answer, 200, &expected);
}

#[tokio::test]
async fn nobody_else_is_anybody() {
    let world = World::new().await;
    world.nobody().get("/v1/admin/me").await.refused(401, "Missing or invalid admin API key");
    let invented = super::keys::invented("iiak_admin_");
    world.bearer(&invented).get("/v1/admin/me").await.refused(403, "Invalid admin API key");
    world.partner().await.get("/v1/admin/me?x=1").await.refused(400, "Unknown query parameter: x");
}
