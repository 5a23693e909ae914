//! What is left of a key's scopes when whoever it is bound to has fewer.

use std::borrow::Cow;

use super::{Scope, Scopes};

/// What somebody holds now: its own scopes, as far as whoever it is bound to has them too.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    own: &'a Scopes,
    bound: Option<&'a Scopes>,
}

impl<'a> Held<'a> {
    /// `own`, and no more of it than `bound` covers; `None` is no bound.
    #[must_use]
    pub const fn new(own: &'a Scopes, bound: Option<&'a Scopes>) -> Self {
        Self { own, bound }
    }

    /// Whether `wanted` is covered.
    #[must_use]
    pub fn cover(&self, wanted: &Scope) -> bool {
        self.cover_word(wanted.as_str())
    }

    /// As [`cover`](Self::cover), of a scope in its written form.
    #[must_use]
    pub fn cover_word(&self, wanted: &str) -> bool {
        self.own.cover_word(wanted) && self.bound.is_none_or(|bound| bound.cover_word(wanted))
    }

    /// The scopes that are left.
    #[must_use]
    pub fn scopes(&self) -> Cow<'a, Scopes> {
        self.bound.map_or(Cow::Borrowed(self.own), |bound| Cow::Owned(self.own.meet(bound)))
    }

    /// As [`scopes`](Self::scopes), one by one and borrowed.
    pub fn iter(&self) -> impl Iterator<Item = &'a Scope> {
        let own = self.bound.is_none().then_some(self.own);
        let common = self.bound.map(|bound| self.own.common(bound));
        own.into_iter().flat_map(Scopes::iter).chain(common.into_iter().flatten())
    }
}

impl<'a> From<&'a Scopes> for Held<'a> {
    fn from(own: &'a Scopes) -> Self {
        Self::new(own, None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;

    fn scopes() -> impl Strategy<Value = Scopes> {
        let word = prop_oneof!["\\*", "(a|b|admin):(x|y|\\*)", "(a|b):(x|y):(u|\\*)"];
        prop::collection::vec(word, 0..4).prop_map(|words| words.join(" ").parse().unwrap())
    }

    #[test]
    fn nobody_has_more_than_whoever_it_is_bound_to() {
        for (own, bound, left) in [
            ("a:*", "a:read", "a:read"),
            ("a:read", "a:*", "a:read"),
            ("*", "a:* b:x", "a:* b:x"),
            ("a:read b:read", "c:*", ""),
            ("admin:* a:x", "*", "a:x"),
            ("a:x", "", ""),
        ] {
            let (own, bound): (Scopes, Scopes) = (own.parse().unwrap(), bound.parse().unwrap());
            assert_eq!(Held::new(&own, Some(&bound)).scopes().to_string(), left);
        }
    }

    proptest! {
        #[test]
        fn the_scopes_that_are_left_cover_what_is_covered(
            own in scopes(), bound in scopes(), wanted in "(a|b|admin):(x|y)(:u)?|(a|b|admin):\\*",
        ) {
            let held = Held::new(&own, Some(&bound));
            prop_assert_eq!(held.scopes().cover_word(&wanted), held.cover_word(&wanted));
            let scopes = held.scopes();
            let (one_by_one, all): (HashSet<_>, HashSet<_>) = (held.iter().collect(), scopes.iter().collect());
            prop_assert_eq!(one_by_one, all);
        }
    }
}
