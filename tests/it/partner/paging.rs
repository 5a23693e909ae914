//! `limit`, `offset` and the other words of a list's query.

use serde_json::json;

use super::{names, text, users_in_turn};
use crate::support::{Caller, World};

/// The lists, their default limits, and whether their pagination tells `hasMore`.
const LISTS: [(&str, u64, bool); 6] = [
    ("/v1/admin/users", 20, true),
    ("/v1/admin/users/usage/summary", 20, true),
    ("/v1/admin/credentials", 20, true),
    ("/v1/admin/usage", 20, false),
    ("/v1/admin/audit-logs", 50, true),
    ("/v1/admin/admin-keys", 20, true),
];

/// Each list with a caller that may see it.
async fn lists(world: &World) -> Vec<(Caller<'_>, &'static str, u64, bool)> {
    let partner = world.partner().await;
    let caller =
        |path| if path == "/v1/admin/admin-keys" { world.bootstrap() } else { partner.caller.clone() };
    LISTS.into_iter().map(|(path, limit, has_more)| (caller(path), path, limit, has_more)).collect()
}

#[tokio::test]
async fn every_list_tells_where_its_page_stands() {
    let world = World::new().await;
    for (caller, path, limit, has_more) in lists(&world).await {
        let answer = caller.get(&format!("{path}?offset=7")).await.json();
        let mut expected = json!({"limit": limit, "offset": 7, "total": answer["pagination"]["total"]});
        if has_more {
            expected["hasMore"] = json!(false);
        }
        assert_eq!(answer["pagination"].to_string(), expected.to_string(), "{path}");
        assert_eq!(answer["data"], json!([]), "{path}");
        let members: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(members, ["success", "data", "pagination"], "{path}");
    }
}

#[tokio::test]
async fn limits_are_whole_numbers_from_1_to_100() {
    let world = World::new().await;
    for (caller, path, ..) in lists(&world).await {
        for limit in [1, 2, 99, 100] {
            let answer = caller.get(&format!("{path}?limit={limit}")).await;
            assert_eq!((answer.status, &answer.json()["pagination"]["limit"]), (200, &json!(limit)));
        }
        for limit in
            ["0", "101", "-1", "1.0", "1e1", "ten", "", "%2B5", "%201", "0x10", "18446744073709551617"]
        {
            let answer = caller.get(&format!("{path}?limit={limit}")).await;
            answer.refused(400, "limit must be an integer between 1 and 100");
        }
    }
}

#[tokio::test]
async fn offsets_are_whole_numbers_from_0() {
    let world = World::new().await;
    for (caller, path, ..) in lists(&world).await {
        for offset in [0, 1, 1_000_000, i64::MAX] {
            let answer = caller.get(&format!("{path}?offset={offset}")).await;
            assert_eq!((answer.status, &answer.json()["pagination"]["offset"]), (200, &json!(offset)));
        }
        for offset in ["-1", "-0", "0.5", "ten", "", "%2B1", "9223372036854775808", "99999999999999999999999"]
        {
            let answer = caller.get(&format!("{path}?offset={offset}")).await;
            answer.refused(400, "offset must be a non-negative integer");
        }
    }
}

#[tokio::test]
async fn flags_are_true_or_false() {
    let world = World::new().await;
    for (caller, path, ..) in lists(&world).await {
        let flag = match path {
            "/v1/admin/credentials" | "/v1/admin/admin-keys" => "includeRevoked",
            "/v1/admin/audit-logs" => "include_reads",
            _ => continue,
        };
        for word in ["true", "false"] {
            assert_eq!(caller.get(&format!("{path}?{flag}={word}")).await.status, 200);
        }
        for word in ["1", "0", "yes", "TRUE", "True", "", "null"] {
            let answer = caller.get(&format!("{path}?{flag}={word}")).await;
            answer.refused(400, &format!("{flag} must be true or false"));
        }
    }
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused() {
    let world = World::new().await;
    for (caller, path, ..) in lists(&world).await {
        for (query, sentence) in [
            ("x=1", "Unknown query parameter: x"),
            ("Limit=1", "Unknown query parameter: Limit"),
            ("include_revoked=true", "Unknown query parameter: include_revoked"),
            ("limit=1&limit=1", "Duplicate query parameter: limit"),
            ("offset=0&limit=5&offset=1", "Duplicate query parameter: offset"),
        ] {
            caller.get(&format!("{path}?{query}")).await.refused(400, sentence);
        }
    }
}

#[tokio::test]
async fn single_things_know_no_query() {
    let world = World::new().await;
    let partner = world.partner().await;
    let new = json!({"name": "B", "external_id": "c-1"});
    let user = partner.post("/v1/admin/users", &new).await.data();
    let credential = partner.credential("A").await["credential"].clone();
    let (user, credential) = (text(&user["id"]), text(&credential["id"]));
    for path in [
        format!("users/{user}"),
        "users/by-external-id/c-1".to_owned(),
        format!("users/{user}/usage"),
        format!("credentials/{credential}"),
        format!("usage/{credential}"),
        "me".to_owned(),
    ] {
        let path = format!("/v1/admin/{path}");
        assert_eq!(partner.get(&path).await.status, 200, "{path}");
        partner.get(&format!("{path}?limit=1")).await.refused(400, "Unknown query parameter: limit");
    }
    let path = format!("/v1/admin/admin-keys/{}?limit=1", partner.id);
    world.bootstrap().get(&path).await.refused(400, "Unknown query parameter: limit");
}

#[tokio::test]
async fn pages_are_walked_through_without_gap_or_repetition() {
    let world = World::new().await;
    let partner = world.partner().await;
    users_in_turn(&world, &partner, &["a", "b", "c", "d", "e"]).await;
    for (query, expected, has_more) in [
        ("limit=2", vec!["e", "d"], true),
        ("limit=2&offset=2", vec!["c", "b"], true),
        ("limit=2&offset=4", vec!["a"], false),
        ("limit=2&offset=3", vec!["b", "a"], false),
        ("limit=4", vec!["e", "d", "c", "b"], true),
        ("limit=5", vec!["e", "d", "c", "b", "a"], false),
        ("limit=5&offset=5", vec![], false),
        ("offset=9223372036854775807", vec![], false),
    ] {
        let answer = partner.get(&format!("/v1/admin/users?{query}")).await;
        let pagination = &answer.json()["pagination"];
        assert_eq!(names(&answer), expected, "{query}");
        assert_eq!((&pagination["total"], &pagination["hasMore"]), (&json!(5), &json!(has_more)), "{query}");
    }
}
