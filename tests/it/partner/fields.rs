//! The rules of names, ids, addresses and plans, wherever a body has one.

use serde_json::{Value, json};

use super::text;
use crate::support::World;

const REQUIRED: &str = "Name is required and must be a non-empty string";

#[tokio::test]
async fn a_name_that_is_missing_of_another_type_or_empty_is_one_mistake() {
    let world = World::new().await;
    let partner = world.partner().await;
    let names =
        [json!(null), json!(""), json!("   "), json!("\t\n"), json!(5), json!(true), json!([]), json!({})];
    for (path, rest) in [("/v1/admin/users", json!({})), ("/v1/admin/credentials", json!({"network_id": 0}))]
    {
        partner.post(path, &rest).await.refused(400, REQUIRED);
        for name in &names {
            let mut body = rest.clone();
            body["name"] = name.clone();
            partner.post(path, &body).await.refused(400, REQUIRED);
        }
    }
}

#[tokio::test]
async fn names_are_trimmed_everywhere() {
    let world = World::new().await;
    let partner = world.partner().await;
    let padded = " \t Acme \u{3000} Corp \u{a0} ";
    let trimmed = "Acme \u{3000} Corp";
    let user = partner.post("/v1/admin/users", &json!({"name": padded})).await.data();
    let body = json!({"name": padded, "network_id": 0});
    let issued = partner.post("/v1/admin/credentials", &body).await.data();
    let body = json!({"entity_name": padded, "name": padded, "permissions": ["view_usage"]});
    let admin = world.bootstrap().post("/v1/admin/admin-keys", &body).await.data();
    assert_eq!(user["name"], trimmed);
    assert_eq!(issued["credential"]["name"], trimmed);
    assert_eq!(admin["admin_key"]["name"], trimmed);
    assert_eq!(admin["admin_key"]["entity_name"], trimmed);
    for (caller, path, id) in [
        (&*partner, "users", &user["id"]),
        (&*partner, "credentials", &issued["credential"]["id"]),
        (&world.bootstrap(), "admin-keys", &admin["admin_key"]["id"]),
    ] {
        let path = format!("/v1/admin/{path}/{}", text(id));
        assert_eq!(caller.patch(&path, &json!({"name": "  B  "})).await.data()["name"], "B");
    }
}

#[tokio::test]
async fn names_have_at_most_255_characters_whatever_a_character_weighs() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let issued = partner.credential("A").await;
    let admin = format!("/v1/admin/admin-keys/{}", partner.id);
    let bootstrap = world.bootstrap();
    let (users, credentials) = (
        format!("/v1/admin/users/{}", text(&user["id"])),
        format!("/v1/admin/credentials/{}", text(&issued["credential"]["id"])),
    );
    for character in ["x", "ü", "客", "😀"] {
        let (longest, too_long) = (character.repeat(255), character.repeat(256));
        let padded = format!("  {longest}  ");
        for (caller, path) in [(&*partner, &users), (&*partner, &credentials), (&bootstrap, &admin)] {
            assert_eq!(caller.patch(path, &json!({"name": padded})).await.data()["name"], longest);
            let answer = caller.patch(path, &json!({"name": too_long})).await;
            answer.refused(400, "Name must be 255 characters or less");
        }
        let new = json!({"name": too_long, "network_id": 0});
        partner.post("/v1/admin/credentials", &new).await.refused(400, "Name must be 255 characters or less");
        let new = json!({"name": longest});
        assert_eq!(partner.post("/v1/admin/users", &new).await.data()["name"], longest);
        let new = json!({"entity_name": too_long, "permissions": ["view_usage"]});
        let answer = bootstrap.post("/v1/admin/admin-keys", &new).await;
        answer.refused(400, "entity_name must be 255 characters or less");
    }
}

#[tokio::test]
async fn texts_hold_no_control_characters() {
    let world = World::new().await;
    let partner = world.partner().await;
    for control in ['\0', '\u{7}', '\n', '\u{1b}', '\u{7f}', '\u{85}'] {
        let text = format!("a{control}b");
        let name = partner.post("/v1/admin/users", &json!({"name": text})).await;
        name.refused(400, "Name must not contain control characters");
        for field in ["external_id", "billing_plan"] {
            let answer = partner.post("/v1/admin/users", &json!({"name": "B", field: text})).await;
            answer.refused(400, &format!("{field} must not contain control characters"));
        }
        let email =
            partner.post("/v1/admin/users", &json!({"name": "B", "email": format!("{text}@b")})).await;
        email.refused(400, "email must not contain control characters");
    }
}

#[tokio::test]
async fn external_ids_and_plans_have_1_to_255_characters_and_are_kept_as_given() {
    let world = World::new().await;
    let partner = world.partner().await;
    for field in ["external_id", "billing_plan"] {
        for good in ["x".to_owned(), "ü".repeat(255), " spaces stay ".to_owned()] {
            let answer = partner.post("/v1/admin/users", &json!({"name": "B", field: good})).await;
            assert_eq!(answer.data()[field], good);
        }
        for (bad, rule) in [
            (json!(""), "must be a non-empty string"),
            (json!("ü".repeat(256)), "must be 255 characters or less"),
            (json!(12), "must be a string"),
            (json!(["x"]), "must be a string"),
        ] {
            let answer = partner.post("/v1/admin/users", &json!({"name": "B", field: bad})).await;
            answer.refused(400, &format!("{field} {rule}"));
        }
    }
}

#[tokio::test]
async fn an_email_has_one_at_sign_and_at_most_254_characters() {
    let world = World::new().await;
    let partner = world.partner().await;
    let longest = format!("{}@b.example", "a".repeat(244));
    assert_eq!(longest.len(), 254);
    for good in ["a@b", "first.last+tag@example.com", "grüße@müller.example", longest.as_str()] {
        let answer = partner.post("/v1/admin/users", &json!({"name": "B", "email": good})).await;
        assert_eq!(answer.data()["email"], good);
    }
    let form = "email must be a valid email address";
    for (bad, sentence) in [
        (json!("nobody"), form),
        (json!("@b"), form),
        (json!("a@"), form),
        (json!("a@b@c"), form),
        (json!("a b@c"), form),
        (json!(""), "email must be a non-empty string"),
        (json!(format!("a{longest}")), "email must be 254 characters or less"),
        (json!(1), "email must be a string"),
    ] {
        let answer = partner.post("/v1/admin/users", &json!({"name": "B", "email": bad})).await;
        answer.refused(400, sentence);
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_told_the_right_one() {
    let world = World::new().await;
    let partner = world.partner().await;
    let refuse = async |path: &str, rest: &Value, field: &str, values: &[Value], kind: &str| {
        for value in values {
            let mut body = rest.clone();
            body[field] = value.clone();
            partner.post(path, &body).await.refused(400, &format!("{field} must be {kind}"));
        }
    };
    let users = ("/v1/admin/users", json!({"name": "B"}));
    let credentials = ("/v1/admin/credentials", json!({"name": "A", "network_id": 0}));
    let (no_text, no_object) = ([json!(1), json!(false), json!([])], [json!("{}"), json!([]), json!(1)]);
    for field in ["external_id", "email", "billing_plan"] {
        refuse(users.0, &users.1, field, &no_text, "a string").await;
    }
    refuse(users.0, &users.1, "metadata", &no_object, "an object").await;
    for field in ["description", "user_account_id", "expires_at"] {
        refuse(credentials.0, &credentials.1, field, &no_text, "a string").await;
    }
    refuse(credentials.0, &credentials.1, "metadata", &no_object, "an object").await;
    let no_integer = [json!("60"), json!(1.5), json!(true), json!([])];
    for field in ["network_id", "rate_limit_per_minute"] {
        refuse(credentials.0, &credentials.1, field, &no_integer, "an integer").await;
    }
}
