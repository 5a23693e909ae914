//! User accounts suspended and let back in, and what becomes of their keys.

use chrono::TimeDelta;
use serde_json::json;

use super::{NOTHING, code_of, exactly, text};
use crate::support::World;

#[tokio::test]
async fn suspending_and_reactivating_answer_four_fields() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("Acme Corp").await;
    let path = format!("/v1/admin/users/{}", text(&user["id"]));
    for (day, verb, status) in [(27, "suspend", "suspended"), (28, "reactivate", "active")] {
        world.advance(TimeDelta::days(1));
        let answer = partner.post_empty(&format!("{path}/{verb}")).await;
        let at = format!("2026-01-{day}T12:00:00Z");
        let past = if verb == "suspend" { "suspended" } else { "reactivated" };
        let expected = json!({
            "success": true,
            "data": {"id": user["id"], "name": "Acme Corp", "status": status, "updated_at": at},
            "message": format!("User account {past} successfully"),
        });
        exactly(&answer, 200, &expected);
        let read = partner.get(&path).await.data();
        assert_eq!((&read["status"], &read["updated_at"]), (&json!(status), &json!(at)));
    }
}

#[tokio::test]
async fn the_wrong_state_and_no_user_at_all_are_the_same_404() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = format!("/v1/admin/users/{}", text(&partner.user("B").await["id"]));
    let nothing = format!("/v1/admin/users/{NOTHING}");
    let (suspended, not) =
        ("User account not found or already suspended", "User account not found or not suspended");
    partner.post_empty(&format!("{nothing}/suspend")).await.refused(404, suspended);
    partner.post_empty(&format!("{nothing}/reactivate")).await.refused(404, not);
    partner.post_empty(&format!("{path}/reactivate")).await.refused(404, not);
    partner.post_empty(&format!("{path}/suspend")).await.data();
    partner.post_empty(&format!("{path}/suspend")).await.refused(404, suspended);
    partner.post_empty(&format!("{path}/reactivate")).await.data();
    partner.post_empty(&format!("{path}/reactivate")).await.refused(404, not);
}

#[tokio::test]
async fn all_keys_of_a_suspended_user_stop_at_once_and_come_back_with_it() {
    let world = World::new().await;
    let partner = world.partner().await;
    let (user, other) = (partner.user("B").await, partner.user("Other").await);
    let path = format!("/v1/admin/users/{}", text(&user["id"]));
    let one = partner.credential_of(&user, "one").await;
    let two = partner.credential_of(&user, "two").await;
    let gone = partner.credential_of(&user, "gone").await;
    let others = partner.credential_of(&other, "other's").await;
    let nobodys = partner.credential("nobody's").await;
    partner.delete(&format!("/v1/admin/credentials/{}", text(&gone["credential"]["id"]))).await.data();

    partner.post_empty(&format!("{path}/suspend")).await.data();
    for (issued, code) in [
        (&one, "USER_SUSPENDED"),
        (&two, "USER_SUSPENDED"),
        (&gone, "REVOKED"),
        (&others, "VALID"),
        (&nobodys, "VALID"),
    ] {
        assert_eq!(code_of(&world, &issued["api_key"]).await, code, "{}", issued["credential"]["name"]);
    }
    partner.post_empty(&format!("{path}/reactivate")).await.data();
    for (issued, code) in [(&one, "VALID"), (&two, "VALID"), (&gone, "REVOKED")] {
        assert_eq!(code_of(&world, &issued["api_key"]).await, code, "{}", issued["credential"]["name"]);
    }
}

#[tokio::test]
async fn a_suspended_user_gets_no_new_credential_but_keeps_those_it_has() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let credential = partner.credential_of(&user, "before").await["credential"].clone();
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", text(&user["id"]))).await.data();
    let new = json!({"name": "after", "network_id": 0, "user_account_id": user["id"]});
    partner.post("/v1/admin/credentials", &new).await.refused(409, "User account is suspended");

    let list = partner.get("/v1/admin/credentials").await;
    assert_eq!(list.json()["data"], json!([credential]), "suspension is not revocation");
    let path = format!("/v1/admin/credentials/{}", text(&credential["id"]));
    assert_eq!(partner.patch(&path, &json!({"name": "renamed"})).await.data()["name"], "renamed");
    assert_eq!(partner.delete(&path).await.data()["revoked"], true);

    partner.post_empty(&format!("/v1/admin/users/{}/reactivate", text(&user["id"]))).await.data();
    assert_eq!(partner.post("/v1/admin/credentials", &new).await.status, 201);
}

#[tokio::test]
async fn a_key_made_by_rotation_of_a_suspended_users_credential_does_not_work_either() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let issued = partner.credential_of(&user, "A").await;
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", text(&user["id"]))).await.data();
    let path = format!("/v1/admin/credentials/{}/rotate", text(&issued["credential"]["id"]));
    let rotated = partner.post_empty(&path).await.data();
    for key in [&issued["api_key"], &rotated["api_key"]] {
        assert_eq!(code_of(&world, key).await, "USER_SUSPENDED");
    }
}
