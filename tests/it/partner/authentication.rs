//! Who is let in: a header that is missing or malformed is a 401, a key that opens nothing a 403.

use claviger_app::bootstrap;
use claviger_domain::organization::OrganizationStatus;
use serde_json::json;

use super::keys::invented;
use super::{code_of, text};
use crate::gateway::stage;
use crate::support::World;

const MISSING: &str = "Missing or invalid admin API key";
const INVALID: &str = "Invalid admin API key";

/// One call of each permission, and one that needs none.
const PATHS: [&str; 6] = [
    "/v1/admin/users",
    "/v1/admin/credentials",
    "/v1/admin/usage",
    "/v1/admin/audit-logs",
    "/v1/admin/admin-keys",
    "/v1/admin/me",
];

#[tokio::test]
async fn a_missing_or_malformed_header_is_401_everywhere() {
    let world = World::new().await;
    let key = world.partner().await.key.clone().unwrap();
    let malformed = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer   ".to_owned(),
        key.clone(),
        format!("Basic {key}"),
        format!("Token {key}"),
        format!("Bearer{key}"),
        format!("Bearer {key} {key}"),
        format!("Bearer {key}, Bearer {key}"),
        format!("Bearer:{key}"),
    ];
    for path in PATHS {
        let answer = world.nobody().get(path).await;
        answer.refused(401, MISSING);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        for header in &malformed {
            let request = world.nobody().request("GET", path).header("authorization", header);
            world.nobody().send(request, "").await.refused(401, MISSING);
        }
        let request = world.nobody().request("GET", path).header("x-api-key", &key);
        world.nobody().send(request, "").await.refused(401, MISSING);
        let bearer = format!("Bearer {key}");
        let twice = world.nobody().request("GET", path).header("authorization", &bearer);
        world.nobody().send(twice.header("authorization", &bearer), "").await.refused(401, MISSING);
        world.nobody().get(&format!("{path}?api_key={key}&access_token={key}")).await.refused(401, MISSING);
    }
}

#[tokio::test]
async fn the_scheme_has_no_case_and_spaces_around_the_key_are_nothing() {
    let world = World::new().await;
    let key = world.partner().await.key.clone().unwrap();
    for header in [format!("bearer {key}"), format!("BEARER {key}"), format!("Bearer   {key}  ")] {
        let request = world.nobody().request("GET", "/v1/admin/me").header("authorization", header);
        assert_eq!(world.nobody().send(request, "").await.status, 200);
    }
}

#[tokio::test]
async fn a_key_that_is_none_of_ours_is_403_everywhere() {
    let world = World::new().await;
    for path in PATHS {
        for key in [
            "rubbish".to_owned(),
            "iiak_admin_xxxxx".to_owned(),
            "iiak_admin_".to_owned(),
            format!("iiak_admin_{}", "0".repeat(40)),
            "iiak_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4".to_owned(),
            invented("iiak_admin_"),
            invented("iiak_bootstrap_"),
            invented("iiak_"),
            invented("ak_live_"),
            invented("ak_test_"),
            invented("scim_"),
            "x".repeat(4000),
        ] {
            world.bearer(&key).get(path).await.refused(403, INVALID);
        }
    }
}

#[tokio::test]
async fn a_customers_credential_opens_nothing_here_though_it_is_valid() {
    let world = World::new().await;
    let partner = world.partner().await;
    let key = partner.credential("A").await["api_key"].clone();
    for path in PATHS {
        world.bearer(text(&key)).get(path).await.refused(403, INVALID);
    }
    assert_eq!(code_of(&world, &key).await, "VALID");
    let row = partner.get("/v1/admin/usage").await.data()[0].clone();
    assert_eq!(row["total_requests"], 1, "to be turned away here is not to be verified");
}

#[tokio::test]
async fn revoked_and_expired_admin_keys_open_nothing() {
    let world = World::new().await;
    let (revoked, expired) = (world.partner().await, world.partner().await);
    world.bootstrap().delete(&format!("/v1/admin/admin-keys/{}", revoked.id)).await.data();
    let patch = json!({"expires_at": "2026-01-26T12:00:01Z"});
    world.bootstrap().patch(&format!("/v1/admin/admin-keys/{}", expired.id), &patch).await.data();
    world.advance(chrono::TimeDelta::seconds(1));
    for path in PATHS {
        revoked.get(path).await.refused(403, INVALID);
        expired.get(path).await.refused(403, INVALID);
    }
}

#[tokio::test]
async fn the_keys_of_a_suspended_entity_open_nothing_until_it_is_active_again() {
    let world = World::new().await;
    let (partner, sibling, stranger) = (world.partner().await, world.partner().await, world.stranger().await);
    let credential = partner.credential("A").await;
    // Organizations are suspended on the platform surface, which is not built yet.
    let organization = stage::organization_of(&world, &partner).await;
    let set = async |status: OrganizationStatus| {
        stage::change_organization(&world, organization, |it| it.status = status).await;
    };
    set(OrganizationStatus::Suspended).await;
    for path in PATHS {
        partner.get(path).await.refused(403, INVALID);
        sibling.get(path).await.refused(403, INVALID);
    }
    assert_eq!(stranger.get("/v1/admin/users").await.status, 200);
    assert_eq!(code_of(&world, &credential["api_key"]).await, "ORGANIZATION_SUSPENDED");
    let new = json!({"entity_name": "YourCompany", "permissions": ["view_usage"]});
    world.bootstrap().post("/v1/admin/admin-keys", &new).await.refused(409, "Organization is suspended");
    set(OrganizationStatus::Active).await;
    assert_eq!(partner.get("/v1/admin/users").await.status, 200);
    assert_eq!(code_of(&world, &credential["api_key"]).await, "VALID");
}

#[tokio::test]
async fn a_replaced_bootstrap_key_opens_nothing() {
    let world = World::new().await;
    assert_eq!(world.bootstrap().get("/v1/admin/me").await.status, 200);
    let new = bootstrap::rotate(&world.app, "a test").await.unwrap().key;
    for path in PATHS {
        world.bootstrap().get(path).await.refused(403, INVALID);
    }
    assert_eq!(world.bearer(new.expose()).get("/v1/admin/admin-keys").await.status, 200);
}

/// Guessed admin keys are looked up as guessed keys of tenants are: a few at once, and not again right away.
#[tokio::test]
async fn guessed_admin_keys_do_not_reach_the_database_each_time() {
    use crate::gateway::stage::never_issued;
    use claviger_domain::secret::KeyFormat;
    let world = World::new().await;
    let guesses = [KeyFormat::Admin, KeyFormat::Bootstrap].map(never_issued);
    for guess in &guesses {
        assert_eq!(world.bearer(guess).get("/v1/admin/me").await.status, 403);
    }
    world.app.store().clone().close().await;
    for guess in &guesses {
        for method in ["GET", "POST", "DELETE"] {
            let caller = world.bearer(guess);
            let answer = caller.send(caller.request(method, "/v1/admin/users/x"), "").await;
            assert_ne!(answer.status, 503, "remembered as unknown: {}", answer.text);
        }
        assert_eq!(world.bearer(guess).get("/v1/admin/me").await.status, 403);
    }
    world.advance(chrono::TimeDelta::seconds(10));
    assert_eq!(world.bearer(&guesses[0]).get("/v1/admin/me").await.status, 503, "looked up again");
}

#[tokio::test]
async fn a_long_line_of_guessed_admin_keys_does_not_keep_out_a_known_one() {
    use crate::gateway::stage::never_issued;
    use claviger_domain::secret::KeyFormat;
    let world = World::new().await;
    let partner = world.partner().await;
    assert_eq!(partner.get("/v1/admin/me").await.status, 200);
    let (held, release) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let holder = world.app.store().transaction::<_, claviger_app::Error>(async |_| {
        held.notify_one();
        release.notified().await;
        Ok(())
    });
    let asker = async {
        // The database has one connection here, and it is taken.
        held.notified().await;
        let callers: Vec<_> = (0..516).map(|_| world.bearer(&never_issued(KeyFormat::Admin))).collect();
        let mut line: Vec<_> = callers.iter().map(|caller| Box::pin(caller.get("/v1/admin/me"))).collect();
        for waiting in &mut line {
            assert!(waits(waiting.as_mut()).await);
        }
        let refused = world.bearer(&never_issued(KeyFormat::Admin)).get("/v1/admin/me").await;
        assert_eq!(refused.status, 503, "{}", refused.text);
        let mut known = Box::pin(partner.get("/v1/admin/me"));
        assert!(waits(known.as_mut()).await, "it waits for the database alone");
        drop(line);
        release.notify_one();
        assert_eq!(known.await.status, 200);
    };
    let (done, ()) = tokio::join!(holder, asker);
    done.unwrap();
}

/// Whether a future that is asked once is not done.
async fn waits<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}
