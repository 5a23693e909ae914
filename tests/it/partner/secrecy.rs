//! A key is shown once: by the call that makes it, and nowhere else.

use serde_json::{Value, json};

use super::text;
use crate::support::{Answer, Caller, World};

/// The answers of one caller, written down.
struct Record<'w> {
    caller: Caller<'w>,
    answers: Vec<Answer>,
}

impl Record<'_> {
    async fn get(&mut self, path: &str) {
        self.answers.push(self.caller.get(path).await);
    }

    async fn patch(&mut self, path: &str, body: &Value) {
        self.answers.push(self.caller.patch(path, body).await);
    }
}

/// The part of a key that its prefix does not show.
fn hidden(key: &str) -> &str {
    let shown = match key {
        _ if key.starts_with("iiak_bootstrap_") => 23,
        _ if key.starts_with("iiak_admin_") => 19,
        _ => 13,
    };
    &key[shown..]
}

#[tokio::test]
async fn no_answer_but_the_first_holds_a_key_and_the_audit_log_never_does() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    let partner = world.partner().await;
    let user = partner.user("B").await;
    let issued = partner.credential_of(&user, "A").await;
    let id = text(&issued["credential"]["id"]).to_owned();
    let credential = format!("/v1/admin/credentials/{id}");
    let rotated = partner.post_empty(&format!("{credential}/rotate")).await.data();
    let admin_key = format!("/v1/admin/admin-keys/{}", partner.id);
    let keys: Vec<String> = [
        bootstrap.key.clone().unwrap(),
        partner.key.clone().unwrap(),
        text(&issued["api_key"]).to_owned(),
        text(&rotated["api_key"]).to_owned(),
    ]
    .into();
    for key in &keys {
        bootstrap.post("/v1/keys/verify", &json!({"key": key})).await;
        // People paste keys where ids and figures belong. Each batch has room for a few refused calls.
        for caller in [&*partner, &world.nobody(), &world.bearer(&key[..key.len() - 1])] {
            for path in [
                format!("users/{key}"),
                format!("credentials/{key}"),
                format!("users?limit={key}"),
                format!("users?{key}=1"),
                format!("users/by-external-id/{key}"),
                key.clone(),
            ] {
                caller.get(&format!("/v1/admin/{path}")).await;
                world.flush().await;
            }
            caller.post("/v1/admin/users", &json!({"name": "B", key.as_str(): 1})).await;
            world.flush().await;
        }
    }
    let mut partners = Record { caller: partner.caller.clone(), answers: Vec::new() };
    partners.patch(&credential, &json!({"name": "Renamed"})).await;
    partners.patch(&format!("/v1/admin/users/{}", text(&user["id"])), &json!({"name": "Renamed"})).await;
    for path in [
        "/v1/admin/users",
        "/v1/admin/credentials?includeRevoked=true",
        &credential,
        "/v1/admin/usage",
        &format!("/v1/admin/usage/{id}"),
        "/v1/admin/users/usage/summary",
        "/v1/admin/me",
    ] {
        partners.get(path).await;
    }
    partners.answers.push(partner.delete(&credential).await);
    let mut operators = Record { caller: bootstrap, answers: Vec::new() };
    operators.patch(&admin_key, &json!({"name": "Renamed"})).await;
    operators.get("/v1/admin/admin-keys?includeRevoked=true").await;
    operators.get(&admin_key).await;
    operators.get("/v1/admin/me").await;
    operators.get("/v1/admin/usage").await;
    world.flush().await;
    partners.get("/v1/admin/audit-logs?limit=100&include_reads=true").await;
    for offset in ["0", "100", "200"] {
        let path = format!("/v1/admin/audit-logs?limit=100&offset={offset}&include_reads=true");
        operators.get(&path).await;
    }
    operators.answers.push(operators.caller.delete(&admin_key).await);

    let trail = &operators.answers[operators.answers.len() - 4].json();
    assert!(trail["pagination"]["total"].as_u64().unwrap() > 70, "what was pasted is on record: {trail}");
    for answer in partners.answers.iter().chain(&operators.answers) {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(!answer.text.contains("api_key\""), "no member for a key: {}", answer.text);
        for key in &keys {
            assert!(!answer.text.contains(hidden(key)), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_refusal_does_not_repeat_the_key_it_was_asked_with() {
    let world = World::new().await;
    let partner = world.partner().await;
    let admin = partner.key.clone().unwrap();
    let credential = text(&partner.credential("A").await["api_key"]).to_owned();
    for key in [&admin, &credential] {
        for (caller, path) in [
            (world.bearer(&key[..key.len() - 1]), "/v1/admin/users".to_owned()),
            (world.bearer(&credential), "/v1/admin/users".to_owned()),
            (partner.caller.clone(), format!("/v1/admin/users/{key}")),
            (partner.caller.clone(), format!("/v1/admin/users/by-external-id/{key}")),
            (partner.caller.clone(), format!("/v1/admin/users?limit={key}")),
            (partner.caller.clone(), format!("/v1/admin/audit-logs?action={key}")),
        ] {
            let answer = caller.get(&path).await;
            assert!(answer.status >= 400, "{path}");
            assert!(!answer.text.contains(hidden(key)), "{}", answer.text);
        }
    }
}
