//! `GET /v1/admin/audit-logs`: its entries, filters and pages.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{NOTHING, exactly, is_id, text, users_in_turn};
use crate::audit::entries;
use crate::support::World;

const PATH: &str = "/v1/admin/audit-logs";

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| text(&entry["action"])).collect()
}

#[tokio::test]
async fn entries_have_their_published_fields_newest_first() {
    let world = World::new().await;
    let partner = world.partner_of("PartnerCompany", &crate::support::ALL).await;
    let new = json!({"name": "Acme Corp", "external_id": "customer-123"});
    let request = partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
    let user = partner.send(request.header("x-request-id", "one"), new.to_string()).await.data();
    world.advance(TimeDelta::seconds(1));
    let new = json!({"name": "Production", "network_id": 0});
    let request = partner.request("POST", "/v1/admin/credentials").header("content-type", "application/json");
    let issued = partner.send(request.header("x-request-id", "two"), new.to_string()).await.data();
    let answer = partner.get(PATH).await;
    let data = answer.json()["data"].clone();
    is_id(&data[0]["id"]);
    let expected = json!({
        "success": true,
        "data": [
            {
                "id": data[0]["id"],
                "action": "credential.created",
                "admin_key_id": partner.id,
                "admin_entity_name": "PartnerCompany",
                "target_id": issued["credential"]["id"],
                "target_type": "credential",
                "ip_address": "192.0.2.1",
                "details": {"name": "Production"},
                "created_at": "2026-01-26T12:00:01Z",
                "request_id": "two",
            },
            {
                "id": data[1]["id"],
                "action": "user_account.created",
                "admin_key_id": partner.id,
                "admin_entity_name": "PartnerCompany",
                "target_id": user["id"],
                "target_type": "user_account",
                "ip_address": "192.0.2.1",
                "details": {"name": "Acme Corp", "external_id": "customer-123"},
                "created_at": "2026-01-26T12:00:00Z",
                "request_id": "one",
            },
        ],
        "pagination": {"limit": 50, "offset": 0, "total": 2, "hasMore": false},
    });
    exactly(&answer, 200, &expected);
}

#[tokio::test]
async fn a_page_has_fifty_entries_unless_said_otherwise() {
    let world = World::new().await;
    let partner = world.partner().await;
    let numbers: Vec<String> = (0..53).map(|number| number.to_string()).collect();
    let names: Vec<&str> = numbers.iter().map(String::as_str).collect();
    users_in_turn(&world, &partner, &names).await;
    for (query, first, count, has_more) in [
        ("", "52", 50, true),
        ("?offset=50", "2", 3, false),
        ("?limit=100", "52", 53, false),
        ("?limit=1&offset=52", "0", 1, false),
        ("?limit=2&offset=1", "51", 2, true),
    ] {
        let answer = partner.get(&format!("{PATH}{query}")).await.json();
        let names: Vec<_> =
            answer["data"].as_array().unwrap().iter().map(|entry| text(&entry["details"]["name"])).collect();
        assert_eq!((names[0], names.len()), (first, count), "{query}");
        let pagination = &answer["pagination"];
        assert_eq!((&pagination["total"], &pagination["hasMore"]), (&json!(53), &json!(has_more)), "{query}");
    }
}

#[tokio::test]
async fn entries_are_filtered_by_action_actor_and_target_alone_and_together() {
    let world = World::new().await;
    let (partner, sibling) = (world.partner().await, world.partner().await);
    world.advance(TimeDelta::seconds(1));
    let user = partner.user("B").await;
    world.advance(TimeDelta::seconds(1));
    sibling.user("B").await;
    world.advance(TimeDelta::seconds(1));
    partner.post_empty(&format!("/v1/admin/users/{}/suspend", text(&user["id"]))).await.data();
    world.advance(TimeDelta::seconds(1));
    partner.credential("A").await;
    let (by, of) = (format!("admin_key_id={}", partner.id), format!("target_id={}", text(&user["id"])));
    let bootstrap = world.bootstrap();
    let own: [&str; 3] = ["credential.created", "user_account.suspended", "user_account.created"];
    for (caller, query, expected) in [
        (&*partner, String::new(), own.to_vec()),
        (&*partner, "action=user_account.created".to_owned(), vec![own[2]]),
        (&*partner, "action=credential.revoked".to_owned(), vec![]),
        (&*partner, by.clone(), own.to_vec()),
        (&*partner, of.clone(), own[1..].to_vec()),
        (&*partner, format!("target_id={NOTHING}"), vec![]),
        (&*partner, format!("admin_key_id={NOTHING}"), vec![]),
        (&*partner, format!("{by}&{of}&action=user_account.suspended"), vec![own[1]]),
        (&*partner, format!("{of}&action=credential.created"), vec![]),
        (&bootstrap, "action=user_account.created".to_owned(), vec![own[2], own[2]]),
        (&bootstrap, by.clone(), own.to_vec()),
        (&bootstrap, format!("{by}&action=user_account.created"), vec![own[2]]),
        (&bootstrap, of.clone(), own[1..].to_vec()),
        (&bootstrap, format!("target_id={}", partner.id), vec!["admin_key.created"]),
    ] {
        let answer = caller.get(&format!("{PATH}?{query}")).await.json();
        assert_eq!(actions(answer["data"].as_array().unwrap()), expected, "{query}");
        assert_eq!(answer["pagination"]["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn ids_in_filters_are_ids_and_actions_are_actions() {
    let world = World::new().await;
    let partner = world.partner().await;
    for id in super::NO_IDS.into_iter().chain([""]) {
        let target = partner.get(&format!("{PATH}?target_id={id}")).await;
        target.refused(400, "Invalid target ID format");
        let key = partner.get(&format!("{PATH}?admin_key_id={id}")).await;
        key.refused(400, "Invalid admin key ID format");
    }
    for action in
        ["", "created", "credential", "credential.", "credential.exploded", "Credential.Created", "*"]
    {
        let answer = partner.get(&format!("{PATH}?action={action}")).await;
        answer.refused(400, "action must be a known audit action");
    }
}

#[tokio::test]
async fn every_action_the_contract_names_can_be_asked_for() {
    let world = World::new().await;
    let partner = world.partner().await;
    for (resource, verbs) in [
        ("admin_key", vec!["created", "updated", "revoked", "read", "denied"]),
        ("user_account", vec!["created", "updated", "suspended", "reactivated", "read", "denied"]),
        ("credential", vec!["created", "updated", "rotated", "revoked", "read", "denied"]),
        ("organization", vec!["created", "updated"]),
        ("api_key", vec!["created", "updated", "rotated", "revoked"]),
        ("settings", vec!["updated"]),
        ("role", vec!["created", "updated"]),
        ("usage", vec!["read", "denied"]),
        ("audit_log", vec!["read", "denied"]),
    ] {
        for verb in verbs {
            let answer = partner.get(&format!("{PATH}?action={resource}.{verb}")).await;
            assert_eq!(answer.data(), json!([]), "{resource}.{verb}");
        }
    }
}

#[tokio::test]
async fn an_admin_key_sees_its_own_entries_and_the_bootstrap_key_all() {
    let world = World::new().await;
    let (partner, stranger) = (world.partner().await, world.stranger().await);
    world.advance(TimeDelta::seconds(1));
    partner.user("B").await;
    world.advance(TimeDelta::seconds(1));
    stranger.user("B").await;
    for key in [&partner, &stranger] {
        let seen = entries(key, "").await;
        assert_eq!(actions(&seen), ["user_account.created"]);
        assert_eq!(seen[0]["admin_key_id"], key.id);
    }
    let mut seen = entries(&world.bootstrap(), "").await;
    assert_eq!(actions(&seen[..2]), ["user_account.created", "user_account.created"]);
    assert_eq!(
        (&seen[0]["admin_key_id"], &seen[1]["admin_key_id"]),
        (&json!(stranger.id), &json!(partner.id))
    );
    // The bootstrap key, two entities and their keys: made by nobody who has an admin key.
    let operators = seen.split_off(2);
    let (key, entity) = ("admin_key.created", "organization.created");
    let mut made = actions(&operators);
    made.sort_unstable();
    assert_eq!(made, [key, key, "bootstrap_key.created", entity, entity]);
    for entry in &operators {
        assert_eq!((&entry["admin_key_id"], &entry["admin_entity_name"]), (&json!(null), &json!(null)));
    }
}
