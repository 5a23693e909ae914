//! What is the server's own mistake, and what is under way already, in the words of each surface.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use claviger_store::{StoreError, Tx};
use serde_json::json;

use crate::hostile::rows;
use crate::organization::{self, Tenant};
use crate::platform::{self, text};
use crate::support::World;

#[tokio::test]
async fn a_damaged_row_is_the_servers_mistake_and_tells_nothing() {
    let world = World::new().await;
    let acme = Tenant::new(&world, "Acme").await;
    let partner = world.partner().await;
    partner.credential("Production").await;
    rows::run(&world, "UPDATE credentials SET limits = 'damaged by hand'").await;
    let answer = partner.get("/v1/admin/credentials").await;
    answer.refused(500, "Internal server error");
    let answer = world.bootstrap().get("/admin/v1/api-keys").await;
    assert_eq!(answer.status, 500, "{}", answer.text);
    let error = &answer.json()["error"];
    assert_eq!(
        (text(&error["code"]), text(&error["details"]["reason"])),
        ("INTERNAL_ERROR", "internal_error")
    );
    assert_eq!(answer.json()["metadata"]["requestId"], answer.header("x-request-id"));
    let words = "A mistake of the server's; it was logged";
    assert_eq!(error["message"], words);
    let answer = acme.owner.get(&acme.path("/api-keys")).await;
    organization::refused(&answer, 500, "internal_error", words);
    assert!(!answer.text.contains("damaged") && !answer.text.contains("credentials"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repetition_of_what_is_under_way_is_told_so() {
    let world = Arc::new(World::on_disk().await);
    let acme = Tenant::new(&world, "Acme").await;
    let partner = world.partner().await;
    let new = json!({"organization_id": acme.organization["id"], "name": "A", "scopes": []});
    for (caller, path, body) in [
        (&partner.caller, "/v1/admin/credentials".to_owned(), json!({"name": "A", "network_id": 0})),
        (&world.bootstrap(), "/admin/v1/api-keys".to_owned(), new),
        (&acme.owner, acme.path("/api-keys"), json!({"name": "A", "permissions": []})),
    ] {
        let request = || {
            let request = caller.request("POST", &path).header("content-type", "application/json");
            request.header("idempotency-key", "one").body(Body::from(body.to_string())).unwrap()
        };
        let (sender, first) = (world.clone(), request());
        // Whoever writes holds the database: what comes meanwhile has begun, and waits.
        let held = world.app.store().transaction(async |_: &Tx| {
            let first = tokio::spawn(async move { sender.send(first).await });
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<_, StoreError>((first, world.send(request()).await))
        });
        let (first, second) = held.await.unwrap();
        let words = "A request with this idempotency key is still under way";
        match path.split('/').nth(1).zip(path.split('/').nth(2)) {
            Some(("admin", _)) => platform::refused(&second, 409, "idempotency_key_in_use", words),
            Some(("v1", "admin")) => {
                second.refused(409, "A request with this Idempotency-Key is still being processed");
            }
            _ => organization::refused(&second, 409, "idempotency_key_in_use", words),
        }
        assert_eq!(first.await.unwrap().status, 201);
        assert_eq!(world.send(request()).await.header("idempotency-replayed"), "true");
    }
}
