//! The ways around the ceiling that only the operator's surface has, and answers that are told again.

use serde_json::{Value, json};

use super::{NO_USER, at, code, data, key, operator, organization, refused, text, user};
use crate::support::{Answer, Caller, World};
use crate::tenancy::estate::Estate;

const BEYOND: &str = "You cannot act for a user who holds scopes you do not hold: ";

#[track_caller]
fn beyond(answer: &Answer, scopes: &str) {
    refused(answer, 403, "scope_not_held", &format!("{BEYOND}{scopes}"));
}

/// That it was the ceiling, whatever it is told to lack.
#[track_caller]
fn is_beyond(answer: &Answer) {
    let reason = &answer.json()["error"]["details"]["reason"];
    assert_eq!((answer.status, reason), (403, &json!("scope_not_held")), "{}", answer.text);
}

#[tokio::test]
async fn a_customers_key_is_strengthened_by_an_operators_key_that_sees_users() {
    let world = World::new().await;
    let estate = Estate::of(&world, "Acme Corporation").await;
    let path = format!("/admin/v1/api-keys/{}", estate.credential);
    // Whoever makes keys with every scope of a tenant may make this one stronger, if it sees the customer it is for.
    let weak = operator(&world, &["admin:keys"]).await;
    let sees_no_users = "A key for a user requires the scope admin:users, which your key does not hold";
    for answer in [
        weak.post_empty(&format!("{path}/rotate")).await,
        weak.patch(&path, &json!({"expires_at": null})).await,
        weak.patch(&path, &json!({"metadata": {}})).await,
    ] {
        refused(&answer, 403, "forbidden", sees_no_users);
    }
    data(&weak.post_empty(&format!("{path}/disable")).await, 200);
    refused(&weak.post_empty(&format!("{path}/enable")).await, 403, "forbidden", sees_no_users);
    let strong = operator(&world, &["admin:keys", "admin:users"]).await;
    data(&strong.post_empty(&format!("{path}/enable")).await, 200);
    data(&strong.post_empty(&format!("{path}/rotate")).await, 200);
}

#[tokio::test]
async fn a_user_is_let_in_and_called_by_who_holds_what_it_may() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let ada = user(&world, &acme, "Ada").await;
    let members = format!("{}/members", at("organizations", &acme));
    for name in ["Ada", "Bob"] {
        let somebody = if name == "Ada" { ada.clone() } else { user(&world, &acme, name).await };
        let owner = json!({"user_id": somebody["id"], "role": "Owner"});
        data(&world.bootstrap().post(&members, &owner).await, 201);
    }
    let (caller, path) = (operator(&world, &["admin:users"]).await, at("users", &ada));
    for patch in [
        json!({"email": "eve@example.com"}),
        json!({"external_id": "ceo"}),
        json!({"name": "The CEO"}),
        json!({"metadata": {"role": "ceo"}}),
    ] {
        beyond(&caller.patch(&path, &patch).await, "*");
    }
    data(&caller.patch(&path, &json!({"billing_plan": "pro"})).await, 200);
    data(&caller.post_empty(&format!("{path}/suspend")).await, 200);
    beyond(&caller.post_empty(&format!("{path}/reactivate")).await, "*");
    let full = operator(&world, &["admin:users", "*"]).await;
    data(&full.post_empty(&format!("{path}/reactivate")).await, 200);
}

#[tokio::test]
async fn an_item_of_a_batch_is_bound_to_nobody_who_has_less() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let [viewer, gone] = [user(&world, &acme, "Ada").await, user(&world, &acme, "Eve").await];
    let members = format!("{}/members", at("organizations", &acme));
    for somebody in [&viewer, &gone] {
        let body = json!({"user_id": somebody["id"], "role": "Viewer"});
        data(&world.bootstrap().post(&members, &body).await, 201);
    }
    data(&world.bootstrap().post_empty(&format!("{}/suspend", at("users", &gone))).await, 200);
    let closed = organization(&world, "Closed").await;
    data(&world.bootstrap().post_empty("/admin/v1/organizations/closed/suspend").await, 200);
    let item = |more: Value| {
        let mut item = json!({"organization_id": acme["id"], "name": "A", "scopes": ["users:read"]});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    let items = [
        item(json!({"user_id": viewer["id"]})),
        item(json!({"user_id": viewer["id"], "scopes": ["users:write"]})),
        item(json!({"user_id": gone["id"]})),
        item(json!({"user_id": NO_USER})),
        item(json!({"organization_id": closed["id"]})),
        item(json!({"environment": "test", "scopes": ["admin:settings"]})),
        item(json!({"type": "scim", "scopes": ["admin:settings"]})),
    ];
    let caller = operator(&world, &["admin:keys", "admin:users"]).await;
    let told = data(&caller.post("/admin/v1/api-keys/batch", &json!({"api_keys": items})).await, 200);
    let results: Vec<_> = told["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (it["status"].as_u64().unwrap(), it["error"]["details"]["reason"].as_str().unwrap_or_default())
        })
        .collect();
    let expected = [
        (201, ""),
        (403, "scope_not_held"),
        (409, "user_suspended"),
        (404, "not_found"),
        (409, "organization_suspended"),
        (403, "scope_not_held"),
        (403, "scope_not_held"),
    ];
    assert_eq!(results, expected);
}

#[tokio::test]
async fn a_role_of_another_organization_is_no_role_here() {
    let world = World::new().await;
    let [own, other] = [Estate::of(&world, "Acme").await, Estate::of(&world, "Umbrella").await];
    let path = format!("/admin/v1/organizations/{}/members", own.organization);
    let member = |role: &str| json!({"user_id": own.customer, "role": role});
    let nothing = "There is no such thing among yours";
    for role in [other.role.as_str(), crate::organization::NO_ROLE, "No such role"] {
        refused(&world.bootstrap().post(&path, &member(role)).await, 404, "not_found", nothing);
    }
    is_beyond(&operator(&world, &["admin:orgs"]).await.post(&path, &member(&own.role)).await);
    data(&world.bootstrap().post(&path, &member(&own.role)).await, 201);
}

#[tokio::test]
async fn a_kept_answer_is_nobodys_who_may_not_ask_any_more() {
    let world = World::new().await;
    let acme = organization(&world, "Acme").await;
    let own = organization(&world, "Operations").await;
    let post = async |caller: &Caller<'_>, path: &str, body: &Value| {
        let request = caller.request("POST", path).header("content-type", "application/json");
        caller.send(request.header("idempotency-key", "one"), body.to_string()).await
    };
    let new = json!({"organization_id": acme["id"], "name": "A", "scopes": []});
    let weak = key(&world, &acme, &[], json!({})).await;
    let calls = [
        ("/admin/v1/api-keys".to_owned(), new.clone()),
        ("/admin/v1/api-keys/batch".to_owned(), json!({"api_keys": [new]})),
        (format!("{}/rotate", at("api-keys", &weak)), json!({"overlap_seconds": 0})),
    ];
    for (path, body) in &calls {
        let issued = key(&world, &own, &["admin:keys"], json!({})).await;
        let caller = world.bearer(text(&issued["key"]));
        let first = post(&caller, path, body).await;
        assert!(first.status < 300, "{path}: {}", first.text);
        assert_eq!(post(&caller, path, body).await.text, first.text, "{path}");
        let itself = at("api-keys", &issued);
        data(&world.bootstrap().patch(&itself, &json!({"scopes": ["admin:orgs"]})).await, 200);
        refused(&post(&caller, path, body).await, 403, "forbidden", "The scope admin:keys is required");
        data(&world.bootstrap().patch(&itself, &json!({"scopes": ["admin:keys"]})).await, 200);
        // The next secret of the same caller opens nothing that was sealed for this one.
        let next = data(&world.bootstrap().post_empty(&format!("{itself}/rotate")).await, 200);
        let fresh = post(&world.bearer(text(&next["key"])), path, body).await;
        assert!(fresh.headers.get("idempotency-replayed").is_none() && fresh.text != first.text, "{path}");
        data(&world.bootstrap().post_empty(&format!("{itself}/disable")).await, 200);
        let answer = post(&caller, path, body).await;
        refused(&answer, 401, "unauthorized", "The presented key opens nothing here");
    }
    // Nor is what was asked on one surface told on another.
    let both = key(&world, &own, &["admin:keys", "*"], json!({})).await;
    let both = world.bearer(text(&both["key"]));
    let new = json!({"organization_id": own["id"], "name": "A", "scopes": []});
    let made = data(&post(&both, "/admin/v1/api-keys", &new).await, 201);
    let path = format!("/v1/organizations/{}/api-keys", text(&own["id"]));
    let answer = post(&both, &path, &json!({"name": "A", "permissions": []})).await;
    assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(code(&world, &made).await, "VALID");
}
