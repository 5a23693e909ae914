//! What is another tenant's does not exist, whichever way it is named.

use serde_json::json;

use super::{NO_KEY, NO_ROLE, NO_USER, Tenant, missing, text, told};
use crate::support::World;

#[tokio::test]
async fn another_organization_looks_like_none() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let other = Tenant::new(&world, "Umbrella").await;
    let bare = {
        let audit = world.bootstrap().get("/v1/admin/audit-logs?action=organization.created").await.data();
        let made = audit.as_array().unwrap().iter().find(|entry| entry["details"]["name"] == "Umbrella");
        text(&made.unwrap()["target_id"]).to_owned()
    };
    let names = [
        text(&other.organization["id"]).to_owned(),
        text(&other.organization["id"]).to_uppercase(),
        bare,
        "umbrella".to_owned(),
        "Umbrella".to_owned(),
    ];
    for rest in
        ["", "/users", "/api-keys", "/roles", "/permissions", "/usage", "/audit-logs", "/users/nonsense"]
    {
        let of_none = acme.owner.get(&format!("/v1/organizations/no-such{rest}")).await;
        missing(&of_none);
        for name in &names {
            let answer = acme.owner.get(&format!("/v1/organizations/{name}{rest}")).await;
            assert_eq!(told(&answer), told(&of_none), "{name}{rest}");
        }
    }
    for (method, rest, body) in [
        ("POST", "/users", json!({"name": "A"})),
        ("POST", "/api-keys", json!({"name": "A", "permissions": []})),
        ("POST", "/roles", json!({"name": "A", "permissions": []})),
        ("PATCH", "", json!({"name": "A"})),
    ] {
        for name in names.iter().map(String::as_str).chain(["no-such"]) {
            let request = acme.owner.request(method, &format!("/v1/organizations/{name}{rest}"));
            missing(
                &acme.owner.send(request.header("content-type", "application/json"), body.to_string()).await,
            );
        }
    }
    assert_eq!(acme.owner.get("/v1/organizations/acme").await.status, 200, "the own slug");
}

#[tokio::test]
async fn anothers_things_under_the_own_name_are_not_there_either() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let other = Tenant::new(&world, "Umbrella").await;
    let (key, user) = (other.key(&[], json!({})).await, other.user("Eve", &["Owner"]).await);
    let role = other.role("Theirs", &[]).await;
    for (collection, theirs, nothing) in
        [("api-keys", &key, NO_KEY), ("users", &user, NO_USER), ("roles", &role, NO_ROLE)]
    {
        for method in ["GET", "PATCH", "DELETE"] {
            let ask = async |id: &str| {
                let request = acme.owner.request(method, &acme.path(&format!("/{collection}/{id}")));
                let body = if method == "PATCH" { "{\"name\":\"Mine\"}" } else { "" };
                told(&acme.owner.send(request.header("content-type", "application/json"), body).await)
            };
            let of_nothing = ask(nothing).await;
            assert_eq!(of_nothing.0, 404, "{method} {collection}");
            assert_eq!(ask(text(&theirs["id"])).await, of_nothing, "{method} {collection}");
        }
    }
    for end in ["rotate", "disable", "enable"] {
        let ask =
            async |id: &str| told(&acme.owner.post_empty(&acme.path(&format!("/api-keys/{id}/{end}"))).await);
        assert_eq!(ask(text(&key["id"])).await, ask(NO_KEY).await);
    }
    // In bodies and in filters.
    let bind = async |id: &str| {
        let body = json!({"name": "A", "permissions": [], "userId": id});
        told(&acme.owner.post(&acme.path("/api-keys"), &body).await)
    };
    assert_eq!(bind(text(&user["id"])).await, bind(NO_USER).await);
    let assign = async |id: &str| {
        told(&acme.owner.post(&acme.path("/users"), &json!({"name": "A", "roles": [id]})).await)
    };
    assert_eq!(assign(text(&role["id"])).await, assign(NO_ROLE).await);
    assert_eq!(assign("Theirs").await, assign("Nobodys").await);
    let check = async |id: &str| {
        let body = json!({"userId": id, "permission": "a:b"});
        told(&acme.owner.post(&acme.path("/check-permission"), &body).await)
    };
    assert_eq!(check(text(&user["id"])).await, check(NO_USER).await);
    for (path, theirs, nothing) in [
        ("/users?role=", &role, NO_ROLE),
        ("/users?after=", &user, NO_USER),
        ("/api-keys?userId=", &user, NO_USER),
        ("/api-keys?after=", &key, NO_KEY),
        ("/audit-logs?targetId=", &key, NO_KEY),
        ("/audit-logs?actorId=", &key, NO_KEY),
    ] {
        let ask = async |id: &str| told(&acme.owner.get(&acme.path(&format!("{path}{id}"))).await);
        assert_eq!(ask(text(&theirs["id"])).await, ask(nothing).await, "{path}");
    }
}

#[tokio::test]
async fn a_repetition_by_another_caller_gets_nothing_of_the_first() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let other = Tenant::new(&world, "Umbrella").await;
    let post = async |caller: &crate::support::Caller<'_>, path: &str| {
        let request = caller.request("POST", path).header("idempotency-key", "order-1");
        let body = json!({"name": "A", "permissions": []}).to_string();
        caller.send(request.header("content-type", "application/json"), body).await
    };
    let path = acme.path("/api-keys");
    let first = post(&acme.owner, &path).await;
    let again = post(&acme.owner, &path).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotency-replayed"), "true");
    // A colleague's key makes a key of its own; a stranger finds no such organization.
    let colleague = acme.holding(&["api-keys:write"]).await;
    let own = post(&colleague, &path).await;
    assert_eq!(own.status, 201);
    assert_ne!(own.json()["key"], first.json()["key"]);
    missing(&post(&other.owner, &path).await);
    // Nor does whoever lost the right get the old answer again.
    let master = &acme.owner;
    let gone = acme.key(&["api-keys:write"], json!({})).await;
    let caller = world.bearer(text(&gone["key"]));
    assert_eq!(post(&caller, &path).await.status, 201);
    let less = json!({"permissions": []});
    assert_eq!(master.patch(&acme.at("api-keys", &gone), &less).await.status, 200);
    assert_eq!(post(&caller, &path).await.status, 403);
    assert_eq!(master.delete(&acme.at("api-keys", &gone)).await.status, 204);
    assert_eq!(post(&caller, &path).await.status, 401);
}
