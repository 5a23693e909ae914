//! What the audit log says of changes: one entry each, in the words of the change.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::entries;
use crate::partner::text;
use crate::support::{Caller, Partner, World};

/// Sends a change under a request id; answers the newest entry and the answer's `data`.
async fn changed(
    world: &World,
    (caller, method, path): (&Caller<'_>, &str, &str),
    body: Option<Value>,
) -> (Value, Value) {
    world.advance(TimeDelta::seconds(1));
    let request = caller.request(method, path).header("x-request-id", "the-call");
    let request = request.header("content-type", "application/json");
    let data = caller.send(request, body.map(|body| body.to_string()).unwrap_or_default()).await.data();
    (entries(&world.bootstrap(), "limit=1").await.remove(0), data)
}

/// That an entry says all this, of the present instant.
#[track_caller]
fn assert_entry(entry: &Value, author: Option<&Partner<'_>>, action: &str, target: &Value, details: &Value) {
    let expected = json!({
        "id": entry["id"],
        "action": action,
        "admin_key_id": author.map(|partner| &partner.id),
        "admin_entity_name": author.map(|_| "YourCompany"),
        "target_id": target,
        "target_type": action.split('.').next(),
        "ip_address": "192.0.2.1",
        "details": details,
        "created_at": entry["created_at"],
        "request_id": "the-call",
    });
    assert_eq!(entry.to_string(), expected.to_string());
}

#[tokio::test]
async fn each_change_of_a_user_is_one_entry() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "Acme", "external_id": "c-1", "email": "a@b", "metadata": {"secret": "plan"}});
    let (entry, user) = changed(&world, (&partner, "POST", "/v1/admin/users"), Some(new)).await;
    let who = json!({"name": "Acme", "external_id": "c-1"});
    assert_entry(&entry, Some(&partner), "user_account.created", &user["id"], &who);
    assert_eq!(entry["created_at"], "2026-01-26T12:00:01Z");

    let path = format!("/v1/admin/users/{}", text(&user["id"]));
    let patch = json!({"name": "Acme Corp", "external_id": null, "email": "a@b"});
    let (entry, _) = changed(&world, (&partner, "PATCH", &path), Some(patch)).await;
    let details = json!({
        "name": "Acme Corp", "external_id": null,
        "changes": {
            "name": {"from": "Acme", "to": "Acme Corp"},
            "external_id": {"from": "c-1", "to": null},
        },
    });
    assert_entry(&entry, Some(&partner), "user_account.updated", &user["id"], &details);

    let who = json!({"name": "Acme Corp", "external_id": null});
    for (verb, action) in [("suspend", "user_account.suspended"), ("reactivate", "user_account.reactivated")]
    {
        let (entry, _) = changed(&world, (&partner, "POST", &format!("{path}/{verb}")), None).await;
        assert_entry(&entry, Some(&partner), action, &user["id"], &who);
    }
    assert_eq!(entries(&partner, "").await.len(), 4, "one entry each, and no other");
}

#[tokio::test]
async fn each_change_of_a_credential_is_one_entry() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "Production", "network_id": 0, "metadata": {"secret": "plan"}});
    let (entry, issued) = changed(&world, (&partner, "POST", "/v1/admin/credentials"), Some(new)).await;
    let id = &issued["credential"]["id"];
    assert_entry(&entry, Some(&partner), "credential.created", id, &json!({"name": "Production"}));

    let path = format!("/v1/admin/credentials/{}", text(id));
    let patch = json!({"name": "EU", "description": "Second"});
    let (entry, _) = changed(&world, (&partner, "PATCH", &path), Some(patch)).await;
    let details = json!({
        "name": "EU",
        "changes": {
            "name": {"from": "Production", "to": "EU"},
            "description": {"from": null, "to": "Second"},
        },
    });
    assert_entry(&entry, Some(&partner), "credential.updated", id, &details);

    let rotate = format!("{path}/rotate");
    let (entry, rotated) =
        changed(&world, (&partner, "POST", &rotate), Some(json!({"overlap_seconds": 60}))).await;
    let details = json!({
        "name": "EU",
        "api_key_prefix": rotated["credential"]["api_key_prefix"],
        "previous_expires_at": "2026-01-26T12:01:03Z",
    });
    assert_entry(&entry, Some(&partner), "credential.rotated", id, &details);

    let (entry, _) = changed(&world, (&partner, "DELETE", &path), None).await;
    assert_entry(&entry, Some(&partner), "credential.revoked", id, &json!({"name": "EU"}));
    assert_eq!(entries(&partner, "").await.len(), 4, "one entry each, and no other");
}

#[tokio::test]
async fn each_change_of_an_admin_key_is_one_entry_of_nobodys_key() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    let permissions = json!(["manage_users", "view_usage"]);
    let new = json!({"entity_name": "YourCompany", "permissions": permissions, "name": "Billing"});
    let (entry, issued) = changed(&world, (&bootstrap, "POST", "/v1/admin/admin-keys"), Some(new)).await;
    let id = &issued["admin_key"]["id"];
    let who = json!({"name": "Billing", "entity_name": "YourCompany", "permissions": permissions});
    assert_entry(&entry, None, "admin_key.created", id, &who);
    let opened = entries(&bootstrap, "action=organization.created").await;
    assert_eq!(opened.len(), 1, "the entity was new");
    let organization = &issued["admin_key"]["organization_id"];
    let details = json!({"name": "YourCompany", "slug": "yourcompany"});
    assert_entry(&opened[0], None, "organization.created", organization, &details);

    let path = format!("/v1/admin/admin-keys/{}", text(id));
    let patch = json!({"permissions": ["view_usage"], "expires_at": "2027-01-26T12:00:00Z"});
    let (entry, _) = changed(&world, (&bootstrap, "PATCH", &path), Some(patch)).await;
    let details = json!({
        "name": "Billing", "entity_name": "YourCompany",
        "changes": {
            "permissions": {"from": permissions, "to": ["view_usage"]},
            "expires_at": {"from": null, "to": "2027-01-26T12:00:00Z"},
        },
    });
    assert_entry(&entry, None, "admin_key.updated", id, &details);

    let (entry, _) = changed(&world, (&bootstrap, "DELETE", &path), None).await;
    let details = json!({"name": "Billing", "entity_name": "YourCompany"});
    assert_entry(&entry, None, "admin_key.revoked", id, &details);
    let new = json!({"entity_name": "YourCompany", "permissions": permissions});
    changed(&world, (&bootstrap, "POST", "/v1/admin/admin-keys"), Some(new)).await;
    assert_eq!(entries(&bootstrap, "action=organization.created").await.len(), 1, "the entity was joined");
}
