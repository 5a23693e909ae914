//! Several keys in one request.

use claviger_domain::credential::Class;
use claviger_domain::secret::KeyFormat;
use serde_json::{Value, json};

use super::stage::{self, Subject};
use super::verify;
use crate::openapi::operations::{Operation, of};
use crate::support::{Answer, Caller, World};

const PATH: &str = "/v1/keys/verify-batch";

fn verify_keys() -> Operation {
    of("gateway").into_iter().find(|operation| operation.id() == "verify_keys").unwrap()
}

async fn ask(caller: &Caller<'_>, requests: Value) -> Answer {
    let answer = caller.post(PATH, &json!({"requests": requests})).await;
    verify_keys().admits(&answer);
    answer
}

fn codes(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let results = answer.json()["results"].as_array().unwrap().clone();
    results.iter().map(|result| result["code"].as_str().unwrap().to_owned()).collect()
}

async fn limited<'w>(world: &'w World, limits: &str) -> Subject<'w> {
    let organization = stage::organization(world, "Tenant").await.id;
    stage::credential(world, organization, Class::Live, |it| it.limits = limits.parse().unwrap()).await
}

#[tokio::test]
async fn each_is_decided_in_its_turn_and_told_in_its_place() {
    let world = World::new().await;
    let subject = limited(&world, "requests:2/60").await;
    let other = limited(&world, "requests:9/60").await;
    let unknown = stage::never_issued(KeyFormat::Partner);
    let in_turn = [
        (json!({"key": subject.key}), "VALID"),
        (json!({"key": "rubbish"}), "MALFORMED"),
        (json!({"key": other.key, "cost": 4, "environment": "live"}), "VALID"),
        (json!({"key": subject.key, "environment": "test"}), "WRONG_ENVIRONMENT"),
        (json!({"key": subject.key}), "VALID"),
        (json!({"key": unknown}), "NOT_FOUND"),
        (json!({"key": subject.key}), "RATE_LIMITED"),
        (json!({"key": other.key, "cost": 5}), "VALID"),
        (json!({"key": other.key, "cost": 0}), "VALID"),
    ];
    let requests: Vec<_> = in_turn.iter().map(|(request, _)| request).collect();
    let answer = ask(&world.bootstrap(), json!(requests)).await;
    assert_eq!(codes(&answer), in_turn.each_ref().map(|(_, code)| *code));
    let results = answer.json()["results"].clone();
    assert_eq!(results[2]["ratelimits"][0]["remaining"], 5);
    assert_eq!(results[8]["ratelimits"][0]["remaining"], 0);
    assert!(results.as_array().unwrap().iter().all(|it| it["request_id"] == answer.header("x-request-id")));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((subject.usage().await, other.usage().await), ((4, 2), (3, 0)));

    // Alone, it would have been told the same.
    let mut alone = verify(&world, &other.key, json!({"cost": 0})).await;
    alone["request_id"] = results[8]["request_id"].clone();
    assert_eq!(results[8], alone);
}

#[tokio::test]
async fn a_hundred_are_taken_and_no_more() {
    let world = World::new().await;
    let subject = limited(&world, "requests:1000/60").await;
    let many = |count: usize| json!(vec![json!({"key": subject.key}); count]);
    assert_eq!(codes(&ask(&world.bootstrap(), many(0)).await), [""; 0]);
    assert_eq!(codes(&ask(&world.bootstrap(), many(100)).await), ["VALID"; 100]);
    let refused = ask(&world.bootstrap(), many(101)).await;
    let told = (refused.status, refused.json()["field"].clone(), refused.json()["detail"].clone());
    assert_eq!(told, (400, json!("requests"), json!("requests must have 100 items or less")));
    assert_eq!(subject.usage().await, (100, 0));
}

#[tokio::test]
async fn one_wrong_request_refuses_all_of_them() {
    let world = World::new().await;
    let subject = limited(&world, "requests:5/60").await;
    for (place, wrong, field, detail) in [
        (3, json!({"key": "iiak_", "cost": -1}), ".cost", "must be an integer between 0 and 4294967295"),
        (0, json!({"key": "iiak_", "cost": "1"}), ".cost", "must be an integer"),
        (4, json!({"key": 7}), ".key", "must be a string"),
        (1, json!({}), ".key", "is required"),
        (2, json!({"key": "iiak_", "ip": "localhost"}), ".ip", "must be an IP address"),
        (2, json!({"key": "iiak_", "network_id": 3}), ".network_id", "must be 0, 1 or 2"),
        (2, json!({"key": "iiak_", "environment": "x"}), ".environment", "must be one of: live, test"),
        (
            2,
            json!({"key": "iiak_", "scopes": "a b"}),
            ".scopes",
            "must be scopes joined by AND and OR, or a list of scopes",
        ),
        (2, json!({"key": "iiak_", "tags": vec!["x"; 21]}), ".tags", "must have 20 items or less"),
        (4, json!("iiak_"), "", "must be an object"),
        (4, json!(null), "", "must be an object"),
    ] {
        let mut requests = vec![json!({"key": subject.key}); 4];
        requests.insert(place, wrong.clone());
        let refused = ask(&world.bootstrap(), json!(requests)).await;
        let field = format!("requests[{place}]{field}");
        let told = (refused.status, refused.json()["field"].clone(), refused.json()["detail"].clone());
        assert_eq!(told, (400, json!(field), json!(format!("{field} {detail}"))), "{wrong}");
    }
    let unknown = json!([{"key": subject.key}, {"key": subject.key, "surprise": 1}]);
    let refused = ask(&world.bootstrap(), unknown).await;
    let told = (refused.status, refused.json()["detail"].clone());
    assert_eq!(told, (400, json!("Unknown field: requests[1].surprise")));
    for body in [json!({}), json!({"requests": {}}), json!({"requests": null}), json!({"requests": "x"})] {
        let refused = world.bootstrap().post(PATH, &body).await;
        assert_eq!((refused.status, &refused.json()["field"]), (400, &json!("requests")), "{body}");
    }
    assert_eq!(subject.usage().await, (0, 0), "nothing was decided");
    let told = verify(&world, &subject.key, json!({"cost": 0})).await;
    assert_eq!(told["ratelimits"][0]["remaining"], 5, "and nothing spent");
}

#[tokio::test]
async fn of_another_organizations_keys_nothing_is_said() {
    let world = World::new().await;
    let own = stage::organization(&world, "Tenant").await.id;
    let scopes = "keys:verify".parse().unwrap();
    let asker = stage::credential(&world, own, Class::Live, |it| it.scopes = scopes).await;
    let foreign = limited(&world, "requests:5/60").await;
    let unknown = stage::never_issued(KeyFormat::Live);
    let requests = json!([{"key": foreign.key}, {"key": asker.key}, {"key": unknown}]);
    let answer = ask(&world.bearer(&asker.key), requests).await;
    assert_eq!(codes(&answer), ["NOT_FOUND", "VALID", "NOT_FOUND"]);
    assert_eq!(answer.json()["results"][0], answer.json()["results"][2], "not even that there is one");
    assert_eq!((foreign.usage().await, asker.usage().await), ((0, 0), (1, 0)));
}
