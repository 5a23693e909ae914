//! Bodies that are not what was asked for.

use axum::body::Body;
use serde_json::{Value, json};

use super::rows;
use crate::authority::scene::Scene;
use crate::openapi::operations::{Operation, all};
use crate::support::{Answer, Caller, World};

/// Every operation with a body, about to be called by whoever may, and nothing of it done afterwards.
async fn at_every_body(bodies: impl Fn(&Operation, &Value) -> Vec<(Vec<u8>, u16)>) {
    let mut operations = 0;
    for operation in all() {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        let Some(good) = scene.body(&operation) else { continue };
        scene.ready_for(&operation).await;
        operations += 1;
        let caller = scene.caller(&operation);
        let before = rows::everything(&world).await;
        for (bad, status) in bodies(&operation, &good) {
            let shown = String::from_utf8_lossy(&bad[..bad.len().min(200)]).into_owned();
            let answer = send(&caller, &operation, &scene.path(&operation), bad).await;
            assert_eq!(answer.status, status, "{}: {shown}: {}", operation.id(), answer.text);
            operation.admits(&answer);
        }
        assert_eq!(rows::everything(&world).await, before, "{}", operation.id());
        let answer = send(&caller, &operation, &scene.path(&operation), good.to_string().into_bytes()).await;
        assert!(answer.status < 300, "{} is possible: {}", operation.id(), answer.text);
    }
    assert!(operations >= 8, "{operations} operations have a body");
}

async fn send(caller: &Caller<'_>, operation: &Operation, path: &str, body: Vec<u8>) -> Answer {
    let request = caller.request(&operation.method, path).header("content-type", "application/json");
    caller.send(request, Body::from(body)).await
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    at_every_body(|operation, good| {
        let good = good.to_string();
        let texts: [&[u8]; 28] = [
            b" ",
            b"\0",
            b"{",
            b"}",
            b"{}}",
            b"[]",
            b"null",
            b"true",
            b"7",
            b"\"{}\"",
            b"{\"name\":}",
            b"{\"name\"}",
            b"{name:\"A\"}",
            b"{'name':'A'}",
            b"{\"name\":\"A\",}",
            b"{\"name\":\"A\"} {}",
            b"{\"name\":\"\xff\"}",
            b"{\"\xc3\x28\":1}",
            b"{\"name\":\"\xed\xa0\x80\"}",
            b"{\"name\":\"\\ud800\"}",
            b"{\"name\":\"\\x\"}",
            b"{\"name\":\"A\nB\"}",
            b"{\"name\":NaN}",
            b"{\"name\":Infinity}",
            b"{\"name\":01}",
            b"{\"name\":+1}",
            b"{\"name\":1e400}",
            b"/* */{}",
        ];
        let mut bad: Vec<_> = texts.into_iter().map(|text| (text.to_vec(), 400)).collect();
        bad.push((format!("\u{feff}{good}").into_bytes(), 400));
        bad.push((good.as_bytes()[..good.len() - 1].to_vec(), 400));
        bad.push((good.encode_utf16().flat_map(u16::to_le_bytes).collect(), 400));
        // Only where the body may be left out is nothing enough.
        if operation.value["requestBody"]["required"] == true {
            bad.push((Vec::new(), 400));
        }
        bad
    })
    .await;
}

/// How many bytes the document lets a body have.
fn largest(operation: &Operation) -> usize {
    let told = operation.value["responses"]["413"]["description"].as_str();
    match (told, operation.id()) {
        (
            Some("The body is larger than 1 MiB"),
            "verify_keys" | "report_usage" | "create_api_keys" | "revoke_api_keys",
        ) => 1024 * 1024,
        (Some("The body is larger than 64 KiB"), _) => 64 * 1024,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_deep_or_huge_is_refused() {
    at_every_body(|operation, good| {
        let nested = |open: &str, close: &str, depth: usize| {
            format!("{{\"metadata\":{}{}}}", open.repeat(depth), close.repeat(depth)).into_bytes()
        };
        let most = largest(operation);
        let mut long_name = good.clone();
        long_name["x".repeat(40_000)] = json!(1);
        let padded =
            |size: usize| format!("{good}{}", " ".repeat(size - good.to_string().len())).into_bytes();
        vec![
            (nested("[", "]", 9), 400),
            (nested("[", "]", 127), 400),
            (nested("[", "]", 30_000), 400),
            (nested("{\"a\":", "}", 10_000), 400),
            (b"[".repeat(60_000), 400),
            (b"{\"a\":".repeat(12_000), 400),
            (long_name.to_string().into_bytes(), 400),
            (padded(most + 1), 413),
            (padded(16 * most), 413),
            (b"9".repeat(most + 1), 413),
        ]
    })
    .await;
}

#[tokio::test]
async fn a_field_nobody_knows_is_refused_by_name() {
    at_every_body(|_, good| {
        let names = ["surprise", "", "Name", "name ", "__proto__", "\0", "äöü", "$ref", "id"];
        let with = |name: &str| {
            let mut body = good.clone();
            body[name] = json!(1);
            (body.to_string().into_bytes(), 400)
        };
        names.into_iter().map(with).collect()
    })
    .await;
    let world = World::new().await;
    let partner = world.partner().await;
    let body = json!({"name": "A", "surprise": 1});
    partner.post("/v1/admin/users", &body).await.refused(400, "Unknown field: surprise");
}

#[tokio::test]
async fn a_field_that_stands_twice_is_refused() {
    at_every_body(|_, good| {
        let good = good.as_object().unwrap();
        let doubled = good.iter().map(|(name, value)| {
            let rest = Value::Object(good.clone()).to_string();
            (format!("{{\"{name}\":{value},{}", &rest[1..]).into_bytes(), 400)
        });
        doubled.collect()
    })
    .await;
    let world = World::new().await;
    let partner = world.partner().await;
    let post = async |body: &str| {
        let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
        partner.send(request, body.to_owned()).await
    };
    for (body, field) in [
        (r#"{"name":"A","name":"A"}"#, "name"),
        (r#"{"name":"A","n\u0061me":"B"}"#, "name"),
        (r#"{"name":"A","metadata":{"a":1,"a":1}}"#, "a"),
        (r#"{"name":"A","metadata":{"x":[{"deep":{"b":1,"c":2,"b":3}}]}}"#, "b"),
        (r#"{"name":"A","surprise":1,"surprise":2}"#, "surprise"),
    ] {
        post(body).await.refused(400, &format!("Duplicate field: {field}"));
    }
    assert_eq!(post(r#"{"name":"A","metadata":{"a":{"a":1},"b":[{"a":1},{"a":2}]}}"#).await.status, 201);
}

/// Of each documented field, a value of each type it has not.
#[tokio::test]
async fn a_value_of_another_type_is_refused() {
    at_every_body(|operation, good| {
        let schema = operation.resolved(&operation.body_schema().unwrap());
        let mut bad = Vec::new();
        for (name, field) in schema["properties"].as_object().unwrap() {
            let others =
                [json!(true), json!(7), json!(1.5), json!("7"), json!(["7"]), json!({"a": 7}), json!(null)];
            for value in others {
                // What is wrong with an item of a batch is that item's result.
                let is_batch = operation.id() == "create_api_keys" && value.is_array();
                if is_batch || operation.faults(field, &value).is_empty() {
                    continue;
                }
                let mut body = good.clone();
                body[name] = value;
                bad.push((body.to_string().into_bytes(), 400));
            }
        }
        assert!(!bad.is_empty());
        bad
    })
    .await;
}

#[tokio::test]
async fn numbers_out_of_range_are_refused() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let rotate = format!("/v1/admin/credentials/{}/rotate", scene.ids.credential);
    let before = rows::everything(&world).await;
    let numbers = [
        "-1",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "1e2",
        "1.0",
        "1e30",
        "-0.5",
        "99999999999999999999999999999999999999",
    ];
    for number in numbers {
        for (path, body) in [
            ("/v1/admin/credentials", format!("{{\"name\":\"A\",\"network_id\":{number}}}")),
            (
                "/v1/admin/credentials",
                format!("{{\"name\":\"A\",\"network_id\":0,\"rate_limit_per_minute\":{number}}}"),
            ),
            (rotate.as_str(), format!("{{\"overlap_seconds\":{number}}}")),
        ] {
            let request = scene.owner.request("POST", path).header("content-type", "application/json");
            let answer = scene.owner.send(request, body.clone()).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        }
    }
    assert_eq!(rows::everything(&world).await, before);
    let body = r#"{"name":"A","network_id":0,"metadata":{"n":[1e300,-0.0,18446744073709551615,1e-400]}}"#;
    let request = scene.owner.request("POST", "/v1/admin/credentials");
    let answer = scene.owner.send(request.header("content-type", "application/json"), body).await;
    assert_eq!(answer.status, 201, "numbers in metadata are the partner's own: {}", answer.text);
}

#[tokio::test]
async fn texts_have_their_bounds() {
    let world = World::new().await;
    let partner = world.partner().await;
    let before = rows::everything(&world).await;
    let long = "ä".repeat(256);
    for (field, value, error) in [
        ("name", "", "Name is required and must be a non-empty string"),
        ("name", " \t\n ", "Name is required and must be a non-empty string"),
        ("name", &long, "Name must be 255 characters or less"),
        ("name", "A\0B", "Name must not contain control characters"),
        ("name", "A\nB", "Name must not contain control characters"),
        ("name", "A\u{7f}B", "Name must not contain control characters"),
        ("name", "A\u{85}B", "Name must not contain control characters"),
        ("external_id", "", "external_id must be a non-empty string"),
        ("external_id", &long, "external_id must be 255 characters or less"),
        ("external_id", "\0", "external_id must not contain control characters"),
        ("billing_plan", "", "billing_plan must be a non-empty string"),
        ("billing_plan", &long, "billing_plan must be 255 characters or less"),
        ("billing_plan", "\u{1b}[31m", "billing_plan must not contain control characters"),
        ("email", "", "email must be a non-empty string"),
        ("email", "nobody", "email must be a valid email address"),
        ("email", "a@b@c", "email must be a valid email address"),
        ("email", "@b", "email must be a valid email address"),
        ("email", "a @b", "email must be a valid email address"),
    ] {
        let mut body = json!({"name": "A"});
        body[field] = json!(value);
        partner.post("/v1/admin/users", &body).await.refused(400, error);
    }
    let email = format!("{}@b.example", "a".repeat(245));
    let body = json!({"name": "A", "email": email});
    partner.post("/v1/admin/users", &body).await.refused(400, "email must be 254 characters or less");
    assert_eq!(rows::everything(&world).await, before);
    let longest = json!({
        "name": "ä".repeat(255), "external_id": "\u{10ffff}".repeat(255), "billing_plan": "/".repeat(255),
        "email": format!("{}@b.example", "a".repeat(244))
    });
    let made = partner.post("/v1/admin/users", &longest).await.data();
    for (field, value) in longest.as_object().unwrap() {
        assert_eq!(&made[field], value, "{field} comes back as it went in");
    }
}

#[tokio::test]
async fn metadata_has_its_bounds() {
    let world = World::new().await;
    let partner = world.partner().await;
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({"a": inner}));
    let sized = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
    for (metadata, error) in [
        (nested(9), "metadata must be nested 8 levels deep or less"),
        (json!({"a": [[[[[[[[]]]]]]]]}), "metadata must be nested 8 levels deep or less"),
        (sized(16 * 1024 + 1), "metadata must be 16384 bytes or less"),
    ] {
        let body = json!({"name": "A", "metadata": metadata});
        partner.post("/v1/admin/users", &body).await.refused(400, error);
        let body = json!({"name": "A", "network_id": 0, "metadata": metadata});
        partner.post("/v1/admin/credentials", &body).await.refused(400, error);
    }
    for metadata in [nested(8), sized(16 * 1024), json!({"": null, "\0": "\0", "ä": [true, {"b": 1.5}]})] {
        let body = json!({"name": "A", "metadata": metadata});
        let made = partner.post("/v1/admin/users", &body).await.data();
        assert_eq!(made["metadata"], metadata);
        let path = format!("/v1/admin/users/{}", made["id"].as_str().unwrap());
        assert_eq!(partner.get(&path).await.data()["metadata"], metadata);
    }
}
