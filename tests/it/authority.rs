//! Who may do what, read from the documents and tried on every operation: as nobody, with keys that
//! open nothing, as a caller lacking exactly the declared permission, as one with nothing but it, as a
//! stranger, and as the bootstrap key.

use chrono::TimeDelta;
use claviger_domain::organization::OrganizationStatus;
use claviger_domain::secret::KeyFormat;
use serde_json::json;

use crate::gateway::stage;
use crate::openapi::WITHOUT_PERMISSION;
use crate::openapi::operations::{Operation, of};
use crate::support::{ALL, Answer, World};

mod gateway;
mod organization;
mod platform;
pub(crate) mod scene;

use scene::{Ids, Scene, call};

/// The permission that no admin key can be given.
const BOOTSTRAP_ONLY: &str = "manage_admin_keys";

fn permission(operation: &Operation) -> Option<String> {
    let permissions = operation.permissions().unwrap();
    assert!(permissions.len() < 2, "{} needs {permissions:?}", operation.id());
    permissions.into_iter().next()
}

#[tokio::test]
async fn nobody_gets_in() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for operation in of("partner") {
        let answer = scene.call(&world.nobody(), &operation).await;
        answer.refused(401, "Missing or invalid admin API key");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{}", operation.id());
        operation.admits(&answer);
    }
}

#[tokio::test]
async fn an_authorization_that_carries_no_key_is_none() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let key = scene.owner.key.clone().unwrap();
    let values = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        key.clone(),
        format!("Basic {key}"),
        format!("Token {key}"),
        format!("Bearer {key} {key}"),
        format!("Bearer {key},"),
        format!("Bearer\t{key}"),
    ];
    for operation in of("partner") {
        for value in &values {
            let caller = world.nobody();
            let request = caller.request(&operation.method, &scene.path(&operation));
            let answer = caller.send(request.header("authorization", value), "").await;
            answer.refused(401, "Missing or invalid admin API key");
        }
    }
    let caller = world.nobody();
    let request = caller.request("GET", "/v1/admin/me").header("authorization", format!("bEARER  {key} "));
    assert_eq!(caller.send(request, "").await.status, 200, "the scheme's case and spaces do not matter");
}

#[tokio::test]
async fn keys_that_open_nothing_are_all_the_same() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let bootstrap = world.bootstrap();
    let in_an_hour = (world.app.now() + TimeDelta::hours(1)).to_rfc3339();
    let expiring = json!({"entity_name": "YourCompany", "permissions": ALL, "expires_at": in_an_hour});
    let expired = bootstrap.post("/v1/admin/admin-keys", &expiring).await.data();
    let revoked = world.partner().await;
    bootstrap.delete(&format!("/v1/admin/admin-keys/{}", revoked.id)).await.data();
    let taken = scene.owner.key.clone().unwrap();
    let mistyped = format!("{}{}", &taken[..50], if taken.ends_with('0') { '1' } else { '0' });
    let keys = [
        ("garbage", "garbage".to_owned()),
        ("mistyped", mistyped),
        ("unknown", stage::never_issued(KeyFormat::Admin)),
        ("unknown bootstrap", stage::never_issued(KeyFormat::Bootstrap)),
        ("expired", expired["api_key"].as_str().unwrap().to_owned()),
        ("revoked", revoked.key.clone().unwrap()),
        ("a customer's", scene.key.clone()),
    ];
    world.bearer(&keys[4].1).get("/v1/admin/me").await.data();
    world.advance(TimeDelta::hours(1));
    for operation in of("partner") {
        for (what, key) in &keys {
            let answer = scene.call(&world.bearer(key), &operation).await;
            assert_eq!(answer.status, 403, "{what} key on {}", operation.id());
            answer.refused(403, "Invalid admin API key");
            operation.admits(&answer);
        }
    }
}

#[tokio::test]
async fn a_caller_lacking_exactly_the_permission_is_told_so() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for operation in of("partner") {
        let Some(needed) = permission(&operation) else {
            assert!(WITHOUT_PERMISSION.contains(&operation.id()), "{}", operation.id());
            continue;
        };
        let (caller, text) = if needed == BOOTSTRAP_ONLY {
            (world.partner().await, "Permission denied: bootstrap key required".to_owned())
        } else {
            assert!(ALL.contains(&needed.as_str()), "{} needs the unknown {needed}", operation.id());
            (world.partner_lacking(&needed).await, format!("Permission denied: {needed} required"))
        };
        for ids in [&scene.ids, &Ids::of_nothing()] {
            let answer = call(&caller, &operation, ids).await;
            answer.refused(403, &text);
            operation.admits(&answer);
        }
        // Nor does a malformed request change the order of the checks.
        let path = operation.at(|_| "not-an-id".to_owned()) + "?limit=-1&surprise";
        let request = caller.request(&operation.method, &path).header("content-type", "text/plain");
        caller.send(request, "{").await.refused(403, &text);
    }
}

/// The other half of the proof that the declared permission is the one that guards.
#[tokio::test]
async fn nothing_but_the_permission_is_needed() {
    for operation in of("partner") {
        let world = World::new().await;
        let scene = Scene::new(&world).await;
        scene.ready_for(&operation).await;
        let answer = match permission(&operation) {
            Some(needed) if needed == BOOTSTRAP_ONLY => scene.call(&world.bootstrap(), &operation).await,
            Some(needed) => {
                scene.narrow(&[needed]).await;
                scene.call(&scene.owner, &operation).await
            }
            None => {
                scene.narrow(&[ALL[0].to_owned()]).await;
                scene.call(&scene.owner, &operation).await
            }
        };
        assert!((200..300).contains(&answer.status), "{}: {} {}", operation.id(), answer.status, answer.text);
        operation.admits(&answer);
    }
}

/// All that an answer tells, but for the request's own id.
fn told(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status, answer.text.clone(), headers.collect())
}

#[tokio::test]
async fn to_a_stranger_what_is_anothers_does_not_exist() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    // Of another entity, and of the same one: what counts is which key made the thing.
    for stranger in [world.stranger().await, world.partner().await] {
        let before = scene.owner.get(&format!("/v1/admin/credentials/{}", scene.ids.credential)).await;
        let mut compared = 0;
        for operation in of("partner").iter().filter(|op| permission(op).is_some_and(|p| p != BOOTSTRAP_ONLY))
        {
            let names_a_user =
                scene.body(operation).is_some_and(|body| body.get("user_account_id").is_some());
            if !operation.has_variable() && !names_a_user {
                continue;
            }
            compared += 1;
            let answer = call(&stranger, operation, &scene.ids).await;
            assert_eq!(answer.status, 404, "{}: {}", operation.id(), answer.text);
            operation.admits(&answer);
            let of_nothing = call(&stranger, operation, &Ids::of_nothing()).await;
            assert_eq!(told(&answer), told(&of_nothing), "{}", operation.id());
            if operation.has_parameter("If-Match") {
                for tag in ["\"1\"", "\"7\"", "*"] {
                    let request = stranger.request(&operation.method, &scene.path(operation));
                    let request = request.header("if-match", tag).header("content-type", "application/json");
                    let body = scene.body(operation).map(|body| body.to_string()).unwrap_or_default();
                    assert_eq!(told(&stranger.send(request, body).await), told(&of_nothing), "{tag}");
                }
            }
        }
        assert!(compared > 10, "only {compared} operations name something");
        let after = scene.owner.get(&format!("/v1/admin/credentials/{}", scene.ids.credential)).await;
        assert_eq!(told(&before), told(&after), "the stranger changed nothing");
    }
}

#[tokio::test]
async fn a_strangers_lists_are_empty_whatever_they_ask_for() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let bootstrap = world.bootstrap();
    bootstrap.post("/v1/keys/verify", &json!({"key": scene.key})).await;
    let stranger = world.stranger().await;
    let Ids { user, credential, .. } = &scene.ids;
    let own = &scene.owner.id;
    for path in [
        "/v1/admin/users".to_owned(),
        "/v1/admin/users/usage/summary".to_owned(),
        "/v1/admin/credentials?includeRevoked=true".to_owned(),
        "/v1/admin/usage".to_owned(),
        "/v1/admin/audit-logs".to_owned(),
        format!("/v1/admin/audit-logs?admin_key_id={own}"),
        format!("/v1/admin/audit-logs?target_id={credential}"),
    ] {
        let seen = stranger.get(&path).await;
        assert_eq!((seen.data(), &seen.json()["pagination"]["total"]), (json!([]), &json!(0)), "{path}");
        let seen = scene.owner.get(&path).await;
        assert_ne!(seen.json()["pagination"]["total"], 0, "{path}: the owner sees something");
    }
    for user in [user, &Ids::of_nothing().user] {
        let path = format!("/v1/admin/usage?user_account_id={user}");
        stranger.get(&path).await.refused(404, "User account not found");
    }
}

#[tokio::test]
async fn the_bootstrap_key_does_not_act_for_a_partner() {
    let world = World::new().await;
    let mut refused = 0;
    for operation in of("partner") {
        let scene = Scene::new(&world).await;
        let group = operation.path.split('/').nth(3).unwrap();
        let answer = scene.call(&world.bootstrap(), &operation).await;
        if let "users" | "credentials" = group {
            refused += 1;
            let text = format!("Bootstrap key cannot manage {group}. Create an admin key first.");
            answer.refused(400, &text);
        } else {
            assert!(answer.status < 300, "{}: {}", operation.id(), answer.text);
        }
        operation.admits(&answer);
    }
    assert!(refused >= 15, "{refused} operations are a partner's own");
}

#[tokio::test]
async fn a_suspended_organizations_admin_keys_open_nothing() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let organization = stage::organization_of(&world, &scene.owner).await;
    stage::change_organization(&world, organization, |it| it.status = OrganizationStatus::Suspended).await;
    scene.owner.get("/v1/admin/me").await.refused(403, "Invalid admin API key");
    let body = json!({"entity_name": "YourCompany", "permissions": ["view_usage"]});
    let answer = world.bootstrap().post("/v1/admin/admin-keys", &body).await;
    answer.refused(409, "Organization is suspended");
    stage::change_organization(&world, organization, |it| it.status = OrganizationStatus::Active).await;
    assert_eq!(scene.owner.get("/v1/admin/me").await.status, 200);
}
