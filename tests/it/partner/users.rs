//! User accounts: made, shown, listed.

use chrono::TimeDelta;
use claviger_domain::account::AccountStatus;
use claviger_domain::actor::Owner;
use claviger_store::{StoreError, Tables, Tx};
use serde_json::json;

use super::{NO_IDS, NOTHING, exactly, is_id, names, text, users_in_turn};
use crate::support::World;

#[tokio::test]
async fn a_new_user_is_answered_with_its_eleven_fields_and_a_message() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({
        "name": "Acme Corp", "external_id": "customer-123", "email": "ops@acme.example",
        "metadata": {"tier": "gold", "seats": 12}, "billing_plan": "pro",
    });
    let answer = partner.post("/v1/admin/users", &new).await;
    let id = answer.json()["data"]["id"].clone();
    is_id(&id);
    let expected = json!({
        "success": true,
        "data": {
            "id": id,
            "admin_key_id": partner.id,
            "admin_entity_name": "YourCompany",
            "external_id": "customer-123",
            "name": "Acme Corp",
            "email": "ops@acme.example",
            "metadata": {"tier": "gold", "seats": 12},
            "created_at": "2026-01-26T12:00:00Z",
            "updated_at": null,
            "status": "active",
            "billing_plan": "pro",
        },
        "message": "User account created successfully",
    });
    exactly(&answer, 201, &expected);
    assert_eq!(answer.header("content-type"), "application/json;charset=utf-8");
}

#[tokio::test]
async fn a_user_needs_only_a_name_and_null_is_as_good_as_absent() {
    let world = World::new().await;
    let partner = world.partner().await;
    let nulls =
        json!({"name": "B", "external_id": null, "email": null, "metadata": null, "billing_plan": null});
    for new in [json!({"name": "B"}), nulls] {
        let answer = partner.post("/v1/admin/users", &new).await;
        let expected = json!({
            "success": true,
            "data": {
                "id": answer.json()["data"]["id"], "admin_key_id": partner.id,
                "admin_entity_name": "YourCompany", "external_id": null, "name": "B", "email": null,
                "metadata": {}, "created_at": "2026-01-26T12:00:00Z", "updated_at": null,
                "status": "active", "billing_plan": null,
            },
            "message": "User account created successfully",
        });
        exactly(&answer, 201, &expected);
    }
}

#[tokio::test]
async fn a_user_is_read_by_its_id_without_a_message() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let answer = partner.get(&format!("/v1/admin/users/{}", text(&user["id"]))).await;
    exactly(&answer, 200, &json!({"success": true, "data": user}));
    let shouted = text(&user["id"]).to_uppercase();
    assert_eq!(partner.get(&format!("/v1/admin/users/{shouted}")).await.data(), user, "ids have no case");
}

#[tokio::test]
async fn an_unknown_user_is_not_found() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = format!("/v1/admin/users/{NOTHING}");
    partner.get(&path).await.refused(404, "User account not found");
    partner.patch(&path, &json!({"name": "B"})).await.refused(404, "User account not found");
    partner.get(&format!("{path}/usage")).await.refused(404, "User account not found");
}

#[tokio::test]
async fn malformed_user_ids_are_refused_wherever_one_stands() {
    let world = World::new().await;
    let partner = world.partner().await;
    let sentence = "Invalid user account ID format";
    for id in NO_IDS {
        let path = format!("/v1/admin/users/{id}");
        partner.get(&path).await.refused(400, sentence);
        partner.patch(&path, &json!({"name": "B"})).await.refused(400, sentence);
        partner.post_empty(&format!("{path}/suspend")).await.refused(400, sentence);
        partner.post_empty(&format!("{path}/reactivate")).await.refused(400, sentence);
        partner.get(&format!("{path}/usage")).await.refused(400, sentence);
        partner.get(&format!("/v1/admin/usage?user_account_id={id}")).await.refused(400, sentence);
        let credential = json!({"name": "A", "network_id": 0, "user_account_id": id});
        partner.post("/v1/admin/credentials", &credential).await.refused(400, sentence);
    }
    partner.get("/v1/admin/users/usage").await.refused(400, sentence);
}

#[tokio::test]
async fn users_are_listed_newest_first_as_they_are_read_one_by_one() {
    let world = World::new().await;
    let partner = world.partner().await;
    let users = users_in_turn(&world, &partner, &["first", "second", "third"]).await;
    let answer = partner.get("/v1/admin/users").await;
    let expected = json!({
        "success": true,
        "data": [users[2], users[1], users[0]],
        "pagination": {"limit": 20, "offset": 0, "total": 3, "hasMore": false},
    });
    exactly(&answer, 200, &expected);
}

#[tokio::test]
async fn times_are_told_in_whole_seconds_but_order_is_finer() {
    let world = World::new().await;
    let partner = world.partner().await;
    for name in ["a", "b", "c", "d"] {
        let user = partner.user(name).await;
        assert_eq!(user["created_at"], "2026-01-26T12:00:00Z");
        world.advance(TimeDelta::microseconds(if name == "a" { 1 } else { 300_000 }));
    }
    assert_eq!(names(&partner.get("/v1/admin/users").await), ["d", "c", "b", "a"]);
}

#[tokio::test]
async fn a_list_of_nothing_is_a_page_too() {
    let world = World::new().await;
    let answer = world.partner().await.get("/v1/admin/users").await;
    let pagination = json!({"limit": 20, "offset": 0, "total": 0, "hasMore": false});
    exactly(&answer, 200, &json!({"success": true, "data": [], "pagination": pagination}));
}

#[tokio::test]
async fn users_are_listed_by_status_and_counted_by_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    let users = users_in_turn(&world, &partner, &["active", "suspended", "pending", "active too"]).await;
    world.advance(TimeDelta::seconds(1));
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", text(&users[1]["id"]))).await.data();
    // No call makes an account pending: the word is published, and the organization surface will use it.
    let id = text(&users[2]["id"]).parse().unwrap();
    let stored = world.app.store().transaction(async |tx: &Tx| {
        let mut account = tx.user_accounts().find_for_update(Owner::Installation, id).await?.unwrap();
        account.status = AccountStatus::Pending;
        account.revision = account.revision.next();
        tx.user_accounts().save(&account).await?;
        Ok::<_, StoreError>(())
    });
    stored.await.unwrap();
    for (status, expected) in [
        ("active", vec!["active too", "active"]),
        ("suspended", vec!["suspended"]),
        ("pending", vec!["pending"]),
    ] {
        let answer = partner.get(&format!("/v1/admin/users?status={status}")).await;
        assert_eq!(names(&answer), expected);
        let statuses = answer.json()["data"].as_array().unwrap().iter().all(|user| user["status"] == status);
        assert!(statuses, "{}", answer.text);
        assert_eq!(answer.json()["pagination"]["total"], expected.len());
    }
    let all = partner.get("/v1/admin/users").await;
    assert_eq!(names(&all), ["active too", "pending", "suspended", "active"]);
    let page = partner.get("/v1/admin/users?status=active&limit=1").await;
    let pagination = json!({"limit": 1, "offset": 0, "total": 2, "hasMore": true});
    assert_eq!(
        (names(&page), page.json()["pagination"].clone()),
        (vec!["active too".to_owned()], pagination)
    );
}

#[tokio::test]
async fn statuses_that_do_not_exist_are_refused() {
    let world = World::new().await;
    let partner = world.partner().await;
    for status in ["", "deleted", "Active", "active,suspended", "active%20"] {
        let answer = partner.get(&format!("/v1/admin/users?status={status}")).await;
        answer.refused(400, "status must be one of: active, suspended, pending");
    }
}

#[tokio::test]
async fn the_status_of_a_new_user_is_not_the_callers_to_choose() {
    let world = World::new().await;
    let partner = world.partner().await;
    for field in ["status", "id", "admin_key_id", "admin_entity_name", "created_at", "updated_at"] {
        let answer = partner.post("/v1/admin/users", &json!({"name": "B", field: "suspended"})).await;
        answer.refused(400, &format!("Unknown field: {field}"));
    }
}
