//! External ids: the partner's own names for its customers.

use std::fmt::Write;

use serde_json::json;

use super::{exactly, text};
use crate::support::{Partner, World};

/// Everything but letters, digits and `-._~` percent-encoded (RFC 3986, section 2).
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").unwrap(),
        }
        encoded
    })
}

async fn named(partner: &Partner<'_>, external_id: &str) -> serde_json::Value {
    partner.post("/v1/admin/users", &json!({"name": "B", "external_id": external_id})).await.data()
}

#[tokio::test]
async fn a_user_is_found_by_whatever_its_external_id_is_made_of() {
    let world = World::new().await;
    let partner = world.partner().await;
    for external_id in [
        "customer-123",
        "a/b",
        "/",
        "a b",
        "100%",
        "%2F",
        "größe",
        "客户😀",
        "usage",
        "usage/summary",
        "by-external-id",
        "suspend",
        "x?status=active&y#z",
        "a+b;c,d:e@f",
        "..",
        "{id}",
        "  spaced  ",
        "\\\"'<>",
        "01932a3e-5f00-7000-8000-0000000000ff",
    ] {
        let user = named(&partner, external_id).await;
        assert_eq!(user["external_id"], external_id);
        let answer = partner.get(&format!("/v1/admin/users/by-external-id/{}", encoded(external_id))).await;
        exactly(&answer, 200, &json!({"success": true, "data": user}));
    }
}

#[tokio::test]
async fn an_unknown_external_id_is_not_found() {
    let world = World::new().await;
    let partner = world.partner().await;
    named(&partner, "Customer").await;
    for other in ["customer", "Customer%20", "Custome", "%25"] {
        let answer = partner.get(&format!("/v1/admin/users/by-external-id/{other}")).await;
        answer.refused(404, "User account not found");
    }
}

#[tokio::test]
async fn what_can_be_no_external_id_is_refused_as_one() {
    let world = World::new().await;
    let partner = world.partner().await;
    let too_long = "x".repeat(256);
    for (external_id, sentence) in [
        (too_long.as_str(), "external_id must be 255 characters or less"),
        ("a%00b", "external_id must not contain control characters"),
        ("a%0Ab", "external_id must not contain control characters"),
    ] {
        let answer = partner.get(&format!("/v1/admin/users/by-external-id/{external_id}")).await;
        answer.refused(400, sentence);
    }
    let not_utf_8 = partner.get("/v1/admin/users/by-external-id/%FF").await;
    assert_eq!(not_utf_8.status, 400, "{}", not_utf_8.text);
}

#[tokio::test]
async fn two_users_of_one_key_cannot_share_an_external_id() {
    let world = World::new().await;
    let partner = world.partner().await;
    let first = named(&partner, "customer-123").await;
    let second = named(&partner, "customer-124").await;
    let taken = "External ID already in use";
    let new = json!({"name": "C", "external_id": "customer-123"});
    partner.post("/v1/admin/users", &new).await.refused(409, taken);
    let path = format!("/v1/admin/users/{}", text(&second["id"]));
    let answer = partner.patch(&path, &json!({"name": "C", "external_id": "customer-123"})).await;
    answer.refused(409, taken);
    assert_eq!(partner.get(&path).await.data(), second, "nothing of a refused change is kept");
    assert_eq!(partner.get("/v1/admin/users").await.json()["pagination"]["total"], 2);
    let own = format!("/v1/admin/users/{}", text(&first["id"]));
    let again = partner.patch(&own, &json!({"external_id": "customer-123"})).await.data();
    assert_eq!(again["external_id"], "customer-123", "its own is no conflict");
}

#[tokio::test]
async fn a_suspended_user_keeps_its_external_id() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = named(&partner, "customer-123").await;
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", text(&user["id"]))).await.data();
    let new = json!({"name": "C", "external_id": "customer-123"});
    partner.post("/v1/admin/users", &new).await.refused(409, "External ID already in use");
}

#[tokio::test]
async fn a_cleared_or_changed_external_id_is_free_again() {
    let world = World::new().await;
    let partner = world.partner().await;
    for release in [json!(null), json!("moved")] {
        let user = named(&partner, "customer-123").await;
        let path = format!("/v1/admin/users/{}", text(&user["id"]));
        partner.patch(&path, &json!({"external_id": release})).await.data();
        partner
            .get("/v1/admin/users/by-external-id/customer-123")
            .await
            .refused(404, "User account not found");
    }
    named(&partner, "customer-123").await;
}

#[tokio::test]
async fn any_number_of_users_may_have_none() {
    let world = World::new().await;
    let partner = world.partner().await;
    for _ in 0..3 {
        assert_eq!(partner.user("B").await["external_id"], json!(null));
    }
}

#[tokio::test]
async fn another_admin_key_may_use_the_same_external_id_for_its_own_user() {
    let world = World::new().await;
    let (partner, sibling, stranger) = (world.partner().await, world.partner().await, world.stranger().await);
    for key in [&partner, &sibling, &stranger] {
        let user = named(key, "customer-123").await;
        assert_eq!(user["admin_key_id"], key.id);
    }
    for key in [&partner, &sibling, &stranger] {
        let found = key.get("/v1/admin/users/by-external-id/customer-123").await.data();
        assert_eq!(found["admin_key_id"], key.id, "each finds its own");
    }
}

/// Gateways tell an external id with its organization's id: it must not mean two users.
#[tokio::test]
async fn an_external_id_is_not_shared_with_a_user_of_the_organizations_own() {
    let world = World::new().await;
    let partner = world.partner().await;
    let organization = partner.get("/v1/admin/me").await.data()["organization_id"].clone();
    let operator = world.bootstrap();
    let own = async |external_id: &str| {
        let body = json!({"organization_id": organization, "name": "Own", "external_id": external_id});
        operator.post("/admin/v1/users", &body).await
    };
    let theirs = named(&partner, "shared").await;
    assert_eq!(own("shared").await.status, 409);
    let made = own("other").await;
    assert_eq!(made.status, 201, "{}", made.text);
    let body = json!({"name": "B", "external_id": "other"});
    partner.post("/v1/admin/users", &body).await.refused(409, "External ID already in use");
    let path = format!("/v1/admin/users/{}", text(&theirs["id"]));
    partner.patch(&path, &json!({"external_id": "other"})).await.refused(409, "External ID already in use");
    let own_path = format!("/admin/v1/users/{}", text(&made.json()["data"]["id"]));
    assert_eq!(operator.patch(&own_path, &json!({"external_id": "shared"})).await.status, 409);
    // Two admin keys of one organization may each have their own customer of that name, and so may another tenant.
    named(&world.partner().await, "shared").await;
    named(&world.stranger().await, "other").await;
    // Given up, it is free.
    assert_eq!(operator.patch(&own_path, &json!({"external_id": null})).await.status, 200);
    assert_eq!(partner.patch(&path, &json!({"external_id": "other"})).await.status, 200);
}
