//! Random histories, drawn so that everything that can happen does, and the same for the same seed.

use chrono::{DateTime, TimeDelta, Utc};
use claviger_domain::credential::{Class, Credential, Credits, Network, Refill};
use claviger_domain::secret::KeyFormat;
use claviger_domain::verification::Demand;
use serde_json::{Value, json};

use super::stage;

/// What happens between calls. Credentials and users are named by their place.
#[derive(Debug)]
pub(super) enum Step {
    User,
    Issue { user: Option<usize>, limit: u64, network: u64 },
    Stage { class: Class, user: Option<usize> },
    Rotate { credential: usize, overlap: u64 },
    Rename { credential: usize },
    Revoke { credential: usize },
    Status { user: usize, word: &'static str },
    Set { credential: usize, setting: Setting },
    Organization { is_suspended: bool, allowlist: &'static str },
    Wait { ms: i64 },
    Drain,
}

/// What no surface can set yet.
#[derive(Debug)]
pub(super) enum Setting {
    Limits(&'static str),
    Credits(Option<u64>, Option<(u64, i64)>),
    Scopes(&'static str),
    Allowlist(&'static str),
    Ends(Option<i64>),
    Disabled(bool),
}

/// One call.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) key: Key,
    cost: u32,
    network: Option<i64>,
    environment: Option<&'static str>,
    scopes: Option<&'static str>,
    address: Option<&'static str>,
}

#[derive(Debug)]
pub(super) enum Key {
    Of { credential: usize, number: usize },
    Wrong(String),
}

const LIMITS: [&str; 7] = [
    "",
    "requests:3/60",
    "burst:2/1,hourly:9/3600",
    "own:4/60,ours:6/60@user_account",
    "ours:9/10@organization,own:5/60",
    "ours:7/60@organization,ours2:5/60@user_account,own:4/60",
    "daily:40/86400,ours:6/3600@user_account",
];
const ALLOWLISTS: [&str; 4] = ["", "", "192.0.2.0/24", "192.0.2.7,2001:db8::/32"];
const ADDRESSES: [&str; 3] = ["192.0.2.7", "192.0.2.9", "2001:db8::1"];
const SCOPES: [&str; 3] = ["", "workflows:read", "workflows:*"];

impl Setting {
    pub(super) fn apply(&self, credential: &mut Credential, now: DateTime<Utc>) {
        match self {
            Self::Limits(text) => credential.limits = text.parse().unwrap(),
            Self::Credits(remaining, refill) => {
                let refill = refill.map(|(amount, seconds)| Refill {
                    amount,
                    every: TimeDelta::seconds(seconds),
                    since: now,
                });
                credential.credits = remaining.map(|remaining| Credits::granted(remaining, refill));
            }
            Self::Scopes(text) => credential.scopes = text.parse().unwrap(),
            Self::Allowlist(text) => credential.ip_allowlist = text.parse().unwrap(),
            Self::Ends(seconds) => {
                credential.expires_at = seconds.map(|seconds| now + TimeDelta::seconds(seconds));
            }
            Self::Disabled(is_disabled) => credential.disabled_at = is_disabled.then_some(now),
        }
    }
}

impl Ask {
    /// As a gateway asks.
    pub(super) fn body(&self) -> Value {
        let Self { key: _, cost, network, environment, scopes, address } = self;
        json!({
            "cost": cost, "network_id": network, "environment": environment, "scopes": scopes, "ip": address
        })
    }

    /// As the domain is asked.
    pub(super) fn demand(&self) -> Demand {
        Demand {
            scopes: self.scopes.map(|text| text.parse().unwrap()),
            cost: self.cost,
            address: self.address.map(|text| text.parse().unwrap()),
            network: self.network.map(|number| Network::of_number(number).unwrap()),
            environment: self
                .environment
                .map(|word| claviger_domain::credential::Environment::of_word(word).unwrap()),
        }
    }
}

/// SplitMix64.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn once_in<T>(&mut self, times: usize, value: T) -> Option<T> {
        (self.below(times) == 0).then_some(value)
    }

    /// The newest ones more often than the others.
    fn place(&mut self, of: usize) -> usize {
        let newest = self.below(of.min(4));
        if self.below(3) > 0 { of - 1 - newest } else { self.below(of) }
    }

    pub(super) fn step(&mut self, users: usize, credentials: usize) -> Step {
        let user = if users > 0 && self.below(4) > 0 { Some(self.below(users)) } else { None };
        if credentials == 0 {
            return Step::Issue { user: None, limit: 5, network: 0 };
        }
        let credential = self.place(credentials);
        match self.below(40) {
            0 | 1 => Step::User,
            2..=4 => Step::Issue { user, limit: 2 + self.below(9) as u64, network: self.below(3) as u64 },
            5 => Step::Stage { class: self.one(&[Class::Live, Class::Test]), user },
            6..=8 => Step::Rotate { credential, overlap: self.one(&[0, 1, 30, 600]) },
            9 => Step::Rename { credential },
            10 => Step::Revoke { credential },
            11..=13 if users > 0 => {
                let word = self.one(&["suspend", "reactivate", "reactivate"]);
                Step::Status { user: self.below(users), word }
            }
            14..=21 => Step::Set { credential, setting: self.setting() },
            22 => {
                let is_suspended = self.below(2) == 0;
                Step::Organization { is_suspended, allowlist: self.one(&ALLOWLISTS) }
            }
            // So that nothing is shut for long.
            23 | 24 => Step::Organization { is_suspended: false, allowlist: "" },
            25 => Step::Drain,
            26..=28 => Step::Wait { ms: self.below(120_000) as i64 },
            29 => Step::Wait { ms: self.below(8_000_000) as i64 },
            30 => Step::Wait { ms: -(self.below(1_500) as i64) },
            _ => Step::Wait { ms: self.below(3_000) as i64 },
        }
    }

    fn setting(&mut self) -> Setting {
        match self.below(12) {
            0..=4 => Setting::Limits(self.one(&LIMITS)),
            5..=7 => {
                let remaining = self.below(12) as u64;
                let refill = (self.below(10) as u64, 1 + self.below(200) as i64);
                let refill = self.once_in(2, refill);
                Setting::Credits((self.below(5) > 0).then_some(remaining), refill)
            }
            8 => Setting::Scopes(self.one(&SCOPES)),
            9 => Setting::Allowlist(self.one(&ALLOWLISTS)),
            10 => {
                let seconds = self.below(60) as i64;
                Setting::Ends(self.once_in(2, seconds))
            }
            _ => Setting::Disabled(self.below(2) == 0),
        }
    }

    /// A call; `None` when there is nobody to call.
    pub(super) fn ask(&mut self, credentials: usize) -> Option<Ask> {
        if credentials == 0 {
            return None;
        }
        let key = match self.below(30) {
            0 => Key::Wrong("iiak_mistyped".to_owned()),
            1 => Key::Wrong(stage::never_issued(KeyFormat::Partner)),
            _ => Key::Of { credential: self.place(credentials), number: self.below(6) },
        };
        let (network, environment) = (self.below(3) as i64, self.one(&["live", "test"]));
        let (scope, address) = (self.one(&["workflows:read", "users:read"]), self.one(&ADDRESSES));
        Some(Ask {
            key,
            cost: self.below(4) as u32,
            network: self.once_in(6, network),
            environment: self.once_in(8, environment),
            scopes: self.once_in(12, scope),
            address: (self.below(5) > 0).then_some(address),
        })
    }
}
