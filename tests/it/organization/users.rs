//! Users of an organization.

use serde_json::json;

use super::{NO_USER, Tenant, bad, code, data, ids, missing, refused, text};
use crate::support::World;

#[tokio::test]
async fn a_user_is_made_with_all_that_is_told() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let body = json!({
        "email": "ada@acme.com", "firstName": "Ada", "lastName": "Lovelace", "roles": ["member"],
        "externalId": "e-1", "metadata": {"team": "engines"}
    });
    let answer = acme.owner.post(&acme.path("/users"), &body).await;
    let user = data(&answer, 201);
    assert_eq!(answer.header("etag"), "\"1\"");
    let role = user["roles"][0].clone();
    assert_eq!(role["name"], "Member");
    assert!(role["permissions"].as_array().unwrap().contains(&json!("users:read")));
    let expected = json!({
        "id": user["id"], "email": "ada@acme.com", "firstName": "Ada", "lastName": "Lovelace",
        "displayName": "Ada Lovelace", "name": "Ada Lovelace", "status": "active", "emailVerified": false,
        "mfaEnabled": false, "roles": [role], "externalId": "e-1", "metadata": {"team": "engines"},
        "lastLoginAt": null, "createdAt": "2026-01-26T12:00:00Z", "updatedAt": null
    });
    assert_eq!(user, expected);
    assert_eq!(data(&acme.owner.get(&acme.at("users", &user)).await, 200), expected);
    let listed = data(&acme.owner.get(&acme.path("/users")).await, 200);
    assert_eq!(listed[0]["roles"], json!([{"id": role["id"], "name": "Member"}]));
}

#[tokio::test]
async fn the_published_body_of_a_new_user_is_taken() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let body = json!({
        "email": "user@example.com", "name": "John Doe", "roles": ["admin"],
        "profile": {"title": "Engineer", "department": "Engineering", "phone": "+1234567890"},
        "metadata": {"employeeId": "EMP123"}
    });
    let user = data(&acme.owner.post(&acme.path("/users"), &body).await, 201);
    assert_eq!(
        (&user["name"], &user["firstName"], &user["lastName"]),
        (&json!("John Doe"), &json!(null), &json!(null))
    );
    assert_eq!(user["metadata"], json!({"employeeId": "EMP123", "profile": body["profile"]}));
    assert_eq!(user["roles"][0]["name"], "Admin");
}

#[tokio::test]
async fn names_are_told_as_they_were_and_never_guessed() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let user = acme.user("Ludwig van Beethoven", &[]).await;
    let path = acme.at("users", &user);
    let parts = json!({"firstName": "Ludwig", "lastName": "van Beethoven"});
    let changed = data(&acme.owner.patch(&path, &parts).await, 200);
    assert_eq!((&changed["firstName"], &changed["lastName"]), (&json!("Ludwig"), &json!("van Beethoven")));
    let changed =
        data(&acme.owner.patch(&path, &json!({"displayName": "L. v. B.", "lastName": null})).await, 200);
    assert_eq!((&changed["name"], &changed["displayName"]), (&json!("L. v. B."), &json!("L. v. B.")));
    assert_eq!((&changed["firstName"], &changed["lastName"]), (&json!("Ludwig"), &json!(null)));
    let both = acme.owner.patch(&path, &json!({"displayName": "A", "name": "B"})).await;
    bad(&both, "displayName", "displayName cannot be given together with name");
    bad(&acme.owner.post(&acme.path("/users"), &json!({})).await, "name", "name is required");
}

#[tokio::test]
async fn users_are_found_by_what_is_known_of_them() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let accountant = acme.role("Accountant", &["invoices:*"]).await;
    let mut made = Vec::new();
    for (name, roles) in [("Ada", vec!["Owner"]), ("Bob", vec!["Accountant"]), ("Eve", vec![])] {
        world.advance(chrono::TimeDelta::seconds(1));
        let body = json!({"name": name, "email": format!("{name}@acme.com"), "roles": roles});
        made.push(data(&acme.owner.post(&acme.path("/users"), &body).await, 201));
    }
    data(&acme.owner.patch(&acme.at("users", &made[2]), &json!({"status": "suspended"})).await, 200);
    let found = async |query: String| acme.owner.get(&acme.path(&format!("/users{query}"))).await.json();
    let id = |place: usize| text(&made[place]["id"]).to_owned();
    assert_eq!(ids(&found(String::new()).await["data"]), [id(2), id(1), id(0)]);
    assert_eq!(ids(&found("?status=suspended".into()).await["data"]), [id(2)]);
    assert_eq!(ids(&found("?email=Bob@acme.com".into()).await["data"]), [id(1)]);
    assert_eq!(ids(&found("?search=AD".into()).await["data"]), [id(0)]);
    assert_eq!(ids(&found(format!("?role={}", text(&accountant["id"]))).await["data"]), [id(1)]);
    let page = found(format!("?limit=1&after={}", id(2))).await;
    assert_eq!(ids(&page["data"]), [id(1)]);
    assert_eq!(page["pagination"], json!({"total": 3, "page": null, "limit": 1, "hasMore": true}));
    for query in ["?offset=0", "?offset=40", "?offset=2&page=2"] {
        let answer = acme.owner.get(&acme.path(&format!("/users{query}"))).await;
        refused(&answer, 400, "invalid_request", "Unknown query parameter: offset");
    }
    for (query, field) in [("?status=x", "status"), ("?role=x", "role"), ("?email=x", "email")] {
        let answer = acme.owner.get(&acme.path(&format!("/users{query}"))).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}");
    }
}

#[tokio::test]
async fn a_suspended_and_a_deleted_users_keys_stop_at_once() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    acme.user("Ada", &["Owner"]).await;
    let user = acme.user("Bob", &["Member"]).await;
    let (issued, bound) = acme.bound(&user, &["users:read"]).await;
    let path = acme.at("users", &user);
    data(&bound.get(&acme.path("/users")).await, 200);
    assert_eq!(
        data(&acme.owner.patch(&path, &json!({"status": "suspended"})).await, 200)["status"],
        "suspended"
    );
    assert_eq!(code(&world, &issued).await, "USER_SUSPENDED");
    assert_eq!(bound.get(&acme.path("/users")).await.status, 401);
    let new = super::key_body(&[], json!({"userId": user["id"]}));
    let refused_key = acme.owner.post(&acme.path("/api-keys"), &new).await;
    refused(&refused_key, 409, "user_suspended", "The user is suspended");
    data(&acme.owner.patch(&path, &json!({"status": "active"})).await, 200);
    assert_eq!(code(&world, &issued).await, "VALID");
    bad(
        &acme.owner.patch(&path, &json!({"status": "pending"})).await,
        "status",
        "status must be one of: active, suspended",
    );
    let gone = acme.owner.delete(&path).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(code(&world, &issued).await, "REVOKED");
    assert_eq!(bound.get(&acme.path("/users")).await.status, 401);
    missing(&acme.owner.get(&path).await);
    missing(&acme.owner.delete(&path).await);
    missing(&acme.owner.get(&acme.path(&format!("/users/{NO_USER}"))).await);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let ada = acme.user("Ada", &["Owner"]).await;
    let path = acme.at("users", &ada);
    let stays = |answer| refused(&answer, 409, "last_owner", "The last owner of an organization stays");
    stays(acme.owner.patch(&path, &json!({"roles": ["Admin"]})).await);
    stays(acme.owner.patch(&path, &json!({"roles": []})).await);
    stays(acme.owner.patch(&path, &json!({"status": "suspended"})).await);
    stays(acme.owner.delete(&path).await);
    let bob = acme.user("Bob", &["Owner"]).await;
    data(&acme.owner.patch(&path, &json!({"status": "suspended"})).await, 200);
    // A suspended owner is none.
    stays(acme.owner.delete(&acme.at("users", &bob)).await);
    assert_eq!(acme.owner.delete(&path).await.status, 204);
}

#[tokio::test]
async fn a_bound_key_is_told_its_user_and_others_are_not() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let user = acme.user("Ada", &["Viewer"]).await;
    // No scope is needed.
    let (_, bound) = acme.bound(&user, &[]).await;
    assert_eq!(data(&bound.get("/v1/users/me").await, 200), user);
    refused(&acme.owner.get("/v1/users/me").await, 403, "no_user", "The key is bound to no user");
    refused(
        &world.nobody().get("/v1/users/me").await,
        401,
        "unauthorized",
        "Present a key as `Authorization: Bearer …`",
    );
}

#[tokio::test]
async fn external_ids_and_too_many_roles_are_refused() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let body = json!({"name": "A", "externalId": "e"});
    data(&acme.owner.post(&acme.path("/users"), &body).await, 201);
    let again = acme.owner.post(&acme.path("/users"), &body).await;
    refused(&again, 409, "external_id_taken", "Another user has this external id");
    let many: Vec<_> = (0..21).map(|_| "Viewer").collect();
    let answer = acme.owner.post(&acme.path("/users"), &json!({"name": "A", "roles": many})).await;
    bad(&answer, "roles", "roles must have 20 items or less");
    missing(&acme.owner.post(&acme.path("/users"), &json!({"name": "A", "roles": ["Nobody"]})).await);
}
