//! The keys that are asked about, and the requests that ask.

use std::sync::Arc;

use claviger_domain::secret::{KeyFormat, Plaintext};
use serde_json::Value;

use crate::Outcome;
use crate::client;
use crate::installation::{CREDENTIALS, Installation, Server};
use crate::pace::Question;
use crate::random::Random;

/// The highest limit a partner may give: so many keys are never refused, and each call is weighed.
const NEW_CREDENTIAL: &str = r#"{"name":"Production","network_id":0,"rate_limit_per_minute":10000}"#;

/// So many are asked about, in random order.
pub(crate) const KEYS: usize = 1_000;

/// Makes credentials; answers their keys.
pub(crate) fn issue(server: &Server, installation: &Installation, count: usize) -> Outcome<Vec<String>> {
    let mut client = server.client(&installation.key)?;
    (0..count)
        .map(|_| {
            let made: Value = serde_json::from_slice(client.post(CREDENTIALS, NEW_CREDENTIAL)?)?;
            Ok(made["data"]["api_key"].as_str().ok_or("no key was made")?.to_owned())
        })
        .collect()
}

/// The body of a call to `POST /v1/keys/verify`.
pub(crate) fn body(key: &str) -> String {
    format!(r#"{{"key":"{key}","network_id":0}}"#)
}

/// One of the keys at random, which must be valid.
pub(crate) fn valid(keys: &[String], bootstrap_key: &str) -> Arc<Question> {
    let requests: Vec<_> = keys.iter().map(|key| verify(key, bootstrap_key)).collect();
    let write = move |random: &mut Random, request: &mut Vec<u8>| {
        request.extend_from_slice(&requests[random.below(requests.len())]);
    };
    let is_right = |status, body: &[u8]| status == 200 && body.starts_with(br#"{"valid":true"#);
    Arc::new(Question { write: Box::new(write), is_right })
}

/// Keys that look right and that nobody has, each another one.
pub(crate) fn guesses(bootstrap_key: &str) -> Arc<Question> {
    let bootstrap_key = bootstrap_key.to_owned();
    let write = move |random: &mut Random, request: &mut Vec<u8>| {
        let key = Plaintext::generate(KeyFormat::Partner, random);
        request.extend_from_slice(&verify(key.expose(), &bootstrap_key));
    };
    let is_right =
        |status, body: &[u8]| status == 200 && body.starts_with(br#"{"valid":false,"code":"NOT_FOUND""#);
    Arc::new(Question { write: Box::new(write), is_right })
}

fn verify(key: &str, bootstrap_key: &str) -> Vec<u8> {
    client::request("POST", "/v1/keys/verify", bootstrap_key, &body(key)).into_bytes()
}
