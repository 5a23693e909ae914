//! What is served beside the documents: their reader, and nothing that no document tells of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use axum::body::Body;

use crate::openapi::OF_THE_PRESENTED_KEY;
use crate::openapi::operations::all;
use crate::support::World;

#[tokio::test]
async fn the_reader_needs_nothing_from_elsewhere() {
    let world = World::new().await;
    let page = world.nobody().get("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    assert_eq!(addresses_elsewhere(&page.text), [""; 0]);

    let assets = attributes(&page.text);
    for kind in [".js", ".css"] {
        assert!(assets.iter().any(|asset| asset.ends_with(kind)), "no {kind} among {assets:?}");
    }
    for asset in assets {
        let path = format!("/docs/{}", asset.trim_start_matches("./").trim_start_matches("/docs/"));
        let answer = bytes(&world, &path).await;
        assert_eq!(answer.0, 200, "{path}");
        assert!(!answer.1.is_empty(), "{path} is empty");
    }
    let start = world.nobody().get("/docs/swagger-initializer.js").await;
    assert_eq!(start.status, 200);
    assert_eq!(addresses_elsewhere(&start.text), [""; 0]);
    for (name, _) in claviger_http::documents() {
        assert!(start.text.contains(&format!("/openapi/{name}.json")), "{name} is not in {}", start.text);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("http"), "{policy}");
    assert_eq!(world.nobody().get("/").await.header("location"), "/docs/");
}

/// What the page names in `src` and `href`.
fn attributes(html: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for attribute in ["src=\"", "href=\""] {
        for rest in html.split(attribute).skip(1) {
            found.insert(rest.split('"').next().unwrap().to_owned());
        }
    }
    found
}

fn addresses_elsewhere(text: &str) -> Vec<String> {
    let starts = ["http://", "https://", "src=\"//", "href=\"//", "@import"];
    let at = starts.iter().flat_map(|start| text.match_indices(start));
    at.map(|(place, _)| text[place..].chars().take(60).collect()).collect()
}

/// Assets may be anything; only texts can be read as an `Answer`.
async fn bytes(world: &World, path: &str) -> (u16, Vec<u8>) {
    use http_body_util::BodyExt;
    let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
    let response = world.front.clone().answer(request, None).await;
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

/// A documented path has exactly the documented methods, and says so when asked for another.
#[tokio::test]
async fn every_path_has_its_documented_methods_and_no_others() {
    let world = World::new().await;
    let mut paths = BTreeMap::<String, BTreeSet<String>>::new();
    for operation in all() {
        // What a client sends to the upstream, a proxy asks about in the client's own method.
        if operation.id() == OF_THE_PRESENTED_KEY {
            continue;
        }
        let path = operation.at(|_| "01932a3e-5f00-7000-8000-000000000001".to_owned());
        let methods = paths.entry(path).or_default();
        if operation.method == "GET" {
            methods.insert("HEAD".to_owned());
        }
        methods.insert(operation.method);
    }
    for (path, methods) in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let caller = world.nobody();
            let answer = caller.send(caller.request(method, &path), Body::empty()).await;
            if methods.contains(method) {
                // A body comes first where nobody is asked who calls.
                let expected = if path.ends_with("/revoke-self") { 415 } else { 401 };
                assert_eq!(answer.status, expected, "{method} {path} {}", answer.text);
            } else {
                assert_eq!(answer.status, 405, "{method} {path} {}", answer.text);
                let allowed: BTreeSet<_> = answer.header("allow").split(',').map(str::to_owned).collect();
                assert_eq!(allowed, methods, "{path}");
            }
        }
    }
}

/// `routes!` is the only registration, so that nothing is served which no document tells of; health,
/// figures and the documents themselves are the exception, and the operation that is told of with one method and
/// served for all.
#[test]
fn operations_are_registered_with_their_documents() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/http/src");
    let (mut operations, mut registered) = (0, 0);
    for file in files_below(&sources) {
        let text = std::fs::read_to_string(&file).unwrap();
        let by_hand = [".route(", ".route_service(", ".nest(", ".nest_service("];
        if by_hand.iter().any(|call| text.contains(call)) {
            assert!(file.ends_with("ops.rs"), "{} registers a route by hand", file.display());
        }
        operations += text.matches("#[utoipa::path(").count();
        for list in text.split("routes!(").skip(1) {
            registered +=
                list.split(')').next().unwrap().split(',').filter(|name| !name.trim().is_empty()).count();
        }
    }
    // Those that no router knows are told of in the gateway's document by name, and answered by what matches their path.
    assert_eq!((operations, registered + BUSY.len()), (all().len(), all().len()));
}

const BUSY: [&str; 4] =
    ["/v1/keys/verify", "/v1/keys/verify-batch", "/v1/keys/revoke-self", "/v1/forward-auth"];

#[tokio::test]
async fn what_no_router_knows_is_documented_and_there() {
    let world = World::new().await;
    for path in BUSY {
        let operation = all().into_iter().find(|operation| operation.path == path).expect(path);
        let request = world.nobody().request(&operation.method.to_uppercase(), path);
        let answer = world.nobody().send(request, Body::empty()).await;
        assert_ne!(answer.status, 404, "{path}");
    }
}

/// A future is moved about as a whole: what is rarely waited for stands elsewhere.
#[tokio::test]
async fn the_future_of_an_answer_is_small() {
    let world = World::new().await;
    let request = axum::http::Request::get("/").body(Body::empty()).unwrap();
    let size = size_of_val(&world.front.clone().answer(request, None));
    assert!(size <= 2560, "{size} bytes");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
