//! Metadata: any JSON object, kept as it came, within bounds.

use serde_json::{Map, Value, json};

use super::text;
use crate::support::{Answer, Partner, World};

const TOO_LARGE: &str = "metadata must be 16384 bytes or less";
const TOO_DEEP: &str = "metadata must be nested 8 levels deep or less";

/// The two things that have metadata from the start, made with it.
async fn both(partner: &Partner<'_>, metadata: &Value) -> [Answer; 2] {
    let user = json!({"name": "B", "metadata": metadata});
    let credential = json!({"name": "A", "network_id": 0, "metadata": metadata});
    [partner.post("/v1/admin/users", &user).await, partner.post("/v1/admin/credentials", &credential).await]
}

/// An object of so many levels, itself included: objects and arrays by turns.
fn nested(levels: usize) -> Value {
    let inner = (1..levels).fold(json!(1), |inner, level| match level % 2 {
        0 => json!({"a": inner}),
        _ => json!([inner]),
    });
    json!({"a": inner})
}

#[tokio::test]
async fn metadata_comes_back_in_the_order_it_was_given() {
    let world = World::new().await;
    let partner = world.partner().await;
    let metadata =
        r#"{"z":1,"a":{"y":[],"b":{}},"Z":null,"ü":"\"\\\n😀","0":-1.5,"10":true,"9":1234567890123}"#;
    let given: Value = serde_json::from_str(metadata).unwrap();
    for answer in both(&partner, &given).await {
        assert_eq!(answer.status, 201);
        assert!(answer.text.contains(&format!("\"metadata\":{metadata}")), "{}", answer.text);
    }
    for list in ["/v1/admin/users", "/v1/admin/credentials"] {
        let answer = partner.get(list).await;
        assert!(answer.text.contains(&format!("\"metadata\":{metadata}")), "{}", answer.text);
    }
}

#[tokio::test]
async fn metadata_may_weigh_16_kib_in_its_compact_form() {
    let world = World::new().await;
    let partner = world.partner().await;
    for (character, weight) in [("x", 1), ("ü", 2), ("😀", 4)] {
        // {"a":"…"} around the text.
        let room = 16 * 1024 - 8;
        let fitting = character.repeat(room / weight);
        let largest = json!({"a": format!("{fitting}{}", "x".repeat(room % weight))});
        assert_eq!(largest.to_string().len(), 16 * 1024);
        for answer in both(&partner, &largest).await {
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
        let larger = json!({"a": format!("{fitting}x")});
        for answer in both(&partner, &larger).await {
            answer.refused(400, TOO_LARGE);
        }
    }
}

#[tokio::test]
async fn white_space_between_tokens_weighs_nothing() {
    let world = World::new().await;
    let partner = world.partner().await;
    let body = format!("{{\"name\": \"B\", \"metadata\": {{{}\"a\": 1}} }}", " \n\t".repeat(10_000));
    let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
    assert_eq!(partner.send(request, body).await.data()["metadata"], json!({"a": 1}));
}

#[tokio::test]
async fn metadata_may_be_nested_eight_levels_deep() {
    let world = World::new().await;
    let partner = world.partner().await;
    for answer in both(&partner, &nested(8)).await {
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    for levels in [9, 10, 50] {
        for answer in both(&partner, &nested(levels)).await {
            answer.refused(400, TOO_DEEP);
        }
    }
}

#[tokio::test]
async fn the_bounds_hold_for_changes_as_well() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let path = format!("/v1/admin/users/{}", text(&user["id"]));
    let large = json!({"a": "x".repeat(16 * 1024)});
    partner.patch(&path, &json!({"metadata": large})).await.refused(400, TOO_LARGE);
    partner.patch(&path, &json!({"metadata": nested(9)})).await.refused(400, TOO_DEEP);
    let deep = nested(8);
    assert_eq!(partner.patch(&path, &json!({"metadata": deep})).await.data()["metadata"], deep);
}

#[tokio::test]
async fn metadata_may_have_any_number_of_members_and_any_names() {
    let world = World::new().await;
    let partner = world.partner().await;
    let many: Map<String, Value> = (0..1000).map(|number| (format!("m{number}"), json!(number))).collect();
    let names = json!({"": 1, " ": 2, "__proto__": {}, "$ref": "#", "success": false, "a.b": [], "id": "x"});
    for metadata in [Value::Object(many), names] {
        for answer in both(&partner, &metadata).await {
            assert!(answer.text.contains(&metadata.to_string()), "{} {}", answer.status, answer.text);
        }
    }
}

#[tokio::test]
async fn a_member_that_stands_twice_is_refused_however_deep() {
    let world = World::new().await;
    let partner = world.partner().await;
    for body in [
        r#"{"name":"B","metadata":{"a":1,"a":2}}"#,
        r#"{"name":"B","metadata":{"b":[{"a":1,"a":1}]}}"#,
        r#"{"name":"B","metadata":{"a":1,"\u0061":2}}"#,
    ] {
        let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
        partner.send(request, body).await.refused(400, "Duplicate field: a");
    }
}
