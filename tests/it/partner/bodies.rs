//! Request bodies, whatever is in them: form, size, type of content, fields.

use serde_json::{Value, json};

use super::text;
use crate::support::{Answer, Caller, World};

/// One operation that takes a body: its caller, method, path, and a body that is right.
struct Operation<'w> {
    caller: Caller<'w>,
    method: &'static str,
    path: String,
    good: Value,
}

impl Operation<'_> {
    async fn send(&self, content_type: Option<&str>, body: impl Into<axum::body::Body>) -> Answer {
        let mut request = self.caller.request(self.method, &self.path);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        self.caller.send(request, body).await
    }

    async fn send_json(&self, body: impl Into<axum::body::Body>) -> Answer {
        self.send(Some("application/json"), body).await
    }

    /// That the right body is taken.
    async fn assert_works(&self) {
        let answer = self.send_json(self.good.to_string()).await;
        assert!(answer.status < 300, "{} {}: {}", self.method, self.path, answer.text);
    }
}

async fn operations(world: &World) -> Vec<Operation<'_>> {
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let credential = partner.credential("A").await["credential"].clone();
    let (user, credential) = (text(&user["id"]), text(&credential["id"]));
    let admin_key = json!({"entity_name": "YourCompany", "permissions": ["view_usage"]});
    let rows = [
        (partner.caller.clone(), "POST", "/v1/admin/users".to_owned(), json!({"name": "B"})),
        (partner.caller.clone(), "PATCH", format!("/v1/admin/users/{user}"), json!({"name": "B"})),
        (
            partner.caller.clone(),
            "POST",
            "/v1/admin/credentials".to_owned(),
            json!({"name": "A", "network_id": 0}),
        ),
        (
            partner.caller.clone(),
            "PATCH",
            format!("/v1/admin/credentials/{credential}"),
            json!({"name": "A"}),
        ),
        (
            partner.caller.clone(),
            "POST",
            format!("/v1/admin/credentials/{credential}/rotate"),
            json!({"overlap_seconds": 1}),
        ),
        (world.bootstrap(), "POST", "/v1/admin/admin-keys".to_owned(), admin_key),
        (world.bootstrap(), "PATCH", format!("/v1/admin/admin-keys/{}", partner.id), json!({"name": "A"})),
    ];
    rows.into_iter().map(|(caller, method, path, good)| Operation { caller, method, path, good }).collect()
}

#[tokio::test]
async fn what_is_not_json_is_refused_by_every_operation() {
    let world = World::new().await;
    for operation in operations(&world).await {
        operation.assert_works().await;
        let good = operation.good.to_string();
        let cut = &good[..good.len() - 1];
        let twice = format!("{good}{good}");
        for body in ["{", "nonsense", "{'name':'B'}", "{\"name\":\"\\ud800\"}", "{\"a\":01}", cut, &twice] {
            operation.send_json(body.to_owned()).await.refused(400, "Request body must be valid JSON");
        }
        let not_utf_8 = b"{\"name\":\"\xff\"}".to_vec();
        operation.send_json(not_utf_8).await.refused(400, "Request body must be valid JSON");
    }
}

#[tokio::test]
async fn an_empty_body_is_no_json_where_one_is_needed() {
    let world = World::new().await;
    for operation in operations(&world).await {
        let answer = operation.send_json("").await;
        if operation.path.ends_with("/rotate") {
            assert_eq!(answer.status, 200, "the one body that may be left out");
        } else {
            answer.refused(400, "Request body must be valid JSON");
        }
    }
}

#[tokio::test]
async fn json_that_is_no_object_is_refused_by_every_operation() {
    let world = World::new().await;
    for operation in operations(&world).await {
        for body in ["[]", "null", "1", "\"name\"", "true", "[{\"name\":\"B\"}]"] {
            operation.send_json(body).await.refused(400, "Request body must be a JSON object");
        }
    }
}

#[tokio::test]
async fn only_json_is_an_acceptable_content_type() {
    let world = World::new().await;
    for operation in operations(&world).await {
        let good = operation.good.to_string();
        for content_type in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("application/jsonp"),
            Some("application/problem+json"),
            Some("multipart/form-data; boundary=x"),
        ] {
            let answer = operation.send(content_type, good.clone()).await;
            answer.refused(415, "Content-Type must be application/json");
        }
        for content_type in
            ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
        {
            let answer = operation.send(Some(content_type), good.clone()).await;
            assert!(answer.status < 300, "{content_type}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_body_of_64_kib_is_taken_and_one_byte_more_is_not() {
    let world = World::new().await;
    for operation in operations(&world).await {
        let mut body = operation.good.to_string();
        body.extend(std::iter::repeat_n(' ', 64 * 1024 - body.len()));
        let answer = operation.send_json(body.clone()).await;
        assert!(answer.status < 300, "{} {}: {}", operation.method, operation.path, answer.text);
        body.push(' ');
        operation.send_json(body).await.refused(413, "Request body too large");
    }
}

#[tokio::test]
async fn an_unknown_field_is_named() {
    let world = World::new().await;
    for operation in operations(&world).await {
        for field in ["x", "Name", "user", "", "größe"] {
            let mut body = operation.good.clone();
            body[field] = json!("x");
            operation.send_json(body.to_string()).await.refused(400, &format!("Unknown field: {field}"));
        }
    }
}

#[tokio::test]
async fn a_field_that_stands_twice_is_refused() {
    let world = World::new().await;
    for operation in operations(&world).await {
        let good = operation.good.to_string();
        let field = operation.good.as_object().unwrap().keys().next().unwrap();
        let body = format!("{},\"{field}\":{}}}", &good[..good.len() - 1], operation.good[field]);
        operation.send_json(body).await.refused(400, &format!("Duplicate field: {field}"));
    }
}

#[tokio::test]
async fn what_is_written_knows_no_query() {
    let world = World::new().await;
    for operation in operations(&world).await {
        for (query, name) in [("dry_run=true", "dry_run"), ("limit=1", "limit"), ("name=B", "name")] {
            let path = format!("{}?{query}", operation.path);
            let asking = Operation {
                path,
                caller: operation.caller.clone(),
                method: operation.method,
                good: operation.good.clone(),
            };
            let answer = asking.send_json(asking.good.to_string()).await;
            answer.refused(400, &format!("Unknown query parameter: {name}"));
        }
        operation.assert_works().await;
    }
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let path = format!("/v1/admin/users/{}", text(&user["id"]));
    for verb in ["suspend", "reactivate"] {
        let answer = partner.post_empty(&format!("{path}/{verb}?until=tomorrow")).await;
        answer.refused(400, "Unknown query parameter: until");
    }
    assert_eq!(partner.get(&path).await.data(), user);
}
