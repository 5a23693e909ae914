//! How many connections each address holds, so that no one of them alone shuts the others out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

/// The addresses that hold connections.
#[derive(Debug)]
pub(super) struct Addresses {
    /// `None` is no limit.
    limit: Option<usize>,
    uncounted: Vec<IpNet>,
    held: Arc<Held>,
}

type Held = Mutex<HashMap<IpAddr, Holder>>;

#[derive(Debug, Default)]
struct Holder {
    connections: usize,
    /// Whether it was told that it is at its limit: once, not for each connection.
    told: bool,
}

/// One connection among those of its address; gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Place(Option<(Arc<Held>, IpAddr)>);

impl Addresses {
    pub(super) fn new(limit: Option<usize>, uncounted: Vec<IpNet>) -> Self {
        Self { limit, uncounted, held: Arc::default() }
    }

    /// A place for one more connection of `peer`; `None` when it holds as many as it may.
    pub(super) fn place(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let limit = match self.limit {
            Some(limit) if !self.uncounted.iter().any(|network| network.contains(&peer)) => limit,
            _ => return Some(Place(None)),
        };
        let address = counted_as(peer);
        let mut held = lock(&self.held);
        let holder = held.entry(address).or_default();
        if holder.connections < limit {
            holder.connections += 1;
            return Some(Place(Some((self.held.clone(), address))));
        }
        if !holder.told {
            holder.told = true;
            tracing::warn!(
                %address,
                limit,
                "an address has all the connections it may; further ones are closed (CLAVIGER_MAX_CONNECTIONS_PER_ADDRESS, \
                 or CLAVIGER_TRUSTED_PROXIES if it is a proxy)"
            );
        }
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((held, address)) = &self.0 else { return };
        let mut held = lock(held);
        if let Some(holder) = held.get_mut(address) {
            holder.connections -= 1;
            if holder.connections == 0 {
                held.remove(address);
            }
        }
    }
}

/// Whoever has an IPv6 address usually has the 64 bits of a whole network.
fn counted_as(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(peer) => Ipv6Addr::from_bits(peer.to_bits() >> 64 << 64).into(),
    }
}

fn lock(held: &Held) -> MutexGuard<'_, HashMap<IpAddr, Holder>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_gets_its_places_and_gets_them_back() {
        let addresses = Addresses::new(Some(2), Vec::new());
        let first = addresses.place(ip("192.0.2.1"));
        let second = addresses.place(ip("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(addresses.place(ip("192.0.2.1")).is_none());
        assert!(addresses.place(ip("192.0.2.2")).is_some());
        drop(first);
        let third = addresses.place(ip("192.0.2.1"));
        assert!(third.is_some() && addresses.place(ip("192.0.2.1")).is_none());
        drop((second, third));
        assert!(lock(&addresses.held).is_empty(), "nothing is kept of those who left");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let addresses = Addresses::new(Some(1), Vec::new());
        let _first = addresses.place(ip("2001:db8:0:1::1"));
        assert!(addresses.place(ip("2001:db8:0:1:ffff::2")).is_none());
        assert!(addresses.place(ip("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn proxies_are_not_counted_and_nobody_is_without_a_limit() {
        let addresses = Addresses::new(Some(1), vec!["10.0.0.0/8".parse().unwrap()]);
        let proxies: Vec<_> = (0..5).map(|_| addresses.place(ip("::ffff:10.1.2.3"))).collect();
        assert!(proxies.iter().all(Option::is_some));
        let addresses = Addresses::new(None, Vec::new());
        let many: Vec<_> = (0..5).map(|_| addresses.place(ip("192.0.2.1"))).collect();
        assert!(many.iter().all(Option::is_some));
    }
}
