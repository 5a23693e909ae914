//! How the text of a setting becomes its value. No reason given here repeats the text: it may be a
//! secret.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use claviger_app::Durability;
use claviger_domain::address::comparable;
use claviger_domain::secret::{KeyFormat, Plaintext};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::LogFormat;

/// Why a value is refused, in words that follow the name of its setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason(pub(crate) &'static str);

pub(super) fn address(text: &str) -> Result<SocketAddr, Reason> {
    text.parse().map_err(|_| Reason("it is not an IP address with a port"))
}

pub(super) fn path(text: &str) -> Result<PathBuf, Reason> {
    if text.contains('\0') {
        return Err(Reason("a path has no NUL"));
    }
    Ok(PathBuf::from(text))
}

pub(super) fn number<N: FromStr + PartialOrd>(text: &str, range: &RangeInclusive<N>) -> Result<N, Reason> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits).ok_or(Reason("it is not a whole number in range"))?;
    if range.contains(&number) { Ok(number) } else { Err(Reason("it is out of range")) }
}

pub(super) fn durability(text: &str) -> Result<Durability, Reason> {
    match text {
        "process" => Ok(Durability::Process),
        "disk" => Ok(Durability::Disk),
        _ => Err(Reason("it is neither process nor disk")),
    }
}

pub(super) fn seconds(text: &str, range: &RangeInclusive<u64>) -> Result<Duration, Reason> {
    number(text, range).map(Duration::from_secs)
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, Reason> {
    text.split(',').map(str::trim).filter(|network| !network.is_empty()).map(network).collect()
}

fn network(text: &str) -> Result<IpNet, Reason> {
    let alone = text.parse::<IpAddr>().map(IpNet::from);
    let network = alone
        .or_else(|_| text.parse::<IpNet>())
        .map(|network| network.trunc())
        .map_err(|_| Reason("one is not a network"))?;
    comparable(network).map_err(|_| Reason("one mixes IPv4-mapped (::ffff:0:0/96) and other IPv6 addresses"))
}

pub(super) fn bootstrap_key(text: &str) -> Result<Plaintext, Reason> {
    let key: Plaintext = text.parse().map_err(|_| Reason("its form or its checksum is wrong"))?;
    if key.format() != KeyFormat::Bootstrap {
        return Err(Reason("it is a key of another kind"));
    }
    Ok(key)
}

pub(super) fn log_filter(text: &str) -> Result<String, Reason> {
    EnvFilter::builder().parse(text).map_err(|_| Reason("it is not a log filter"))?;
    Ok(text.to_owned())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Reason> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Reason("it is none of the three")),
    }
}

/// A password in it would end up in logs, so that the environment variable for headers is the
/// place for credentials.
pub(super) fn endpoint(text: &str) -> Result<Url, Reason> {
    let url = Url::parse(text).map_err(|_| Reason("it is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Reason("it is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(Reason(
            "credentials and parameters are not taken; OTEL_EXPORTER_OTLP_HEADERS takes headers",
        ));
    }
    Ok(url)
}
