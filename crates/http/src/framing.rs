//! Checks of the message framing that hyper leaves to us: `Host` (RFC 9112, section 3.2) and `Transfer-Encoding`
//! (section 6.1). A request that two servers on its way may read differently is refused, and its connection closed.

use axum::extract::Request;
use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Version};

use crate::fault::{Fault, Parked};

/// Refuses a request whose framing is ambiguous.
///
/// # Errors
/// [`Fault::BadHost`], [`Fault::BadTransferEncoding`].
pub(crate) fn check(request: &Request) -> Result<(), Fault> {
    let headers = request.headers();
    if !has_good_host(headers, request.version()) {
        return Err(Fault::BadHost);
    }
    if !has_good_transfer_encoding(headers) {
        return Err(Fault::BadTransferEncoding);
    }
    Ok(())
}

/// One `Host`, which may be empty; HTTP/1.0 knows requests without.
fn has_good_host(headers: &HeaderMap, version: Version) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.as_bytes().iter().copied().all(is_of_host),
        (None, _) => version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// The characters of `uri-host [ ":" port ]` (RFC 3986, section 3.2.2).
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(&byte)
}

/// No coding, or `chunked` once: no other is supported, and hyper decodes one layer however many are named.
fn has_good_transfer_encoding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// The fault of a request that is not to reach any handler.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Parked);
