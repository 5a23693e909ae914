//! Users of every organization.

use serde_json::{Value, json};

use super::{NO_USER, actions, at, bad, code, data, key, organization, refused, text, user};
use crate::support::World;

const PATH: &str = "/admin/v1/users";

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let body = json!({
        "organization_id": "acme", "name": "Ada Lovelace", "email": "ada@acme.com", "external_id": "customer-123",
        "metadata": {"team": "engines"}, "billing_plan": "pro",
    });
    let answer = operator.post(PATH, &body).await;
    let told = data(&answer, 201);
    assert!(text(&told["id"]).starts_with("user_"));
    let expected = json!({
        "id": told["id"], "organization_id": acme["id"], "admin_key_id": null, "external_id": "customer-123",
        "name": "Ada Lovelace", "email": "ada@acme.com", "metadata": {"team": "engines"}, "status": "active",
        "billing_plan": "pro", "roles": [], "created_at": "2026-01-26T12:00:00Z", "updated_at": null,
    });
    assert_eq!(told.to_string(), expected.to_string());
    assert_eq!(answer.header("etag"), "\"1\"");
    let path = at("users", &told);
    assert_eq!(data(&operator.get(&path).await, 200), told);
    let patch =
        json!({"name": "Ada King", "email": null, "external_id": null, "metadata": {}, "billing_plan": null});
    let now = data(&operator.patch(&path, &patch).await, 200);
    assert_eq!(
        (&now["name"], &now["email"], &now["metadata"]),
        (&json!("Ada King"), &Value::Null, &json!({}))
    );
    assert_eq!((&now["external_id"], &now["billing_plan"]), (&Value::Null, &Value::Null));
    refused(&operator.patch(&path, &json!({})).await, 400, "invalid_request", "Nothing is to be changed");
    let issued = key(&world, &acme, &[], json!({"user_id": told["id"]})).await;
    assert_eq!(code(&world, &issued).await, "VALID");
    let gone = data(&operator.delete(&path).await, 200);
    assert_eq!(gone, json!({"id": told["id"], "deleted": true}));
    assert_eq!(code(&world, &issued).await, "REVOKED", "with the user go its keys");
    refused(&operator.get(&path).await, 404, "not_found", "There is no such thing among yours");
    let told: Vec<_> = actions(&world, "?limit=2").await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(told, ["user_account.deleted", "api_key.revoked"]);
}

#[tokio::test]
async fn a_suspended_users_keys_are_refused_at_once() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let ada = user(&world, &acme, "Ada").await;
    let issued = key(&world, &acme, &[], json!({"user_id": ada["id"]})).await;
    let path = at("users", &ada);
    assert_eq!(data(&operator.post_empty(&format!("{path}/suspend")).await, 200)["status"], "suspended");
    assert_eq!(code(&world, &issued).await, "USER_SUSPENDED");
    let again = operator.post_empty(&format!("{path}/suspend")).await;
    refused(&again, 409, "wrong_state", "It is not in the state that this needs");
    assert_eq!(data(&operator.post_empty(&format!("{path}/reactivate")).await, 200)["status"], "active");
    assert_eq!(code(&world, &issued).await, "VALID");
    let again = operator.post_empty(&format!("{path}/reactivate")).await;
    refused(&again, 409, "wrong_state", "It is not in the state that this needs");
}

#[tokio::test]
async fn users_are_listed_of_all_organizations_or_of_one() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let (acme, other) = (organization(&world, "Acme").await, organization(&world, "Other").await);
    let ada = json!({"organization_id": acme["id"], "name": "Ada", "email": "ada@acme.com"});
    let ada = data(&operator.post(PATH, &ada).await, 201);
    world.advance(chrono::TimeDelta::seconds(1));
    let bob = user(&world, &other, "Bob").await;
    let partner = world.partner().await;
    world.advance(chrono::TimeDelta::seconds(1));
    let customer = partner.user("Customer").await;
    data(&operator.post_empty(&format!("{}/suspend", at("users", &bob))).await, 200);
    for (query, names) in [
        (String::new(), vec!["Customer", "Bob", "Ada"]),
        (format!("?org_id={}", text(&acme["id"])), vec!["Ada"]),
        ("?org_id=other".to_owned(), vec!["Bob"]),
        ("?status=suspended".to_owned(), vec!["Bob"]),
        ("?search=ACME".to_owned(), vec!["Ada"]),
        ("?email=ada@acme.com".to_owned(), vec!["Ada"]),
        ("?org_id=other&search=ada".to_owned(), vec![]),
        ("?limit=1&offset=1".to_owned(), vec!["Bob"]),
    ] {
        let rows = data(&operator.get(&format!("{PATH}{query}")).await, 200);
        let told: Vec<_> = rows.as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
        assert_eq!(told, names, "{query}");
    }
    let seen = data(&operator.get(&format!("{PATH}/{}", text(&customer["id"]))).await, 200);
    assert_eq!((&seen["name"], seen["admin_key_id"].is_string()), (&json!("Customer"), true));
    assert_eq!(data(&operator.get(&at("users", &ada)).await, 200)["name"], "Ada");
    for name in ["org_01h455vb4pex5vsknk084sn02q", "nobody"] {
        let answer = operator.get(&format!("{PATH}?org_id={name}")).await;
        refused(&answer, 404, "not_found", "There is no such thing among yours");
    }
    let answer = operator.get(&format!("{PATH}?org_id=No+One")).await;
    bad(&answer, "org_id", "org_id names nothing that can be");
    let answer = operator.get(&format!("{PATH}?status=gone")).await;
    bad(&answer, "status", "status must be one of: active, suspended, pending");
}

#[tokio::test]
async fn what_is_no_user_is_refused() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    for (body, field, message) in [
        (json!({"name": "A"}), "organization_id", "organization_id is required"),
        (
            json!({"organization_id": "No One", "name": "A"}),
            "organization_id",
            "organization_id names nothing that can be",
        ),
        (json!({"organization_id": acme["id"]}), "name", "name is required"),
        (
            json!({"organization_id": acme["id"], "name": "A", "email": "x"}),
            "email",
            "email is not of the expected form",
        ),
        (
            json!({"organization_id": acme["id"], "name": "A", "roles": ["Owner"]}),
            "roles",
            "Unknown field: roles",
        ),
    ] {
        bad(&operator.post(PATH, &body).await, field, message);
    }
    let nothing = "There is no such thing among yours";
    for id in ["org_01h455vb4pex5vsknk084sn02q", "nobody"] {
        let answer = operator.post(PATH, &json!({"organization_id": id, "name": "A"})).await;
        refused(&answer, 404, "not_found", nothing);
    }
    refused(&operator.get(&format!("{PATH}/{NO_USER}")).await, 404, "not_found", nothing);
    let answer = operator.get(&format!("{PATH}/nobody")).await;
    refused(&answer, 400, "invalid_request", "An id in the path is malformed");
    let path = at("users", &user(&world, &acme, "B").await);
    let request = operator.request("PATCH", &path).header("content-type", "application/json");
    let stale = operator.send(request.header("if-match", "\"7\""), json!({"name": "C"}).to_string()).await;
    refused(&stale, 412, "precondition_failed", "If-Match does not hold");
}
