//! The recipes in `deploy/`, run by the real proxies: who passes, what the API learns of them, and what
//! nobody can talk a proxy into.

use reqwest::{Method, StatusCode};
use serde_json::json;

mod program;
mod scene;

use program::Program;
use scene::Scene;

/// Makes each check a test of each proxy.
macro_rules! with_each_proxy {
    ($($check:ident),+ $(,)?) => {
        mod nginx {
            $(#[tokio::test] async fn $check() { super::$check(super::Program::Nginx).await; })+
        }
        mod caddy {
            $(#[tokio::test] async fn $check() { super::$check(super::Program::Caddy).await; })+
        }
    };
}

with_each_proxy!(
    the_api_learns_who_calls_and_never_the_key,
    nobody_names_themselves,
    nobody_takes_away_the_name_that_was_given,
    the_refused_learn_why_and_do_not_reach_the_api,
    the_limited_are_told_when_to_come_again,
    a_client_cannot_put_the_question,
    nobody_passes_while_claviger_is_away,
);

/// What clients try to be, in two spellings that many servers cannot tell apart.
const CLAIMS: [(&str, &str); 14] = [
    ("x-claviger-credential-id", "mallory"),
    ("x-claviger-organization-id", "mallory"),
    ("x-claviger-user-id", "mallory"),
    ("x-claviger-external-id", "mallory"),
    ("x-claviger-scopes", "mallory"),
    ("x-claviger-environment", "mallory"),
    // Twice: one may be replaced and the other left.
    ("x-claviger-user-id", "trudy"),
    ("x_claviger_credential_id", "mallory"),
    ("x_claviger_organization_id", "mallory"),
    ("x_claviger_user_id", "mallory"),
    ("x_claviger_external_id", "mallory"),
    ("x_claviger_scopes", "mallory"),
    ("x-claviger_environment", "mallory"),
    ("x-forwarded-for", "192.0.2.1"),
];

/// What Claviger itself says of whoever holds the key, as the API should see it.
async fn identity(scene: &Scene, key: &str) -> Vec<(String, String)> {
    let url = format!("http://{}/v1/forward-auth?cost=0", scene.claviger.address);
    let answer = scene.client.get(url).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    let mut fields: Vec<(String, String)> = answer
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-claviger-"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    fields.sort();
    fields
}

async fn the_api_learns_who_calls_and_never_the_key(program: Program) {
    let scene = Scene::set(program).await;
    let user = scene.user("customer-1").await;
    let (id, key) = scene.credential(json!({"user_account_id": user})).await;
    let bearer = format!("Bearer {key}");
    let known = identity(&scene, &key).await;
    for (name, value) in [
        ("x-claviger-credential-id", &*id),
        ("x-claviger-user-id", &*user),
        ("x-claviger-external-id", "customer-1"),
    ] {
        assert!(known.contains(&(name.to_owned(), value.to_owned())), "{name}: {known:?}");
    }
    assert!(known.iter().any(|(name, _)| name == "x-claviger-organization-id"), "{known:?}");

    for presented in [("authorization", &*bearer), ("x-api-key", &*key)] {
        let answer = scene.call("/orders/1?draft=true", &[presented, ("x-own", "kept")]).await;
        assert_eq!(answer.reached("claviger"), known, "{presented:?}");
        assert!(!answer.body.to_string().contains(&key), "{answer:?}");
        assert_eq!(answer.reached("authorization"), [], "{presented:?}");
        assert_eq!(answer.reached("x-api-key"), [], "{presented:?}");
        assert_eq!(answer.reached("x-own"), [("x-own".to_owned(), "kept".to_owned())]);
        assert_eq!(answer.body["method"], "POST");
        assert_eq!(answer.body["uri"], "/orders/1?draft=true");
        assert_eq!(answer.body["body"], "an order");
    }
    scene.claviger.stop();
}

async fn nobody_names_themselves(program: Program) {
    let scene = Scene::set(program).await;
    let user = scene.user("customer-1").await;
    let (_, of_user) = scene.credential(json!({"user_account_id": user})).await;
    let (_, of_nobody) = scene.credential(json!({})).await;
    for key in [&of_user, &of_nobody] {
        let known = identity(&scene, key).await;
        let mut headers = CLAIMS.to_vec();
        headers.push(("x-api-key", key));
        let answer = scene.call("/orders", &headers).await;
        assert_eq!(answer.reached("claviger"), known);
        let text = answer.body.to_string();
        for claim in ["mallory", "trudy", "192.0.2.1"] {
            assert!(!text.contains(claim), "{claim}: {text}");
        }
    }
    // Without a user there is none, not an empty one.
    let names: Vec<String> = identity(&scene, &of_nobody).await.into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"x-claviger-credential-id".to_owned()), "{names:?}");
    assert!(!names.contains(&"x-claviger-user-id".to_owned()), "{names:?}");
    assert!(!names.contains(&"x-claviger-external-id".to_owned()), "{names:?}");
    scene.claviger.stop();
}

async fn nobody_takes_away_the_name_that_was_given(program: Program) {
    let scene = Scene::set(program).await;
    let user = scene.user("customer-1").await;
    let (_, key) = scene.credential(json!({"user_account_id": user})).await;
    let known = identity(&scene, &key).await;
    // Whatever stands in Connection is for one hop only, and proxies drop it.
    let connection = ("connection", "keep-alive, X-Claviger-User-Id, x-claviger-external-id");
    let answer = scene.call("/orders", &[connection, ("x-api-key", &key)]).await;
    assert_eq!(answer.reached("claviger"), known);
    scene.claviger.stop();
}

async fn the_refused_learn_why_and_do_not_reach_the_api(program: Program) {
    let scene = Scene::set(program).await;
    let user = scene.user("customer-1").await;
    let (_, suspended) = scene.credential(json!({"user_account_id": user})).await;
    let (gone, revoked) = scene.credential(json!({})).await;
    let (_, good) = scene.credential(json!({})).await;
    let path = format!("/v1/admin/users/{user}/suspend");
    let (status, answer) = scene.claviger.call(Method::POST, &path, &scene.admin, None).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    let path = format!("/v1/admin/credentials/{gone}");
    let (status, answer) = scene.claviger.call(Method::DELETE, &path, &scene.admin, None).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");

    let mistyped = format!("{good}x");
    let (_, of_elsewhere) = Scene::set(program).await.credential(json!({})).await;
    let refused = [
        (None, StatusCode::UNAUTHORIZED, None),
        (Some(&*mistyped), StatusCode::UNAUTHORIZED, Some("MALFORMED")),
        (Some(&*of_elsewhere), StatusCode::UNAUTHORIZED, Some("NOT_FOUND")),
        (Some(&*revoked), StatusCode::UNAUTHORIZED, Some("REVOKED")),
        (Some(&*suspended), StatusCode::FORBIDDEN, Some("USER_SUSPENDED")),
    ];
    for (key, status, code) in refused {
        let headers: Vec<_> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        let answer = scene.call("/orders", &headers).await;
        assert_eq!(answer.status, status, "{code:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{code:?}");
        assert_eq!(answer.body["status"], status.as_u16(), "{code:?}: {answer:?}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{code:?}: {answer:?}");
        let word = code.unwrap_or("UNAUTHORIZED").to_lowercase();
        assert_eq!(answer.body["code"], word, "{answer:?}");
        assert_eq!(answer.body["type"], format!("urn:claviger:problem:{word}"), "{answer:?}");
        if let Some(code) = code {
            assert_eq!(answer.header("x-claviger-deny-code"), code);
        }
    }
    assert_eq!(scene.calls(), 0);
    assert_eq!(scene.call("/orders", &[("x-api-key", &good)]).await.status, StatusCode::OK);
    assert_eq!(scene.calls(), 1);
    scene.claviger.stop();
}

async fn the_limited_are_told_when_to_come_again(program: Program) {
    let scene = Scene::set(program).await;
    let (_, key) = scene.credential(json!({"rate_limit_per_minute": 1})).await;
    assert_eq!(scene.call("/orders", &[("x-api-key", &key)]).await.status, StatusCode::OK);
    let answer = scene.call("/orders", &[("x-api-key", &key)]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    assert_eq!(answer.header("x-claviger-deny-code"), "RATE_LIMITED");
    assert_eq!(answer.body["code"], "rate_limited", "{answer:?}");
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!((1..=120).contains(&seconds), "{seconds}");
    assert!(answer.headers.contains_key("ratelimit"), "{answer:?}");
    assert!(answer.headers.contains_key("ratelimit-policy"), "{answer:?}");
    assert_eq!(scene.calls(), 1);
    scene.claviger.stop();
}

async fn a_client_cannot_put_the_question(program: Program) {
    let scene = Scene::set(program).await;
    let (_, key) = scene.credential(json!({"rate_limit_per_minute": 1})).await;
    let (_, fresh) = scene.credential(json!({})).await;
    assert_eq!(scene.call("/orders?cost=0", &[("x-api-key", &key)]).await.status, StatusCode::OK);
    // A proxy that handed on the client's query would ask for nothing, or in another dialect.
    for query in ["cost=0", "dialect=nginx", "cost=0&dialect=nginx", ""] {
        let answer = scene.call(&format!("/orders?{query}"), &[("x-api-key", &key)]).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{query}: {answer:?}");
    }
    let answer = scene.call("/orders?scopes=orders:write&page=2", &[("x-api-key", &fresh)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.body["uri"], "/orders?scopes=orders:write&page=2");
    scene.claviger.stop();
}

#[tokio::test]
async fn a_location_of_nginx_asks_for_more() {
    let scene = Scene::set(Program::Nginx).await;
    let (_, key) = scene.credential(json!({})).await;
    // Partners' credentials have no scopes. Other spellings of the path are the same location.
    for path in ["/refunds/1", "/refunds/", "//refunds/1", "/%72efunds/1", "/orders/../refunds/1"] {
        let answer = scene.call(path, &[("x-api-key", &key)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {answer:?}");
        assert_eq!(answer.header("x-claviger-deny-code"), "INSUFFICIENT_SCOPE", "{path}");
    }
    assert_eq!(scene.calls(), 0);
    assert_eq!(scene.call("/orders", &[("x-api-key", &key)]).await.status, StatusCode::OK);
    scene.claviger.stop();
}

async fn nobody_passes_while_claviger_is_away(program: Program) {
    let mut scene = Scene::set(program).await;
    let (_, key) = scene.credential(json!({})).await;
    assert_eq!(scene.call("/orders", &[("x-api-key", &key)]).await.status, StatusCode::OK);
    let address = scene.claviger.address.to_string();
    scene.claviger.kill();
    let away = match program {
        Program::Nginx => StatusCode::SERVICE_UNAVAILABLE,
        Program::Caddy => StatusCode::BAD_GATEWAY,
    };
    for _ in 0..3 {
        let answer = scene.call("/orders", &[("x-api-key", &key)]).await;
        assert_eq!(answer.status, away, "{answer:?}");
    }
    assert_eq!(scene.calls(), 1);

    let again = scene.installation.start_with(&[("CLAVIGER_LISTEN", &address)]);
    assert_eq!(scene.call("/orders", &[("x-api-key", &key)]).await.status, StatusCode::OK);
    again.stop();
}
