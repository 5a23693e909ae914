//! Where a call came from: the peer, unless the operator trusts that peer to say better.

use chrono::TimeDelta;
use claviger_http::HttpSettings;
use serde_json::{Value, json};

use super::{all, entries};
use crate::support::{Caller, World};

/// The address that the log has for a change sent with these headers.
async fn address(caller: &Caller<'_>, forwarded: &[&str]) -> Value {
    let mut request = caller.request("POST", "/v1/admin/users").header("content-type", "application/json");
    for line in forwarded {
        request = request.header("x-forwarded-for", *line);
    }
    caller.send(request, json!({"name": "B"}).to_string()).await.data();
    entries(caller, "limit=1").await.remove(0)["ip_address"].clone()
}

#[tokio::test]
async fn nobody_is_believed_about_its_own_address() {
    let world = World::new().await;
    let partner = world.partner().await;
    for forwarded in [vec![], vec!["203.0.113.9"], vec!["203.0.113.9, 192.0.2.1"], vec!["rubbish"]] {
        world.advance(TimeDelta::seconds(1));
        assert_eq!(address(&partner, &forwarded).await, "192.0.2.1", "{forwarded:?}");
    }
    let request = partner.request("GET", "/v1/admin/users");
    let request = request.header("x-real-ip", "203.0.113.9").header("forwarded", "for=203.0.113.9");
    partner.send(request.header("x-forwarded-for", "203.0.113.9"), "").await;
    let read = all(&world, &partner, "action=user_account.read").await;
    assert_eq!(read[0]["ip_address"], "192.0.2.1");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_nobody_before_it() {
    let trusted_proxies = vec!["192.0.2.0/24".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    let world = World::with_http(HttpSettings { trusted_proxies, ..HttpSettings::default() }).await;
    let partner = world.partner().await;
    for (forwarded, expected) in [
        (vec![], "192.0.2.1"),
        (vec!["203.0.113.9"], "203.0.113.9"),
        (vec!["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (vec!["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (vec!["6.6.6.6, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (vec!["203.0.113.9,10.1.2.3,192.0.2.77"], "203.0.113.9"),
        (vec!["2001:db8::1"], "2001:db8::1"),
        (vec!["::ffff:203.0.113.9"], "203.0.113.9"),
        (vec!["203.0.113.9:4711"], "203.0.113.9"),
        (vec!["rubbish, 203.0.113.9"], "203.0.113.9"),
    ] {
        world.advance(TimeDelta::seconds(1));
        assert_eq!(address(&partner, &forwarded).await, expected, "{forwarded:?}");
    }
    world.advance(TimeDelta::seconds(1));
    let untold = address(&partner, &["203.0.113.9, rubbish"]).await;
    assert_eq!(untold, Value::Null, "the proxy itself did not say where the call came from");
}

#[tokio::test]
async fn a_call_without_a_request_id_is_given_one_that_the_log_has_too() {
    let world = World::new().await;
    let partner = world.partner().await;
    for given in [None, Some("mine-1"), Some("not fit for logs"), Some("")] {
        world.advance(TimeDelta::seconds(1));
        let mut request =
            partner.request("POST", "/v1/admin/users").header("content-type", "application/json");
        if let Some(given) = given {
            request = request.header("x-request-id", given);
        }
        let answer = partner.send(request, json!({"name": "B"}).to_string()).await;
        let told = answer.header("x-request-id").to_owned();
        let entry = entries(&partner, "limit=1").await.remove(0);
        assert_eq!(entry["request_id"], told);
        match given {
            Some("mine-1") => assert_eq!(told, "mine-1"),
            _ => assert!(told.starts_with("req_") && told.len() == 20, "{told}"),
        }
    }
}
