//! Who leaves at once with others: the last owner stays, and no role is anybody's that is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use claviger_test_postgres::Database;
use serde_json::{Value, json};

use super::{at_once, request, statuses};
use crate::organization::{Tenant, data};
use crate::support::{ALL, Settled, World};

async fn owners_leave_at_once(world: &Arc<World>) {
    for round in 0..8 {
        let acme = Tenant::new(world, &format!("Acme {round}")).await;
        let mut owners = Vec::new();
        for name in ["Ada", "Bob", "Eve"] {
            owners.push(acme.at("users", &acme.user(name, &["Owner"]).await));
        }
        let gone = if round % 2 == 0 { 204 } else { 200 };
        let leave = |path: &String| match round % 4 {
            0 | 2 => request(&acme.owner, "DELETE", path, &Value::Null),
            1 => request(&acme.owner, "PATCH", path, &json!({"roles": ["Viewer"]})),
            _ => request(&acme.owner, "PATCH", path, &json!({"status": "suspended"})),
        };
        let answers = at_once(world, owners.iter().map(leave).collect()).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(gone, 2), (409, 1)]), "round {round}");
        let refused = answers.iter().find(|answer| answer.status == 409).unwrap();
        assert_eq!(refused.json()["code"], "last_owner");
    }
}

async fn a_role_is_deleted_and_given_at_once(world: &Arc<World>) {
    let acme = Tenant::new(world, "Roles").await;
    for round in 0..8 {
        let role = acme.role(&format!("Role {round}"), &["users:read"]).await;
        let user = acme.user("Ada", &[]).await;
        let requests = vec![
            request(&acme.owner, "DELETE", &acme.at("roles", &role), &Value::Null),
            request(&acme.owner, "PATCH", &acme.at("users", &user), &json!({"roles": [role["id"]]})),
        ];
        let answers = at_once(world, requests).await;
        let told: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(told[..], [204, 404] | [409, 200]), "{told:?}");
        let held = data(&acme.owner.get(&acme.at("users", &user)).await, 200)["roles"].clone();
        assert_eq!(held.as_array().unwrap().len(), usize::from(told[1] == 200));
    }
}

/// An organization's own users and its partner's share no external id, however the two are made at once.
async fn both_kinds_of_user_ask_for_an_external_id_at_once(world: &Arc<World>) {
    let partner = world.partner_of("External", &ALL).await;
    let me = partner.get("/v1/admin/me").await.data();
    let organization = me["organization_id"].as_str().unwrap().to_owned();
    for round in 0..8 {
        let external_id = format!("customer-{round}");
        let own = json!({"organization_id": organization, "name": "Own", "external_id": external_id});
        let theirs = json!({"name": "Partner's", "external_id": external_id});
        let operator = world.bootstrap();
        let requests = (0..8).map(|place| match place % 2 {
            0 => request(&partner, "POST", "/v1/admin/users", &theirs),
            _ => request(&operator, "POST", "/admin/v1/users", &own),
        });
        let answers = at_once(world, requests.collect()).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(201, 1), (409, 7)]), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_the_embedded_database() {
    let world = Arc::new(World::on_disk().await);
    both_kinds_of_user_ask_for_an_external_id_at_once(&world).await;
    owners_leave_at_once(&world).await;
    a_role_is_deleted_and_given_at_once(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_postgres() {
    let database = Database::migrated().await;
    let settled = Settled { postgres: Some(database.url()), ..Settled::default() };
    let world = Arc::new(World::settled(settled).await);
    both_kinds_of_user_ask_for_an_external_id_at_once(&world).await;
    owners_leave_at_once(&world).await;
    a_role_is_deleted_and_given_at_once(&world).await;
    world.app.store().clone().close().await;
    database.remove().await;
}
