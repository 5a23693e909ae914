//! Callers who take up connections and ask nothing.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use reqwest::{Client, StatusCode};

use crate::support::Installation;

#[tokio::test]
async fn one_address_that_says_nothing_does_not_shut_the_others_out() {
    let installation = Installation::new();
    let server = installation.start_with(&[("CLAVIGER_MAX_CONNECTIONS", "20")]);
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let other = Client::builder().local_address(Some(Ipv4Addr::new(127, 0, 0, 2).into())).build().unwrap();
    let health = other.get(format!("http://{}/health/live", server.address));
    let answer = health.timeout(Duration::from_secs(5)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let told = |log: &str| log.matches("CLAVIGER_MAX_CONNECTIONS_PER_ADDRESS").count();
    server.wait_for(|server| (told(&server.log()) > 0).then_some(()));
    assert_eq!(told(&server.log()), 1, "{}", server.log());
    drop(silent);
    server.stop();
}
