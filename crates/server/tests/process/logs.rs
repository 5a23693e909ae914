//! What is written about, and what never is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Installation;

#[tokio::test]
async fn no_secret_is_logged_however_much_is() {
    let installation = Installation::new();
    let server = installation.start_with(&[("CLAVIGER_LOG", "trace")]);
    let bootstrap = server.bootstrap_key();
    let admin = server.admin_key(&bootstrap, "Acme").await;
    let (_, made) =
        server.post("/v1/admin/credentials", &admin, &json!({"name": "x", "network_id": 0})).await;
    let credential = made["data"]["api_key"].as_str().unwrap().to_owned();
    let id = made["data"]["credential"]["id"].as_str().unwrap().to_owned();
    let (_, rotated) = server.post(&format!("/v1/admin/credentials/{id}/rotate"), &admin, &json!({})).await;
    let second = rotated["data"]["api_key"].as_str().unwrap().to_owned();
    let verified = server.post("/v1/keys/verify", &bootstrap, &json!({"key": second})).await;
    assert_eq!(verified.1["valid"], true, "{}", verified.1);
    server.call(Method::GET, "/v1/admin/me", &credential, None).await.unwrap();
    server.call(Method::GET, &format!("/v1/admin/users?limit={admin}"), &admin, None).await.unwrap();
    let peppers = std::fs::read_to_string(installation.data("peppers")).unwrap();
    let pepper = peppers.trim().split_once(':').unwrap().1.to_owned();

    let log = server.log();
    assert!(
        log.contains("/v1/admin/credentials"),
        "the calls were not logged, so that nothing was searched:\n{log}"
    );
    let secrets = [
        ("bootstrap", bootstrap),
        ("admin", admin),
        ("credential", credential),
        ("second", second),
        ("pepper", pepper),
    ];
    for (name, secret) in &secrets {
        // The type prefix and eight characters may be shown; what follows may not.
        let hidden = &secret[secret.len() - 30..];
        let line = log.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "the {name} key is logged");
    }
    assert_eq!(server.out().matches("bootstrap key: ").count(), 1);
    for (name, secret) in &secrets[1..] {
        assert!(!server.out().contains(secret.as_str()), "the {name} key is printed");
    }
    server.stop();
}

#[tokio::test]
async fn each_line_is_json_when_nobody_watches() {
    let installation = Installation::new();
    let server = installation.start();
    server.get("/v1/admin/me", "nothing").await;
    for line in server.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(
            line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
    // What a first start has to say, and not a line for each schema change.
    assert!(!server.log().contains("sea_orm"), "{}", server.log());
    server.stop();
    let server = installation.start_with(&[("CLAVIGER_LOG", "off,claviger::serve=info")]);
    let log = server.log();
    assert!(log.contains("listening on"), "{log}");
    assert!(log.lines().all(|line| line.contains(r#""target":"claviger::serve""#)), "{log}");
    server.stop();
}
