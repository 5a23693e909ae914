//! What the platform surface is told about the installation's settings.

use claviger_app::{Kind, settings};
use claviger_domain::settings::ForwardAuthDialect;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fault::{Fault, Reason};
use crate::fields::{self, RateLimit};
use crate::input::Patch;
use crate::platform::policy::{LifetimeFields, ResourceLimitFields, RetentionFields};

/// Fields to change; absent ones stay, `null` is as if nothing had been said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettingsPatch, example = json!({
    "key_lifetime": {"default_seconds": 7776000, "max_seconds": 31536000, "required": false},
    "forward_auth_dialect": "nginx", "cors_origins": ["https://console.example.com"]
}))]
pub(super) struct SettingsPatch {
    #[serde(default)]
    #[schema(value_type = Option<LifetimeFields>)]
    key_lifetime: Patch<LifetimeFields>,
    /// Of keys made without limits of their own, where their organization has none either.
    #[serde(default)]
    #[schema(value_type = Option<Vec<RateLimit>>, max_items = 16)]
    default_rate_limits: Patch<Vec<Value>>,
    #[serde(default)]
    #[schema(value_type = Option<RetentionFields>)]
    retention: Patch<RetentionFields>,
    /// Of organizations that have none of their own.
    #[serde(default)]
    #[schema(value_type = Option<ResourceLimitFields>)]
    resource_limits: Patch<ResourceLimitFields>,
    /// How forward-auth answers proxies that do not say: `plain`, or `nginx`, which passes on 401 and 403 only.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    forward_auth_dialect: Patch<String>,
    /// At most 100 origins whose web pages may call the admin surfaces, like `https://console.example.com`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    cors_origins: Patch<Vec<String>>,
}

impl TryFrom<SettingsPatch> for settings::Update {
    type Error = Fault;

    fn try_from(patch: SettingsPatch) -> Result<Self, Fault> {
        let SettingsPatch {
            key_lifetime,
            default_rate_limits,
            retention,
            resource_limits,
            forward_auth_dialect,
            cors_origins,
        } = patch;
        let absent = key_lifetime.is_absent() && default_rate_limits.is_absent() && retention.is_absent();
        if absent
            && resource_limits.is_absent()
            && forward_auth_dialect.is_absent()
            && cors_origins.is_absent()
        {
            return Err(Fault::NothingToChange(Kind::Settings));
        }
        Ok(Self {
            key_lifetime: key_lifetime.or_default(|given| given.read("key_lifetime"))?,
            default_limits: default_rate_limits
                .or_default(|given| fields::limits("default_rate_limits", given))?,
            kept_days: retention.or_default(|given| given.read("retention"))?,
            resource_limits: resource_limits.or_default(|given| given.read("resource_limits"))?,
            forward_auth_dialect: forward_auth_dialect.or_default(|word| {
                let bad = Fault::invalid("forward_auth_dialect", Reason::Word(&["plain", "nginx"]));
                ForwardAuthDialect::of_word(&word).ok_or(bad)
            })?,
            cors_origins: cors_origins.or_default(|given| origins(&given))?,
        })
    }
}

const MOST_ORIGINS: usize = 100;

/// Origins as browsers send them, none twice.
fn origins(given: &[String]) -> Result<Vec<String>, Fault> {
    let mut read = Vec::with_capacity(given.len());
    for (place, text) in given.iter().enumerate() {
        let bad = || Fault::invalid(format!("cors_origins[{place}]"), Reason::Origins);
        let origin = origin(text).ok_or_else(bad)?;
        if !read.contains(&origin) {
            read.push(origin);
        }
    }
    match read.len() > MOST_ORIGINS {
        true => Err(Fault::invalid("cors_origins", Reason::Origins)),
        false => Ok(read),
    }
}

/// `scheme://host[:port]` in the form in which browsers send it (RFC 6454, section 6.2): small letters, and no port
/// where it is the scheme's own. Nothing else is ever equal to what they send.
fn origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return None,
    };
    let (host, port) = match rest.rfind(':').filter(|colon| !rest[*colon..].contains(']')) {
        Some(colon) => (&rest[..colon], Some(&rest[colon + 1..])),
        None => (rest, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            !host.is_empty() && host.len() <= 253 && host.bytes().all(fit)
        }
    };
    let is_port = |port: &str| {
        let number =
            port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse::<u16>().ok()).flatten();
        number.is_some_and(|number| number > 0 && !port.starts_with('0'))
    };
    match (is_host, port) {
        (false, _) => None,
        (true, None) => Some(format!("{scheme}://{host}")),
        (true, Some(port)) if port == usual => Some(format!("{scheme}://{host}")),
        (true, Some(port)) => is_port(port).then(|| format!("{scheme}://{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        for (text, expected) in [
            ("https://console.example.com", "https://console.example.com"),
            ("HTTPS://Console.Example.com:443", "https://console.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(origin(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "console.example.com",
            "https://",
            "https://*.example.com",
            "ftp://example.com",
            "https://example.com/",
            "https://example.com/path",
            "https://user@example.com",
            "https://a b",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:65536",
            "https://example.com:08",
            "https://example.com:80a",
            "https://[2001:db8::1",
            "https://[not]",
            "https://é.example",
            "https://a?b",
            "https://a,b",
            "https://[::1]x",
        ] {
            assert_eq!(origin(text), None, "{text}");
        }
    }
}
