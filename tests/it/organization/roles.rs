//! Roles, permissions and why somebody may do something.

use serde_json::json;

use super::{NO_ROLE, NO_USER, Tenant, bad, data, missing, refused, text};
use crate::support::World;

#[tokio::test]
async fn every_organization_has_four_roles_and_its_own() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    world.advance(chrono::TimeDelta::hours(1));
    let body =
        json!({"name": "Accountant", "description": "Pays", "permissions": ["invoices:*", "usage:read"]});
    let answer = acme.owner.post(&acme.path("/roles"), &body).await;
    let role = data(&answer, 201);
    assert_eq!(answer.header("etag"), "\"1\"");
    let expected = json!({
        "id": role["id"], "name": "Accountant", "description": "Pays", "type": "custom",
        "permissions": ["invoices:*", "usage:read"], "userCount": 0, "createdAt": "2026-01-26T13:00:00Z",
        "updatedAt": null, "users": []
    });
    assert_eq!(role, expected);
    let user = acme.user("Ada", &["accountant", "Viewer"]).await;
    let answer = acme.owner.get(&acme.path("/roles")).await;
    assert_eq!(answer.json().as_object().unwrap().len(), 1, "no pagination");
    let list = data(&answer, 200);
    let told: Vec<_> =
        list.as_array().unwrap().iter().map(|it| (text(&it["name"]), text(&it["type"]))).collect();
    let system = ["Owner", "Admin", "Member", "Viewer"].map(|name| (name, "system"));
    assert_eq!(told, [&system[..], &[("Accountant", "custom")]].concat());
    assert_eq!((&list[3]["userCount"], &list[4]["userCount"]), (&json!(1), &json!(1)));
    assert_eq!(list[0]["createdAt"], acme.organization["created_at"]);
    let one = data(&acme.owner.get(&acme.at("roles", &role)).await, 200);
    assert_eq!(one["users"], json!([{"id": user["id"], "email": null, "displayName": "Ada"}]));
    let system = data(&acme.owner.get(&acme.at("roles", &list[3])).await, 200);
    assert_eq!(system["users"], one["users"]);
}

#[tokio::test]
async fn a_role_changes_what_its_holders_keys_may_at_once() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let role = acme.role("Reader", &["users:read"]).await;
    let path = acme.at("roles", &role);
    let user = acme.user("Ada", &["Reader"]).await;
    let (issued, bound) = acme.bound(&user, &["users:read"]).await;
    data(&bound.get(&acme.path("/users")).await, 200);
    let scopes = async || {
        let body = json!({"key": issued["key"], "scopes": "users:read"});
        text(&world.bootstrap().post("/v1/keys/verify", &body).await.json()["code"]).to_owned()
    };
    assert_eq!(scopes().await, "VALID");
    let changed = data(&acme.owner.patch(&path, &json!({"permissions": []})).await, 200);
    assert_eq!((&changed["permissions"], &changed["userCount"]), (&json!([]), &json!(1)));
    assert_eq!(changed["users"][0]["id"], user["id"]);
    refused(&bound.get(&acme.path("/users")).await, 403, "forbidden", "The scope users:read is required");
    assert_eq!(scopes().await, "INSUFFICIENT_SCOPE");
    let in_use = acme.owner.delete(&path).await;
    refused(&in_use, 409, "role_in_use", "Some user has this role");
    data(&acme.owner.patch(&acme.at("users", &user), &json!({"roles": []})).await, 200);
    let stale = acme.owner.send(acme.owner.request("DELETE", &path).header("if-match", "\"1\""), "").await;
    refused(&stale, 412, "precondition_failed", "If-Match does not hold");
    let gone = acme.owner.delete(&path).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    missing(&acme.owner.get(&path).await);
}

#[tokio::test]
async fn what_is_wrong_with_a_role_is_told() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let roles = acme.path("/roles");
    acme.role("Reader", &[]).await;
    for name in ["reader", "OWNER"] {
        let answer = acme.owner.post(&roles, &json!({"name": name, "permissions": []})).await;
        refused(&answer, 409, "role_name_taken", "Another role of the organization has this name");
    }
    bad(&acme.owner.post(&roles, &json!({"name": "A"})).await, "permissions", "permissions is required");
    let list = data(&acme.owner.get(&roles).await, 200);
    for role in &list.as_array().unwrap()[..4] {
        let path = acme.at("roles", role);
        for answer in
            [acme.owner.patch(&path, &json!({"permissions": ["*"]})).await, acme.owner.delete(&path).await]
        {
            refused(&answer, 409, "system_role", "A system role does not change");
        }
    }
    missing(&acme.owner.get(&acme.path(&format!("/roles/{NO_ROLE}"))).await);
    missing(&acme.owner.delete(&acme.path(&format!("/roles/{NO_ROLE}"))).await);
    let malformed = acme.owner.get(&acme.path("/roles/owner")).await;
    refused(&malformed, 400, "invalid_request", "An id in the path is malformed");
}

#[tokio::test]
async fn the_catalogue_tells_every_permission() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let list = data(&acme.owner.get(&acme.path("/permissions")).await, 200);
    let words: Vec<_> = list.as_array().unwrap().iter().map(|it| text(&it["permission"])).collect();
    for documented in [
        "users:read",
        "users:write",
        "users:delete",
        "organizations:read",
        "organizations:write",
        "roles:read",
        "roles:write",
        "idp:read",
        "idp:write",
        "audit:read",
        "webhooks:read",
        "webhooks:write",
        "api-keys:read",
        "api-keys:write",
        "usage:read",
    ] {
        assert!(words.contains(&documented), "{documented}");
    }
    let of =
        |word: &str| list.as_array().unwrap().iter().find(|it| it["permission"] == word).unwrap().clone();
    assert_eq!(of("users:read")["systemRoles"], json!(["Owner", "Admin", "Member", "Viewer"]));
    assert_eq!(of("organizations:write")["systemRoles"], json!(["Owner"]));
}

#[tokio::test]
async fn a_check_explains_its_answer() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let role = acme.role("Accountant", &["invoices:*"]).await;
    let user = acme.user("Ada", &["Accountant", "Viewer"]).await;
    let nobody = acme.user("Bob", &[]).await;
    let check = async |user: &serde_json::Value, permission: &str| {
        let body = json!({"userId": user["id"], "permission": permission});
        data(&acme.owner.post(&acme.path("/check-permission"), &body).await, 200)
    };
    let granted = json!([{"roleId": role["id"], "roleName": "Accountant", "permission": "invoices:*"}]);
    assert_eq!(
        check(&user, "invoices:pay").await,
        json!({"allowed": true, "permission": "invoices:pay", "userId": user["id"], "reason": "granted", "grantedBy": granted})
    );
    assert_eq!(
        check(&user, "users:write").await,
        json!({"allowed": false, "permission": "users:write", "userId": user["id"], "reason": "not_granted", "grantedBy": []})
    );
    assert_eq!(check(&nobody, "users:read").await["reason"], "no_roles");
    data(&acme.owner.patch(&acme.at("users", &user), &json!({"status": "suspended"})).await, 200);
    let suspended = check(&user, "invoices:pay").await;
    assert_eq!((&suspended["allowed"], &suspended["reason"]), (&json!(false), &json!("user_suspended")));
    assert_eq!(suspended["grantedBy"], granted);
    let path = acme.path("/check-permission");
    missing(&acme.owner.post(&path, &json!({"userId": NO_USER, "permission": "a:b"})).await);
    let bad_word = acme.owner.post(&path, &json!({"userId": NO_USER, "permission": "a b"})).await;
    assert_eq!((bad_word.status, &bad_word.json()["field"]), (400, &json!("permission")));
}

#[tokio::test]
async fn an_organization_makes_so_many_roles_and_no_more() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let first = acme.role("Role 1", &[]).await;
    for n in 2..=500 {
        acme.role(&format!("Role {n}"), &[]).await;
    }
    let one_more = json!({"name": "One more", "permissions": []});
    let full = acme.owner.post(&acme.path("/roles"), &one_more).await;
    let detail = "The organization has 500 roles of its own, and 500 at most: remove some, or ask the operator for more";
    refused(&full, 409, "too_many_roles", detail);
    assert_eq!(acme.owner.delete(&acme.at("roles", &first)).await.status, 204);
    data(&acme.owner.post(&acme.path("/roles"), &one_more).await, 201);
    assert_eq!(data(&acme.owner.get(&acme.path("/roles")).await, 200).as_array().unwrap().len(), 504);
}

#[tokio::test]
async fn of_many_holders_the_first_are_told_and_all_are_counted() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let role = acme.role("Staff", &[]).await;
    let first = acme.user("User 0", &["Staff"]).await;
    world.advance(chrono::TimeDelta::seconds(1));
    for n in 1..=100 {
        acme.user(&format!("User {n}"), &["Staff", if n % 2 == 0 { "Viewer" } else { "Member" }]).await;
    }
    let path = acme.at("roles", &role);
    for told in [
        data(&acme.owner.get(&path).await, 200),
        data(&acme.owner.patch(&path, &json!({"description": "Everybody"})).await, 200),
    ] {
        assert_eq!((&told["userCount"], told["users"].as_array().unwrap().len()), (&json!(101), 100));
        assert_eq!(told["users"][0]["id"], first["id"]);
    }
    let listed = data(&acme.owner.get(&acme.path("/roles")).await, 200);
    let counts: Vec<_> =
        listed.as_array().unwrap().iter().map(|role| role["userCount"].as_u64().unwrap()).collect();
    assert_eq!(counts, [0, 0, 50, 50, 101]);
}
