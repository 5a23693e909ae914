//! Scopes: open words an API's owner gives its own resources, such as `workflows:read`.
//!
//! ```
//! use claviger_domain::scope::{ScopeExpression, Scopes};
//!
//! let held: Scopes = "workflows:read transactions:*".parse()?;
//! let wanted: ScopeExpression = "workflows:read AND (transactions:read OR admin:audit)".parse()?;
//! assert!(wanted.is_satisfied_by(&held));
//!
//! let wanted: ScopeExpression = "workflows:write".parse()?;
//! assert!(!wanted.is_satisfied_by(&held));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::{LazyLock, OnceLock};

mod expression;
mod held;
mod index;

pub use expression::{InvalidExpression, ScopeExpression};
pub use held::Held;
use index::Index;

/// Every scope but those of the platform.
const EVERYTHING: &str = "*";
/// What the scopes begin with that open the operator's surface.
const PLATFORM: &str = "admin:";

/// Scopes of Claviger's own that another one includes, with the scope that includes them: the published examples use
/// the including scopes only.
pub const INCLUDED: [(&str, &str); 5] = [
    ("api-keys:read", "organizations:read"),
    ("usage:read", "organizations:read"),
    ("api-keys:write", "organizations:write"),
    ("admin:analytics", "admin:orgs"),
    ("admin:audit", "admin:orgs"),
];

/// The scope that includes this one; `None` of most.
fn including(word: &str) -> Option<&'static str> {
    INCLUDED.iter().find(|(included, _)| *included == word).map(|(_, including)| *including)
}

/// The text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scope")]
pub struct InvalidScope;

/// One word `resource:action`, `resource:*` for every action of a resource, or `*` for every scope that does
/// not open the operator's surface (`admin:…`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(String);

impl Scope {
    /// The longest scope, in characters.
    pub const MAX: usize = 128;

    /// Whether holding `self` is enough where `wanted` is asked. A wildcard covers every scope that
    /// goes on from its place, other wildcards included; asked for, it is covered by wildcards only.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        self.covers_word(&wanted.0)
    }

    fn covers_word(&self, wanted: &str) -> bool {
        match self.0.strip_suffix('*') {
            // Whoever may do everything in an organization may not run the installation.
            Some("") => !wanted.starts_with(PLATFORM),
            Some(stem) => wanted.starts_with(stem),
            None => self.0 == wanted,
        }
    }

    /// Whether it opens the operator's surface.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.0.starts_with(PLATFORM)
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// Reads `*`, or two or more parts joined by colons. A part is letters, digits, `_`, `-` and `.` of ASCII; the
    /// last one may be `*` instead. Case matters.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text == EVERYTHING {
            return Ok(Self(text.to_owned()));
        }
        let word = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let parts: Vec<_> = text.split(':').collect();
        let Some((last, first)) = parts.split_last() else { return Err(InvalidScope) };
        let sound = text.len() <= Self::MAX
            && !first.is_empty()
            && first.iter().all(|part| word(part))
            && (*last == "*" || word(last));
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidScope) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The scopes a credential holds, in the order they were given.
///
/// A look-up costs time proportional to the word asked for, however many scopes are held: a long list is indexed
/// on its first look-up.
#[derive(Debug, Default)]
pub struct Scopes {
    list: Vec<Scope>,
    /// Built on the first look-up in a list longer than [`Self::SHORT`].
    index: OnceLock<Index>,
}

impl Scopes {
    /// Up to this length, comparing every scope is as fast as using an index.
    const SHORT: usize = 8;

    /// Holds `scopes`, in this order; without any, nothing is covered.
    #[must_use]
    pub fn new(scopes: Vec<Scope>) -> Self {
        Self { list: scopes, index: OnceLock::new() }
    }

    /// `*` alone, which covers all but what is the operator's.
    #[must_use]
    pub fn everything() -> Self {
        Self::new(vec![Scope("*".to_owned())])
    }

    /// Whether any of them covers `wanted`, by itself or by the scope that includes it ([`INCLUDED`]).
    #[must_use]
    pub fn cover(&self, wanted: &Scope) -> bool {
        self.cover_word(wanted.as_str())
    }

    /// As [`cover`](Self::cover), of a scope in its written form.
    #[must_use]
    pub fn cover_word(&self, wanted: &str) -> bool {
        self.cover_directly(wanted) || including(wanted).is_some_and(|wider| self.cover_directly(wider))
    }

    /// Whether any of them covers `wanted` by its own form: [`Scope::covers`].
    fn cover_directly(&self, wanted: &str) -> bool {
        match self.index() {
            None => self.list.iter().any(|held| held.covers_word(wanted)),
            Some(index) => index.covers(&self.list, wanted),
        }
    }

    /// Whether this very word is among them.
    fn contains(&self, word: &str) -> bool {
        match self.index() {
            None => self.list.iter().any(|held| held.0 == word),
            Some(index) => index.contains(&self.list, word),
        }
    }

    fn has_wildcard(&self) -> bool {
        match self.index() {
            None => self.list.iter().any(|scope| scope.0.ends_with('*')),
            Some(index) => index.has_wildcard(),
        }
    }

    /// `None` of a short list.
    fn index(&self) -> Option<&Index> {
        (self.list.len() > Self::SHORT).then(|| self.index.get_or_init(|| Index::of(&self.list)))
    }

    /// Those of `wanted` that none of them covers.
    #[must_use]
    pub fn lacking(&self, wanted: &Self) -> Vec<Scope> {
        wanted.iter().filter(|scope| !self.cover(scope)).cloned().collect()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What both cover, no word twice: of either, what the other covers.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        self.common(other).collect()
    }

    /// The words of [`meet`](Self::meet), borrowed. Without a wildcard in `self`, the cost does not depend on how
    /// many scopes `other` has.
    pub(crate) fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Scope> {
        // Of what `other` names, `self` covers words that both have, and what a wider scope of its own covers.
        let is_wider = |scope: &Scope| INCLUDED.iter().any(|(_, wider)| scope.0 == *wider);
        let has_wider = self.has_wildcard() || self.list.iter().any(is_wider);
        let others = if has_wider { other.list.as_slice() } else { &[] };
        let from_own = self.list.iter().filter(|scope| other.cover(scope));
        from_own
            .chain(others.iter().filter(|scope| self.cover(scope) && !self.contains(&scope.0)))
            .chain(self.unnamed_in_common(other))
    }

    /// Scopes that both cover, but that neither names nor covers in the same way: `organizations:*` and `api-keys:*`
    /// have `api-keys:write` in common.
    fn unnamed_in_common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Scope> {
        static SCOPES: LazyLock<Vec<Scope>> =
            LazyLock::new(|| INCLUDED.iter().map(|(word, _)| Scope((*word).to_owned())).collect());
        // Only a wildcard covers a scope directly without naming it.
        let scopes = if self.has_wildcard() || other.has_wildcard() { SCOPES.as_slice() } else { &[] };
        let only_by_inclusion =
            |held: &Self, word: &str, wider: &str| held.cover_directly(wider) && !held.cover_directly(word);
        let only_directly = |held: &Self, word: &str, wider: &str| {
            held.cover_directly(word) && !held.contains(word) && !held.cover_directly(wider)
        };
        scopes.iter().zip(INCLUDED).filter_map(move |(scope, (word, wider))| {
            let is_unnamed = (only_by_inclusion(self, word, wider) && only_directly(other, word, wider))
                || (only_by_inclusion(other, word, wider) && only_directly(self, word, wider));
            is_unnamed.then_some(scope)
        })
    }

    /// What either covers, no word twice.
    #[must_use]
    pub fn join(self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// The scopes, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.list.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

// The index follows from the list: it is neither copied nor compared.
impl Clone for Scopes {
    fn clone(&self) -> Self {
        Self::new(self.list.clone())
    }
}

impl PartialEq for Scopes {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Scopes {}

impl Hash for Scopes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.list.hash(state);
    }
}

impl<'a> FromIterator<&'a Scope> for Scopes {
    /// In the order they come, no word twice.
    fn from_iter<T: IntoIterator<Item = &'a Scope>>(scopes: T) -> Self {
        let mut seen = HashSet::new();
        Self::new(scopes.into_iter().filter(|scope| seen.insert(scope.as_str())).cloned().collect())
    }
}

impl fmt::Display for Scopes {
    /// Separated by spaces, as in RFC 6749, section 3.3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.list.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    /// Reads scopes separated by white space; the empty text is no scopes.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn scopes_read_back_what_they_print(words in prop::collection::vec("[a-z]{1,8}:([a-z]{1,8}|\\*)", 0..6)) {
            let scopes: Scopes = words.join(" ").parse().unwrap();
            prop_assert_eq!(scopes.to_string().parse(), Ok(scopes));
        }
    }

    fn word() -> impl Strategy<Value = String> {
        let own = "(organizations|api-keys):(read|write|\\*)|admin:(orgs|audit)|usage:(read|\\*)";
        prop_oneof!["\\*", "(a|b|admin):(x|y|\\*)", "(a|b):(x|y):(u|v|\\*)", "c:[a-z]{1,3}", own]
    }

    // Up to thirty words: some lists are short, others are indexed.
    proptest! {
        #[test]
        fn together_they_cover_what_any_of_them_does(
            words in prop::collection::vec(word(), 0..30), wanted in word(),
        ) {
            let scopes: Scopes = words.join(" ").parse().unwrap();
            let wanted: Scope = wanted.parse().unwrap();
            let one_by_one = scopes.iter().any(|scope| Scopes::new(vec![scope.clone()]).cover(&wanted));
            prop_assert_eq!(scopes.cover(&wanted), one_by_one);
            prop_assert_eq!(scopes.contains(wanted.as_str()), words.iter().any(|word| word == wanted.as_str()));
        }

        #[test]
        fn what_both_cover_is_covered_by_what_they_have_in_common(
            one in prop::collection::vec(word(), 0..20), other in prop::collection::vec(word(), 0..20), wanted in word(),
        ) {
            let (one, other): (Scopes, Scopes) = (one.join(" ").parse().unwrap(), other.join(" ").parse().unwrap());
            let both = one.cover_word(&wanted) && other.cover_word(&wanted);
            prop_assert_eq!(one.meet(&other).cover_word(&wanted), both);
            let either = one.cover_word(&wanted) || other.cover_word(&wanted);
            prop_assert_eq!(one.join(&other).cover_word(&wanted), either);
        }
    }

    #[test]
    fn no_word_stands_twice_in_what_is_common_or_joined() {
        let (one, other): (Scopes, Scopes) = ("a:* a:x b:y".parse().unwrap(), "a:x a:* c:z".parse().unwrap());
        assert_eq!(one.meet(&other).to_string(), "a:* a:x");
        assert_eq!(one.join(&other).to_string(), "a:* a:x b:y c:z");
    }
}
