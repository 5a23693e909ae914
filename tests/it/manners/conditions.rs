//! `ETag` and `If-Match` on single resources.

use serde_json::{Value, json};

use crate::authority::scene::Scene;
use crate::openapi::operations::all;
use crate::support::{Answer, Caller, World};

const STALE: &str = "The resource has changed: If-Match does not hold";

async fn conditional(caller: &Caller<'_>, method: &str, path: &str, tag: &[u8], body: &Value) -> Answer {
    let request = caller.request(method, path).header("content-type", "application/json");
    let body = if method == "DELETE" { String::new() } else { body.to_string() };
    caller.send(request.header("if-match", tag), body).await
}

/// Each kind of single resource: who may change it, where it is, and a change.
async fn resources<'s>(world: &'s World, scene: &'s Scene<'s>) -> [(Caller<'s>, String, Value); 3] {
    let name = json!({"name": "Renamed"});
    let path = |kind: &str, id: &str| format!("/v1/admin/{kind}/{id}");
    [
        ((*scene.owner).clone(), path("users", &scene.ids.user), name.clone()),
        ((*scene.owner).clone(), path("credentials", &scene.ids.credential), name.clone()),
        (world.bootstrap(), path("admin-keys", &scene.ids.admin_key), name),
    ]
}

#[test]
fn every_change_of_a_single_resource_can_be_conditional() {
    for operation in all() {
        let changes = matches!(operation.method.as_str(), "PATCH" | "DELETE");
        assert_eq!(operation.has_parameter("If-Match"), changes, "{}", operation.id());
    }
}

#[tokio::test]
async fn a_stale_tag_is_refused_wherever_the_documents_tell_of_one() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let mut asked = 0;
    for operation in all().into_iter().filter(|operation| operation.has_parameter("If-Match")) {
        // A user becomes a member once: before that there is no membership to change.
        if operation.path.ends_with("/members/{user}") {
            scene.ready_for(&operation).await;
        }
        let caller = scene.caller(&operation);
        let body = scene.body(&operation).unwrap_or_default();
        let path = scene.path(&operation);
        let answer = conditional(&caller, &operation.method, &path, b"\"999\"", &body).await;
        assert_eq!(answer.status, 412, "{}: {}", operation.id(), answer.text);
        operation.admits(&answer);
        asked += 1;
    }
    assert!(asked > 20, "only {asked} operations were asked");
}

#[tokio::test]
async fn a_tag_names_one_state_of_a_resource() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for (caller, path, change) in resources(&world, &scene).await {
        let first = caller.get(&path).await;
        assert_eq!(first.header("etag"), "\"1\"", "{path}");
        assert_eq!(caller.get(&path).await.header("etag"), "\"1\"", "reading changes nothing");
        let changed = caller.patch(&path, &change).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{path}");
        assert_eq!(caller.get(&path).await.header("etag"), "\"2\"");
    }
    let path = format!("/v1/admin/users/{}", scene.ids.user);
    scene.owner.post_empty(&format!("{path}/suspend")).await.data();
    assert_eq!(scene.owner.get(&path).await.header("etag"), "\"3\"", "a suspension is a change");
    let by_external_id = format!("/v1/admin/users/by-external-id/{}", scene.ids.external_id);
    assert_eq!(scene.owner.get(&by_external_id).await.header("etag"), "\"3\"");
    let path = format!("/v1/admin/credentials/{}", scene.ids.credential);
    let rotated = scene.owner.post_empty(&format!("{path}/rotate")).await;
    assert_eq!(rotated.header("etag"), "\"3\"", "so is a new key");
    let revoked = scene.owner.delete(&path).await;
    assert_eq!(revoked.header("etag"), "\"4\"");
    assert_eq!(scene.owner.get(&path).await.header("etag"), "\"4\"");
    assert!(scene.owner.get("/v1/admin/users").await.headers.get("etag").is_none(), "lists have none");
}

#[tokio::test]
async fn what_is_made_has_its_first_tag() {
    let world = World::new().await;
    let partner = world.partner().await;
    let user = partner.post("/v1/admin/users", &json!({"name": "A"})).await;
    let credential = partner.post("/v1/admin/credentials", &json!({"name": "A", "network_id": 0})).await;
    let body = json!({"entity_name": "A", "permissions": ["view_usage"]});
    let admin_key = world.bootstrap().post("/v1/admin/admin-keys", &body).await;
    for made in [user, credential, admin_key] {
        assert_eq!((made.status, made.header("etag")), (201, "\"1\""));
    }
}

#[tokio::test]
async fn a_stale_or_foreign_tag_changes_nothing() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for (caller, path, change) in resources(&world, &scene).await {
        caller.patch(&path, &change).await.data();
        let before = caller.get(&path).await;
        assert_eq!(before.header("etag"), "\"2\"");
        let methods: &[&str] = if path.contains("/users/") { &["PATCH"] } else { &["PATCH", "DELETE"] };
        let tags: [&[u8]; 19] = [
            b"\"1\"",
            b"\"3\"",
            b"\"0\"",
            b"\"-2\"",
            b"\"99999999999999999999999999\"",
            b"\"1\", \"3\"",
            // Tags are compared letter by letter, not as numbers.
            b"\"02\"",
            b"\"+2\"",
            b"\"2 \"",
            // If-Match compares strongly: a weak tag never matches.
            b"W/\"2\"",
            b"w/\"2\"",
            b"2",
            b"'2'",
            b"\"2",
            b"\"\"",
            b"",
            b"garbage",
            b"**",
            b"\xff",
        ];
        for method in methods {
            for tag in tags {
                let answer = conditional(&caller, method, &path, tag, &change).await;
                assert_eq!(answer.status, 412, "{method} {path} {:?}", String::from_utf8_lossy(tag));
                answer.refused(412, STALE);
            }
        }
        let after = caller.get(&path).await;
        assert_eq!((after.text.as_str(), after.header("etag")), (before.text.as_str(), "\"2\""));
    }
}

#[tokio::test]
async fn a_tag_that_holds_lets_the_change_through() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    for (caller, path, change) in resources(&world, &scene).await {
        for (tag, expected) in [
            ("\"1\"", "\"2\""),
            ("*", "\"3\""),
            ("\"1\", \"3\"", "\"4\""),
            ("\"4\",\"garbage\",W/\"9\"", "\"5\""),
            ("  \"5\"  ", "\"6\""),
        ] {
            let answer = conditional(&caller, "PATCH", &path, tag.as_bytes(), &change).await;
            assert_eq!((answer.status, answer.header("etag")), (200, expected), "{path} {tag}");
        }
        let request = caller.request("PATCH", &path).header("content-type", "application/json");
        let request = request.header("if-match", "\"1\"").header("if-match", "\"6\"");
        let answer = caller.send(request, change.to_string()).await;
        assert_eq!((answer.status, answer.header("etag")), (200, "\"7\""), "two lines are one list");
        if !path.contains("/users/") {
            conditional(&caller, "DELETE", &path, b"\"6\"", &change).await.refused(412, STALE);
            let answer = conditional(&caller, "DELETE", &path, b"\"7\"", &change).await;
            assert_eq!((answer.status, answer.header("etag")), (200, "\"8\""));
        }
    }
}

/// The condition is looked at last: what is wrong with the request, or not there, is told first.
#[tokio::test]
async fn a_condition_hides_no_other_refusal() {
    let world = World::new().await;
    let scene = Scene::new(&world).await;
    let owner = &scene.owner;
    let path = format!("/v1/admin/credentials/{}", scene.ids.credential);
    let stale =
        async |path: &str, method: &str, body: Value| conditional(owner, method, path, b"\"9\"", &body).await;
    stale(&path, "PATCH", json!({"name": ""}))
        .await
        .refused(400, "Name is required and must be a non-empty string");
    stale("/v1/admin/credentials/nonsense", "DELETE", json!({}))
        .await
        .refused(400, "Invalid credential ID format");
    let missing = "/v1/admin/credentials/01932a3e-5f00-7000-8000-0000000000a2";
    stale(missing, "DELETE", json!({})).await.refused(404, "Credential not found or already revoked");
    owner.delete(&path).await.data();
    stale(&path, "DELETE", json!({})).await.refused(404, "Credential not found or already revoked");
}
