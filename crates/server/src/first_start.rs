//! What is said on the very first start: the bootstrap key, once, and what to do with it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use claviger_domain::secret::Plaintext;

/// The text for standard output; the calls in it can be pasted as they are.
pub(crate) fn text(key: &Plaintext, listening: SocketAddr) -> String {
    let key = key.expose();
    let base = format!("http://{}", reachable(listening));
    format!(
        r#"bootstrap key: {key}

It is shown this once. `claviger bootstrap-key rotate` replaces it when it is lost.

Next, make an admin key for a partner:

  curl -sS {base}/v1/admin/admin-keys \
    -H 'Authorization: Bearer {key}' \
    -H 'Content-Type: application/json' \
    -d '{{"entity_name":"Acme","permissions":["manage_credentials","manage_users","view_audit_logs","view_usage"]}}'

Then, with the `api_key` of its answer, the partner's first credential:

  ADMIN_KEY=iiak_admin_...
  curl -sS {base}/v1/admin/credentials \
    -H "Authorization: Bearer $ADMIN_KEY" \
    -H 'Content-Type: application/json' \
    -d '{{"name":"First credential","network_id":0}}'

Every call, with "Try it": {base}/docs
"#
    )
}

/// An address that stands for all of the machine's is not one that a caller can use.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests {
    use claviger_domain::secret::KeyFormat;

    use super::*;
    use crate::system::random;

    #[test]
    fn the_key_stands_on_a_line_of_its_own_and_in_the_call() {
        let key = Plaintext::generate(KeyFormat::Bootstrap, &mut random());
        let text = text(&key, "0.0.0.0:9000".parse().unwrap());
        assert_eq!(text.lines().next(), Some(format!("bootstrap key: {}", key.expose()).as_str()));
        assert!(text.contains(&format!("'Authorization: Bearer {}'", key.expose())));
        assert!(text.contains("curl -sS http://127.0.0.1:9000/v1/admin/admin-keys"));
        let body =
            text.lines().find_map(|line| line.trim().strip_prefix("-d '")?.strip_suffix('\'')).unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["permissions"].as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn an_address_for_all_is_turned_into_one() {
        for (listening, shown) in
            [("[::]:80", "[::1]:80"), ("0.0.0.0:1", "127.0.0.1:1"), ("192.0.2.7:8080", "192.0.2.7:8080")]
        {
            assert_eq!(reachable(listening.parse().unwrap()).to_string(), shown);
        }
    }
}
