//! Ids for requests: told apart from those of any other process by a random start, and from each other by a
//! count. Nobody is to guess anything from them, and nothing rests on that.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Entropy;

#[derive(Debug)]
pub(crate) struct RequestIds(AtomicU64);

/// An odd step visits every number before it comes back.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl RequestIds {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut start = [0; 8];
        entropy.fill(&mut start);
        Self(AtomicU64::new(u64::from_le_bytes(start)))
    }

    /// `req_` and 16 hexadecimal digits.
    pub(crate) fn next(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let number = self.0.fetch_add(STEP, Ordering::Relaxed);
        let mut text = String::with_capacity(20);
        text.push_str("req_");
        text.extend((0..16).rev().map(|place| char::from(DIGITS[(number >> (place * 4)) as usize & 15])));
        text
    }
}
