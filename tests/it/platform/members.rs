//! Memberships: who has which role in an organization.

use serde_json::{Value, json};

use super::{NO_ORGANIZATION, NO_USER, actions, at, bad, data, organization, refused, text, user};
use crate::support::World;

fn members(organization: &Value) -> String {
    format!("{}/members", at("organizations", organization))
}

fn member(organization: &Value, user: &Value) -> String {
    format!("{}/{}", members(organization), text(&user["id"]))
}

#[tokio::test]
async fn a_user_becomes_a_member_has_another_role_and_is_none_any_more() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let ada = user(&world, &acme, "Ada").await;
    let added = operator.post(&members(&acme), &json!({"user_id": ada["id"], "role": "member"})).await;
    let told = data(&added, 201);
    let expected = json!({
        "user_id": ada["id"], "organization_id": acme["id"], "name": "Ada", "email": null, "status": "active",
        "roles": [{"id": "role_0000000000e008000000000003", "name": "Member"}],
    });
    assert_eq!(told, expected);
    assert_eq!(added.header("etag"), "\"2\"");
    let path = member(&acme, &ada);
    let changed = operator.patch(&path, &json!({"role": "role_0000000000e008000000000002"})).await;
    assert_eq!(
        data(&changed, 200)["roles"],
        json!([{"id": "role_0000000000e008000000000002", "name": "Admin"}])
    );
    let listed = operator.get(&members(&acme)).await;
    assert_eq!(data(&listed, 200), json!([data(&changed, 200)]));
    assert_eq!(listed.json()["pagination"]["total"], 1);
    let removed = operator.delete(&path).await;
    assert_eq!(data(&removed, 200), json!({"id": ada["id"], "deleted": true}));
    assert_eq!(data(&operator.get(&members(&acme)).await, 200), json!([]));
    assert_eq!(data(&operator.get(&at("users", &ada)).await, 200)["roles"], json!([]), "the user stays");
    let told: Vec<_> = actions(&world, "?action=user_account.updated").await;
    assert_eq!(told, vec![("user_account.updated".to_owned(), ada["id"].clone()); 3]);
}

#[tokio::test]
async fn what_is_no_membership_is_refused() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let (acme, other) = (organization(&world, "Acme").await, organization(&world, "Other").await);
    let (ada, stranger) = (user(&world, &acme, "Ada").await, user(&world, &other, "Stranger").await);
    let path = members(&acme);
    let nothing = "There is no such thing among yours";
    let add =
        async |user: &Value, role: &str| operator.post(&path, &json!({"user_id": user, "role": role})).await;
    refused(&add(&json!(NO_USER), "Member").await, 404, "not_found", nothing);
    refused(&add(&stranger["id"], "Member").await, 404, "not_found", nothing);
    refused(&add(&ada["id"], "Emperor").await, 404, "not_found", nothing);
    bad(&add(&json!("ada"), "Member").await, "user_id", "user_id names nothing that can be");
    bad(&add(&ada["id"], "").await, "role", "role is empty");
    data(&add(&ada["id"], "Viewer").await, 201);
    let again = add(&ada["id"], "Viewer").await;
    refused(&again, 409, "wrong_state", "It is not in the state that this needs");
    let strangers = member(&acme, &stranger);
    refused(&operator.patch(&strangers, &json!({"role": "Viewer"})).await, 404, "not_found", nothing);
    refused(&operator.delete(&strangers).await, 404, "not_found", nothing);
    refused(&operator.delete(&member(&other, &stranger)).await, 404, "not_found", nothing);
    let nowhere = format!("/admin/v1/organizations/{NO_ORGANIZATION}/members");
    refused(&operator.get(&nowhere).await, 404, "not_found", nothing);
    let request = operator.request("DELETE", &member(&acme, &ada)).header("if-match", "\"1\"");
    refused(&operator.send(request, "").await, 412, "precondition_failed", "If-Match does not hold");
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let operator = world.bootstrap();
    let acme = organization(&world, "Acme").await;
    let (ada, bob) = (user(&world, &acme, "Ada").await, user(&world, &acme, "Bob").await);
    let path = members(&acme);
    data(&operator.post(&path, &json!({"user_id": ada["id"], "role": "Owner"})).await, 201);
    let stays = "The last owner of an organization stays";
    let users = at("users", &ada);
    refused(&operator.patch(&member(&acme, &ada), &json!({"role": "Admin"})).await, 409, "last_owner", stays);
    refused(&operator.delete(&member(&acme, &ada)).await, 409, "last_owner", stays);
    refused(&operator.delete(&users).await, 409, "last_owner", stays);
    refused(&operator.post_empty(&format!("{users}/suspend")).await, 409, "last_owner", stays);
    data(&operator.post(&path, &json!({"user_id": bob["id"], "role": "Owner"})).await, 201);
    data(&operator.patch(&member(&acme, &ada), &json!({"role": "Admin"})).await, 200);
    refused(&operator.delete(&member(&acme, &bob)).await, 409, "last_owner", stays);
}
