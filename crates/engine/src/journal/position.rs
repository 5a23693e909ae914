//! How far: offsets into lanes, as the database keeps them beside the counts.

use std::collections::BTreeMap;

/// The end of what was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The lane's number.
    pub lane: u32,
    /// Bytes ever written to the lane, up to here.
    pub offset: u64,
}

/// Where in each lane: absolute offsets in bytes, which never go back. A lane that is not named is at
/// its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<u32, u64>);

impl Positions {
    /// The offset in `lane`, if it is named.
    #[must_use]
    pub fn get(&self, lane: u32) -> Option<u64> {
        self.0.get(&lane).copied()
    }

    /// Every lane that is named and the offset in it, by the lane's number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().map(|(lane, offset)| (*lane, *offset))
    }

    /// Whether no lane is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(u32, u64)> for Positions {
    fn from_iter<I: IntoIterator<Item = (u32, u64)>>(positions: I) -> Self {
        Self(positions.into_iter().collect())
    }
}
