//! Requests that are wrong in several ways at once: authentication is told first, then the permission,
//! then the path and the query, then the body, and only then whether the thing exists.

use serde_json::json;

use super::{NOTHING, text};
use crate::support::{Answer, Caller, World};

/// Sends what is wrong in every way that this method and path allow.
async fn send(caller: &Caller<'_>, method: &str, path: &str) -> Answer {
    let request = caller.request(method, path).header("content-type", "application/json");
    caller.send(request, if method == "GET" { "" } else { "{" }).await
}

/// Calls whose id, query or body is malformed, the permission each needs, and what is told of them first.
const WRONG: [(&str, &str, &str, &str); 17] = [
    ("POST", "/v1/admin/users", "manage_users", "Request body must be valid JSON"),
    ("POST", "/v1/admin/credentials", "manage_credentials", "Request body must be valid JSON"),
    ("GET", "/v1/admin/users?limit=0", "manage_users", "limit must be an integer between 1 and 100"),
    ("GET", "/v1/admin/users/x", "manage_users", "Invalid user account ID format"),
    ("PATCH", "/v1/admin/users/x", "manage_users", "Invalid user account ID format"),
    ("POST", "/v1/admin/users/x/suspend", "manage_users", "Invalid user account ID format"),
    ("POST", "/v1/admin/users/x/reactivate", "manage_users", "Invalid user account ID format"),
    ("GET", "/v1/admin/users/x/usage?limit=0", "view_usage", "Invalid user account ID format"),
    ("GET", "/v1/admin/users/usage/summary?offset=x", "view_usage", "offset must be a non-negative integer"),
    (
        "GET",
        "/v1/admin/credentials?includeRevoked=1",
        "manage_credentials",
        "includeRevoked must be true or false",
    ),
    ("GET", "/v1/admin/credentials/x", "manage_credentials", "Invalid credential ID format"),
    ("PATCH", "/v1/admin/credentials/x", "manage_credentials", "Invalid credential ID format"),
    ("DELETE", "/v1/admin/credentials/x", "manage_credentials", "Invalid credential ID format"),
    ("POST", "/v1/admin/credentials/x/rotate", "manage_credentials", "Invalid credential ID format"),
    ("GET", "/v1/admin/usage?limit=x", "view_usage", "limit must be an integer between 1 and 100"),
    ("GET", "/v1/admin/usage/x?start_date=x", "view_usage", "Invalid credential ID format"),
    ("GET", "/v1/admin/audit-logs?target_id=x", "view_audit_logs", "Invalid target ID format"),
];

#[tokio::test]
async fn whoever_has_no_key_hears_of_nothing_else() {
    let world = World::new().await;
    for (method, path, ..) in WRONG {
        send(&world.nobody(), method, path).await.refused(401, "Missing or invalid admin API key");
    }
}

#[tokio::test]
async fn whoever_has_a_key_that_opens_nothing_hears_of_nothing_else() {
    let world = World::new().await;
    let stranger = world.bearer("iiak_admin_0000000000000000000000000000000000000000");
    for (method, path, ..) in WRONG {
        send(&stranger, method, path).await.refused(403, "Invalid admin API key");
    }
}

#[tokio::test]
async fn a_missing_permission_is_told_before_the_path_the_query_and_the_body() {
    let world = World::new().await;
    for (method, path, permission, _) in WRONG {
        let caller = world.partner_lacking(permission).await;
        let answer = send(&caller, method, path).await;
        answer.refused(403, &format!("Permission denied: {permission} required"));
    }
}

#[tokio::test]
async fn path_and_query_are_told_before_the_body() {
    let world = World::new().await;
    let partner = world.partner().await;
    for (method, path, _, sentence) in WRONG {
        send(&partner, method, path).await.refused(400, sentence);
    }
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_told_last() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = format!("/v1/admin/users/{NOTHING}");
    send(&partner, "PATCH", &path).await.refused(400, "Request body must be valid JSON");
    partner.patch(&path, &json!({})).await.refused(400, "At least one field must be provided");
    partner.patch(&path, &json!({"x": 1})).await.refused(400, "Unknown field: x");
    let email = partner.patch(&path, &json!({"email": "nobody"})).await;
    email.refused(400, "email must be a valid email address");
    partner.patch(&path, &json!({"email": "a@b"})).await.refused(404, "User account not found");
    let inverted = format!("{path}/usage?start_date=2026-01-02&end_date=2026-01-01");
    partner.get(&inverted).await.refused(400, "end_date must not be before start_date");
    partner
        .get(&format!("{path}/usage?end_date=x"))
        .await
        .refused(400, "end_date must be an ISO 8601 timestamp");
    partner.get(&format!("{path}/usage")).await.refused(404, "User account not found");
}

#[tokio::test]
async fn a_credential_that_does_not_exist_is_told_last() {
    let world = World::new().await;
    let partner = world.partner().await;
    let path = format!("/v1/admin/credentials/{NOTHING}");
    let missing = "Credential not found or already revoked";
    let neither = partner.patch(&path, &json!({})).await;
    neither.refused(400, "At least one field (name or description) must be provided");
    partner.patch(&path, &json!({"name": "A"})).await.refused(404, missing);
    let rotate = format!("{path}/rotate");
    let overlap = partner.post(&rotate, &json!({"overlap_seconds": -1})).await;
    overlap.refused(400, "overlap_seconds must be between 0 and 2592000");
    partner.post_empty(&rotate).await.refused(404, missing);
    let usage = format!("/v1/admin/usage/{NOTHING}");
    let inverted = partner.get(&format!("{usage}?start_date=2026-01-02&end_date=2026-01-01")).await;
    inverted.refused(400, "end_date must not be before start_date");
    partner.get(&usage).await.refused(404, "Credential not found");
}

#[tokio::test]
async fn a_new_credentials_own_faults_are_told_before_those_of_its_user() {
    let world = World::new().await;
    let partner = world.partner().await;
    let suspended = partner.user("B").await;
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", text(&suspended["id"]))).await.data();
    for (user, refusal) in [
        (json!(NOTHING), (404, "User account not found")),
        (suspended["id"].clone(), (409, "User account is suspended")),
    ] {
        let new = json!({"name": "A", "network_id": 0, "user_account_id": user});
        for (field, value, sentence) in [
            ("network_id", json!(3), "network_id must be 0, 1 or 2"),
            ("expires_at", json!("2026-01-26T12:00:00Z"), "expires_at must be in the future"),
            ("rate_limit_per_minute", json!(0), "rate_limit_per_minute must be between 1 and 10000"),
        ] {
            let mut wrong = new.clone();
            wrong[field] = value;
            partner.post("/v1/admin/credentials", &wrong).await.refused(400, sentence);
        }
        partner.post("/v1/admin/credentials", &new).await.refused(refusal.0, refusal.1);
    }
}

#[tokio::test]
async fn an_admin_key_that_does_not_exist_is_told_last() {
    let world = World::new().await;
    let (bootstrap, partner) = (world.bootstrap(), world.partner().await);
    let path = format!("/v1/admin/admin-keys/{NOTHING}");
    let (format, missing) = ("Invalid admin key ID format", "Admin key not found or already revoked");
    for method in ["GET", "PATCH", "DELETE"] {
        let malformed = "/v1/admin/admin-keys/x";
        send(&world.nobody(), method, malformed).await.refused(401, "Missing or invalid admin API key");
        let lacking = "Permission denied: bootstrap key required";
        send(&partner, method, malformed).await.refused(403, lacking);
        send(&bootstrap, method, malformed).await.refused(400, format);
    }
    send(&bootstrap, "PATCH", &path).await.refused(400, "Request body must be valid JSON");
    bootstrap.patch(&path, &json!({})).await.refused(400, "At least one field must be provided");
    let past = bootstrap.patch(&path, &json!({"expires_at": "2026-01-26T11:59:59Z"})).await;
    past.refused(400, "expires_at must be in the future");
    bootstrap.patch(&path, &json!({"name": "A"})).await.refused(404, missing);
}

#[tokio::test]
async fn the_bootstrap_key_is_turned_away_before_anything_else_is_looked_at() {
    let world = World::new().await;
    let bootstrap = world.bootstrap();
    for (method, path, permission, sentence) in WRONG {
        let expected = match permission {
            "manage_credentials" => "Bootstrap key cannot manage credentials. Create an admin key first.",
            _ if path.starts_with("/v1/admin/users") => {
                "Bootstrap key cannot manage users. Create an admin key first."
            }
            _ => sentence,
        };
        send(&bootstrap, method, path).await.refused(400, expected);
    }
}
