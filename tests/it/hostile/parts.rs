//! Paths, queries and headers that are not what was asked for.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::rows;
use crate::authority::scene::Scene;
use crate::openapi::WITHOUT_CALLER;
use crate::openapi::operations::{Operation, all};
use crate::support::{Answer, World};

/// The sentence for a malformed id in this path.
fn malformed(path: &str) -> Option<&'static str> {
    if path.starts_with("/admin/v1/") {
        // Organizations are named by slugs as well: what is one is only unknown.
        return (!path.contains("organizations")).then_some("An id in the path is malformed");
    }
    if path.starts_with("/v1/organizations/") {
        // Another organization than the caller's own is unknown, whatever names it; ids within one's own have tests
        // of their own.
        return None;
    }
    match path.trim_start_matches("/v1/admin/").split('/').next().unwrap() {
        _ if path.contains("by-external-id") => None,
        "users" => Some("Invalid user account ID format"),
        "credentials" | "usage" => Some("Invalid credential ID format"),
        "admin-keys" => Some("Invalid admin key ID format"),
        _ => panic!("what does {path} name?"),
    }
}

#[tokio::test]
async fn ids_of_another_form_are_malformed() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let before = rows::everything(&world).await;
    let id = "01932a3e-5f00-7000-8000-000000000001";
    let long = "0".repeat(8_000);
    let texts = [
        "1",
        "nonsense",
        "null",
        "-",
        "*",
        "01932a3e5f0070008000000000000001",
        "%7B01932a3e-5f00-7000-8000-000000000001%7D",
        "urn:uuid:01932a3e-5f00-7000-8000-000000000001",
        "01932a3e-5f00-7000-8000-00000000000",
        "01932a3e-5f00-7000-8000-0000000000011",
        "01932a3e-5f00-7000-8000-00000000000g",
        "user_01h455vb4pex5vsknk084sn02q",
        "%00",
        "%20",
        "%ff",
        "%c3%28",
        "%",
        "%2",
        "%zz",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "1%3b+drop+table",
        "1'%20or%20'1'='1",
        "%F0%9F%94%91",
        &format!("{id}%00"),
        &format!("{id}%0a"),
        &format!("%20{id}"),
        &format!("{id}%2F"),
        &format!("{id};a=b"),
        &long,
    ];
    let mut operations = 0;
    for operation in all().iter().filter(|operation| operation.has_variable()) {
        let Some(sentence) = malformed(&operation.path) else { continue };
        operations += 1;
        for text in texts {
            let caller = scene.caller(operation);
            let path = operation.at(|_| text.to_owned());
            let request = caller.request(&operation.method, &path).header("content-type", "application/json");
            let body = scene.body(operation).map(|body| body.to_string()).unwrap_or_default();
            let answer = caller.send(request, body).await;
            if *text == *"user_01h455vb4pex5vsknk084sn02q" && operation.path.starts_with("/admin/v1/users/") {
                assert_eq!(answer.status, 404, "what users are called there: {}", answer.text);
                continue;
            }
            refused(operation, &answer, sentence);
        }
    }
    assert!(operations >= 12, "{operations} operations name an id");
    assert_eq!(rows::everything(&world).await, before);
}

#[tokio::test]
async fn an_id_may_be_written_in_capitals() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let path = format!("/v1/admin/users/{}", scene.ids.user.to_uppercase());
    assert_eq!(scene.owner.get(&path).await.data()["id"], json!(scene.ids.user));
    let encoded: String = scene.ids.user.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let path = format!("/v1/admin/users/{encoded}");
    assert_eq!(scene.owner.get(&path).await.data()["id"], json!(scene.ids.user));
}

#[tokio::test]
async fn external_ids_may_hold_any_character() {
    let world = World::new().await;
    let partner = world.partner().await;
    let ids = [
        "a/b", "a?b", "a#b", "a%b", "a%2Fb", "a b", "a+b", "ä/ö", "..", ".", "usage", "🔑", "a;b=c", "\"'<>",
    ];
    let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    for id in ids {
        let made = partner.post("/v1/admin/users", &json!({"name": "A", "external_id": id})).await.data();
        let path = format!("/v1/admin/users/by-external-id/{}", encode(id));
        assert_eq!(partner.get(&path).await.data()["id"], made["id"], "{id}");
    }
    let path = "/v1/admin/users/by-external-id/";
    let long = "a".repeat(256);
    for (text, sentence) in [
        ("%00", "external_id must not contain control characters"),
        ("a%0Ab", "external_id must not contain control characters"),
        (long.as_str(), "external_id must be 255 characters or less"),
    ] {
        partner.get(&format!("{path}{text}")).await.refused(400, sentence);
    }
    for broken in ["%ff", "%c3%28", "%ed%a0%80"] {
        let answer = partner.get(&format!("{path}{broken}")).await;
        assert_eq!((answer.status, answer.json()["success"].clone()), (400, json!(false)), "{broken}");
    }
    partner.get(&format!("{path}%zz")).await.refused(404, "User account not found");
    partner.get(path).await.refused(404, "Not found");
}

/// That `answer` is a 400 with this sentence, in the words of the operation's surface.
#[track_caller]
fn refused(operation: &Operation, answer: &Answer, sentence: &str) {
    match operation.surface {
        "partner" => answer.refused(400, sentence),
        "platform" => {
            operation.admits(answer);
            let told = &answer.json()["error"];
            assert_eq!((&told["code"], &told["message"]), (&json!("INVALID_REQUEST"), &json!(sentence)));
        }
        _ => {
            operation.admits(answer);
            assert_eq!((answer.status, &answer.json()["detail"]), (400, &json!(sentence)));
        }
    }
}

#[tokio::test]
async fn query_values_out_of_range_are_refused() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let limits =
        ["", "0", "101", "-1", "+5", "1.5", "1e1", " 5", "5 ", "five", "0x5", "٥", "18446744073709551616"];
    let offsets = ["", "-1", "+1", "1.5", "one", "9223372036854775808", "99999999999999999999999999"];
    let flags = ["", "1", "0", "TRUE", "True", "yes", "null", " true"];
    let instants =
        ["", "now", "2026", "2026-13-01", "2026-02-30", "1767225600", "26.1.2026", "2026-01-01T99:00:00Z"];
    let costs = ["", "-1", "+1", "1.5", "1e1", " 1", "one", "4294967296", "18446744073709551617"];
    let networks = ["", "3", "-1", "+1", "1.0", "main", "99999999999999999999"];
    let ids = ["", "nonsense", "*", "0", "01932a3e5f0070008000000000000001"];
    for operation in all().iter().filter(|operation| operation.method == "GET") {
        for parameter in operation.parameters().iter().filter(|parameter| parameter.place == "query") {
            let (values, sentence): (&[&str], _) = match parameter.name.as_str() {
                "scopes" => (
                    &["", " ", "a b", "a:b AND", "(a:b", "AND", "a:b,c:d"],
                    "scopes must be scopes joined by AND and OR, or a list of scopes".to_owned(),
                ),
                "cost" => (&costs, "cost must be an integer between 0 and 4294967295".to_owned()),
                "network_id" => (&networks, "network_id must be 0, 1 or 2".to_owned()),
                "environment" => {
                    (&["", "LIVE", "prod", "live "], "environment must be one of: live, test".to_owned())
                }
                "dialect" => (&["", "NGINX", "caddy"], "dialect must be one of: plain, nginx".to_owned()),
                "limit" => (&limits, "limit must be an integer between 1 and 100".to_owned()),
                "offset" => (&offsets, "offset must be a non-negative integer".to_owned()),
                "page" => (&limits[..2], "page must be an integer between 1 and 1000000000".to_owned()),
                "includeReads" => (&flags, "includeReads must be true or false".to_owned()),
                "includeRevoked" => (&flags, "includeRevoked must be true or false".to_owned()),
                "include_reads" => (&flags, "include_reads must be true or false".to_owned()),
                name @ ("start_date" | "end_date") => {
                    (&instants, format!("{name} must be an ISO 8601 timestamp"))
                }
                "status" if operation.id() == "list_organizations" => {
                    (&["", "ACTIVE", "deleted"], "status must be one of: active, suspended".to_owned())
                }
                "status" => {
                    (&["", "ACTIVE", "gone"], "status must be one of: active, suspended, pending".to_owned())
                }
                "search" => (&["", " "], "search is empty".to_owned()),
                "email" => (&["nobody", "@", "a b@c"], "email is not of the expected form".to_owned()),
                "include_revoked" => (&flags, "include_revoked must be true or false".to_owned()),
                "format" => (&["", "JSON", "xml"], "format must be one of: json, ndjson, csv".to_owned()),
                "keys" => (&limits, "keys must be an integer between 1 and 100".to_owned()),
                "period" => (
                    &["", "d", "0d", "-1d", "30", "1w", "367d", "8785h"],
                    "period must be hours or days, like 24h or 30d, and at most 366d".to_owned(),
                ),
                name @ ("from" | "to" | "start" | "end") => {
                    (&instants, format!("{name} must be an ISO 8601 timestamp"))
                }
                name @ ("actor_id" | "user_id" | "after" | "actorId" | "targetId" | "userId" | "role") => {
                    (&["", "nonsense", "*", "0"], format!("{name} names nothing that can be"))
                }
                "target_id" if operation.surface == "platform" => {
                    (&["", "nonsense", "*", "0"], "target_id names nothing that can be".to_owned())
                }
                "action" if operation.surface != "partner" => {
                    (&["", "credential", "*"], "action must be an audit action".to_owned())
                }
                "org_id" => (&["", "No One", "*", "a_b"], "org_id names nothing that can be".to_owned()),
                "user_account_id" => (&ids, "Invalid user account ID format".to_owned()),
                "admin_key_id" => (&ids, "Invalid admin key ID format".to_owned()),
                "target_id" => (&ids, "Invalid target ID format".to_owned()),
                "action" => (
                    &["", "credential", "credential.nothing", "*"],
                    "action must be a known audit action".to_owned(),
                ),
                other => panic!("what is {other} of {}?", operation.id()),
            };
            let caller = scene.caller(operation);
            let path = scene.path(operation);
            for value in values {
                let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                let answer = caller.get(&format!("{path}?{}={encoded}", parameter.name)).await;
                assert_eq!(answer.status, 400, "{} {}={value}", operation.id(), parameter.name);
                refused(operation, &answer, &sentence);
            }
        }
    }
}

#[tokio::test]
async fn queries_are_read_strictly() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for operation in all().iter().filter(|operation| operation.method == "GET") {
        let caller = scene.caller(operation);
        let path = scene.path(operation);
        let get = async |query: &str| caller.get(&format!("{path}?{query}")).await;
        for (query, name) in
            [("surprise=1", "surprise"), ("surprise", "surprise"), ("%00=1", "\0"), ("=1", "")]
        {
            refused(operation, &get(query).await, &format!("Unknown query parameter: {name}"));
        }
        assert!(get("%ff=%ff").await.status == 400);
        assert!(get("").await.status < 300, "{}", operation.id());
        for parameter in operation.parameters().iter().filter(|parameter| parameter.place == "query") {
            let name = &parameter.name;
            let answer = get(&format!("{name}=1&{name}=1")).await;
            refused(operation, &answer, &format!("Duplicate query parameter: {name}"));
            let capitals = name.to_uppercase();
            let answer = get(&format!("{capitals}=1")).await;
            refused(operation, &answer, &format!("Unknown query parameter: {capitals}"));
        }
    }
}

#[tokio::test]
async fn two_authorizations_are_none() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for operation in all() {
        let Some(key) = scene.caller(&operation).key else {
            assert_eq!(operation.id(), WITHOUT_CALLER);
            continue;
        };
        let other = world.bootstrap().key.unwrap();
        for values in [[&key, &key], [&key, &other], [&other, &key]] {
            let mut request =
                Request::builder().method(operation.method.as_str()).uri(scene.path(&operation));
            for value in values {
                request = request.header("authorization", format!("Bearer {value}"));
            }
            let answer = world.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 401, "{}: {}", operation.id(), answer.text);
            operation.admits(&answer);
        }
    }
}

#[tokio::test]
async fn broken_headers_do_no_harm() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let owner = &scene.owner;
    let key = owner.key.clone().unwrap();
    let send = async |name: &str, value: &[u8]| -> Answer {
        let request = if name == "authorization" { world.nobody() } else { (**owner).clone() };
        let builder = request.request("GET", "/v1/admin/me").header(name, value);
        request.send(builder, Body::empty()).await
    };
    for value in
        [&b"\xff"[..], b"Bearer \xff", b"Bearer \xc3\xa4", "Bearer ключ".as_bytes(), b"Bearer", b"\t"]
    {
        send("authorization", value).await.refused(401, "Missing or invalid admin API key");
    }
    let long = format!("Bearer {}", "a".repeat(60_000));
    send("authorization", long.as_bytes()).await.refused(403, "Invalid admin API key");
    let cut = format!("Bearer {}", &key[..50]);
    send("authorization", cut.as_bytes()).await.refused(403, "Invalid admin API key");
    for name in
        ["if-match", "if-none-match", "x-forwarded-for", "x-request-id", "accept", "range", "cookie", "host"]
    {
        for value in [&b""[..], b"\xff\xfe", b",,,", b"\"", &b"x".repeat(20_000)] {
            assert_eq!(send(name, value).await.status, 200, "{name}: {value:?}");
        }
    }
}
