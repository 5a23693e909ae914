//! Callers without a working key: the operator sees that they knock, and they cannot fill the disk.

use serde_json::{Value, json};

use super::all;
use crate::partner::text;
use crate::support::World;

#[tokio::test]
async fn who_is_turned_away_at_the_door_is_on_record_for_the_operator() {
    let world = World::new().await;
    let partner = world.partner().await;
    let credential = text(&partner.credential("A").await["api_key"]).to_owned();
    for (caller, path, action, status) in [
        (world.nobody(), "/v1/admin/users", "user_account.denied", 401),
        (world.bearer("rubbish"), "/v1/admin/usage", "usage.denied", 403),
        (world.bearer(&credential), "/v1/admin/credentials", "credential.denied", 403),
    ] {
        let request = caller.request("GET", path).header("x-request-id", "knock");
        caller.send(request, "").await;
        let seen = all(&world, &world.bootstrap(), &format!("action={action}")).await;
        assert_eq!(seen.len(), 1);
        let expected = json!({
            "id": seen[0]["id"], "action": action, "admin_key_id": null, "admin_entity_name": null,
            "target_id": null, "target_type": null, "ip_address": "192.0.2.1",
            "details": {"method": "GET", "route": path, "status": status},
            "created_at": "2026-01-26T12:00:00Z", "request_id": "knock",
        });
        assert_eq!(seen[0].to_string(), expected.to_string());
        assert_eq!(all(&world, &partner, &format!("action={action}")).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_revoked_admin_keys_attempts_are_no_longer_its_own() {
    let world = World::new().await;
    let partner = world.partner().await;
    world.bootstrap().delete(&format!("/v1/admin/admin-keys/{}", partner.id)).await.data();
    partner.get("/v1/admin/users").await;
    let seen = all(&world, &world.bootstrap(), "action=user_account.denied").await;
    assert_eq!((seen.len(), &seen[0]["admin_key_id"]), (1, &json!(null)), "whoever holds it proved nothing");
}

/// How many calls stand in lines of their own, and how many only in a number.
fn counted(entries: &[Value]) -> (u64, u64) {
    let (numbers, lines): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry["details"]["suppressed"].is_u64());
    let suppressed = numbers.iter().map(|entry| entry["details"]["suppressed"].as_u64().unwrap()).sum();
    (u64::try_from(lines.len()).unwrap(), suppressed)
}

#[tokio::test]
async fn a_flood_of_unknown_callers_is_a_few_lines_and_a_number() {
    let world = World::new().await;
    for _ in 0..300 {
        world.nobody().get("/v1/admin/users").await;
    }
    let seen = all(&world, &world.bootstrap(), "action=user_account.denied").await;
    let (lines, suppressed) = counted(&seen);
    assert!((1..=50).contains(&lines), "{lines} lines");
    assert_eq!((lines + suppressed, u64::try_from(seen.len()).unwrap()), (300, lines + 1), "no call is lost");
    assert!(seen.iter().all(|entry| entry["admin_key_id"].is_null()));
    for _ in 0..2 {
        world.nobody().get("/v1/admin/credentials").await;
    }
    let seen = all(&world, &world.bootstrap(), "action=credential.denied").await;
    assert_eq!(counted(&seen), (2, 0), "the next batch has room again");
}

#[tokio::test]
async fn a_flood_of_unknown_callers_does_not_push_out_those_who_are_known() {
    let world = World::new().await;
    let partner = world.partner().await;
    for _ in 0..100 {
        world.nobody().get("/v1/admin/users").await;
    }
    for _ in 0..100 {
        partner.get("/v1/admin/users?limit=0").await;
    }
    let seen = all(&world, &partner, "action=user_account.denied").await;
    let (lines, suppressed) = counted(&seen);
    assert!(lines >= 1);
    assert_eq!(lines + suppressed, 100);
    assert!(seen.iter().all(|entry| entry["admin_key_id"] == partner.id));
}
