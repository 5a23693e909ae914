//! Look-ups in long lists of scopes.

use std::cmp::Ordering;

use super::{EVERYTHING, PLATFORM, Scope};

/// Positions in a list of scopes, sorted by their words, for binary search.
#[derive(Debug)]
pub(super) struct Index {
    words: Box<[u32]>,
    /// Those of `words` that end in `*`.
    wildcards: Box<[u32]>,
    /// Whether `*` alone is in the list.
    has_everything: bool,
}

impl Index {
    pub(super) fn of(list: &[Scope]) -> Self {
        let mut words: Vec<u32> = (0..).take(list.len()).collect();
        words.sort_unstable_by_key(|place| word(list, *place));
        let wildcards = words.iter().copied().filter(|place| word(list, *place).ends_with('*')).collect();
        let has_everything = list.iter().any(|scope| scope.0 == EVERYTHING);
        Self { words: words.into(), wildcards, has_everything }
    }

    pub(super) const fn has_wildcard(&self) -> bool {
        !self.wildcards.is_empty()
    }

    /// Whether this very word is in the list.
    pub(super) fn contains(&self, list: &[Scope], wanted: &str) -> bool {
        self.words.binary_search_by(|place| word(list, *place).cmp(wanted)).is_ok()
    }

    /// Whether any scope of the list covers `wanted`: [`Scope::covers`].
    pub(super) fn covers(&self, list: &[Scope], wanted: &str) -> bool {
        (self.has_everything && !wanted.starts_with(PLATFORM))
            || self.contains(list, wanted)
            || self.has_wildcard_for(list, wanted)
    }

    /// Whether a wildcard stands for one of the prefixes of `wanted` that end in a colon. Each longer prefix is
    /// looked for only among the wildcards that begin with the shorter one.
    fn has_wildcard_for(&self, list: &[Scope], wanted: &str) -> bool {
        let mut candidates = &*self.wildcards;
        for (colon, _) in wanted.match_indices(':') {
            let stem = &wanted[..=colon];
            let cut = |word: &str, side: Ordering| {
                let beginning = word.as_bytes().get(..stem.len()).unwrap_or(word.as_bytes());
                beginning.cmp(stem.as_bytes()) == side
            };
            let start = candidates.partition_point(|place| cut(word(list, *place), Ordering::Less));
            candidates = &candidates[start..];
            let end = candidates.partition_point(|place| cut(word(list, *place), Ordering::Equal));
            candidates = &candidates[..end];
            match candidates.first() {
                None => return false,
                // `*` sorts before every other byte of a scope: `stem*` comes first if it is there.
                Some(first) if word(list, *first).len() == stem.len() + 1 => return true,
                Some(_) => {}
            }
        }
        false
    }
}

fn word(list: &[Scope], place: u32) -> &str {
    list.get(place as usize).map_or("", Scope::as_str)
}
