//! What a verification may be asked with, and what it answers.

use claviger_domain::credential::{Class, Credits};
use serde_json::{Value, json};

use super::stage;
use super::{code, verify};
use crate::openapi::operations::{Operation, of};
use crate::support::World;

fn verify_key() -> Operation {
    of("gateway").into_iter().find(|operation| operation.id() == "verify_key").unwrap()
}

#[tokio::test]
async fn the_answer_has_the_documented_shape() {
    let world = World::new().await;
    let partner = world.partner().await;
    let body = json!({"name": "Acme Corp", "external_id": "customer-123", "metadata": {"tier": "gold"}});
    let user = partner.post("/v1/admin/users", &body).await.data();
    let body = json!({
        "name": "Production", "network_id": 1, "user_account_id": user["id"], "metadata": {"team": ["a", 1.5]},
        "expires_at": "2027-01-26T12:00:00Z", "rate_limit_per_minute": 60
    });
    let issued = partner.post("/v1/admin/credentials", &body).await.data();
    let caller = world.bootstrap();
    let request = caller.request("POST", "/v1/keys/verify").header("content-type", "application/json");
    let request = request.header("x-request-id", "gateway-7");
    let answer = caller.send(request, json!({"key": issued["api_key"]}).to_string()).await;
    verify_key().admits(&answer);
    let told = answer.json();
    assert_eq!(
        told,
        json!({
            "valid": true, "code": "VALID",
            "credential": {
                "id": issued["credential"]["id"], "name": "Production", "class": "partner",
                "environment": "live", "metadata": {"team": ["a", 1.5]}
            },
            "user_account": {
                "id": user["id"], "name": "Acme Corp", "external_id": "customer-123",
                "metadata": {"tier": "gold"}
            },
            "organization": {
                "id": told["organization"]["id"], "slug": "yourcompany", "name": "YourCompany"
            },
            "scopes": [],
            "ratelimits": [{
                "name": "requests", "limit": 60, "remaining": 59,
                "reset_at": told["ratelimits"][0]["reset_at"], "exceeded": false
            }],
            "expires_at": "2027-01-26T12:00:00Z", "request_id": "gateway-7"
        })
    );
    assert!(!answer.text.contains(issued["api_key"].as_str().unwrap()), "the key is not told back");
}

/// With everything a credential can have, with next to nothing, and of a key that is not known.
#[tokio::test]
async fn every_answer_is_one_the_document_tells_of() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let bare = stage::credential(&world, organization, Class::Scim, |_| {}).await;
    let rich = stage::credential(&world, organization, Class::Live, |it| {
        it.scopes = "workflows:read users:*".parse().unwrap();
        it.limits = "burst:5/10,daily:3/86400".parse().unwrap();
        it.credits = Some(Credits::granted(u64::from(u32::MAX) * 1000, None));
    })
    .await;
    for (key, code) in [(bare.key.as_str(), "VALID"), (&rich.key, "VALID"), ("rubbish", "MALFORMED")] {
        let answer = world.bootstrap().post("/v1/keys/verify", &json!({"key": key})).await;
        verify_key().admits(&answer);
        assert_eq!(answer.json()["code"], code);
        assert_eq!(answer.json()["expires_at"], json!(null));
    }
    let told = verify(&world, &rich.key, json!({})).await;
    assert_eq!(told["scopes"], json!(["workflows:read", "users:*"]));
    assert_eq!(told["credits"], u64::from(u32::MAX) * 1000 - 2);
    let told = verify(&world, &bare.key, json!({})).await;
    for field in ["credits", "user_account"] {
        assert!(told.get(field).is_none(), "{field} in {told}");
    }
}

#[tokio::test]
async fn scopes_are_an_expression_or_a_list() {
    let world = World::new().await;
    let organization = stage::organization(&world, "Tenant").await.id;
    let held = "workflows:read transactions:*".parse().unwrap();
    let subject = stage::credential(&world, organization, Class::Live, |it| it.scopes = held).await;
    let schema = verify_key().body_schema().unwrap();
    for (scopes, passes) in [
        (json!(null), true),
        (json!([]), true),
        (json!("workflows:read"), true),
        (json!("workflows:write"), false),
        (json!("transactions:write"), true),
        (json!("workflows:read AND (transactions:read OR users:read)"), true),
        (json!("users:read OR workflows:read"), true),
        (json!("users:read AND workflows:read"), false),
        (json!("users:read OR workflows:read AND transactions:x"), true),
        (json!("(users:read OR workflows:read) AND users:x"), false),
        (json!(["workflows:read", "transactions:read"]), true),
        (json!(["workflows:read", "users:read"]), false),
        (json!(["workflows:read", "users:read OR transactions:x"]), true),
        (json!("workflows:*"), false),
    ] {
        let expected = if passes { "VALID" } else { "INSUFFICIENT_SCOPE" };
        assert_eq!(code(&world, &subject.key, json!({"scopes": scopes})).await, expected, "{scopes}");
        let body = json!({"key": "iiak_", "scopes": scopes});
        assert_eq!(verify_key().faults(&schema, &body), [""; 0], "the document takes {scopes} too");
    }
}

#[tokio::test]
async fn a_bad_request_is_a_problem_that_names_its_field() {
    let world = World::new().await;
    let operation = verify_key();
    let deep = format!("{}a:b{}", "(".repeat(40), ")".repeat(40));
    let many = vec!["a:b"; 101];
    for (member, value, detail) in [
        ("key", json!(null), "key must be a string"),
        ("key", json!(7), "key must be a string"),
        ("key", json!(["iiak_"]), "key must be a string"),
        ("cost", json!(-1), "cost must be an integer between 0 and 4294967295"),
        ("cost", json!(4_294_967_296_u64), "cost must be an integer between 0 and 4294967295"),
        ("cost", json!(1.5), "cost must be an integer"),
        ("cost", json!("1"), "cost must be an integer"),
        ("ip", json!("localhost"), "ip must be an IP address"),
        ("ip", json!("10.0.0.0/8"), "ip must be an IP address"),
        ("ip", json!("10.0.0.256"), "ip must be an IP address"),
        ("ip", json!(""), "ip must be an IP address"),
        ("network_id", json!(3), "network_id must be 0, 1 or 2"),
        ("network_id", json!(-1), "network_id must be 0, 1 or 2"),
        ("environment", json!("LIVE"), "environment must be one of: live, test"),
        ("environment", json!(true), "environment must be a string"),
        ("scopes", json!(""), "scopes must be scopes joined by AND and OR, or a list of scopes"),
        ("scopes", json!("a:b AND"), "scopes must be scopes joined by AND and OR, or a list of scopes"),
        ("scopes", json!("a b"), "scopes must be scopes joined by AND and OR, or a list of scopes"),
        ("scopes", json!(deep), "scopes must be scopes joined by AND and OR, or a list of scopes"),
        ("scopes", json!(many), "scopes must have 100 items or less"),
        ("scopes", json!(["a:b", 7]), "scopes must be scopes joined by AND and OR, or a list of scopes"),
        ("scopes", json!({"a:b": true}), "scopes must be scopes joined by AND and OR, or a list of scopes"),
        ("surprise", json!(1), "Unknown field: surprise"),
    ] {
        let mut body = json!({"key": "iiak_"});
        body[member] = value.clone();
        let answer = world.bootstrap().post("/v1/keys/verify", &body).await;
        operation.admits(&answer);
        let expected = json!({
            "type": "urn:claviger:problem:invalid_request", "title": "Bad Request", "status": 400,
            "code": "invalid_request", "detail": detail, "field": member,
            "request_id": answer.header("x-request-id")
        });
        assert_eq!(answer.json(), expected, "{member}: {value}");
    }
    let answer = world.bootstrap().post("/v1/keys/verify", &json!({})).await;
    assert_eq!((answer.status, &answer.json()["detail"]), (400, &json!("key is required")));
}

/// What a gateway tells of the call decides nothing, but it has its bounds.
#[tokio::test]
async fn a_gateway_may_tell_what_the_call_is_about() {
    let world = World::new().await;
    let key = world.partner().await.credential("Production").await["api_key"].clone();
    let schema = verify_key().body_schema().unwrap();
    let ask = async |told: Value| {
        let mut body = told;
        body["key"] = key.clone();
        assert_eq!(verify_key().faults(&schema, &body), [""; 0], "{body}");
        let answer = world.bootstrap().post("/v1/keys/verify", &body).await;
        verify_key().admits(&answer);
        assert_eq!(answer.json()["code"], "VALID", "{body}");
    };
    ask(json!({"resource": "/orders/7", "method": "GET", "tags": ["eu", "beta"]})).await;
    let tags = vec!["ä".repeat(64); 20];
    ask(json!({"resource": "ä".repeat(1024), "method": "x".repeat(32), "tags": tags})).await;
    ask(json!({"resource": null, "method": null, "tags": []})).await;
    for (member, value) in [
        ("resource", json!("x".repeat(1025))),
        ("resource", json!(["x"])),
        ("method", json!("x".repeat(33))),
        ("tags", json!(vec!["x"; 21])),
        ("tags", json!(["x".repeat(65)])),
        ("tags", json!("eu")),
        ("tags", json!({"eu": true})),
        ("tags", json!(["eu", 7])),
    ] {
        let body = json!({"key": key, member: value});
        let answer = world.bootstrap().post("/v1/keys/verify", &body).await;
        verify_key().admits(&answer);
        assert_eq!(answer.status, 400, "{member}: {}", answer.text);
        assert!(answer.json()["field"].as_str().unwrap().starts_with(member), "{}", answer.text);
    }
}

#[tokio::test]
async fn refusals_of_the_transport_are_problems_too() {
    let world = World::new().await;
    let caller = world.bootstrap();
    let send = async |method: &str, path: &str, media_type: Option<&str>, body: String| {
        let request = caller.request(method, path);
        let request = match media_type {
            Some(media_type) => request.header("content-type", media_type),
            None => request,
        };
        let answer = caller.send(request, body).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text);
        let body: Value = answer.json();
        assert_eq!(body["status"], answer.status);
        (answer.status, body["code"].as_str().unwrap().to_owned())
    };
    let json = Some("application/json");
    let told = |status: u16, code: &str| (status, code.to_owned());
    let path = "/v1/keys/verify";
    assert_eq!(send("POST", path, json, "{".to_owned()).await, told(400, "invalid_request"));
    assert_eq!(send("POST", path, json, "[]".to_owned()).await, told(400, "invalid_request"));
    assert_eq!(send("POST", path, json, String::new()).await, told(400, "invalid_request"));
    assert_eq!(send("POST", path, None, "{}".to_owned()).await, told(415, "unsupported_media_type"));
    let text = Some("text/plain");
    assert_eq!(send("POST", path, text, "{}".to_owned()).await, told(415, "unsupported_media_type"));
    let huge = " ".repeat(64 * 1024 + 1);
    assert_eq!(send("POST", path, json, huge).await, told(413, "payload_too_large"));
    assert_eq!(send("GET", path, None, String::new()).await, told(405, "method_not_allowed"));
    for path in [
        "/v1/keys",
        "/v1/keys/verify/",
        "/v1/keys/nothing",
        "/v1/usage",
        "/v1/usage/reports/",
        "/v1/forward-auth/",
    ] {
        assert_eq!(send("POST", path, json, "{}".to_owned()).await, told(404, "not_found"), "{path}");
    }
}
