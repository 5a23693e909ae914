//! `X-Request-Id`: a fit one is kept, any other is replaced, and the audit log has it.

use claviger_domain::secret::KeyFormat;
use serde_json::json;

use crate::gateway::stage::never_issued;
use crate::support::World;

const PATHS: [&str; 11] = [
    "/v1/admin/me",
    "/v1/admin/users",
    "/v1/admin/nothing",
    "/v1/keys/verify",
    "/v1/keys/verify-batch",
    "/v1/keys/revoke-self",
    "/v1/usage/reports",
    "/v1/forward-auth",
    "/nothing",
    "/health/live",
    "/openapi/partner.json",
];

#[tokio::test]
async fn a_fit_id_is_given_back() {
    let world = World::new().await;
    let longest = "x".repeat(128);
    for id in ["a", "gateway-7_b.c:d", "01932a3e-5f00-7000-8000-000000000001", &longest] {
        for path in PATHS {
            for caller in [world.nobody(), world.bootstrap()] {
                let request = caller.request("GET", path).header("x-request-id", id);
                let answer = caller.send(request, "").await;
                assert_eq!(answer.header("x-request-id"), id, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn an_unfit_id_is_replaced() {
    let world = World::new().await;
    let long = "x".repeat(129);
    let unfit: [&[u8]; 8] =
        [b"", b" ", b"a b", b"a,b", b"<script>", b"\"quoted\"", "größe".as_bytes(), long.as_bytes()];
    for id in unfit {
        for path in PATHS {
            let caller = world.nobody();
            let request = caller.request("GET", path).header("x-request-id", id);
            let answer = caller.send(request, "").await;
            fresh(answer.header("x-request-id"));
        }
    }
}

/// Keys, and what changing their case makes of them, reach no log.
#[tokio::test]
async fn an_id_with_a_key_in_it_is_replaced_whatever_its_case() {
    let world = World::new().await;
    let partner = world.partner().await;
    let swap = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect()
    };
    for format in KeyFormat::ALL {
        let key = never_issued(format);
        for id in
            [key.clone(), key.to_uppercase(), key.to_lowercase(), swap(&key), format!("a.{}", swap(&key))]
        {
            for path in PATHS {
                let request = partner.request("GET", path).header("x-request-id", &id);
                fresh(partner.send(request, "").await.header("x-request-id"));
            }
        }
    }
    world.flush().await;
    let entries = world.bootstrap().get("/v1/admin/audit-logs?include_reads=true&limit=100").await;
    for prefix in ["iiak_admin_", "ak_live_", "scim_"] {
        assert!(!entries.text.to_lowercase().contains(prefix), "{}", entries.text);
    }
}

#[track_caller]
fn fresh(id: &str) {
    let digits = id.strip_prefix("req_").unwrap_or_else(|| panic!("{id} is none of ours"));
    assert!(digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let world = World::new().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        for path in PATHS {
            let id = world.nobody().get(path).await.header("x-request-id").to_owned();
            fresh(&id);
            assert!(seen.insert(id), "twice");
        }
    }
}

#[tokio::test]
async fn the_audit_log_has_the_id_of_the_call() {
    let world = World::new().await;
    let partner = world.partner().await;
    let body = json!({"name": "Acme Corp"}).to_string();
    let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
    let answer = partner.send(request.header("x-request-id", "change-1"), body).await;
    assert_eq!(answer.status, 201);
    world.advance(chrono::TimeDelta::seconds(1));
    let request = partner.request("GET", "/v1/admin/users").header("x-request-id", "read-1");
    partner.send(request, "").await;
    world.flush().await;
    let entries = partner.get("/v1/admin/audit-logs?include_reads=true").await.data();
    let ids: Vec<_> = entries.as_array().unwrap().iter().map(|entry| &entry["request_id"]).collect();
    assert_eq!(ids, ["read-1", "change-1"]);
}
