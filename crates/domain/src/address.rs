//! Where a caller may come from, and where it came from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The text is not a list of CIDR blocks (RFC 4632; for IPv6, RFC 4291, section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of CIDR blocks")]
pub struct InvalidAllowlist;

/// The block covers some IPv4-mapped addresses (`::ffff:0:0/96`) and IPv6 addresses beside them: clients of the
/// former are known by their IPv4 address, which is in no IPv6 block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mix of IPv6 and IPv4-mapped addresses")]
pub struct MixedBlock;

/// The addresses that stand for IPv4 ones: RFC 4291, section 2.5.5.2.
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

/// The block in the form in which clients' addresses are compared with it: a block of IPv4-mapped addresses becomes
/// the IPv4 block that it stands for. `::/0` is every IPv6 address.
///
/// # Errors
/// [`MixedBlock`] of a smaller block around the mapped addresses, which would never match them.
pub fn comparable(block: IpNet) -> Result<IpNet, MixedBlock> {
    let IpNet::V6(v6) = block else { return Ok(block) };
    if MAPPED.contains(&v6) {
        let v4 = v6.addr().to_ipv4_mapped().ok_or(MixedBlock)?;
        return Ipv4Net::new(v4, v6.prefix_len() - MAPPED.prefix_len())
            .map(IpNet::V4)
            .map_err(|_| MixedBlock);
    }
    if v6.prefix_len() > 0 && v6.contains(&MAPPED) { Err(MixedBlock) } else { Ok(block) }
}

/// CIDR blocks, IPv4 and IPv6; an empty list admits every address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct IpAllowlist(Vec<IpNet>);

impl IpAllowlist {
    /// Admits the addresses in any of `blocks`.
    #[must_use]
    pub fn new(blocks: Vec<IpNet>) -> Self {
        Self(blocks.into_iter().map(|block| comparable(block).unwrap_or(block)).collect())
    }

    /// The block of a text: CIDR, or an address, which is a block of one.
    ///
    /// # Errors
    /// [`InvalidAllowlist`] when it is neither.
    pub fn block(text: &str) -> Result<IpNet, InvalidAllowlist> {
        let text = text.trim();
        text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| InvalidAllowlist)
    }

    /// Whether `address` may pass. With blocks to check and no address known, nothing passes. An IPv4
    /// address in IPv6 dress (`::ffff:…`, RFC 4291, section 2.5.5.2) is looked up as IPv4.
    #[must_use]
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        self.0.is_empty()
            || address.is_some_and(|address| {
                let address = address.to_canonical();
                self.0.iter().any(|block| block.contains(&address))
            })
    }

    /// Whether every address that passes here passes `outer` too.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        // Two halves are a whole.
        let outer_blocks = IpNet::aggregate(&outer.0);
        let is_inside = |block: &IpNet| outer_blocks.iter().any(|outer| outer.contains(block));
        outer.0.is_empty() || (!self.0.is_empty() && self.0.iter().all(is_inside))
    }

    /// The addresses that pass both lists. Lists that have none in common cannot be told as one: this one is the answer
    /// then.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        if self.0.is_empty() || other.0.is_empty() {
            return if self.0.is_empty() { other.clone() } else { self.clone() };
        }
        let pairs = self.0.iter().flat_map(|one| other.0.iter().map(move |other| (one, other)));
        let smaller = |(one, other): (&IpNet, &IpNet)| match (one.contains(other), other.contains(one)) {
            (true, _) => Some(*other),
            (_, true) => Some(*one),
            _ => None,
        };
        let both: Vec<_> = pairs.filter_map(smaller).collect();
        if both.is_empty() { self.clone() } else { Self(both) }
    }
}

impl fmt::Display for IpAllowlist {
    /// Separated by commas, as [`FromStr`] reads them back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, block) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            write!(f, "{block}")?;
        }
        Ok(())
    }
}

impl FromStr for IpAllowlist {
    type Err = InvalidAllowlist;

    /// Reads comma-separated blocks; a bare address is a block of one.
    fn from_str(text: &str) -> Result<Self, InvalidAllowlist> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        parts.map(Self::block).collect::<Result<_, _>>().map(Self::new)
    }
}

/// The address a request came from: the peer, or, when the peer is a trusted proxy, the right-most
/// entry of `forwarded_for` that is not one. Entries further left are the client's own claims.
///
/// `forwarded_for` holds the values of every `X-Forwarded-For` field, in the order received, as the bytes
/// they came as. An entry may name a port (`192.0.2.7:443`, `[2001:db8::1]:443`), as some proxies do. `None`
/// when the peer is unknown, or a trusted proxy names something that is no address: then nobody can tell where
/// the request came from, and an allowlist admits nothing. Behind trusted proxies only, the left-most entry is
/// taken.
#[must_use]
pub fn client_address(
    peer: Option<IpAddr>,
    forwarded_for: &[&[u8]],
    trusted_proxies: &[IpNet],
) -> Option<IpAddr> {
    let trusted = |address: &IpAddr| trusted_proxies.iter().any(|block| block.contains(address));
    let mut last = peer?.to_canonical();
    let lines = forwarded_for.iter().rev().filter(|line| !line.trim_ascii().is_empty());
    for entry in lines.flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        if !trusted(&last) {
            break;
        }
        last = entry_address(entry)?.to_canonical();
    }
    Some(last)
}

/// Byte by byte: what a client has put further left need not even be text.
fn entry_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_admits_its_blocks_and_fails_closed() {
        let list: IpAllowlist = "10.0.0.0/8, 2001:db8::/32,192.0.2.7".parse().unwrap();
        assert!(list.admits(Some(ip("10.1.2.3"))));
        assert!(list.admits(Some(ip("::ffff:10.1.2.3"))), "an IPv4 address in IPv6 dress");
        assert!(list.admits(Some(ip("2001:db8::1"))));
        assert!(list.admits(Some(ip("192.0.2.7"))));
        assert!(!list.admits(Some(ip("192.0.2.8"))));
        assert!(!list.admits(None));
        assert!(IpAllowlist::default().admits(None));
        assert_eq!(list.to_string().parse(), Ok(list));
        let mapped: IpAllowlist = "::ffff:10.0.0.0/104,::ffff:192.0.2.7,::/0".parse().unwrap();
        assert_eq!(mapped.to_string(), "10.0.0.0/8,192.0.2.7/32,::/0");
        for (address, is_admitted) in [
            ("10.9.9.9", true),
            ("::ffff:10.9.9.9", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fe80::1", true),
        ] {
            assert_eq!(mapped.admits(Some(ip(address))), is_admitted, "{address}");
        }
        assert_eq!("10.0.0.0/33".parse::<IpAllowlist>(), Err(InvalidAllowlist));
    }

    #[test]
    fn a_block_that_mixes_mapped_addresses_with_others_is_refused() {
        for (given, expected) in [
            ("::ffff:0:0/96", Ok("0.0.0.0/0")),
            ("::ffff:0:0/97", Ok("0.0.0.0/1")),
            ("::ffff:1.2.3.4/128", Ok("1.2.3.4/32")),
            ("::ffff:0:0/95", Err(MixedBlock)),
            ("::/80", Err(MixedBlock)),
            ("::/1", Err(MixedBlock)),
            ("::/0", Ok("::/0")),
            ("::/96", Ok("::/96")),
            ("2001:db8::/32", Ok("2001:db8::/32")),
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
        ] {
            let block = IpAllowlist::block(given).unwrap();
            assert_eq!(comparable(block), expected.map(|text| text.parse().unwrap()), "{given}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        type Case = (&'static str, &'static [&'static [u8]], Option<&'static str>);
        let cases: [Case; 13] = [
            ("203.0.113.9", &[b"1.1.1.1"], Some("203.0.113.9")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &[b"", b" "], Some("10.0.0.1")),
            ("10.0.0.1", &[b"6.6.6.6, 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &[b"6.6.6.6", b"203.0.113.9, 10.0.0.2"], Some("203.0.113.9")),
            ("10.0.0.1", &[b"6.6.6.6, rubbish"], None),
            ("10.0.0.1", &[b"6.6.6.6, "], None),
            ("10.0.0.1", &[b"rubbish, 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &[b"\xff\xfe, 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &[b"6.6.6.6, \xff"], None),
            ("10.0.0.1", &[b"203.0.113.9:4711, 10.0.0.2:80"], Some("203.0.113.9")),
            ("10.0.0.1", &[b"[2001:db8::1]:4711"], Some("2001:db8::1")),
            ("10.0.0.1", &[b"10.0.0.3"], Some("10.0.0.3")),
        ];
        for (peer, forwarded, expected) in cases {
            assert_eq!(
                client_address(Some(ip(peer)), forwarded, &proxies),
                expected.map(ip),
                "{peer} {forwarded:?}"
            );
        }
        assert_eq!(client_address(None, &[b"1.1.1.1"], &proxies), None);
    }
}
